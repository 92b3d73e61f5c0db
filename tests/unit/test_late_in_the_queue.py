"""What is asked of a run once more when it is taken from the queue: whether it is to run as late as that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import planning
from runner.model.state import START
from runner.model.statuses import ALL, LATEST, NONE
from runner.model.task import Policy, ScheduleSpec

_SLOT = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)

_DEADLINE = "missed: its starting deadline of 10m had passed while it waited"
_NOT_IN_TIME = "missed: it could not be started in its minute (catchup: none)"
_OVERTAKEN = "missed: it waited until a later slot had come (catchup: latest)"


def _answer(policy: Policy, waited: timedelta, *, offset: timedelta = timedelta(0), has_newer: bool) -> str | None:
    due_at = _SLOT + offset
    return planning.missed_in_the_queue(policy, _SLOT, due_at, due_at + waited, has_newer=has_newer)


@pytest.mark.parametrize("offset", [timedelta(0), 25 * _MINUTE + 7 * _SECOND], ids=["sharp", "with jitter"])
@pytest.mark.parametrize(
    ("catchup", "deadline", "waited", "has_newer", "expected"),
    [
        (LATEST, None, _SECOND, False, None),
        (LATEST, None, 8 * _HOUR, False, None),
        (LATEST, None, 8 * _HOUR, True, _OVERTAKEN),
        (LATEST, None, _SECOND, True, None),
        (NONE, None, _SECOND, False, None),
        (NONE, None, 2 * _MINUTE, False, _NOT_IN_TIME),
        (NONE, None, 8 * _HOUR, True, _NOT_IN_TIME),
        (ALL, None, 8 * _HOUR, False, None),
        (ALL, None, 8 * _HOUR, True, None),
        (LATEST, 10 * _MINUTE, 10 * _MINUTE, False, None),
        (LATEST, 10 * _MINUTE, 10 * _MINUTE + _SECOND, False, _DEADLINE),
        (NONE, 10 * _MINUTE, 5 * _MINUTE, False, _NOT_IN_TIME),
        (NONE, 10 * _MINUTE, 11 * _MINUTE, False, _DEADLINE),
        (ALL, 10 * _MINUTE, 10 * _MINUTE, True, None),
        (ALL, 10 * _MINUTE, 11 * _MINUTE, True, _DEADLINE),
    ],
)
def test_a_run_that_has_waited_is_missed_as_its_task_says(  # one argument for each column of the table
    catchup: str,
    deadline: timedelta | None,
    waited: timedelta,
    offset: timedelta,
    expected: str | None,
    *,
    has_newer: bool,
) -> None:
    policy = Policy(catchup=catchup, starting_deadline=deadline)

    assert _answer(policy, waited, offset=offset, has_newer=has_newer) == expected


@given(
    catchup=st.sampled_from([NONE, LATEST, ALL]),
    deadline=st.none() | st.integers(1, 7_200).map(lambda seconds: seconds * _SECOND),
    offset=st.integers(0, 3_600).map(lambda seconds: seconds * _SECOND),
    late=st.integers(0, 59_999).map(lambda millis: timedelta(milliseconds=millis)),
)
def test_a_run_that_is_taken_in_the_minute_in_which_it_was_decided_is_run(
    catchup: str, deadline: timedelta | None, offset: timedelta, late: timedelta
) -> None:
    spec = ScheduleSpec("UTC", cron="0 * * * *")
    policy = Policy(catchup=catchup, starting_deadline=deadline)
    state = planning.first_seen(spec, active=True, now=_SLOT - _HOUR / 2)
    now = planning.minute_of(_SLOT + offset) + late
    verdict = planning.decide(spec, policy, offset, state, (), now)

    for decision in () if verdict is None else verdict.decisions:
        if decision.action == START:
            assert decision.due_at is not None
            taken_at = max(now, decision.due_at)
            assert (
                planning.missed_in_the_queue(policy, decision.slot, decision.due_at, taken_at, has_newer=False) is None
            )
