"""Access to the operating system: processes, control groups, and features that only Linux has."""
