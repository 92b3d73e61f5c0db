"""What the statistics of a task count, and how they measure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.statistics import PARTS, WINDOWS, SlotRun, Window, nearest_rank, statistics_of
from runner.report.stats_text import sparkline

_NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def _run(ago: timedelta, status: str = "succeeded", seconds: float | None = 1.0) -> SlotRun:
    return SlotRun(_NOW - ago, status, _NOW - ago + _SECOND, seconds)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_so_many_per_cent_do_not_exceed(values: list[float], percent: int) -> None:
    values.sort()

    found = nearest_rank(values, percent)

    assert found in values
    assert found is not None
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


#: Values, and the percentiles 50 and 95 of them, after the definition of the nearest rank.
_RANKS: list[tuple[list[float], float | None, float | None]] = [
    ([], None, None),
    ([3], 3, 3),
    ([1, 2], 1, 2),
    ([15, 20, 35, 40, 50], 35, 50),
    ([*range(1, 101)], 50, 95),
    ([*range(1, 21)], 10, 19),
]


@pytest.mark.parametrize(("values", "half", "most"), _RANKS)
def test_percentiles_are_of_the_nearest_rank(values: list[float], half: float | None, most: float | None) -> None:
    assert (nearest_rank(values, 50), nearest_rank(values, 95)) == (half, most)


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_has_its_end_and_not_its_beginning(window: Window) -> None:
    length = WINDOWS[window]
    found = [_run(ago) for ago in (-_SECOND, timedelta(0), length - _SECOND, length, length + _SECOND)]

    assert statistics_of("it", window, found, _NOW).runs == 2


def test_every_end_but_success_is_a_failure_and_skipped_slots_are_apart() -> None:
    statuses = ["succeeded", "succeeded", "failed", "timed_out", "cancelled", "lost", "skipped"]
    found = [_run(n * _SECOND, status, None if status == "skipped" else n) for n, status in enumerate(statuses)]

    value = statistics_of("it", Window.DAY, found, _NOW)

    assert (value.runs, value.succeeded, value.failed, value.skipped) == (6, 2, 4, 1)
    assert value.success_rate == pytest.approx(1 / 3)
    assert value.last_failure == _NOW - 2 * _SECOND + _SECOND
    assert (value.p50, value.p95, value.longest) == (2, 5, 5)


def test_without_runs_there_is_no_rate() -> None:
    value = statistics_of("it", Window.WEEK, [_run(_SECOND, "skipped", None)], _NOW)

    assert (value.runs, value.success_rate, value.p50, value.last_failure, value.skipped) == (0, None, None, None, 1)
    assert value.trend == (None,) * PARTS


def test_the_trend_has_the_median_of_each_part() -> None:
    hour = timedelta(hours=1)
    found = [_run(ago, seconds=seconds) for ago, seconds in ((23 * hour, 4), (hour, 1), (hour / 2, 3), (hour / 4, 9))]

    assert statistics_of("it", Window.DAY, found, _NOW).trend == (4, *(None,) * 10, 3)


#: Values → their bars: the greatest is full, no value is a dot.
_LINES: list[tuple[list[float | None], str]] = [
    ([], ""),
    ([None, None], "··"),
    ([1], "█"),
    ([0, 0], "▁▁"),
    ([0, 1, 2, 4, 8], "▁▂▃▅█"),
    ([None, 5, None], "·█·"),
]


@pytest.mark.parametrize(("values", "line"), _LINES)
def test_a_sparkline_shows_the_greatest_value_as_a_full_bar(values: list[float | None], line: str) -> None:
    assert sparkline(values) == line
