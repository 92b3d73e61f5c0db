"""Worlds in which people work and the suite does not: an ordinary user who sees only its own processes, a second pid namespace."""

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

#: The user `nobody` of most systems; any number that owns nothing here will do.
_NOBODY = 65_534
#: In CI these tests must run; elsewhere they are skipped with a reason.
needs_strace = pytest.mark.skipif(not os.environ.get("CI") and shutil.which("strace") is None, reason="needs strace(1)")
_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class World:
    """A project, and what every command in this world starts with."""

    project: Project
    prefix: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def runner(self, *words: str, now: datetime | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command; return what it said."""
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
        """Run the command in the background; it is killed at the end, should it still run."""
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
    """Give the world of a user without rights or a home, behind a /proc that shows it no process of others (proc(5), hidepid).

    Needs root. What the world writes, it writes as that user: call `hand_over` after each change from outside.
    """
    with tempfile.TemporaryDirectory(prefix="ordinary-user-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "tmp").mkdir()
        project = Project.create(folder / "project")
        user = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        bare = ["--inh-caps=-all", "--bounding-set=-all"]
        mounts = "\n".join(
            ("mount -t proc -o hidepid=2 proc /proc", *_opened(folder, _CHECKOUT, Path(sys.base_prefix)))
        )
        env = {"HOME": "", "TMPDIR": str(folder / "tmp")}
        yield World(project, with_mounts(mounts, *user, *bare), env)


def hand_over(world: World) -> None:
    """Make everything of a world's project the ordinary user's, as a check-out of its own would be."""
    for top, folders, files in os.walk(world.project.root.parent):
        for name in (".", *folders, *files):
            os.chown(os.path.join(top, name), _NOBODY, _NOBODY, follow_symlinks=False)


def _opened(folder: Path, *paths: Path) -> Iterator[str]:
    """Yield the mounts by which a user reaches paths below folders that are closed to it, such as a check-out in /root."""
    closed = {path: _closed_above(path) for path in paths if _closed_above(path) is not None}
    for number, path in enumerate(closed):
        (folder / f"mount-{number}").mkdir()
        yield f"mount --bind '{path}' '{folder}/mount-{number}'"
    for above in {str(above) for above in closed.values()}:
        yield f"mount -t tmpfs -o mode=755 tmpfs '{above}'"
    for number, path in enumerate(closed):
        yield f"mkdir -p '{path}'; mount --bind '{folder}/mount-{number}' '{path}'"


def _closed_above(path: Path) -> Path | None:
    return next((above for above in reversed(path.parents) if not above.stat().st_mode & 0o001), None)


def second_pid_namespace(project: Project) -> World:
    """Return the world of another container on the same files: it sees none of our processes, and has the same pids again.

    Needs root. Whatever it started is gone when its first process is, and that is when the command ends or is killed.
    """
    return World(project, ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
