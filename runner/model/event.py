"""What happens to runs and tasks, in the words of the table `events`.

Loaded by the process that forks: nothing but words.
"""

#: Of a run or one of its attempts.
STARTED = "started"
ENDED = "ended"
RETRIED = "retried"
SKIPPED = "skipped"
CLAIMED = "claimed"
RELEASED = "released"
CANCEL_ASKED = "cancel_asked"

#: Of a task.
ADDED = "added"
CHANGED = "changed"
RENAMED = "renamed"
ACTIVATED = "activated"
DEACTIVATED = "deactivated"
REMOVED = "removed"
RETURNED = "returned"
DEGRADED = "degraded"
RECOVERED = "recovered"

#: Of the clock, as a tick has found it.
CLOCK_SET_BACK = "clock_set_back"
CLOCK_CAUGHT_UP = "clock_caught_up"
