"""The kinds of events of runs and tasks: the words in the table `events`.

The process that forks loads this module, so it has only words.
"""

#: Events of a run or of one of its attempts.
STARTED = "started"
ENDED = "ended"
RETRIED = "retried"
SKIPPED = "skipped"
CLAIMED = "claimed"
RELEASED = "released"
CANCEL_ASKED = "cancel_asked"

#: Events of a task.
ADDED = "added"
CHANGED = "changed"
RENAMED = "renamed"
ACTIVATED = "activated"
DEACTIVATED = "deactivated"
REMOVED = "removed"
RETURNED = "returned"
DEGRADED = "degraded"
RECOVERED = "recovered"

#: Changes of the clock that a tick noticed.
CLOCK_SET_BACK = "clock_set_back"
CLOCK_CAUGHT_UP = "clock_caught_up"
