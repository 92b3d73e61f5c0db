"""Comparisons of runner with its floors (Python and git alone), and with runner itself on smaller inputs."""

from __future__ import annotations

from collections.abc import Iterator
from shutil import which

from benchmarks.background_load import BackgroundLoad
from benchmarks.bench import MANY, Bench
from benchmarks.measure import Command, instructions, run, side_by_side
from benchmarks.repositories import FREE, Minutes, Repository, due_tick, fill_history, first_tick, ticked
from benchmarks.rows import Row, in_mebibytes


def idle(bench: Bench) -> Iterator[Row]:
    """Measure an idle tick against its floor, with more tasks, and with a longer history."""
    few, many, old = ticked(bench.folder / "few", 10), bench.many(), ticked(bench.folder / "old", 10)
    fill_history(old, 1_000_000)
    floor = bench.bare("import sqlite3")
    commands = {"floor": floor, "few": few.tick(), "many": many.tick(), "old": old.tick()}
    taken = side_by_side(commands, bench.rounds * 4)
    counted = {name: instructions(command) for name, command in commands.items()}
    what, against = f"idle tick, {MANY:,} tasks", "python -c 'import sqlite3'"
    yield Row(what + ", time", against, taken["many"].seconds / taken["floor"].seconds, 1.25)
    yield from _counted(what, against, counted["many"], counted["floor"], 1.15)
    yield Row(what + ", time", "the same, 10 tasks", taken["many"].seconds / taken["few"].seconds, 1.15)
    yield from _counted(what, "the same, 10 tasks", counted["many"], counted["few"], 1.05)
    what, against = "idle tick, a million runs on record", "the same, none on record"
    yield Row(what + ", time", against, taken["old"].seconds / taken["few"].seconds, 1.15)
    yield from _counted(what, against, counted["old"], counted["few"], 1.05)
    yield Row("idle tick, peak memory", "python -c 'import sqlite3'", taken["many"].peak / taken["floor"].peak, 1.25)


def commits(bench: Bench) -> Iterator[Row]:
    """Measure a tick after a commit that changed one task, and after one that changed none."""
    repository = bench.many()
    changed, untouched = _Edits(repository, "tasks/group-3/task-3.yaml"), _Edits(repository, "README")
    commands = {
        "heavy": bench.bare("import sqlite3, yaml, jsonschema, subprocess"),
        "changed": repository.tick().preceded_by(changed.commit_another),
        "light": bench.bare("import sqlite3"),
        "untouched": repository.tick().preceded_by(untouched.commit_another),
    }
    taken = side_by_side(commands, bench.rounds * 2)
    what, against = (
        f"tick after a commit that changed one file of {MANY:,}, time",
        "python -c 'import sqlite3, yaml, jsonschema, subprocess'",
    )
    yield Row(what, against, taken["changed"].seconds / taken["heavy"].seconds, 1.35)
    what, against = "tick after a commit that touched no task, time", "python -c 'import sqlite3'"
    yield Row(what, against, taken["untouched"].seconds / taken["light"].seconds, 2.75)


def cold(bench: Bench) -> Iterator[Row]:
    """Measure the first tick in a repository, which compiles every file."""
    repository = bench.many()
    loop = bench.script("bare_loop.py", folder=repository.root)
    taken = side_by_side({"loop": loop, "cold": first_tick(repository)}, bench.few_rounds)
    against = "git cat-file --batch and CSafeLoader, nothing else"
    yield Row(f"cold compile of {MANY:,} files, time", against, taken["cold"].seconds / taken["loop"].seconds, 2.0)
    yield Row("cold compile, peak memory", "", in_mebibytes(taken["cold"]), 80, "MiB")


def due(bench: Bench) -> Iterator[Row]:
    """Measure a whole tick with a thousand due one-line tasks, each isolated, captured and recorded."""
    commands = {
        "forks": bench.script("bare_forks.py"),
        "isolated": bench.script("bare_isolated.py"),
        "due": due_tick(bench.folder / "due", 1000, 1000),
    }
    taken = side_by_side(commands, bench.few_rounds)
    due, forks, isolated = taken["due"], taken["forks"], taken["isolated"]
    what, against = "tick with 1,000 due one-line tasks", "fork + _exit + wait, 1,000 times"
    yield Row(what + ", time", against, due.seconds / forks.seconds, 1.5)
    yield Row(what + ", CPU", against, due.cpu / forks.cpu, 2.0)
    bare = "1,000 children that are isolated, and nothing else"
    yield Row(bare + ", time", against, isolated.seconds / forks.seconds, None)
    yield Row(bare + ", CPU", against, isolated.cpu / forks.cpu, None)
    yield Row(what + ", time", bare, due.seconds / isolated.seconds, None)
    yield Row(what + ", CPU", bare, due.cpu / isolated.cpu, None)
    yield Row(what + ", peak memory", "", in_mebibytes(due), 16, "MiB")


def few(bench: Bench) -> Iterator[Row]:
    """Measure a whole tick with a few due one-line tasks out of a thousand."""
    goals = {1: 4.0, 5: None, 20: 6.0, 100: 10.0}
    commands = {str(count): due_tick(bench.folder / f"due-{count}", 1000, count) for count in goals}
    taken = side_by_side({"floor": bench.bare("import sqlite3"), **commands}, bench.rounds * 2)
    for count, goal in goals.items():
        what = f"tick with {count} due one-line task{'' if count == 1 else 's'} of 1,000, time"
        yield Row(what, "python -c 'import sqlite3'", taken[str(count)].seconds / taken["floor"].seconds, goal)


def held(bench: Bench) -> Iterator[Row]:
    """Measure what it costs to hold tasks to permissions."""
    settings = {"free": FREE, "held": ""}
    commands = {
        f"{name} {count}": due_tick(bench.folder / f"{name}-{count}", 1000, count, settings=text)
        for name, text in settings.items()
        for count in (1, 100)
    }
    taken = side_by_side(commands, bench.rounds * 2)
    for count in (1, 100):
        what = (
            f"tick with {count} due one-line task{'' if count == 1 else 's'} that {'is' if count == 1 else 'are'} held"
        )
        yield Row(
            f"{what} to permissions, time",
            "the same, not held",
            taken[f"held {count}"].seconds / taken[f"free {count}"].seconds,
            1.1,
        )


def plan(bench: Bench) -> Iterator[Row]:
    """Measure a plan of a commit that changed one task, with a store at the previous commit."""
    repository = bench.many()
    changed = _Edits(repository, "tasks/group-4/task-4.yaml")
    changed.commit_another()
    run(repository.tick())
    changed.commit_another()
    commands = {
        "diff": Command([str(which("git")), "diff", "HEAD^", "HEAD"], repository.root, {}),
        "start": repository.command("--version"),
        "plan": repository.command("plan", "HEAD^", "HEAD"),
    }
    taken = side_by_side(commands, bench.rounds)
    floor = taken["diff"].seconds + taken["start"].seconds
    what, against = f"plan of one changed task of {MANY:,}, time", "git diff and runner --version, one after the other"
    yield Row(what, against, taken["plan"].seconds / floor, 3.0)


def listed(bench: Bench) -> Iterator[Row]:
    """Measure the list of all tasks."""
    commands = {"table": bench.bare("import rich.table"), "list": bench.many().command("list")}
    taken = side_by_side(commands, bench.rounds)
    what, against = f"`list` of {MANY:,} tasks, time", "`python -c 'import rich.table'`"
    yield Row(what, against, taken["list"].seconds / taken["table"].seconds, 5.0)


def beside(bench: Bench) -> Iterator[Row]:
    """Measure a tick with one due task during a plan of every file, and during an equal load of other processes."""
    repository = ticked(bench.folder / "beside", MANY, due=1)
    repository.git("switch", "--quiet", "--create", "other")
    (repository.root / "runner.yaml").write_text(
        f"{FREE}defaults: {{timeout: 5m}}\n"
    )  # changes the compiled form of every file
    repository.commit()
    repository.git("switch", "--quiet", "main")
    minutes = Minutes(repository)
    busy, plan = bench.bare("import os\nos.fork()\nwhile True: pass"), repository.command("plan", "main", "other")
    with BackgroundLoad() as load:
        commands = {
            "busy": minutes.tick(lambda: load.change(busy)),
            "plan": minutes.tick(lambda: load.change(plan)),
        }
        taken = side_by_side(commands, bench.rounds)
    what, against = (
        f"tick with 1 due task, beside a plan of {MANY:,} changed files, time",
        "the same, beside two loops",
    )
    yield Row(what, against, taken["plan"].seconds / taken["busy"].seconds, 1.25)


class _Edits:
    """Commits a new edit of one file each time."""

    def __init__(self, repository: Repository, path: str) -> None:
        self._repository = repository
        self._path = path

    def commit_another(self) -> None:
        with (self._repository.root / self._path).open("a") as file:
            file.write("# edited\n")
        self._repository.commit()


def _counted(what: str, against: str, ours: int | None, floor: int | None, goal: float) -> Iterator[Row]:
    if ours is not None and floor is not None:
        yield Row(what + ", instructions", against, ours / floor, goal)
