"""How a task has done in a window of time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from runner.model.statuses import SKIPPED, SUCCEEDED
from runner.value import Value


class Window(StrEnum):
    """The windows of statistics."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


#: How far each window goes back.
WINDOWS = {Window.DAY: timedelta(hours=24), Window.WEEK: timedelta(days=7), Window.MONTH: timedelta(days=30)}
#: Into how many equal parts of a window its trend is divided.
PARTS = 12


class SlotRun(Value):
    """A run that has ended, or was skipped: its slot, how it ended, when, and how many seconds it took, if it ran."""

    slot: datetime
    status: str
    finished_at: datetime | None
    seconds: float | None


class Statistics(Value):
    """How a task has done. `runs` leaves out skipped ones; `failed` is every end but success.

    `p50`, `p95` and `longest` are seconds, None where nothing ran. `last_failure` is when the last failed run ended.
    `trend` has the median of the seconds in each part of the window, None where nothing ran there. Times are shown
    in `timezone`, that of the task.
    """

    task: str
    window: Window
    runs: int = 0
    succeeded: int = 0
    skipped: int = 0
    p50: float | None = None
    p95: float | None = None
    longest: float | None = None
    last_failure: datetime | None = None
    trend: tuple[float | None, ...] = ()
    timezone: str = "UTC"

    @property
    def failed(self) -> int:
        """How many runs did not succeed."""
        return self.runs - self.succeeded

    @property
    def success_rate(self) -> float | None:
        """The part of the runs that succeeded, from 0 to 1; None without runs."""
        return self.succeeded / self.runs if self.runs else None


def statistics_of(
    task: str, window: Window, found: Sequence[SlotRun], now: datetime, timezone: str = "UTC"
) -> Statistics:
    """Return the statistics of a task for the runs whose slot lies in (now - window, now]."""
    since = now - WINDOWS[window]
    within = [run for run in found if since < run.slot <= now]
    runs = [run for run in within if run.status != SKIPPED]
    failures = [run.finished_at for run in runs if run.status != SUCCEEDED and run.finished_at is not None]
    seconds = sorted(run.seconds for run in runs if run.seconds is not None)
    return Statistics(
        task,
        window,
        runs=len(runs),
        succeeded=sum(run.status == SUCCEEDED for run in runs),
        skipped=len(within) - len(runs),
        p50=nearest_rank(seconds, 50),
        p95=nearest_rank(seconds, 95),
        longest=seconds[-1] if seconds else None,
        last_failure=max(failures, default=None),
        trend=_trend(runs, since, now),
        timezone=timezone,
    )


def nearest_rank(values: Sequence[float], percent: int) -> float | None:
    """Return a percentile of sorted values: the least one that so many per cent of them do not exceed.

    Return None where there are no values.
    """
    return values[-(-percent * len(values) // 100) - 1] if values else None


def _trend(runs: Sequence[SlotRun], since: datetime, until: datetime) -> tuple[float | None, ...]:
    parts: list[list[float]] = [[] for _ in range(PARTS)]
    for run in runs:
        if run.seconds is not None:
            parts[min(PARTS - 1, int((run.slot - since) / (until - since) * PARTS))].append(run.seconds)
    return tuple(nearest_rank(sorted(part), 50) for part in parts)
