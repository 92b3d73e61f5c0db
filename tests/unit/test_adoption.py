"""What becomes of a task whose file has changed: a value for each kind of change, without a store and without git."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runner import planning
from runner.adoption import Adoption, Transition, adopted, kept, removed
from runner.model import event
from runner.model.state import SKIP, START, TaskState
from runner.model.stored import StoredTask, Version
from runner.model.task import Policy, ScheduleSpec
from runner.value import replace

_NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_SPEC = ScheduleSpec("UTC", cron="0 * * * *")
_OTHER = ScheduleSpec("UTC", cron="30 * * * *")


def _version(number: int = 2, spec: ScheduleSpec = _SPEC, *, active: bool = True) -> Version:
    return Version(number, spec, Policy(), active)


def _stored(*, name: str = "it", active: bool = True, blob: str | None = "old", degraded: bool = False) -> StoredTask:
    """Return a task that was first seen at noon and whose slot of noon was started."""
    state = planning.first_seen(_SPEC, active=active, now=_NOON)
    verdict = planning.decide(_SPEC, Policy(), timedelta(0), state, (), _NOON) if active else None
    state = state if verdict is None else verdict.state
    if blob is None:
        state = replace(state, next_slot=None)
    valid, invalid = ("then", "since") if degraded else (None, None)
    return StoredTask(7, name, blob, 1, _SPEC, Policy(), active, state, state.next_slot, valid, invalid)


def _never_valid() -> StoredTask:
    return replace(_stored(active=False), version=None, spec=None, state=TaskState(), next_due=None)


def _moment(after: timedelta = 10 * _MINUTE) -> Transition:
    return Transition("before", "now", _NOON + after)


def _adopted(stored: StoredTask | None, version: Version | None, after: timedelta = 10 * _MINUTE) -> Adoption:
    return adopted("it", stored, "new", version, (), _moment(after))


@pytest.mark.parametrize(
    ("stored", "version", "kinds"),
    [
        (None, _version(), (event.ADDED,)),
        (None, _version(active=False), (event.ADDED, event.DEACTIVATED)),
        (None, None, (event.DEGRADED,)),
        (_never_valid(), None, ()),
        (_never_valid(), _version(1), (event.ADDED,)),
        (replace(_never_valid(), blob=None), None, (event.DEGRADED,)),
        (_stored(), _version(1), ()),
        (_stored(), _version(2), (event.CHANGED,)),
        (_stored(), _version(2, _OTHER), (event.CHANGED,)),
        (_stored(), _version(2, active=False), (event.DEACTIVATED, event.CHANGED)),
        (_stored(active=False), _version(2), (event.ACTIVATED, event.CHANGED)),
        (_stored(), None, (event.DEGRADED,)),
        (_stored(degraded=True), None, ()),
        (_stored(degraded=True), _version(1), (event.RECOVERED,)),
        (_stored(degraded=True), _version(2), (event.RECOVERED, event.CHANGED)),
        (_stored(blob=None), _version(1), (event.RETURNED,)),
        (_stored(blob=None), _version(2), (event.RETURNED, event.CHANGED)),
        (_stored(name="old"), _version(1), (event.RENAMED,)),
        (_stored(name="old"), _version(2, active=False), (event.RENAMED, event.DEACTIVATED, event.CHANGED)),
        (_stored(name="old"), None, (event.RENAMED, event.DEGRADED)),
        (_stored(name="old", degraded=True), _version(1), (event.RENAMED, event.RECOVERED)),
    ],
    ids=str,
)
def test_each_kind_of_change_has_its_words(
    stored: StoredTask | None, version: Version | None, kinds: tuple[str, ...]
) -> None:
    assert _adopted(stored, version).kinds == kinds


@pytest.mark.parametrize("degraded", [False, True])
def test_a_task_whose_file_is_invalid_stays_where_it_is_and_keeps_the_first_commits_that_say_so(
    *, degraded: bool
) -> None:
    stored = _stored(degraded=degraded)
    adoption = kept("it", stored, "new", _moment())

    assert (adoption.version, adoption.state, adoption.blob) == (None, stored.state, "new")
    expected = ("then", "since") if degraded else ("before", "now")
    assert (adoption.valid_commit, adoption.invalid_commit) == expected


def test_a_task_whose_file_is_gone_owes_nothing_and_keeps_its_anchor() -> None:
    stored = _stored()
    adoption = removed(stored, (), _moment())

    assert (adoption.kinds, adoption.before, adoption.blob) == ((event.REMOVED,), stored, None)
    assert (adoption.state.next_slot, adoption.state.anchor) == (None, stored.state.anchor)


@pytest.mark.parametrize("change", ["another schedule", "switched off", "removed"])
def test_slots_that_no_tick_has_decided_before_the_change_are_on_record_as_not_run(change: str) -> None:
    late = 2 * _HOUR + 10 * _MINUTE
    if change == "removed":
        adoption = removed(_stored(), (), _moment(late))
    else:
        version = _version(2, _OTHER) if change == "another schedule" else _version(2, active=False)
        adoption = _adopted(_stored(), version, late)

    assert [(it.action, it.slot, it.missed) for it in adoption.skipped] == [(SKIP, _NOON + 2 * _HOUR, 1)]
    assert adoption.claimed == ()
    assert "before a tick ran" in adoption.skipped[0].reason


def test_a_change_of_anything_but_the_schedule_leaves_its_slots_to_the_next_tick() -> None:
    stored = _stored()
    adoption = _adopted(stored, _version(2), 2 * _HOUR)

    assert (adoption.skipped, adoption.claimed, adoption.state) == ((), (), stored.state)


@pytest.mark.parametrize(("goes_on", "claimed", "skipped"), [(True, [_NOON + _HOUR], []), (False, [], [_NOON + _HOUR])])
def test_a_slot_whose_minute_has_come_is_started_by_its_jitter_unless_the_task_does_not_go_on(
    claimed: list[datetime], skipped: list[datetime], *, goes_on: bool
) -> None:
    stored = replace(_stored(), policy=Policy(jitter=30 * _MINUTE))
    assert stored.offset > _MINUTE
    adoption = adopted("it", stored, "new", _version(2, _OTHER, active=goes_on), (), _moment(_HOUR + _MINUTE))

    assert [(it.action, it.slot) for it in adoption.claimed] == [(START, slot) for slot in claimed]
    assert [it.slot for it in adoption.skipped] == skipped
    if claimed:
        assert adoption.claimed[0].due_at == claimed[0] + stored.offset


def test_the_pending_slot_of_a_renamed_task_starts_when_the_old_name_says() -> None:
    stored = replace(_stored(name="old"), policy=Policy(jitter=30 * _MINUTE))
    assert stored.offset not in {replace(stored, id="it").offset, timedelta(0)}
    adoption = adopted("it", stored, "new", _version(2, _OTHER), (), _moment(_HOUR))

    assert [it.due_at for it in adoption.claimed] == [_NOON + _HOUR + stored.offset]


def test_a_task_that_comes_back_owes_nothing_of_the_time_between_and_counts_from_where_it_stood() -> None:
    stored = _stored(blob=None)
    adoption = _adopted(stored, _version(1), 5 * _HOUR + 10 * _MINUTE)

    assert adoption.state.anchor == stored.state.anchor
    assert adoption.state.next_slot == _NOON + 6 * _HOUR
    assert (adoption.skipped, adoption.claimed) == ((), ())
