"""Check whether a bare `runner tick` has anything to do, before the heavy modules are loaded. Writes nothing.

Every tick loads the modules that this one imports, and what those import, once a minute. docs/benchmarks.md has
the figures; tests/acceptance/test_startup.py names the modules that may not be loaded here.
"""

from runner import clock
from runner.repo.head import is_at, plain_branch
from runner.store.idle import NextWork, look
from runner.zone_files import are_unchanged

_VERSION = 3  # of the database, as in `store.migrate`, which is too heavy to import; a test compares them
_MINUTE = 60_000  # milliseconds
_CLOCK_MAY_BE_AHEAD = 120_000  # as in `planning`, which is too heavy to import; a test compares them
_SECONDS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def idle_line(root: str, state: str) -> str | None:
    """Return the line that an idle tick prints, or None where there may be something to do."""
    next_work = look(state + "/runner.db")
    if next_work is None or next_work.version != _VERSION:
        return None
    now = clock.to_millis(clock.now())
    if _is_due(next_work, now) or (next_work.owners and _is_any_gone(state, next_work.owners)):
        return None
    if not is_at(root, next_work.head, next_work.ref_path, next_work.commit) or not are_unchanged(next_work.zones):
        return None
    # Where only git can tell the branch, the next tick that has something to do asks git.
    if next_work.branch is not None and plain_branch(root) not in {next_work.branch, None}:
        return None
    return f"[{followed(next_work.ref, next_work.branch)}] {_line(next_work, now)}"


def followed(ref: str, branch: str | None) -> str:
    """Return git's name of what is followed: `origin/main`, the branch that HEAD is on, or `detached HEAD`."""
    if branch is None:
        return ref
    return branch.removeprefix("refs/heads/") or "detached HEAD"


def _is_due(next_work: NextWork, now: int) -> bool:
    """Return whether the store has work for a tick of this minute, or shows that the clock was set back."""
    minute_ends = now - now % _MINUTE + _MINUTE
    return (
        next_work.is_asked
        # By now, what was refused may be allowed, and what was damaged may be repaired.
        or next_work.is_open
        or next_work.is_fetch_due(now)
        or (next_work.next_due is not None and next_work.next_due <= now)
        or (next_work.overdue is not None and next_work.overdue < now)
        or (next_work.overdue_monotonic is not None and next_work.overdue_monotonic < clock.monotonic_millis())
        # A tick waits for runs whose time comes before the next tick.
        or (next_work.waiting is not None and next_work.waiting < minute_ends)
        or (next_work.decided is not None and next_work.decided >= minute_ends - _MINUTE + _CLOCK_MAY_BE_AHEAD)
    )


def _is_any_gone(state: str, owners: list[str]) -> bool:
    from runner.execution.owners.ownership import is_gone  # noqa: PLC0415 - in most minutes nothing is under way

    return any(is_gone(state, owner) for owner in owners)


def _line(next_work: NextWork, now: int) -> str:
    line = "nothing due; no slot is planned"
    if next_work.next_due is not None:
        wait = rough((next_work.next_due - now) / 1000)
        line = f"nothing due; next: {next_work.next_task} at {next_work.next_local} (in {wait})"
    if not next_work.broken:
        return line
    files = "1 file has" if next_work.broken == 1 else f"{next_work.broken} files have"
    return f"{line}\n{files} problems (see `runner status`)"


def rough(seconds: float) -> str:
    """Return a duration in its largest unit, rounded up: `3 min`, `2 d`."""
    for size, name in _SECONDS:
        if seconds > size or size == 1:
            return f"{-int(-seconds // size)} {name}"
    return "0 s"
