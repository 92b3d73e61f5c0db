"""Environments other than that of the suite: an ordinary user without access to others, a second pid namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.namespace import with_mounts
from tests.support.project import RUNNER, Project

#: The user `nobody` of most systems; any user that owns no files here is suitable.
_NOBODY = 65_534
#: In CI these tests must run; elsewhere they are skipped with a reason.
needs_strace = pytest.mark.skipif(not os.environ.get("CI") and shutil.which("strace") is None, reason="needs strace(1)")
_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class World:
    """A project, and the words and variables with which every command in this environment starts."""

    project: Project
    prefix: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def runner(self, *words: str, now: datetime | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command, and return the completed process."""
        return subprocess.run(
            [*self.prefix, RUNNER, *words],
            cwd=self.project.root,
            env=self.project.environment(now) | self.env,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    @contextmanager
    def background(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Run the command in the background, and yield its process. Kill it at the end if it has not ended."""
        with subprocess.Popen(
            [*self.prefix, RUNNER, *words],
            cwd=self.project.root,
            env=self.project.environment() | self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()


@contextmanager
def ordinary_user() -> Iterator[World]:
    """Yield the environment of a user without capabilities or a home, and with a /proc that hides others' processes.

    Needs root. /proc is mounted with `hidepid` (proc(5)). Commands write as that user: call `hand_over` after each
    change by the test itself.
    """
    with tempfile.TemporaryDirectory(prefix="ordinary-user-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "tmp").mkdir()
        project = Project.create(folder / "project")
        user = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        bare = ["--inh-caps=-all", "--bounding-set=-all"]
        mounts = "\n".join(
            ("mount -t proc -o hidepid=2 proc /proc", *_mount_commands(folder, _CHECKOUT, Path(sys.base_prefix)))
        )
        env = {"HOME": "", "TMPDIR": str(folder / "tmp")}
        yield World(project, with_mounts(mounts, *user, *bare), env)


def hand_over(world: World) -> None:
    """Make the ordinary user the owner of all files of the project, as in the user's own checkout."""
    for top, folders, files in os.walk(world.project.root.parent):
        for name in (".", *folders, *files):
            os.chown(os.path.join(top, name), _NOBODY, _NOBODY, follow_symlinks=False)


def _mount_commands(folder: Path, *paths: Path) -> Iterator[str]:
    """Yield the commands that mount paths below inaccessible folders, such as a checkout in /root, for the user."""
    inaccessible = {path: _inaccessible_parent(path) for path in paths if _inaccessible_parent(path) is not None}
    for number, path in enumerate(inaccessible):
        (folder / f"mount-{number}").mkdir()
        yield f"mount --bind '{path}' '{folder}/mount-{number}'"
    for above in {str(above) for above in inaccessible.values()}:
        yield f"mount -t tmpfs -o mode=755 tmpfs '{above}'"
    for number, path in enumerate(inaccessible):
        yield f"mkdir -p '{path}'; mount --bind '{folder}/mount-{number}' '{path}'"


def _inaccessible_parent(path: Path) -> Path | None:
    return next((above for above in reversed(path.parents) if not above.stat().st_mode & 0o001), None)


def second_pid_namespace(project: Project) -> World:
    """Return the environment of another container on the same files: it cannot see our processes and reuses pids.

    Needs root. All of its processes end with its first process, when the command ends or is killed.
    """
    return World(project, ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
