"""What happens in a tick, line by line, as it happens."""

from __future__ import annotations

from datetime import UTC

from runner.execution.supervising.events import Printed
from runner.model.statuses import SUCCEEDED
from runner.operations.ticking.progress import STARTED, Progress
from runner.report.table import plain
from runner.report.tick_text import second

#: A line of output that is longer is shown in pieces.
_LONGEST = 1 << 16
_WIDEST = len("cancelled")


class ProgressText:
    """Makes lines of what happens; `encoding` and `errors` are those of the stream that shows them."""

    def __init__(self, encoding: str, errors: str | None) -> None:
        self._encoding = encoding
        self._errors = errors or "strict"
        self._begun: dict[int, bytes] = {}

    def lines(self, news: Progress | Printed) -> bytes:
        """Return the whole lines that there are by now, with their ends. The rest of a line is kept until it comes."""
        if isinstance(news, Printed):
            return self._printed(news)
        rest = b"" if news.status == STARTED else self._begun.pop(news.run_id, b"")
        return (self._prefixed(news.task, rest) if rest else b"") + self._encoded(f"{progress_line(news)}\n")

    def _printed(self, news: Printed) -> bytes:
        *lines, rest = (self._begun.pop(news.job.run_id, b"") + news.data).split(b"\n")
        while len(rest) > _LONGEST:
            lines.append(rest[:_LONGEST])
            rest = rest[_LONGEST:]
        if rest:
            self._begun[news.job.run_id] = rest
        return b"".join(self._prefixed(news.job.task, line) for line in lines)

    def _prefixed(self, task: str, line: bytes) -> bytes:
        return self._encoded(f"{plain(task)} | ") + line + b"\n"

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._encoding, self._errors)


def progress_line(news: Progress) -> str:
    """Return the sentence about one thing that has happened."""
    attempt = f", attempt {news.attempt}" if news.status == STARTED and news.attempt > 1 else ""
    took = "" if news.took is None else f" in {max(0.0, news.took.total_seconds()):.1f} s"
    reason = f": {news.reason}" if news.reason and news.status != SUCCEEDED else ""
    again = "" if news.retry_at is None else f"; next attempt at {second(news.retry_at, UTC)}"
    at = news.at.astimezone(UTC).strftime("%H:%M:%S")
    return plain(f"{at} UTC {news.status:<{_WIDEST}} run {news.run_id} {news.task}{attempt}{took}{reason}{again}")
