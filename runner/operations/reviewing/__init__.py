"""Before a change is merged: write a new task, check the files, and plan what the change does."""
