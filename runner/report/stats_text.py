"""Statistics as tables with sparklines, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.clock import iso
from runner.model.statistics import Statistics
from runner.report.table import Layout, Table
from runner.report.tick_text import local
from runner.schedule.localtime import load_zone

_BARS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"
_COLUMNS = ("RUNS", "OK", "SKIPPED", "P50", "P95", "MAX", "TREND", "LAST FAILURE")
_OF_TASKS = Layout(columns=("TASK", *_COLUMNS), name="TASK", drop=("SKIPPED", "MAX", "TREND", "P95"))
_OF_WINDOWS = Layout(columns=("WINDOW", *_COLUMNS), name="WINDOW", drop=("SKIPPED", "MAX", "TREND", "P95"))
_MINUTE, _HOUR = 60, 3600


def of_tasks(values: Iterable[Statistics]) -> Table:
    """Return the statistics of tasks in one window."""
    return Table(_OF_TASKS, [(value.task, *_cells(value)) for value in values])


def of_windows(values: Iterable[Statistics]) -> Table:
    """Return the statistics of one task in several windows."""
    return Table(_OF_WINDOWS, [(value.window, *_cells(value)) for value in values])


def _cells(value: Statistics) -> tuple[str, ...]:
    rate = value.success_rate
    return (
        str(value.runs),
        "-" if rate is None else _percent(rate),
        str(value.skipped),
        *map(_seconds, (value.p50, value.p95, value.longest)),
        sparkline(value.trend),
        local(value.last_failure, load_zone(value.timezone)),
    )


def _percent(rate: float) -> str:
    """Return a rate in per cent. Only what never failed is 100 %, and only what never succeeded 0 %."""
    return f"{min(99.9, rate * 100):.1f}%" if 0 < rate < 1 else f"{rate * 100:.0f}%"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f}s"
    return f"{seconds / _MINUTE:.1f}m" if seconds < _HOUR else f"{seconds / _HOUR:.1f}h"


def sparkline(values: Sequence[float | None]) -> str:
    """Return one bar for each value, the greatest one full; a dot where there is none."""
    greatest = max((value for value in values if value is not None), default=0.0)
    return "".join(_NOTHING if value is None else _bar(value, greatest) for value in values)


def _bar(value: float, greatest: float) -> str:
    return _BARS[min(len(_BARS) - 1, int(value / greatest * len(_BARS)))] if greatest > 0 else _BARS[0]


def as_values(value: Statistics) -> dict[str, Any]:
    """Return statistics as values for JSON."""
    return {
        "task": value.task,
        "window": value.window,
        "runs": value.runs,
        "succeeded": value.succeeded,
        "failed": value.failed,
        "skipped": value.skipped,
        "success_rate": value.success_rate,
        "p50_seconds": value.p50,
        "p95_seconds": value.p95,
        "max_seconds": value.longest,
        "last_failure": None if value.last_failure is None else iso(value.last_failure),
    }
