"""The lines of `tick --verbose`: what starts and ends, and what tasks print, as it happens."""

from __future__ import annotations

from datetime import UTC

from runner.execution.supervising.events import Printed
from runner.model.statuses import SUCCEEDED
from runner.operations.ticking.progress import STARTED, Progress
from runner.report.table import plain
from runner.report.tick_text import second

#: The longest line of output, in bytes. A longer line is shown in pieces.
_LONGEST = 1 << 16
_WIDEST = len("cancelled")


class ProgressText:
    """Formats events as lines. `encoding` and `errors` are those of the stream to which the lines are written."""

    def __init__(self, encoding: str, errors: str | None) -> None:
        self._encoding = encoding
        self._errors = errors or "strict"
        self._unfinished: dict[int, bytes] = {}

    def lines(self, event: Progress | Printed) -> bytes:
        """Return the complete lines so far, with their line ends. An unfinished line is kept until its end comes."""
        if isinstance(event, Printed):
            return self._printed(event)
        rest = b"" if event.status == STARTED else self._unfinished.pop(event.run_id, b"")
        return (self._prefixed(event.task, rest) if rest else b"") + self._encoded(f"{progress_line(event)}\n")

    def _printed(self, event: Printed) -> bytes:
        *lines, rest = (self._unfinished.pop(event.job.run_id, b"") + event.data).split(b"\n")
        while len(rest) > _LONGEST:
            lines.append(rest[:_LONGEST])
            rest = rest[_LONGEST:]
        if rest:
            self._unfinished[event.job.run_id] = rest
        return b"".join(self._prefixed(event.job.task, line) for line in lines)

    def _prefixed(self, task: str, line: bytes) -> bytes:
        return self._encoded(f"{plain(task)} | ") + line + b"\n"

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._encoding, self._errors)


def progress_line(event: Progress) -> str:
    """Return the line about one event of a run."""
    attempt = f", attempt {event.attempt}" if event.status == STARTED and event.attempt > 1 else ""
    took = "" if event.took is None else f" in {max(0.0, event.took.total_seconds()):.1f} s"
    reason = f": {event.reason}" if event.reason and event.status != SUCCEEDED else ""
    retry = "" if event.retry_at is None else f"; next attempt at {second(event.retry_at, UTC)}"
    at = event.at.astimezone(UTC).strftime("%H:%M:%S")
    return plain(f"{at} UTC {event.status:<{_WIDEST}} run {event.run_id} {event.task}{attempt}{took}{reason}{retry}")
