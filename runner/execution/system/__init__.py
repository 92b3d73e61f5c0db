"""What the operating system is asked: processes, control groups, and what only Linux has."""
