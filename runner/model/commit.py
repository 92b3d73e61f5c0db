"""A commit, as it is shown to people."""

from __future__ import annotations

from datetime import datetime

from runner.value import Value


class Commit(Value):
    """The id, the author and the subject of a commit.

    `pull_request` is the number in the message, where there is one. `url` is the page of the commit on a known forge.
    """

    id: str
    author: str
    authored_at: datetime
    subject: str
    pull_request: int | None = None
    url: str | None = None

    def change(self) -> str:
        """Return the author and the subject: `Ada: run it earlier (#12)`."""
        number = "" if self.pull_request is None else f"#{self.pull_request}"
        suffix = f" ({number})" if number and number not in self.subject else ""
        return f"{self.author}: {self.subject}{suffix}"

    def in_words(self) -> str:
        """Return the commit as one line: `1a2b3c4d5e6f Ada: run it earlier (#12)`."""
        return f"{self.id[:SHORT]} {self.change()}"


#: The number of letters of an id that are shown.
SHORT = 12
