"""Git: which commit is in force, and what stands in it."""
