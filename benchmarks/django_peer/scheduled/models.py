# mypy: ignore-errors
# Django is not among the product's dependencies, and its models are made of what mypy knows only by a plug-in.
"""The table of tasks."""

from datetime import datetime, timedelta

from django.db import models


class Task(models.Model):
    """A task as people keep it in an admin site: its code is a text field."""

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
        """Return whether the time of the task has come."""
        return self.next_run is None or self.next_run <= now

    def ran(self, now: datetime) -> None:
        """Save that the task ran now, and when it runs next."""
        self.last_run = now
        self.next_run = now + timedelta(**{self.unit: self.frequency})
        self.save()
