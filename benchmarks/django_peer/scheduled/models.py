# mypy: ignore-errors
# Django is not a dependency of runner, and mypy can check its models only with a plug-in.
"""The table of tasks."""

from datetime import datetime, timedelta

from django.db import models


class Task(models.Model):
    """A task that people edit in an admin site; its code is a text field."""

    UNITS = (("minutes", "minutes"), ("hours", "hours"), ("days", "days"), ("weeks", "weeks"))

    name = models.CharField(max_length=200, unique=True)
    frequency = models.PositiveIntegerField()
    unit = models.CharField(max_length=10, choices=UNITS)
    active = models.BooleanField(default=True)
    code = models.TextField()
    last_run = models.DateTimeField(null=True, blank=True)
    next_run = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name

    def is_due(self, now: datetime) -> bool:
        """Return whether the task is due."""
        return self.next_run is None or self.next_run <= now

    def ran(self, now: datetime) -> None:
        """Save `now` as the last run, and the time of the next run."""
        self.last_run = now
        self.next_run = now + timedelta(**{self.unit: self.frequency})
        self.save()
