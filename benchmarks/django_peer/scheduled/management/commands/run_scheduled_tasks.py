# mypy: ignore-errors
# Django is not among the product's dependencies: this runs in the peers' own environment (benchmarks/peer_environment.py).
"""What cron calls: `manage.py run_scheduled_tasks`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from scheduled.models import Task


class Command(BaseCommand):
    """Runs every active task that is due, one after the other, in this process."""

    help = __doc__

    def handle(self, **_options: Any) -> None:
        """Run what is due. Naive on purpose: this is the command as people write it."""
        now = timezone.now()
        for task in Task.objects.filter(active=True):
            if not task.is_due(now):
                continue
            try:
                exec(task.code, {"timezone": timezone})
            except Exception as error:  # noqa: BLE001 - one task's error must not keep the others from running
                self.stderr.write(f"{task.name}: {error}")
            task.ran(now)
