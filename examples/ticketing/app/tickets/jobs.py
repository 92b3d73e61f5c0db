"""Work that the site puts off: a Django task (`django.tasks`) for `manage.py db_worker`."""

from django.conf import settings
from django.core.mail import send_mail

try:
    from django.tasks import task
except ImportError:  # before Django 6, the package django-tasks has the same
    from django_tasks import task

from tickets.models import Ticket


@task()
def send_reminder(ticket_id: int) -> str:
    """Remind the assignee of a ticket; return the address."""
    ticket = Ticket.objects.select_related("assignee", "contact").get(pk=ticket_id)
    address: str = ticket.assignee.email
    send_mail(f"Still open: {ticket}", f"{ticket.contact} waits.", settings.DEFAULT_FROM_EMAIL, [address])
    return address
