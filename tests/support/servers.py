"""Private servers of databases: each has a folder of its own, and listens on a socket in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pwd import getpwnam

from tests.support.waiting import wait_until

#: Whether a server can be started as an ordinary user: the servers refuse to run as root.
CAN_BE_ORDINARY = os.geteuid() != 0 or shutil.which("setpriv") is not None
#: An environment without variables that name another server.
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGCLIENTENCODING": "UTF8"}


def find_program(name: str, folders: tuple[str, ...]) -> Path | None:
    """Return the path of a program that is on PATH or in one of these folders (patterns), the newest version first."""
    on_path = shutil.which(name)
    found = [Path(on_path).resolve()] if on_path else []
    found += [path for folder in folders for path in sorted(Path("/").glob(f"{folder[1:]}/{name}"), reverse=True)]
    return next(iter(found), None)


@contextmanager
def folder_of_server(name: str) -> Iterator[Path]:
    """Yield a new folder, which belongs to the user of the server; remove it at the end.

    It is in the system's temporary folder: the path of a socket must be short, and the user of the server cannot enter
    the folders of pytest.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, *_nobody())
        yield folder
    finally:
        shutil.rmtree(folder)


def make_data(folder: Path, program: Path, *options: str) -> None:
    """Run a program that makes the files of a server. Fails with what the program printed."""
    assert _start(folder, program, *options).wait() == 0, _log(folder).read_text()


@contextmanager
def started(
    folder: Path, program: Path, *options: str, answers: Callable[[], bool], end_by: signal.Signals
) -> Iterator[None]:
    """Start a server, and wait until it answers; always end it, by a signal that does not wait for its clients."""
    process = _start(folder, program, *options)
    try:
        wait_until(lambda: process.poll() is not None or answers(), "an answer of the server")
        assert process.poll() is None, _log(folder).read_text()
        yield
        assert process.poll() is None, f"the server ended with {process.poll()}: {_log(folder).read_text()}"
    finally:
        process.send_signal(end_by)
        process.wait()


def _start(folder: Path, program: Path, *options: str) -> subprocess.Popen[bytes]:
    with _log(folder).open("a") as log:
        command = [*_as_ordinary_user(), str(program), *options]
        return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log)


def _log(folder: Path) -> Path:
    return folder / "log"


def _as_ordinary_user() -> list[str]:
    """Return the words before a command that start it as an ordinary user, and end it when the tests are killed."""
    if shutil.which("setpriv") is None:
        return []
    if os.geteuid() != 0:
        return ["setpriv", "--pdeathsig=QUIT"]
    user, group = _nobody()
    return ["setpriv", "--pdeathsig=QUIT", f"--reuid={user}", f"--regid={group}", "--clear-groups"]


def _nobody() -> tuple[int, int]:
    found = getpwnam("nobody")
    return found.pw_uid, found.pw_gid
