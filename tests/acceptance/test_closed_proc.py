"""Where /proc tells little or nothing, ticks and commands work as well as they can; none of them ends by it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespace import needs_namespace, with_mounts
from tests.support.project import MINUTE, NOON, RUNNER, Project

pytestmark = needs_namespace

_NOBODY = 65534
_PRIVATE = "mount --make-rprivate /\n"
_EMPTY = f"{_PRIVATE}mount -t tmpfs tmpfs /proc\n"
#: A process that is there, and cannot be read: `stat` is a folder, empty, cut short, or no text.
_ODD = (
    f"{_EMPTY}mkdir -p /proc/1/stat /proc/2 /proc/3 /proc/4 /proc/5/environ /proc/5/comm\n: > /proc/2/stat\n"
    "echo '3 (x) S 1' > /proc/3/stat\nprintf '\\377\\376' > /proc/4/stat\n"
)
_WORLDS = {
    "hidepid=1": f"{_PRIVATE}mount -t proc -o hidepid=1 proc /proc",
    "hidepid=2": f"{_PRIVATE}mount -t proc -o hidepid=2 proc /proc",
    "empty": _EMPTY,
    "odd": _ODD,
    "no /proc": f"{_PRIVATE}umount -l /proc",
}


@pytest.fixture
def public() -> Iterator[Project]:
    """A project of somebody without privileges, in a folder that is open to all."""
    folder = Path(tempfile.mkdtemp(prefix="closed-proc-"))
    project = Project.create(folder / "project")
    try:
        yield project
    finally:
        shutil.rmtree(folder)


def _run(project: Project, world: str, *words: str, minutes: int = 0) -> subprocess.CompletedProcess[str]:
    top = project.root.parent
    for folder, names, files in os.walk(top):
        for name in (".", *names, *files):
            os.chown(Path(folder, name), _NOBODY, _NOBODY, follow_symlinks=False)
    top.chmod(0o755)
    as_nobody = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", RUNNER, *words]
    return subprocess.run(
        with_mounts(_WORLDS[world], *as_nobody),
        cwd=project.root,
        env=project.environment(NOON + minutes * MINUTE),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


_DEEP = "import os, signal, time\nif os.fork() == 0:\n    os.setsid()\ntime.sleep(60)"


@pytest.mark.parametrize("world", _WORLDS)
def test_runs_that_end_time_out_leave_something_or_have_limits_are_on_record(public: Project, world: str) -> None:
    public.task("fine", "print('fine')")
    public.task("late", _DEEP, timeout="1s", kill_grace="0s")
    public.task("leaves", "import os, time\nif os.fork() == 0:\n    time.sleep(3)\n    os._exit(0)")
    public.task(
        "limited",
        "import time\ntime.sleep(0.5)\nprint('fine')",
        limits={"memory": "1G", "processes": 50, "cpu": "50s"},
    )
    public.commit()
    done = _run(public, world, "tick")

    assert (done.returncode, done.stderr) == (0, "")
    ended = {run.task: run.status for run in public.runs()}
    assert ended == {"fine": "succeeded", "late": "timed_out", "leaves": "succeeded", "limited": "succeeded"}


_COMMANDS = ("status", "list", "history", "next", "why fine", "run fine", "show 1")


@pytest.mark.parametrize("world", _WORLDS)
def test_every_command_answers(public: Project, world: str) -> None:
    public.task("fine", "print('fine')")
    public.commit()
    assert _run(public, world, "tick").returncode == 0

    for command in _COMMANDS:
        done = _run(public, world, *command.split(), minutes=1)
        assert (done.returncode, "error" in done.stderr) == (0, False), (command, done.stderr)
