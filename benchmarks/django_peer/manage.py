# mypy: ignore-errors
# Django is not a dependency of runner: this runs in the environment of the peers (benchmarks/peer_environment.py).
"""The design that runner replaces: tasks in a table, and a management command that cron calls."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    execute_from_command_line(sys.argv)
