"""Handle a clock that was set back and zone rules that have changed, before a tick decides.

A slot is started once, and schedules continue from the present. Neither a wrong clock nor its correction moves an
anchor.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from runner import clock, planning
from runner.model import event
from runner.store import claims
from runner.store.catalogs import set_state
from runner.store.claims import Clock
from runner.store.events import note
from runner.store.session import Deciding
from runner.zone_files import are_unchanged, describe
from runner.zone_paths import zone_paths


def follow(session: Deciding, now: datetime, *, has_new_tasks: bool) -> str | None:
    """Adapt planned slots to the clock and the zone rules; return what was wrong with the clock, None for nothing.

    Call it inside the transaction that decides. `has_new_tasks` says that other zones may be in use.
    """
    recorded = claims.zone_files(session)
    if has_new_tasks or not are_unchanged(recorded):
        _follow_zones(session, recorded)
    known = claims.clock_of(session)
    # Read the clock again: this tick may have waited for the store for hours, and another tick may have decided.
    if known.decided_at is not None and planning.is_set_back(known.decided_at, max(now, clock.now())):
        return _go_on(session, known, known.decided_at, now)
    if known.behind_until is not None and now >= known.behind_until:
        claims.set_clock(session, Clock(known.decided_at, None))
        sentence = f"the clock, which was set back, has passed {_shown(known.behind_until)} again"
        note(session, event.CLOCK_CAUGHT_UP, now, detail=sentence)
        return sentence
    return None


def note_decision(session: Deciding, now: datetime) -> None:
    """Record `now` as the time of the last decision.

    A tick that finds a later time there knows that the clock was set back.
    """
    known = claims.clock_of(session)
    claims.set_clock(session, Clock(now, known.behind_until))


def _go_on(session: Deciding, known: Clock, decided_at: datetime, now: datetime) -> str:
    """Make every task whose slots are decided up to a later instant continue from the present.

    Return the sentence that says so, which is also recorded as an event.
    """
    for due in claims.planned_tasks(session):
        state = planning.resumed(due.spec, due.state, now)
        if state != due.state:
            set_state(session, due.key, due.task, due.spec, due.policy, state)
    claims.start_by(session, now)
    until = decided_at if known.behind_until is None else max(decided_at, known.behind_until)
    claims.set_clock(session, Clock(now, until))
    sentence = (
        f"the clock was set back by {_span(decided_at - now)}, from {_shown(decided_at)} to {_shown(now)}: "
        "schedules continue from the present, and slots that have run do not run again"
    )
    note(session, event.CLOCK_SET_BACK, now, detail=sentence)
    return sentence


def _follow_zones(session: Deciding, recorded: str) -> None:
    """Compute the next slots again where zone rules have changed, and record the files of the zones in use."""
    if not are_unchanged(recorded):
        for due in claims.planned_tasks(session):
            state = planning.replanned(due.spec, due.state)
            if state != due.state:
                set_state(session, due.key, due.task, due.spec, due.policy, state)
    files = describe(zone_paths(claims.zones_in_use(session)))
    if files != recorded:
        claims.set_zone_files(session, files)


def _span(span: timedelta) -> str:
    """Return a duration in its two largest units: `2 d 3 h`."""
    minutes = round(span / timedelta(minutes=1))
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts[:2]) or "less than a minute"


def _shown(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
