"""Ask first, load later: whether a bare `runner tick` has anything to do.

Every module that this one imports, and every import that those make, is paid for once a minute for ever: DESIGN §10 has
the figures, and a test names what may not be loaded here.
"""

from runner import clock
from runner.execution.identity import is_alive
from runner.repo.head import commit_at, is_same
from runner.store.idle import Outlook, look, move

_OURS = ("tasks", "runner.yaml")
_VERSION = 2  # of the database; a test holds it to that of `store.database`, which is too heavy to ask
_MINUTE = 60_000  # milliseconds
_CLOCK_MAY_BE_WRONG = 7_200_000  # as in `planning`, which is too heavy to ask; a test holds them together
_SECONDS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def idle_line(root: str, database: str) -> str | None:
    """Return what a tick with nothing to do says, or None where there may be something."""
    outlook = look(database)
    if outlook is None or outlook.version != _VERSION or outlook.commit is None:
        return None
    if outlook.is_open or outlook.is_asked or not all(map(is_alive, outlook.supervisors)):
        # What was refused may be allowed by now, what was damaged mended; a run is to be ended, or somebody has left some behind.
        return None
    now = clock.to_millis(clock.now())
    if outlook.is_fetch_due(now) or (outlook.next_due is not None and outlook.next_due <= now):
        return None
    if outlook.decided is not None and outlook.decided > now + _CLOCK_MAY_BE_WRONG:
        return None  # it has been set back
    if outlook.waiting is not None and outlook.waiting < now - now % _MINUTE + _MINUTE:
        return None  # a tick waits for what comes before the next one
    return _line(outlook, now) if _is_current(root, database, outlook) else None


def _is_current(root: str, database: str, outlook: Outlook) -> bool:
    """Return whether the tasks in the store are those of the commit in force; a commit that touched none is noted at once."""
    head = commit_at(root, "HEAD")
    if head is None or outlook.head is None:
        return False
    if outlook.ref_path != "HEAD" or outlook.is_signed:  # what was looked at for signatures is noted by the whole tick
        return head == outlook.head and commit_at(root, outlook.ref_path) == outlook.commit
    if head == outlook.head:
        return True
    return is_same(root, outlook.head, head, *_OURS) and move(database, outlook.head, head)


def _line(outlook: Outlook, now: int) -> str:
    line = "nothing due; no slot is planned"
    if outlook.next_due is not None:
        wait = rough((outlook.next_due - now) / 1000)
        line = f"nothing due; next: {outlook.next_task} at {outlook.next_local} (in {wait})"
    if not outlook.broken:
        return line
    files = "1 file has" if outlook.broken == 1 else f"{outlook.broken} files have"
    return f"{line}\n{files} problems (see `runner status`)"


def rough(seconds: float) -> str:
    """Return a span of time in its largest unit, rounded up: `3 min`, `2 d`."""
    for size, name in _SECONDS:
        if seconds > size or size == 1:
            return f"{-int(-seconds // size)} {name}"
    return "0 s"
