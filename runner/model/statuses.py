"""The statuses and triggers of runs: the words of docs/glossary.md, and of the database's CHECKs."""

RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
TIMED_OUT = "timed_out"
CANCELLED = "cancelled"
LOST = "lost"
SKIPPED = "skipped"
STATUSES = (RUNNING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLED, LOST, SKIPPED)
#: What people are told of a run that is in the queue: before its first attempt, and before another one.
WAITING = "waiting"
RETRYING = "retrying"
#: Every word that people are told of runs.
SHOWN = (*STATUSES, WAITING, RETRYING)

SCHEDULE = "schedule"
CATCHUP = "catchup"
MANUAL = "manual"
REPLAY = "replay"
#: Stands where a commit id would: such a run tries the files of the work tree, and no decision and no statistic counts
#: it.
WORKTREE = "worktree"
#: Whoever asks for such a run looks at how it ends: it is not tried again.
BY_HAND = (MANUAL, REPLAY)

#: What happens to a slot while another run of its task is under way (`concurrency_policy`, as in Kubernetes).
FORBID = "forbid"
ALLOW = "allow"
REPLACE = "replace"
#: What happens to slots that fell while nobody ticked (`catchup`).
NONE = "none"
LATEST = "latest"
ALL = "all"
