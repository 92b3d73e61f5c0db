"""Owners of runs: locked files show which owner is gone, in every container and for every user."""
