"""A task that goes over a limit fails and says which one; whoever stays below is left alone, and so is the tick."""

from __future__ import annotations

import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from runner.model.run import RunDetails
from tests.support.processes import Family, background, family_of, peak_memory
from tests.support.project import NOON, Project

_PORTABLE = {"RUNNER_PORTABLE": "1"}
_needs_ps = pytest.mark.skipif(shutil.which("ps") is None, reason="the portable means need ps(1)")

_HOG = "kept = []\nwhile True:\n    kept.append(bytearray(1 << 20))"
_SPIN = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end:\n    pass"
_OPEN = "kept = []\nfor _ in range(1000):\n    kept.append(open('/dev/null'))"
_WRITE = "with open('large', 'wb', buffering=0) as file:\n    for _ in range(100):\n        file.write(bytes(1 << 16))"
#: Forks until there are 60 at once, each of which ends by itself.
_FORK = "import os, time\nfor _ in range(60):\n    if os.fork() == 0:\n        time.sleep(20)\n        os._exit(0)\ntime.sleep(20)"

_LIMITS: dict[str, tuple[dict[str, object], str, str]] = {
    "memory": ({"memory": "64M"}, "memory (64M)", _HOG),
    "cpu": ({"cpu": "1s"}, "cpu (1s)", _SPIN),
    "processes": ({"processes": 20}, "processes (20)", _FORK),
    "open_files": ({"open_files": 20}, "open_files (20)", _OPEN),
    "file_size": ({"file_size": "1M"}, "file_size (1M)", _WRITE),
}


#: What a program meets by itself it tells in its own way; these are counted for the whole tree.
_OF_THE_TREE = ("cpu", "processes")


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def _tick(project: Project, env: dict[str, str] | None = None) -> dict[str, RunDetails]:
    """Commit, tick with the real command, and return what became of each task."""
    project.commit()
    done = project.runner("tick", now=NOON, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return {run.task: project.show(run.run_id) for run in project.runs()}


def _as_fork(code: str) -> str:
    """Return code that does the same in a forked process and ends as that one does."""
    body = textwrap.indent(code, "        ")
    return (
        f"import os, signal\nif (pid := os.fork()) == 0:\n    try:\n{body}\n    finally:\n        pass\n"
        "    os._exit(0)\nraise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) and 1)"
    )


def _as_program(code: str) -> str:
    """Return code that does the same in a program and fails as that one does."""
    return f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {code!r}], check=True)"


def _as_it_is(code: str) -> str:
    return code


@pytest.mark.parametrize(
    ("name", "wrapped"),
    [*product(_LIMITS, [_as_it_is]), *product(_OF_THE_TREE, [_as_program, _as_fork])],
)
def test_a_task_whose_code_program_or_fork_is_over_a_limit_fails_and_the_reason_names_the_limit(
    project: Project, name: str, wrapped: Callable[[str], str]
) -> None:
    limits, words, code = _LIMITS[name]
    project.task("once", wrapped(code), limits=limits)
    run = _tick(project)["once"].run

    assert run.status == "failed"
    assert str(run.reason).startswith(f"over its limit {words}"), run.reason


def test_the_memory_of_a_tree_is_counted_as_a_whole(project: Project, family: Family) -> None:
    fork = "    if os.fork() == 0:\n        kept = os.urandom(40 << 20)\n        note('fork')\n        forever()\n"
    code = f"for _ in range(4):\n{fork}forever()"
    project.task("once", family.code(code), limits={"memory": "100M"}, timeout="2m", kill_grace="0s")
    run = _tick(project)["once"].run

    assert (run.status, run.reason) == ("failed", "over its limit memory (100M)")
    assert family.survivors() == []


def test_the_time_of_a_tree_is_counted_as_a_whole(project: Project) -> None:
    code = "import subprocess, sys\nwhile True:\n    subprocess.run([sys.executable, '-c', 'for _ in range(4_000_000): pass'])"
    project.task("once", code, limits={"cpu": "1s"}, timeout="2m", kill_grace="0s")
    run = _tick(project)["once"].run

    assert (run.status, run.reason) == ("failed", "over its limit cpu (1s)")


def test_daemons_count_as_the_processes_of_their_task(project: Project, family: Family) -> None:
    code = "for number in range(12):\n    daemon(f'daemon-{number}', keep=number % 2)\nforever()"
    project.task("once", family.code(code), limits={"processes": 10}, timeout="2m", kill_grace="0s")
    run = _tick(project)["once"].run

    assert (run.status, run.reason) == ("failed", "over its limit processes (10)")
    assert family.survivors() == []


def test_processes_that_have_ended_and_were_not_waited_for_count_too(project: Project) -> None:
    code = "import os, time\nfor _ in range(300):\n    if os.fork() == 0:\n        os._exit(0)\ntime.sleep(60)"
    project.task("once", code, limits={"processes": 10})
    run = _tick(project)["once"].run

    assert (run.status, run.reason) == ("failed", "over its limit processes (10)")


@pytest.mark.parametrize(
    "size",
    [
        1 << 20,
        1000,
        1 << 14,
    ],
)
def test_a_memory_hog_is_named_whatever_is_left_when_it_fails(project: Project, size: int) -> None:
    project.task("once", f"kept = []\nwhile True:\n    kept.append(bytearray({size}))", limits={"memory": "48M"})
    details = _tick(project)["once"]

    assert details.run.status == "failed"
    assert str(details.run.reason).startswith("over its limit memory (48M)"), details.run.reason


def test_a_task_that_has_no_file_left_to_open_still_shows_its_traceback(project: Project) -> None:
    project.task("once", _OPEN, limits={"open_files": 20})
    details = _tick(project)["once"]

    assert details.run.exit_code == 1
    assert details.traceback is not None
    assert details.traceback.rstrip().endswith("OSError: [Errno 24] Too many open files: '/dev/null'")


def test_the_least_memory_that_a_task_file_may_name_is_enough_to_run_and_to_fail(project: Project) -> None:
    project.task("good", "print('well')", limits={"memory": "16M"})
    project.task("bad", "raise ValueError('no')", limits={"memory": "16M"})
    ended = _tick(project)

    assert ended["good"].run.status == "succeeded"
    assert ended["bad"].run.reason == "ValueError: no"


def test_a_task_that_handles_the_signal_of_its_cpu_limit_is_ended_all_the_same(project: Project) -> None:
    code = f"import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n{_SPIN}"
    project.task("once", code, limits={"cpu": "1s"}, timeout="2m", kill_grace="0s")
    run = _tick(project)["once"].run

    assert (run.status, run.reason) == ("failed", "over its limit cpu (1s)")


def test_an_error_that_only_looks_like_a_limit_is_not_called_one(project: Project) -> None:
    code = "import socket\na, b = socket.socketpair()\na.setblocking(False)\na.recv(1)"
    project.task("once", code, limits={"processes": 20})
    run = _tick(project)["once"].run

    assert run.status == "failed"
    assert str(run.reason).startswith("BlockingIOError")


# A bomb that ends by itself: at most so many processes, and none of them for long.
_BOMB = """\
import mmap, os, signal, struct, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
made = mmap.mmap(-1, 8)
end = time.monotonic() + 15
while time.monotonic() < end:
    count = struct.unpack("q", made)[0]
    if count > 1500:
        time.sleep(0.1)
        continue
    made[:] = struct.pack("q", count + 1)
    os.fork()
"""


def test_a_bomb_a_hog_a_loop_and_a_deaf_task_harm_neither_the_tick_nor_the_others(
    project: Project, family: Family
) -> None:
    project.write("runner.yaml", "max_parallel: 8\n")
    project.task("bomb", family.code("note('bomb')\n" + _BOMB), limits={"processes": 30})
    project.task("hog", _HOG, limits={"memory": "200M"})
    project.task("loop", _SPIN, limits={"cpu": "2s"})
    deaf = (
        "for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(number, signal.SIG_IGN)\nnote('deaf')\nforever()"
    )
    project.task("deaf", family.code(deaf), timeout="2s", kill_grace="1s")
    for number in range(4):
        project.task(f"well-{number}", "import time\nfor _ in range(10):\n    time.sleep(0.1)\n    print('well')")
    project.commit()

    most = 0
    with background(project, "tick", now=NOON) as tick:
        while tick.poll() is None:
            most = max(most, peak_memory(tick.pid))
            try:
                tick.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        assert tick.returncode == 0

    ended = {run.task: (run.status, str(run.reason)) for run in project.runs()}
    assert ended["bomb"] == ("failed", "over its limit processes (30)")
    assert ended["hog"][0] == "failed"
    assert ended["hog"][1].startswith("over its limit memory (200M)")
    assert ended["loop"] == ("failed", "over its limit cpu (2s)")
    assert ended["deaf"] == ("timed_out", "timed out after 2s")
    for number in range(4):
        assert ended[f"well-{number}"][0] == "succeeded"
    assert family.survivors() == []
    assert 0 < most < 24 * 1024, "KiB"


def test_limits_are_inherited_from_runner_yaml_and_each_can_be_set_for_a_task(project: Project) -> None:
    project.write("runner.yaml", "defaults:\n  limits: {memory: 64M, open_files: 30, file_size: 1M}\n")
    code = "import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE)[0], resource.getrlimit(resource.RLIMIT_FSIZE)[0])"
    project.task("hog", _HOG)
    project.task("default", code)
    project.task("own", code, limits={"open_files": 50})
    ended = _tick(project)

    assert str(ended["hog"].run.reason).startswith("over its limit memory (64M)")
    assert ended["default"].output == b"30 1048576\n"
    assert ended["own"].output.startswith(b"50 ")


def test_a_task_without_limits_has_those_of_runner(project: Project) -> None:
    code = "import resource\nprint([resource.getrlimit(n) for n in range(resource.RLIM_NLIMITS)])".replace(
        "resource.RLIM_NLIMITS", "16"
    )
    project.task("a-limited", "print()", limits={"memory": "64M", "cpu": "1s", "open_files": 20, "file_size": "1M"})
    project.task("free", code)
    project.commit()
    done = project.runner("tick", now=NOON)
    here = subprocess.run(["python3", "-c", code], check=True, capture_output=True).stdout

    assert done.returncode == 0
    assert project.show(project.runs("free")[0].run_id).output == here


_FORTY_THREADS = """\
import threading
go = threading.Event()
threads = [threading.Thread(target=go.wait) for _ in range(40)]
try:
    for thread in threads:
        thread.start()
finally:
    go.set()
"""
_TWENTY_FORKS = """\
import os, time
kept = os.urandom(60 << 20)
pids = []
for _ in range(20):
    if (pid := os.fork()) == 0:
        time.sleep(1)
        os._exit(0)
    pids.append(pid)
for pid in pids:
    os.waitpid(pid, 0)
"""
#: While a program is looked for, it shares the memory of who starts it (vfork(2)); in a long PATH that takes a while.
_PROGRAMS = """\
import os, subprocess, time
kept = os.urandom(150 << 20)
os.environ["PATH"] = ":".join(["/x"] * 30_000 + ["/usr/bin", "/bin"])
end = time.monotonic() + 1.5
while time.monotonic() < end:
    subprocess.run(["true"], check=True)
"""
_MAPPING = """\
import mmap
kept = [mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)]
"""


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        pytest.param(_FORTY_THREADS, {"memory": "256M"}, id="forty threads"),
        pytest.param(_FORTY_THREADS, {"processes": 2}, id="threads are no processes"),
        pytest.param(_TWENTY_FORKS, {"memory": "256M"}, id="twenty forks that share what they have"),
        pytest.param(_TWENTY_FORKS, {"processes": 21}, id="as many processes as it may"),
        pytest.param(_PROGRAMS, {"memory": "256M"}, id="programs started from a large process"),
        pytest.param(_MAPPING, {"memory": "64M"}, id="memory that is only reserved"),
        pytest.param("import time\ntime.sleep(1.5)", {"cpu": "1s"}, id="sleep is no work"),
        pytest.param(
            "import tempfile\ntempfile.TemporaryFile().write(bytes(1 << 20))", {"file_size": "1M"}, id="to the brim"
        ),
        pytest.param("print('x' * (3 << 20))", {"file_size": "1M"}, id="output is no file"),
        pytest.param("for _ in range(1000):\n    open('/dev/null').close()", {"open_files": 20}, id="closed files"),
    ],
)
def test_a_task_within_its_limits_is_left_alone(project: Project, code: str, limits: dict[str, object]) -> None:
    project.task("once", code, limits=limits)
    run = _tick(project)["once"].run

    assert run.status == "succeeded", run.reason


@_needs_ps
@pytest.mark.parametrize("name", [name for name in _LIMITS if name != "processes"])
def test_by_portable_means_a_process_over_a_limit_fails_too(project: Project, name: str) -> None:
    limits, words, code = _LIMITS[name]
    project.task("once", code, limits=limits)
    run = _tick(project, env=_PORTABLE)["once"].run

    assert run.status == "failed"
    assert str(run.reason).startswith(f"over its limit {words}"), run.reason


@_needs_ps
def test_by_portable_means_tasks_within_their_limits_are_left_alone(project: Project) -> None:
    limits = {"memory": "256M", "cpu": "10s", "processes": 30, "open_files": 50, "file_size": "1M"}
    project.task("forks", _TWENTY_FORKS.replace("60 << 20", "20 << 20"), limits=limits)
    project.task("plain", "import subprocess\nsubprocess.run(['true'], check=True)", limits=limits)

    assert {details.run.status for details in _tick(project, env=_PORTABLE).values()} == {"succeeded"}
