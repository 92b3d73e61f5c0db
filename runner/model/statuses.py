"""The statuses and triggers of runs: the words of docs/glossary.md, and of the CHECK constraints of the database."""

RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
TIMED_OUT = "timed_out"
CANCELLED = "cancelled"
LOST = "lost"
SKIPPED = "skipped"
STATUSES = (RUNNING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLED, LOST, SKIPPED)
#: Shown for a run in the queue: before its first attempt, and before a retry.
WAITING = "waiting"
RETRYING = "retrying"
#: Every status that is shown.
SHOWN = (*STATUSES, WAITING, RETRYING)

SCHEDULE = "schedule"
CATCHUP = "catchup"
MANUAL = "manual"
REPLAY = "replay"
#: Stored instead of a commit id: such a run tries the files of the work tree. No decision and no statistic counts it.
WORKTREE = "worktree"
#: A person has started such a run, and sees how it ends. It is not retried.
BY_HAND = (MANUAL, REPLAY)

#: What is done about a slot while another run of its task is under way (`concurrency_policy`, as in Kubernetes).
FORBID = "forbid"
ALLOW = "allow"
REPLACE = "replace"
#: What is done about slots that passed while no tick ran (`catchup`).
NONE = "none"
LATEST = "latest"
ALL = "all"
