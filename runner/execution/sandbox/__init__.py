"""What holds a task's code to its permissions: Landlock, seccomp, and no capabilities."""
