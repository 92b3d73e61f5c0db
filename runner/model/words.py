"""The statuses and triggers of runs: the words of docs/glossary.md, and of the database's CHECKs."""

RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
TIMED_OUT = "timed_out"
CANCELLED = "cancelled"
LOST = "lost"
SKIPPED = "skipped"
STATUSES = (RUNNING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLED, LOST, SKIPPED)

SCHEDULE = "schedule"
CATCHUP = "catchup"
MANUAL = "manual"
