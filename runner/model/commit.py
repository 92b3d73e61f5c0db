"""A commit, as people speak of it."""

from __future__ import annotations

from datetime import datetime

from runner.value import Value


class Commit(Value):
    """Who changed what.

    `pull_request` is the number in the message, where there is one; `url` leads to a known forge.
    """

    id: str
    author: str
    authored_at: datetime
    subject: str
    pull_request: int | None = None
    url: str | None = None

    def change(self) -> str:
        """Return who changed what: `Ada: run it earlier (#12)`."""
        number = "" if self.pull_request is None else f"#{self.pull_request}"
        told = f" ({number})" if number and number not in self.subject else ""
        return f"{self.author}: {self.subject}{told}"

    def in_words(self) -> str:
        """Return the commit as one line: `1a2b3c4d5e6f Ada: run it earlier (#12)`."""
        return f"{self.id[:SHORT]} {self.change()}"


#: So many letters of an id are shown to people.
SHORT = 12
