"""The SQLite database of decisions, runs and compiled tasks. No other package contains SQL."""
