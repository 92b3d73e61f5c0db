"""Before a change is merged: a new task, its check, and what it means in time."""
