"""What a tick does, from the question whether anything is due to the record of what has run."""
