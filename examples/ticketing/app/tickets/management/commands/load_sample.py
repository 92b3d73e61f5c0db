"""`manage.py load_sample`: load the sample data, as if its last day were today."""

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db.models import F
from django.utils import timezone

from tickets.models import Contact, Ticket


class Command(BaseCommand):
    """Load the fixture, and move its dates."""

    help = "Load the sample data, as if its last day were today; only into an empty database."

    def handle(self, **_options: object) -> None:
        """Load the fixture, unless there are users."""
        if User.objects.exists():
            self.stdout.write("The database has data; nothing was loaded.")
            return
        call_command("loaddata", "sample", verbosity=0)
        passed = timezone.now() - User.objects.latest("date_joined").date_joined
        User.objects.update(date_joined=F("date_joined") + passed)
        Contact.objects.update(created_at=F("created_at") + passed)
        Ticket.objects.update(created_at=F("created_at") + passed, updated_at=F("updated_at") + passed)
        self.stdout.write(f"Loaded {User.objects.count()} users and {Ticket.objects.count()} tickets.")
