"""The parent process: it starts children, reads their output, enforces limits, and removes what they leave behind."""
