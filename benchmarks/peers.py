"""The alternatives to runner: what each lacks, and where it is better. Printed below the tables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """Something to compare with. `packages` are those that it needs, its own package first.

    A floor is not an alternative, and has no `advantages`.
    """

    name: str
    packages: tuple[str, ...]
    limitations: str
    advantages: str | None = None

    def note(self) -> str:
        """Return the line that is printed below the tables."""
        if self.advantages is None:
            return (
                f"- **{self.name}** is a floor; its goals are in the table of floors. Limitations: {self.limitations}."
            )
        return f"- **{self.name}**. Limitations: {self.limitations}. Advantages: {self.advantages}."


DJANGO = Peer(
    "Django",
    ("Django",),
    "all tasks run one after the other in the process of the command, so a task that exits, hangs or crashes"
    " stops the others; it stores only the last time of each task, and no output, errors or past runs; two"
    " simultaneous commands run a task twice, and after a kill the next command runs it again; nothing is reviewed"
    " or checked before it runs. The settings here have one app; a real project starts more slowly",
    "it starts no process for a task; people edit tasks in an admin site",
)

DJANGO_SPAWNS = Peer(
    "python -c 'django.setup()' for each task",
    (),
    "it has no schedule, no record, no stored output and no timeout",
    "two are under way at once; each task has a new interpreter, whereas runner's are forks of one host",
)

DJANGO_FORKS = Peer("django.setup() once, and a fork for each task", (), "it isolates, supervises and records nothing")

SPAWNS = Peer(
    "python -I -S -c 'x = 1'",
    (),
    "it has no schedule, no record, no stored output and no timeout, and reads no files",
    "each task has a new interpreter, whereas runner's are forks of the tick",
)

APSCHEDULER = Peer(
    "APScheduler",
    ("APScheduler", "SQLAlchemy"),
    "jobs are threads of the scheduler (or of its pool of processes, which is not measured), so a job that"
    " crashes the interpreter stops the others, and a job that hangs keeps its thread; the store has only the next"
    " time of each job: no runs, no output; jobs are functions that the scheduler's program can import; it drops a"
    " job that is more than a second late, unless configured otherwise (as here); somebody has to keep its process"
    " running",
    "it is made to be resident: it starts once, not each minute, and is accurate to the second; it finds due jobs"
    " by one indexed query, whatever their number",
)

YACRON = Peer(
    "yacron",
    ("yacron",),
    "`--validate-config` reads and checks the jobs and stores nothing, whereas runner's first tick also compiles"
    " each task's code and stores it; it is resident but stores no state: it forgets jobs that were due while it"
    " was down, and records a run only in its reports and its log; it reads all of its files again every minute",
    "it starts its interpreter once, and runs any command in a separate process; mail, Sentry, HTTP API",
)

CRONSTABLE = Peer(
    "cronstable",
    ("cronstable",),
    "`--validate-config` reads and checks the jobs and stores nothing, whereas runner's first tick also compiles"
    " each task's code and stores it; it is resident; it keeps runs over a restart, and catches up on missed ones,"
    " only if a state store is configured",
    "it starts once, and reads its files again only after a change; it runs any command in a separate process,"
    " and warns of changes of daylight saving time; alerts, workflows, dashboards, clusters",
)

FORKS = Peer("fork + _exit + wait, 1,000 times", (), "it runs no task")

SQLITE = Peer("python -c 'import sqlite3'", (), "it opens no database and runs no query")

ALL = (DJANGO, DJANGO_FORKS, DJANGO_SPAWNS, SPAWNS, APSCHEDULER, YACRON, CRONSTABLE, FORKS, SQLITE)
