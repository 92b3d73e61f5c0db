"""YAML → Task. A task file is untrusted bytes: whatever stands in it ends in a task or in problems, never in an exception."""
