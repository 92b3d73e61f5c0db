"""SQLite: what was decided, what ran, and the compiled tasks. One module a question; SQL stands nowhere else."""
