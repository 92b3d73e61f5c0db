"""Screens: tables at every width of a terminal, filters, the verdict of `status`, a task instead of its last run."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.support.project import MINUTE, NOON, Project
from tests.support.streams import on_a_terminal

_WIDTHS = (60, 80, 100, 120, 200)
_LONG = "billing/europe/monthly-report-of-customers"
_LONGEST = "billing/" + "a-name-that-goes-on-and-on-" * 4 + "end"
_IDS = ("a", "reports/daily", _LONG)
_ZONES = {"a": "UTC", "reports/daily": "Europe/Berlin", _LONG: "America/Sao_Paulo", _LONGEST: "Asia/Kathmandu"}
_ABBREVIATED = {"UTC": "UTC", "Europe/Berlin": "CEST", "America/Sao_Paulo": "-03", "Asia/Kathmandu": "+0545"}
_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

#: Each command, with the columns that it has at any width.
_TABLES = {
    ("list",): ("TASK", "STATE", "NEXT", "LAST RUN"),
    ("history",): ("RUN", "TASK", "STATUS", "WHEN"),
    ("next", "-n", "4"): ("TASK", "AT", "ZONE"),
    ("status",): ("RUN", "TASK", "STATUS", "WHEN"),
    ("tick", "--dry-run"): ("TASK", "WOULD RUN", "SLOT"),
    ("tick",): ("RUN", "TASK", "STATUS", "SLOT"),
}


@pytest.fixture
def wide(project: Project) -> Project:
    """A project with long ids, descriptions, reasons and commits, in several zones; ticked once, at noon."""
    for task_id, zone in _ZONES.items():
        code = f"raise ValueError('größer als ∞ ' * {len(task_id)})"
        project.task(task_id, code, timezone=zone, description="größer und größer " * 9)
    project.commit("change " * 30)
    project.tick()
    return project


def _screen(project: Project, width: int, *words: str, minutes: int = 1) -> list[str]:
    env = {"RUNNER_NOW": (NOON + minutes * MINUTE).isoformat(), "TERM": "xterm", "COLUMNS": ""}
    _, screen, complaints = on_a_terminal(project, *words, env=env, columns=width)
    assert complaints == b""
    return _COLOUR.sub("", screen.decode()).splitlines()


def _table(lines: list[str]) -> list[str]:
    """Return the table among lines: its header and what follows, up to an empty line or a sentence."""
    begin = next(number for number, line in enumerate(lines) if re.match(r"(RUN +)?TASK ", line))
    table = []
    for line in lines[begin:]:
        if not line or line.startswith("[main] "):
            break
        table.append(line)
    return table


@pytest.mark.parametrize("words", _TABLES, ids=" ".join)
def test_at_every_width_a_table_keeps_what_identifies_and_what_matters(wide: Project, words: tuple[str, ...]) -> None:
    for number, width in enumerate(_WIDTHS):
        minutes = number + 1 if words == ("tick",) else 1
        table = _table(_screen(wide, width, *words, minutes=minutes))
        said = "\n".join(table)

        assert [line for line in table if len(line) > width] == []
        assert re.split(r" {2,}", table[0])[: len(_TABLES[words])] == list(_TABLES[words]) or all(
            title in table[0] for title in _TABLES[words]
        )
        for task_id in _IDS:
            assert re.search(rf"(^|\s){task_id}(\s|$)", said), (width, task_id)
        assert _LONGEST in said or f"{_LONGEST[:30]}" in said
        assert _LONGEST in said or "…" in said
        if "RUN" in _TABLES[words]:
            assert len([line for line in table if re.match(r"\d+ ", line)]) == len(_ZONES)
            assert len(re.findall(r"\bfailed\b", said)) == len(_ZONES)


@pytest.mark.parametrize("words", [words for words in _TABLES if words != ("tick",)], ids=" ".join)
def test_every_time_says_its_zone_at_every_width(wide: Project, words: tuple[str, ...]) -> None:
    zones = "|".join(map(re.escape, _ABBREVIATED.values()))
    for width in _WIDTHS:
        for line in _table(_screen(wide, width, *words))[1:]:
            shown = re.sub(rf" +{_TIME}$", "", line) if words[0] == "next" else line  # the last column is named UTC
            assert len(re.findall(_TIME, shown)) == len(re.findall(rf"{_TIME} +({zones})(?=\s|$)", shown)), line


def test_the_first_that_give_way_are_texts_and_then_columns_in_the_order_of_the_page_of_screens(wide: Project) -> None:
    shown = [_table(_screen(wide, width, "history", "a"))[0].split() for width in (300, 150, 110, 80, 50)]

    assert [len(titles) for titles in shown] == sorted((len(titles) for titles in shown), reverse=True)
    assert shown[0][-2:] == ["REASON", "CHANGE"]
    assert "CHANGE" not in shown[2]
    assert "REASON" in shown[3]
    assert shown[4] == ["RUN", "TASK", "STATUS", "WHEN"]


@pytest.mark.parametrize("words", [*_TABLES, ("show", "1")], ids=" ".join)
def test_piped_output_is_never_cut(wide: Project, words: tuple[str, ...]) -> None:
    said = wide.runner(*words, now=NOON + MINUTE, env={"COLUMNS": "60", "FORCE_COLOR": "1"}).stdout

    assert "…" not in said
    assert _LONGEST in said or words[0] == "show"
    assert words[0] not in {"list", "history"} or all(len(line) > 300 for line in said.splitlines()[1:])


def test_what_is_known_of_a_run_is_shown_whole_at_every_width(wide: Project) -> None:
    run = wide.runs()[0]
    for width in _WIDTHS:
        lines = _screen(wide, width, "show", str(run.run_id))
        facts = lines[: lines.index("")]
        assert [line for line in facts if len(line) > width] == []
        assert {"run", "task", "status", "reason", "started", "finished", "commit"} <= {it.split()[0] for it in facts}
        assert " ".join((run.reason or "").split()) in " ".join(" ".join(facts).split())


@pytest.fixture
def planned(wide: Project) -> Project:
    """The same project after changes of every kind of line that a plan has."""
    rrule = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=6,7,8,9,10;BYMINUTE=0,10,20,30,40,50"
    wide.task("a", "import os, smtplib\n" + f"print('{'long code ' * 20}')", cron="0 7 * * 1-5", owner="x" * 130)
    wide.task("reports/daily", "pass", rrule=rrule, timezone="Asia/Kathmandu", description="größer als ∞ " * 30)
    wide.task(_LONG, "pass", frequency=90, unit="minutes", tags=["monthly", "customers", "europe", "money"] * 6)
    (wide.root / f"tasks/{_LONGEST}.yaml").rename(wide.root / "tasks/renamed.yaml")
    wide.task(_LONGEST + "/added", "pass", cron="* * * * *", env={"NAME": "value " * 40})
    wide.write("tasks/odd.yaml", "frequncy: 1\n" + "unit: days\nactive: true\ncode: |\n  pass\n")
    wide.write("runner.yaml", "max_parallel: 2\n")
    wide.commit()
    return wide


def test_a_plan_fits_every_width_and_loses_nothing(planned: Project) -> None:
    whole = planned.runner("plan", "HEAD~1", "HEAD", now=NOON + MINUTE).stdout
    assert "…" not in whole
    for width in (40, *_WIDTHS):
        lines = _screen(planned, width, "plan", "HEAD~1", "HEAD")
        said = " ".join(line.strip() for line in lines)

        assert [line for line in lines if len(line) > width] == []
        for piece in re.findall(r"\S+", said):
            assert piece.rstrip("…") in whole, (width, piece)
        assert re.sub(r"[\s…]", "", _without_starts(lines)) == re.sub(r"\s", "", _without_starts(whole.splitlines()))
        for task_id in _IDS:
            assert re.search(rf"(^|\s){task_id}(:|\s|$)", said) or len(task_id) > width, (width, task_id)


@pytest.mark.parametrize("words", [("blame", _LONG), ("why", _LONG), ("why", "a")], ids=" ".join)
def test_sentences_are_wrapped_between_words_at_every_width_and_lose_nothing(
    wide: Project, words: tuple[str, ...]
) -> None:
    env = {"RUNNER_NOW": (NOON + MINUTE).isoformat()}
    whole = wide.runner(*words, env=env).stdout.split()
    for width in (40, *_WIDTHS):
        lines = _screen(wide, width, *words)

        assert [line for line in lines if len(line) > width] == []
        parts = " ".join(line.strip() for line in lines)
        assert re.sub(r"… ", "", parts).split() == whole


def _without_starts(lines: list[str]) -> str:
    """Return the lines of a plan without the two columns of starts, which are folded side by side."""
    kept, in_starts = [], False
    for line in lines:
        in_starts = line.startswith("    next, before") or (
            in_starts and bool(line) and not line.startswith("    code:")
        )
        kept += [] if in_starts else [line]
    return "\n".join(kept)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_the_starts_of_a_plan_stand_side_by_side_with_their_zones(planned: Project, width: int) -> None:
    lines = _screen(planned, width, "plan", "HEAD~1", "HEAD")

    begin = lines.index("~ reports/daily: changed")
    title = next(number for number in range(begin, len(lines)) if lines[number].startswith("    next, before"))
    assert re.fullmatch(r"    next, before +next, after", lines[title])
    assert re.fullmatch(rf"    \w{{3}} {_TIME} CEST  +\w{{3}} {_TIME} \+0545", lines[title + 1]), lines[title + 1]


def test_the_last_run_of_the_list_has_a_date(wide: Project) -> None:
    assert "failed    2026-06-10 14:00 CEST" in " ".join(_screen(wide, 300, "list"))


@pytest.fixture
def many(project: Project) -> Project:
    """Tasks in folders, of several owners, with tags, in every state."""
    project.task("billing/daily", owner="ada", tags=["daily", "money"])
    project.task("billing/eu/monthly", owner="ada", tags=["money"], active=False)
    project.task("reports/daily", "raise ValueError", owner="bob", tags=["daily"])
    project.task("broken")
    project.write("tasks/never.yaml", "active: maybe\n")
    project.commit()
    project.tick()
    project.task("broken", frequency=-1, unit="days")
    project.commit()
    project.tick(NOON + MINUTE)
    return project


@pytest.mark.parametrize(
    ("words", "tasks"),
    [
        (["billing/*"], ["billing/daily", "billing/eu/monthly"]),
        (["*daily"], ["billing/daily", "reports/daily"]),
        (["?roken"], ["broken"]),
        (["[br]*/daily"], ["billing/daily", "reports/daily"]),
        (["reports/daily"], ["reports/daily"]),
        (["nothing*"], []),
        (["--state", "active"], ["billing/daily", "reports/daily"]),
        (["--state", "inactive"], ["billing/eu/monthly"]),
        (["--state", "degraded"], ["broken"]),
        (["--state", "invalid"], ["never"]),
        (["--tag", "daily"], ["billing/daily", "reports/daily"]),
        (["--owner", "ada"], ["billing/daily", "billing/eu/monthly"]),
        (["billing/*", "--owner", "ada", "--tag", "money", "--state", "active"], ["billing/daily"]),
        (["reports/*", "--owner", "ada"], []),
    ],
)
def test_list_takes_a_pattern_and_filters_that_all_hold(many: Project, words: list[str], tasks: list[str]) -> None:
    assert [entry["task"] for entry in many.json("list", *words)] == tasks
    said = many.runner("list", *words).stdout
    assert [line.split()[0] for line in said.splitlines()[1:]] == tasks if tasks else said == "no tasks\n"


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["list", "--state", "odd"], "there is no state odd", "use one of active, inactive, degraded, invalid"),
        (["list", "--tag", "weekly"], "no task has the tag weekly", "use one of daily, money"),
        (["list", "--owner", "eve"], "no task has the owner eve", "use one of ada, bob"),
        (["list", "billing/dayly"], "there is no task billing/dayly", "did you mean billing/daily?"),
        (["history", "--status", "odd"], "there is no status odd", "lost, skipped, waiting, retrying"),
        (["history", "--since", "soon"], "'soon' is not a time", "write for example"),
        (
            ["history", "--since", "2026-06-11", "--until", "2026-06-10"],
            "the time from --since to --until is empty",
            "--until must be later than --since",
        ),
        (["cancel", "billing/daily"], "the task billing/daily has no run that waits or runs", "`runner history"),
        (["cancel", "nobody"], "there is no task nobody", ""),
        (["replay", "never"], "the task never has not run yet", "`runner next never`"),
        (["show", "0"], "there is no run 0", "`runner history`"),
        (["show", "9" * 30], "there is no run 999", "`runner history`"),
    ],
)
def test_a_word_that_is_not_known_is_an_error_that_names_those_that_are(
    many: Project, words: list[str], error: str, hint: str
) -> None:
    done = many.runner(*words)

    assert done.returncode == 2, done
    assert done.stderr.startswith(f"error: {error}"), done.stderr
    assert hint in done.stderr


def test_history_from_a_time_on_and_before_a_time(project: Project) -> None:
    project.task("often")
    project.commit()
    for minute in range(4):
        project.tick(NOON + minute * MINUTE)

    def runs(*words: str) -> list[int]:
        return [run["run_id"] for run in project.json("history", *words)]

    assert runs("--since", "2026-06-10T12:02Z") == [4, 3]
    assert runs("--until", "2026-06-10T12:02") == [2, 1]
    assert runs("--since", "2026-06-10T14:01+02:00", "--until", "2026-06-10T14:03+02:00") == [3, 2]
    assert runs("often", "--since", "2026-06-10", "-n", "1", "--status", "succeeded") == [4]
    assert runs("--since", "2026-06-11") == []


def test_history_finds_runs_by_every_word_that_it_shows(project: Project) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("fails", "raise ValueError", retry={"attempts": 2, "delay": "1h"})
    project.task("good")
    project.task("slow", "import time; time.sleep(60)", timeout="1s", kill_grace="0s")
    project.commit()
    project.tick()

    shown = {run.run_id: run.state_in_words() for run in project.runs()}
    assert set(shown.values()) == {"retrying", "succeeded", "timed_out"}
    for word in ("running", "succeeded", "failed", "timed_out", "cancelled", "lost", "skipped", "waiting", "retrying"):
        found = {run["run_id"] for run in project.json("history", "--status", word)}
        assert found == {run_id for run_id, told in shown.items() if told == word}, word


def test_status_begins_with_a_verdict(project: Project) -> None:
    project.task("daily", frequency=1, unit="days", start="2026-06-01 12:00", timezone="Europe/Berlin")
    project.task("asleep", active=False)
    project.commit()
    assert _verdict(project, 0) == "no tick has run yet"

    project.tick()

    assert _verdict(project, 1) == "all well: 2 tasks, next daily at 2026-06-11 12:00 CEST (in 22 h)"
    project.task("fails", "raise ValueError")
    project.task("fails/too", "raise ValueError")
    project.commit()
    project.tick(NOON + MINUTE)
    assert _verdict(project, 1) == "the last run of 2 tasks failed"


def test_status_says_since_when_ticks_do_not_come(project: Project) -> None:
    project.task("often", timezone="Europe/Berlin")
    project.commit()
    project.tick()

    assert project.json("status", now=NOON + 3 * MINUTE - timedelta(seconds=1))["overdue_since"] is None
    for minutes, late in ((4, "3 min"), (301, "5 h")):
        value = project.json("status", now=NOON + minutes * MINUTE)
        assert value["overdue_since"] == "2026-06-10T12:01:00Z"
        assert value["last_decision_at"].startswith("2026-06-10T12:00:00")
        said = project.runner("status", now=NOON + minutes * MINUTE).stdout
        assert said.startswith(f"no tick has run since 2026-06-10 12:01 UTC: overdue for {late}\n"), said
        assert f"often at 2026-06-10 14:01 CEST (overdue for {late})" in said
        assert "last tick  2026-06-10 12:00 UTC" in said
        assert value["verdict"] == said.splitlines()[0]

    project.tick(NOON + 302 * MINUTE)
    assert _verdict(project, 302).startswith("all well: 1 task, next often at")


def _verdict(project: Project, minutes: int) -> str:
    return project.runner("status", now=NOON + minutes * MINUTE).stdout.splitlines()[0]


def test_a_task_stands_for_its_last_run(project: Project) -> None:
    project.task("talks", "print('run', task.run_id)")
    project.commit()
    for minute in range(2):
        project.tick(NOON + minute * MINUTE)

    assert project.json("show", "talks", now=NOON + MINUTE) == project.json("show", "2", now=NOON + MINUTE)
    assert project.runner("logs", "talks").stdout == "run 2\n"
    assert "- run 2" in project.runner("replay", "talks", now=NOON + MINUTE).stderr.replace("-run 2", "- run 2")


def test_cancel_ends_the_last_run_of_a_task_that_is_not_over(project: Project) -> None:
    project.task("fails", "raise ValueError", retry={"attempts": 2, "delay": "1h"})
    project.commit()
    project.tick()
    assert [run.state_in_words() for run in project.runs()] == ["retrying"]

    assert project.runner("cancel", "fails", now=NOON + MINUTE).stdout == "run 1 cancelled\n"
    assert [run.status for run in project.runs()] == ["cancelled"]
