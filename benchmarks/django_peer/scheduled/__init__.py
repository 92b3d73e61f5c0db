"""The one app: tasks in a table."""
