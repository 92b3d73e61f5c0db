"""Turn values into text for people and JSON for programs. These modules return what is shown; only `cli` prints it."""
