"""What a child process does, from the fork to its exit."""
