"""The measured command, and the command that prepares its data."""
