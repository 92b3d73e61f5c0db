"""The life of a child, from the fork to its exit."""
