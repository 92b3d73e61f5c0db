"""A task gets a clean place of its own, and leaves none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest

from runner.execution.supervising.run_environment import INHERITED, remove_folder
from tests.support.processes import runner_after
from tests.support.project import RUNNER, Project

_OWN = {"RUNNER_REPO", "RUNNER_ROOT", "RUNNER_DATA", "RUNNER_RUN_ID", "RUNNER_TASK", "RUNNER_MARK"}


def _told(project: Project, code: str, env: dict[str, str] | None = None) -> Any:
    """Return the JSON that a task prints; with an environment the real command runs it."""
    code = textwrap.dedent(code).strip("\n")
    if env is None:
        return json.loads(project.run_once(code).output)
    project.task("once", code)
    project.commit()
    done = project.runner("tick", env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(project.show(1).output)


def _leftovers(project: Project) -> list[str]:
    return [path.name for path in (project.state / "work").iterdir()]


_CRON = {"LANG": "C.UTF-8", "TZ": "Asia/Tokyo", "HOME": "/nowhere", "SECRET": "s", "PYTHONPATH": "/x", "LD_X": "y"}
_SHOW_ENVIRONMENT = "import json, os\nprint(json.dumps(dict(os.environ)))"


def test_nothing_is_inherited_but_a_short_list(project: Project) -> None:
    seen = _told(project, _SHOW_ENVIRONMENT, env={**_CRON, "RUNNER_DEBUG": "1", "RUNNER_SECRET": "s"})

    assert set(seen) <= {*INHERITED, *_OWN}
    assert {name for name in seen if name.startswith("RUNNER_")} == _OWN
    assert seen["RUNNER_REPO"] == str(project.root)
    assert seen["RUNNER_DATA"] == str(project.state / "data/once")
    assert (seen["RUNNER_RUN_ID"], seen["RUNNER_TASK"]) == ("1", "once")


_OPTIONS = {
    "RUNNER_STATE": "/nowhere/state",
    "RUNNER_NOW": "1999-12-31T12:00:01Z",
    "RUNNER_DEBUG": "1",
    "RUNNER_PORTABLE": "1",
    "RUNNER_PLAN": "x",
    "_RUNNER_COMPLETE": "complete_bash",
    "GIT_DIR": "/nowhere/.git",
    "GIT_WORK_TREE": "/nowhere",
}


@pytest.mark.parametrize(
    "options", [{}, {name: _OPTIONS[name] for name in ("RUNNER_DEBUG", "RUNNER_PORTABLE", "GIT_DIR")}]
)
def test_a_task_that_calls_runner_for_another_repository_works_on_that_one(
    project: Project, tmp_path: Path, options: dict[str, str]
) -> None:
    other = Project.create(tmp_path / "other")
    other.task("inner", "import os\nprint(*sorted(name for name in os.environ if name.startswith('RUNNER_')))")
    other.commit()
    words = [RUNNER, "--repo", str(other.root)]
    code = f"""
        import json, subprocess
        said = [subprocess.run([*{words}, *rest], check=True, capture_output=True, text=True).stdout
                for rest in (["tick"], ["history", "--json"], ["run", "inner"])]
        print(json.dumps(json.loads(said[1])))
    """
    told = _told(project, code, env=options)

    assert [run["task"] for run in told] == ["inner"]
    assert (other.root / "state" / "runner.db").exists()
    assert [run.task for run in project.runs()] == ["once"]
    inner = Project(other.root, other.root / "state")
    assert [run.status for run in inner.runs()] == ["succeeded", "succeeded"]
    assert set(inner.show(1).output.decode().split()) == _OWN


def test_no_option_of_the_command_is_a_variable_of_a_task(project: Project) -> None:
    seen = _told(
        project, _SHOW_ENVIRONMENT, env={key: value for key, value in _OPTIONS.items() if key != "RUNNER_STATE"}
    )

    assert not _OPTIONS.keys() & seen.keys()


def test_the_short_list_is_inherited(project: Project) -> None:
    seen = _told(project, _SHOW_ENVIRONMENT, env=_CRON)

    given = {**os.environ, **_CRON}
    expected = {name: given[name] for name in INHERITED if name in given}
    assert {name: value for name, value in seen.items() if name not in _OWN} == expected


def test_programs_that_a_task_starts_have_the_same_clean_environment(project: Project) -> None:
    code = """
        import json, os, subprocess
        lines = subprocess.run(["env"], capture_output=True, text=True).stdout.splitlines()
        print(json.dumps(sorted(line for line in lines) == sorted(f"{k}={v}" for k, v in os.environ.items())))
    """

    assert _told(project, code, env={"SECRET": "s"}) is True


def test_a_task_finds_programs_though_cron_gives_no_path(project: Project) -> None:
    project.task("once", "import os\nprint(os.environ['PATH'])")
    project.commit()
    runner_after(project, "del os.environ['PATH']\nos.environ.pop('HOME', None)", "tick")

    # Without PATH the interpreter of the command is found by its full name, and git by the default of execvp(3).
    assert project.show(1).output == b"/usr/local/bin:/usr/bin:/bin\n"


def test_each_run_works_in_an_empty_private_folder_that_is_gone_afterwards(project: Project) -> None:
    code = """
        import json, os, stat
        here = os.getcwd()
        about = [here, os.listdir(), stat.S_IMODE(os.stat(here).st_mode), os.stat(here).st_uid]
        os.makedirs("a/b/c")
        open("a/b/file", "w").write("x" * 100_000)
        os.mkfifo("a/fifo")
        os.symlink("/", "a/link")
        os.chmod("a/b", 0)
        os.chmod("a", 0o500)
        print(json.dumps(about))
    """
    here, files, mode, owner = _told(project, code)

    assert Path(here).parent == project.state / "work"
    assert (files, mode, owner) == ([], 0o700, os.getuid())
    assert _leftovers(project) == []
    assert Path("/usr").exists()


@pytest.mark.parametrize("ending", ["1 / 0", "os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_the_folder_is_gone_whatever_has_ended_the_run(project: Project, ending: str) -> None:
    project.run_once(f"import os\nopen('file', 'w').close()\n{ending}")

    assert _leftovers(project) == []


def _forked_as_nobody(folder: Path) -> int:
    """Remove the folder `w` as somebody without privileges; return that child's exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.chdir(folder)  # the folders above are not for everybody
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            remove_folder("w")
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_folders_without_permissions_are_removed_by_a_runner_that_is_not_root(tmp_path: Path) -> None:
    locked = tmp_path / "w" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    if os.getuid() == 0:
        for path in (tmp_path, tmp_path / "w", locked, locked / "file"):
            os.chown(path, 65534, 65534)
    locked.chmod(0)
    try:
        assert _forked_as_nobody(tmp_path) == 0
        assert not (tmp_path / "w").exists()
    finally:
        if locked.exists():
            locked.chmod(0o700)


def test_a_very_deep_tree_of_folders_is_removed(project: Project) -> None:
    try:
        details = project.run_once("import os\nfor _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')")

        assert details.run.status == "succeeded"
        assert _leftovers(project) == []
    finally:
        subprocess.run(["rm", "-rf", str(project.state / "work")], check=True)


@pytest.mark.parametrize("instead", ["open(here, 'w').close()", "os.symlink({elsewhere!r}, here)"])
def test_a_file_or_link_in_the_place_of_the_folder_is_removed(project: Project, tmp_path: Path, instead: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch(mode=0o400)
    made = instead.format(elsewhere=str(elsewhere))
    project.run_once(f"import os\nhere = os.getcwd()\nos.chdir('/')\nos.rmdir(here)\n{made}")

    assert (elsewhere / "file").stat().st_mode & 0o777 == 0o400
    assert _leftovers(project) == []


def test_a_task_may_remove_its_folder_itself(project: Project) -> None:
    details = project.run_once("import os, shutil\nshutil.rmtree(os.getcwd())\nprint('removed')")

    assert (details.run.status, details.output) == ("succeeded", b"removed\n")


def test_a_run_whose_folder_cannot_be_made_fails_with_the_reason(project: Project) -> None:
    project.state.mkdir()
    (project.state / "work").touch()

    details = project.run_once("print('not reached')")

    assert (details.run.status, details.output) == ("failed", b"")
    assert str(details.run.reason).startswith("could not be started: NotADirectoryError: ")


def test_standard_input_is_nowhere(project: Project) -> None:
    code = """
        import json, os, subprocess, sys
        cat = subprocess.run(["cat"], capture_output=True, text=True).stdout
        print(json.dumps([os.readlink("/proc/self/fd/0"), sys.stdin.read(), os.read(0, 10).decode(), cat]))
    """

    assert _told(project, code) == ["/dev/null", "", "", ""]


def test_input_ends_a_task_instead_of_waiting_for_ever(project: Project) -> None:
    error = project.run_once("input('name? ')", timeout="30s").run.error

    assert error is not None
    assert error.type == "EOFError"


def test_a_task_leads_a_session_and_a_process_group_of_its_own(project: Project) -> None:
    pid, group, session, parent, parents_group = _told(
        project,
        "import json, os\n"
        "print(json.dumps([os.getpid(), os.getpgrp(), os.getsid(0), os.getppid(), os.getpgid(os.getppid())]))",
    )

    assert pid == group == session
    assert pid not in {parent, parents_group}


def test_a_task_that_kills_its_process_group_kills_nobody_else(project: Project) -> None:
    project.task("other", "print('fine')")
    details = project.run_once("import os, signal\nos.killpg(0, signal.SIGKILL)")

    assert details.run.reason == "killed by signal 9 (SIGKILL)"
    assert [run.status for run in project.runs("other")] == ["succeeded"]


def test_a_task_has_no_terminal(project: Project) -> None:
    error = project.run_once("open('/dev/tty')").run.error

    assert error is not None
    assert error.type == "OSError"


_DESCRIPTORS = """
    import json, os, subprocess
    seen = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            seen[int(number)] = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            pass  # that of the listing
    words = subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True, close_fds=False).stdout.split()
    print(json.dumps([seen, words]))
"""


def test_no_descriptor_leaks_into_a_task(project: Project, tmp_path: Path) -> None:
    project.task("another", "print('beside it')")
    project.task("once", textwrap.dedent(_DESCRIPTORS).strip("\n"))
    project.commit()
    (tmp_path / "secret").touch()
    opens = f"for _ in range(40):\n    os.set_inheritable(os.open({str(tmp_path / 'secret')!r}, os.O_RDONLY), True)"
    runner_after(project, opens, "tick")

    [once] = project.runs("once")
    seen, words = json.loads(project.show(once.run_id).output)
    others = [target for number, target in seen.items() if int(number) > 2]
    assert seen["0"] == "/dev/null"
    assert seen["1"] == seen["2"]
    assert len(others) == 1, "only the pipe in which the child tells of an exception"
    assert others[0].startswith("pipe:")
    assert words == ["0", "1", "2", "3"], "a program gets none; the fourth is that of ls itself"


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(
            "b'a\\0b\\0c\\0\\xc2\\xb2\\0t'",
        ),
        pytest.param(
            "b'a\\0b\\0c\\0' + b'9' * 30 + b'\\0t'",
        ),
        "b'junk'",
        "b'\\0' * 4",
        "b'\\xff' * 50_000",
    ],
)
def test_a_task_that_writes_into_every_descriptor_fools_nobody(project: Project, junk: str) -> None:
    code = f"""
        import os
        for number in range(3, 50):
            try:
                os.write(number, {junk})
            except OSError:
                pass
    """
    project.task("other", "print('fine')")
    details = project.run_once(textwrap.dedent(code).strip("\n"))

    assert details.run.status == "succeeded"
    assert [run.status for run in project.runs("other")] == ["succeeded"]


_SIGNALS = """
    import json
    with open("/proc/self/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    print(json.dumps([
        [number for number in range(1, 65) if int(fields[name], 16) >> (number - 1) & 1]
        for name in ("SigBlk", "SigIgn", "SigCgt")
    ]))
"""


#: What Python ignores, and what the C library keeps to itself (32 and 33, signal(7)): nobody can set those back.
_MAY_BE_IGNORED = {signal.SIGPIPE, signal.SIGXFSZ, 32, 33}


def test_signals_are_as_in_any_script(project: Project) -> None:
    blocked, ignored, caught = _told(project, _SIGNALS, env={})

    # What every Python program does: SIGPIPE and SIGXFSZ become OSError, SIGINT becomes KeyboardInterrupt.
    assert (blocked, caught) == ([], [signal.SIGINT])
    assert set(ignored) <= _MAY_BE_IGNORED


def test_signals_that_the_caller_has_blocked_reach_a_task(project: Project) -> None:
    project.task("once", textwrap.dedent(_SIGNALS).strip("\n"))
    project.commit()
    runner_after(project, "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])", "tick")

    assert json.loads(project.show(1).output)[0] == []


def test_signals_that_the_caller_ignores_are_not_ignored_in_a_task(project: Project) -> None:
    project.task("once", textwrap.dedent(_SIGNALS).strip("\n"))
    project.commit()
    ignored = "(signal.SIGQUIT, signal.SIGALRM, signal.SIGTSTP, signal.SIGHUP)"
    runner_after(project, f"for number in {ignored}: signal.signal(number, signal.SIG_IGN)", "tick")

    assert set(json.loads(project.show(1).output)[1]) <= _MAY_BE_IGNORED


def test_a_tick_whose_caller_ignores_sigchld_runs_tasks(project: Project) -> None:
    project.task("once")
    project.commit()
    done = runner_after(project, "signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "tick")

    assert (done.returncode, done.stderr) == (0, "")
    assert [run.status for run in project.runs()] == ["succeeded"]


def test_a_tick_without_any_standard_stream_captures_all_output(project: Project) -> None:
    project.task("once", "import subprocess\nprint('own')\nsubprocess.run('echo out; echo err >&2; cat', shell=True)")
    project.commit()
    runner_after(project, "os.closerange(0, 3)", "tick")

    assert project.show(1).output == b"own\nout\nerr\n"


def test_tasks_that_run_at_once_do_not_see_each_other(project: Project, tmp_path: Path) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    code = f"""
        import json, os, time
        open(task.id, "w").close()
        open({str(meeting)!r} + "/" + task.id, "w").close()
        give_up = time.monotonic() + 40
        while len(os.listdir({str(meeting)!r})) < 3 and time.monotonic() < give_up:
            time.sleep(0.005)
        print(json.dumps([os.getcwd(), os.listdir(), os.getsid(0), os.environ["RUNNER_TASK"], list(globals())]))
    """
    for name in ("a", "b", "c"):
        project.task(name, textwrap.dedent(code).strip("\n"))
    project.commit()
    project.tick()

    told = {run.task: json.loads(project.show(run.run_id).output) for run in project.runs()}
    assert [told[name][1] for name in "abc"] == [["a"], ["b"], ["c"]]
    assert [told[name][3] for name in "abc"] == ["a", "b", "c"]
    assert len({told[name][0] for name in "abc"}) == 3
    assert len({told[name][2] for name in "abc"}) == 3
