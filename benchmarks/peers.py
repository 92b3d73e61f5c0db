"""What people would use instead of runner: what each does less, and where it wins. Printed below the figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """Something to stand beside. `packages` are what it needs in the peers' environment, its own package first.

    A floor is nothing that people would use, and has no `wins`.
    """

    name: str
    packages: tuple[str, ...]
    less: str
    wins: str | None = None

    def note(self) -> str:
        """Return the line that is printed below the figures."""
        if self.wins is None:
            return f"- **{self.name}** is a floor; its goals stand in the table of floors. Does less: {self.less}."
        return f"- **{self.name}**. Does less: {self.less}. Wins: {self.wins}."


DJANGO = Peer(
    "Django",
    ("Django",),
    "all tasks run one after the other in the command's own process, so one that exits, hangs or crashes takes the others"
    " with it; neither output nor errors nor past runs are kept, only the last time; two commands at once run a task"
    " twice, and one that is killed runs it again; nothing is reviewed or checked before it runs. The settings here hold"
    " this one app only: a real project starts more slowly",
    "no process is started for a task; people edit tasks in an admin site, and tasks use the project's models directly",
)

SPAWNS = Peer(
    "python -I -S -c 'x = 1'",
    (),
    "no schedule, no record, no output kept, no timeout, nothing read from anywhere",
    "each task has an interpreter that nothing was loaded into before, where runner's are forks of the tick",
)

APSCHEDULER = Peer(
    "APScheduler",
    ("APScheduler", "SQLAlchemy"),
    "jobs are threads of the scheduler (or of its pool of processes, which is not measured), so one that crashes the"
    " interpreter takes the others with it, and one that hangs keeps its thread for ever; the store has only when a job"
    " runs next: no runs, no output; jobs are functions that the scheduler's program can import; what is more than a"
    " second late is dropped unless told otherwise (here it is told); somebody has to keep the process alive",
    "made to be resident: it pays the start measured here once, not each minute, and keeps time to the second;"
    " what is due is one indexed query, however many jobs there are",
)

YACRON = Peer(
    "yacron",
    ("yacron",),
    "`--validate-config` reads and checks the jobs and keeps nothing, where runner's first tick also compiles each task's"
    " code and stores it; resident, but without memory: what should have run while it was down is forgotten, and a run is on record"
    " only where its reports and its log go; it reads all of its files again every minute",
    "pays the start of its interpreter once; runs any command, each in a process of its own; mail, Sentry, HTTP API",
)

CRONSTABLE = Peer(
    "cronstable",
    ("cronstable",),
    "`--validate-config` reads and checks the jobs and keeps nothing, where runner's first tick also compiles each task's"
    " code and stores it; resident; runs outlive a restart, and missed ones are caught up, only where a state store is configured",
    "pays its start once, and reads its files again only when they have changed; runs any command, each in a process of"
    " its own; warns of nights on which the clock moves; alerts, workflows, dashboards, clusters",
)

FORKS = Peer("fork + _exit + wait, 1,000 times", (), "no task is run at all")

SQLITE = Peer("python -c 'import sqlite3'", (), "no database is opened, and nothing is asked")

ALL = (DJANGO, SPAWNS, APSCHEDULER, YACRON, CRONSTABLE, FORKS, SQLITE)
