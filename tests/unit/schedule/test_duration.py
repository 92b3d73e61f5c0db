from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.schedule.duration import format_duration, parse_duration

A_CENTURY = 36_500 * 86_400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), ("1d2h3m4s", 93_784), ("0s", 0),
        ("007s", 7), ("36500d", A_CENTURY), ("1d4s", 86_404),
    ],
)  # fmt: skip
def test_a_duration_reads_as_people_write_it(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "5", "s", "1x", "1.5h", "-1h", "+1h", "1 h", "1h 30m", " 1h", "1h ", "30m1h", "1h1h", "1H", "1hm", "h1",
        "٣s", "²s", "1h30", "1w", "36501d", "36500d1s", "9" * 30 + "d", "9" * 5000 + "s", "1e3s", "0x10s", "1\n", "\0s",
    ],
)  # fmt: skip
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|Exceeds the limit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.4, "0s"), (-5, "0s"), (59.9, "59s"), (60, "1m"), (90, "1m30s"), (3600, "1h"), (90_061, "1d1h1m1s")],
)
def test_a_duration_is_shown_in_its_shortest_form(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


@given(st.integers(0, A_CENTURY))
def test_what_is_shown_is_read_back_as_the_same(seconds: int) -> None:
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@given(st.text(alphabet="0123456789dhms -.x", max_size=8))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        read = parse_duration(text)
    except ValueError:
        return
    assert read >= timedelta(0)
    assert parse_duration(format_duration(read)) == read
