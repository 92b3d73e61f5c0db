"""What people do by hand: run a task, replay a run, try the work tree, cancel a run."""
