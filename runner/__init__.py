"""Scheduled Python tasks, reviewed like code."""
