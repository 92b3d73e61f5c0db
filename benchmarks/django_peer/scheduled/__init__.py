"""The app of the peer: tasks in a table."""
