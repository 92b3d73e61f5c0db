"""Companies, contacts and tickets."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class Company(models.Model):
    """A customer."""

    name = models.CharField(max_length=100, unique=True)
    domain = models.CharField(max_length=100, blank=True)

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """A person who opens tickets."""

    name = models.CharField(max_length=100)
    email = models.EmailField()
    company = models.ForeignKey(Company, models.SET_NULL, null=True, blank=True, related_name="contacts")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


class Ticket(models.Model):
    """A question of a contact."""

    class Status(models.TextChoices):
        """Who has to do something next: the support, the contact, nobody."""

        OPEN = "open"
        WAITING = "waiting"
        CLOSED = "closed"

    title = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="tickets")
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    def close(self) -> None:
        """Close the ticket."""
        self.status = self.Status.CLOSED
        self.updated_at = timezone.now()
        self.save(update_fields=["status", "updated_at"])
