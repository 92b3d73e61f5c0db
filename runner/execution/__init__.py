"""Child processes of runs: the fork, isolation, captured output, and the removal of all that a run leaves behind."""
