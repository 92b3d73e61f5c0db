# mypy: ignore-errors
# Django is not a dependency of runner: this runs in the environment of the peers (benchmarks/peer_environment.py).
"""The command that cron calls: `manage.py run_scheduled_tasks`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from scheduled.models import Task


class Command(BaseCommand):
    """Runs every active task that is due, one after the other, in this process."""

    help = __doc__

    def handle(self, **_options: Any) -> None:
        """Run due tasks. This is deliberately simple, as people write such a command."""
        now = timezone.now()
        for task in Task.objects.filter(active=True):
            if not task.is_due(now):
                continue
            try:
                exec(task.code, {"timezone": timezone, "Task": Task})
            except Exception as error:  # noqa: BLE001 - an error of one task must not stop the others
                self.stderr.write(f"{task.name}: {error}")
            task.ran(now)
