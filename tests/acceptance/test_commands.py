"""The command line: what it shows, what it says when it cannot, and with which exit code."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest

from tests.support.project import MINUTE, NOON, RUNNER, Project

_RUN_KEYS = [
    *("run_id", "task", "trigger", "status", "reason", "scheduled_for", "started_at", "finished_at"),
    *("duration_seconds", "commit", "attempts", "missed", "exit_code", "signal", "error"),
]
_COMMANDS = ("tick", "run", "validate", "list", "next", "status", "history", "show", "plan")


@pytest.fixture
def busy(project: Project) -> Project:
    """A project with a task that works, one that fails and one that sleeps; ticked once."""
    project.task("good", "print('fine')", timezone="Europe/Berlin", description="Says [fine]")
    project.task("bad/one", "x = 1\nprint('about to fail')\nraise ValueError('no [such] luck')")
    project.task("asleep", active=False)
    project.commit()
    project.tick()
    return project


def test_history_in_json_is_a_list_of_runs_with_the_agreed_keys_newest_first(busy: Project) -> None:
    runs = busy.json("history")

    assert [run["run_id"] for run in runs] == [2, 1]
    assert all(list(run) == [*_RUN_KEYS, "commit_details"] for run in runs)
    good = next(run for run in runs if run["task"] == "good")
    assert (good["status"], good["scheduled_for"], good["exit_code"]) == ("succeeded", "2026-06-10T12:00:00Z", 0)
    assert busy.json("history", "good", "-n", "1") == [good]
    assert [run["task"] for run in busy.json("history", "--status", "failed")] == ["bad/one"]


def test_show_points_at_the_line_of_the_yaml_file_and_shows_the_source_line(busy: Project) -> None:
    run_id = next(run.run_id for run in busy.runs() if run.task == "bad/one")
    lines = (busy.root / "tasks/bad/one.yaml").read_text().splitlines()
    line = lines.index("  raise ValueError('no [such] luck')") + 1

    shown = busy.json("show", str(run_id))
    text = busy.runner("show", str(run_id)).stdout

    more = [
        "output",
        "output_dropped_bytes",
        "traceback",
        "next_attempt_at",
        "each_attempt",
        "context",
        "rollback",
        "commit_details",
    ]
    assert list(shown) == [*_RUN_KEYS, *more]
    assert (shown["commit_details"]["author"], shown["commit_details"]["subject"]) == ("Ada", "change tasks")
    assert "Ada: change tasks" in text
    assert "Ada: change tasks" in busy.runner("history").stdout
    assert shown["error"] == {
        "type": "ValueError",
        "message": "no [such] luck",
        "file": "tasks/bad/one.yaml",
        "line": line,
    }
    assert shown["reason"] == "ValueError: no [such] luck"
    assert f'  File "tasks/bad/one.yaml", line {line}, in <module>\n    raise ValueError' in shown["traceback"]
    assert shown["output"].startswith("about to fail\nTraceback (most recent call last):\n")
    assert "runner/execution" not in shown["traceback"]
    assert f"tasks/bad/one.yaml:{line}" in text
    assert "raise ValueError('no [such] luck')" in text


def test_times_for_people_are_on_the_wall_clock_of_the_task(busy: Project) -> None:
    assert "2026-06-10 14:00 CEST" in busy.runner("history", "good").stdout
    assert "2026-06-10 14:01 CEST" in busy.runner("list", now=NOON).stdout


def test_list_shows_every_task_with_its_state_and_last_run(busy: Project) -> None:
    entries = {entry["task"]: entry for entry in busy.json("list", now=NOON)}

    assert list(entries) == ["asleep", "bad/one", "good"]
    assert [entries[task]["state"] for task in entries] == ["inactive", "active", "active"]
    assert entries["good"]["description"] == "Says [fine]"
    assert entries["good"]["schedule"] == "every minute"
    assert entries["bad/one"]["last_run"]["status"] == "failed"
    assert entries["asleep"]["next_due"] is None
    assert "Says [fine]" in busy.runner("list", now=NOON).stdout


def test_next_shows_slots_on_a_daylight_saving_night(project: Project) -> None:
    project.task("night", frequency=1, unit="days", start="2026-01-01 02:30", timezone="Europe/Berlin")
    project.commit()

    slots = project.json("next", "night", "-n", "3", "--from", "2026-03-28T00:00Z")

    assert [slot["local"] for slot in slots] == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]
    assert [list(slot) for slot in slots] == [["task", "at", "local"]] * 3
    assert slots[1]["at"] == "2026-03-29T01:30:00Z"


def test_next_merges_the_slots_of_all_tasks(busy: Project) -> None:
    slots = busy.json("next", "-n", "4", now=NOON)

    assert [(slot["task"], slot["at"]) for slot in slots] == [
        ("bad/one", "2026-06-10T12:01:00Z"),
        ("good", "2026-06-10T12:01:00Z"),
        ("bad/one", "2026-06-10T12:02:00Z"),
        ("good", "2026-06-10T12:02:00Z"),
    ]


def test_status_sums_up(busy: Project) -> None:
    status = busy.json("status", now=NOON + MINUTE)

    assert status["tasks"] == {"active": 2, "inactive": 1, "invalid": 0}
    assert [run["task"] for run in status["failing"]] == ["bad/one"]
    assert status["last_24_hours"] == {"failed": 1, "succeeded": 1}
    assert "bad/one" in busy.runner("status", now=NOON).stdout


def test_dry_run_says_for_every_task_whether_it_would_run_and_writes_nothing(project: Project) -> None:
    project.task("often")
    project.task("asleep", active=False)
    project.task("later", cron="30 18 * * *")
    project.commit()

    done = project.runner("tick", "--dry-run", now=NOON)
    report = project.json("tick", "--dry-run", now=NOON)

    assert done.returncode == 0
    assert re.search(r"often +yes +2026-06-10 12:00 UTC +due: the task is new", done.stdout)
    assert re.search(r"asleep +no +- +inactive", done.stdout)
    assert re.search(r"later +no +- +not due before 2026-06-10 18:30 UTC", done.stdout)
    assert report["due"] == [
        {
            "task": "often",
            "scheduled_for": "2026-06-10T12:00:00Z",
            "reason": "due: the task is new",
            "missed": 0,
        }
    ]
    assert not project.state.exists()


@pytest.mark.parametrize(("hours", "later"), [(1, ""), (2, "; 1 later slot follows"), (3, "; 2 later slots follow")])
def test_dry_run_counts_the_later_slots_that_follow(project: Project, hours: int, later: str) -> None:
    project.task("all", cron="0 * * * *", catchup="all", concurrency_policy="allow")
    project.commit()
    project.tick(NOON)

    [due] = project.json("tick", "--dry-run", now=NOON + 60 * hours * MINUTE)["due"]
    assert due["reason"].endswith(later)
    assert ("follow" in due["reason"]) == bool(later)


def test_dry_run_on_a_used_store_leaves_every_byte_as_it_was(busy: Project) -> None:
    busy.task("good", "print('changed')", timezone="Europe/Berlin")
    busy.commit()
    before = (busy.state / "runner.db").read_bytes()

    report = busy.json("tick", "--dry-run", now=NOON + 3 * MINUTE)

    assert {(due["task"], due["missed"]) for due in report["due"]} == {("good", 2), ("bad/one", 2)}
    assert (busy.state / "runner.db").read_bytes() == before


def test_dry_run_exits_one_where_a_file_is_broken(project: Project) -> None:
    project.task("good")
    project.write("tasks/bad.yaml", "nonsense")
    project.commit()

    done = project.runner("tick", "--dry-run")

    assert done.returncode == 1
    assert "tasks/bad.yaml:1:1: error: the file is not a mapping of keys" in done.stdout


def test_tick_in_json_has_the_agreed_keys(project: Project) -> None:
    project.task("hello")
    commit = project.commit()
    project.state.mkdir()

    report = project.json("tick", now=NOON)

    assert {"commit", "started", "skipped", "due", "problems"} <= report.keys()
    assert report["commit"] == commit
    assert [list(run) for run in report["started"]] == [_RUN_KEYS]


def test_tick_of_named_tasks_runs_only_those_that_are_due(project: Project) -> None:
    for task in ("one", "two", "three"):
        project.task(task)
    project.commit()

    report = project.json("tick", "--task", "one", "--task", "three", now=NOON)

    assert [run["task"] for run in report["started"]] == ["one", "three"]
    assert [run["task"] for run in project.json("tick", now=NOON)["started"]] == ["two"]


def test_a_failing_task_does_not_fail_the_tick(project: Project) -> None:
    project.task("bad", "1 / 0")
    project.commit()

    done = project.runner("tick", now=NOON)

    assert done.returncode == 0
    assert re.search(r"1 +bad +failed +2026-06-10 12:00 UTC +\S+ +ZeroDivisionError: division by zero", done.stdout)


def test_run_shows_the_output_live_and_ends_with_how_the_task_ended(busy: Project) -> None:
    good = busy.runner("run", "good")
    bad = busy.runner("run", "bad/one")

    assert (good.returncode, good.stdout) == (0, "fine\n")
    assert re.fullmatch(r"run 3 succeeded after \d+\.\ds\n", good.stderr)
    assert bad.returncode == 1
    assert "failed after" in bad.stderr
    assert "ValueError: no [such] luck" in bad.stderr


def test_a_run_by_hand_consumes_no_slot_and_runs_inactive_tasks_too(busy: Project) -> None:
    assert busy.runner("run", "asleep", now=NOON + MINUTE).returncode == 0
    assert busy.runner("run", "good", now=NOON + MINUTE).returncode == 0

    assert {run.task for run in busy.tick(NOON + MINUTE).started} == {"good", "bad/one"}
    by_hand = [run for run in busy.runs() if run.trigger == "manual"]
    assert [(run.task, run.scheduled_for) for run in by_hand] == [("asleep", None), ("good", None)]


def test_output_of_run_comes_while_the_task_is_running(project: Project) -> None:
    gate = project.root.parent / "gate"
    project.task(
        "talk",
        f"import os, time\nprint('ready')\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\nprint('end')",
    )
    project.commit()
    with subprocess.Popen(
        [RUNNER, "run", "talk"], cwd=project.root, env=project.environment(), stdout=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "ready\n"
        gate.touch()
        assert command.stdout.read() == "end\n"


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["run", "goood"], "there is no task goood", "did you mean good?"),
        (["run", "tasks/good.yaml"], "there is no task tasks/good.yaml", "did you mean good?"),
        (["tick", "--task", "nothing"], "there is no task nothing", "`runner list` lists all tasks"),
        (["show", "99"], "there is no run 99", "`runner history` names the last ones"),
        (["history", "--status", "fine"], "there is no status fine", "use one of running, succeeded, failed"),
        (["history", "nobody"], "there is no task nobody", ""),
        (["next", "--from", "soon"], "'soon' is not a time", "write for example 2026-03-28"),
        (["--repo", "/nowhere", "tick"], "there is no folder /nowhere", "--repo"),
        (["tick", "--bogus"], "no such option: --bogus", "`runner tick --help` shows how it is used"),
        (["bogus"], "no such command 'bogus'", "`runner --help` shows how it is used"),
        (["show"], "missing argument 'RUN'", "`runner show --help`"),
        (["validate", "nothing.yaml"], "there is no nothing.yaml", "give files or folders below tasks/"),
    ],
)
def test_wrong_usage_exits_two_with_a_line_and_a_hint(busy: Project, words: list[str], error: str, hint: str) -> None:
    done = busy.runner(*words)

    assert done.returncode == 2, done
    assert done.stderr.lower().startswith(f"error: {error.lower()}"), done.stderr
    assert hint in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_help(project: Project, command: str) -> None:
    done = project.runner(command, "--help")

    assert done.returncode == 0
    assert f"Usage: runner {command}" in done.stdout


@pytest.mark.parametrize("command", ["tick", "run", "validate", "next", "history"])
def test_help_has_examples(project: Project, command: str) -> None:
    assert re.search(rf"Examples:\n +runner {command}", project.runner(command, "--help").stdout)


def test_runner_alone_shows_its_commands(project: Project) -> None:
    done = project.runner()

    assert all(command in done.stdout + done.stderr for command in _COMMANDS)
    assert project.runner("--version").stdout == "runner 0.1.0\n"


def test_shells_complete_commands_and_ids(busy: Project) -> None:
    environment = {"_RUNNER_COMPLETE": "complete_bash", "COMP_WORDS": "runner run b", "COMP_CWORD": "2"}

    done = busy.runner(env=environment)

    assert done.stdout.split() == ["bad/one"]


def test_piped_output_has_no_colours(busy: Project) -> None:
    assert "\x1b" not in busy.runner("history").stdout
    assert "\x1b" not in busy.runner("history", env={"FORCE_COLOR": ""}).stdout


def test_a_reader_that_goes_away_ends_the_command_quietly(busy: Project) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" list | true; "$0" history --json | head -c 1', RUNNER],
        cwd=busy.root,
        env=busy.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stderr == ""


def test_ctrl_c_ends_with_130_and_the_run_is_on_record_as_cancelled(project: Project) -> None:
    project.task("long", "import time\nprint('ready')\ntime.sleep(600)", kill_grace="1s")
    project.commit()
    with subprocess.Popen(
        [RUNNER, "run", "long"],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        command.stdout.readline()
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 130

    [run] = project.runs()
    assert (run.status, run.reason) == ("cancelled", "Ctrl-C")


@pytest.mark.parametrize("now", ["not a time", "2026-03-29T00:59:59"])
def test_a_rehearsal_at_no_time_is_wrong_usage(project: Project, now: str) -> None:
    project.task("hello")
    project.commit()

    done = project.runner("tick", env={"RUNNER_NOW": now})

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: RUNNER_NOW={now} ")
    assert done.stderr.endswith("hint: write it as 2026-03-29T00:59:59Z, or unset it\n")


def test_a_bug_of_ours_is_one_line_and_exit_code_three(project: Project) -> None:
    project.task("hello")
    project.commit()
    project.tick()
    with project.database() as database:
        # What no command of ours ever writes: a schedule without a zone that exists.
        database.execute("UPDATE versions SET timezone = 'Nowhere/At_All'")
        database.commit()

    done = project.runner("list", now=NOON + MINUTE)

    assert done.returncode == 3
    assert done.stderr.startswith("error: a bug in runner: ScheduleError: unknown time zone 'Nowhere/At_All'")
    assert done.stderr.count("\n") == 2
    assert "Traceback" in project.runner("list", now=NOON + MINUTE, env={"RUNNER_DEBUG": "1"}).stderr


def test_commands_work_from_a_subfolder_and_with_repo(busy: Project) -> None:
    inside = subprocess.run(
        [RUNNER, "list", "--json"],
        cwd=busy.root / "tasks/bad",
        env=busy.environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    outside = subprocess.run(
        [RUNNER, "--repo", str(busy.root), "--state", str(busy.state), "list", "--json"],
        cwd="/",
        env=busy.environment() | {"RUNNER_STATE": ""},
        check=True,
        capture_output=True,
        text=True,
    )

    assert json.loads(inside.stdout) == json.loads(outside.stdout)
