"""From YAML to a Task. A task file is untrusted bytes: any content gives a task or problems, never an exception."""
