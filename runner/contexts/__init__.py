"""Applications whose names stand in scope of tasks. These modules run in the Python of the application."""
