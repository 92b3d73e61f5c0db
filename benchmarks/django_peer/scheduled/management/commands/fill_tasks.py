# mypy: ignore-errors
# Django is not a dependency of runner: this runs in the environment of the peers (benchmarks/peer_environment.py).
"""The preparation, not measured: `manage.py fill_tasks TASKS DUE CODE`."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from scheduled.models import Task

# As long as the code of the tasks in benchmarks/repositories.py, so that both products read equally much.
_CODE = """\
rows = [number * {number} for number in range(10)]
total = sum(rows)
if total < 0:
    raise ValueError("less than nothing")
print(f"=== {{timezone.now():%d/%m/%Y}}: {{total}} ===")
"""


class Command(BaseCommand):
    """Creates the table and fills it with tasks; the first DUE of them are due."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments; `code` is that of the tasks that are due."""
        parser.add_argument("tasks", type=int)
        parser.add_argument("due", type=int)
        parser.add_argument("code")

    def handle(self, *, tasks: int, due: int, code: str, **_options: Any) -> None:
        """Fill the table."""
        call_command("migrate", run_syncdb=True, verbosity=0)
        Task.objects.bulk_create(self._task(number, code, is_due=number < due) for number in range(tasks))

    def _task(self, number: int, code: str, *, is_due: bool) -> Task:
        delay = timedelta(hours=-1) if is_due else timedelta(days=30)
        return Task(
            name=f"group-{number % 20}/task-{number}",
            frequency=number % 7 + 2,
            unit=Task.UNITS[1 + number % 3][0],
            code=code if is_due else _CODE.format(number=number),
            next_run=timezone.now() + delay,
        )
