"""The command of the design, and the one that prepares it."""
