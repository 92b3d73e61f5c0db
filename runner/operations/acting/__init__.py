"""What people do by hand: run a task, run it again, try it, end a run."""
