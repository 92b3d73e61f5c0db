"""A private MariaDB server."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers import CAN_BE_ORDINARY, ENVIRONMENT, find_program, folder_of_server, make_data, started

#: Folders with MariaDB's programs: Debian and Red Hat, Homebrew on both kinds of Mac.
_FOLDERS = ("/usr/sbin", "/usr/libexec", "/opt/homebrew/bin", "/usr/local/bin")
_SERVER, _INSTALL, _CLIENT = (find_program(f"mariadb{name}", _FOLDERS) for name in ("d", "-install-db", ""))

#: In CI these tests must run; elsewhere they are skipped with a reason.
needs_mariadb = pytest.mark.skipif(
    not os.environ.get("CI") and not (_SERVER and _INSTALL and _CLIENT and CAN_BE_ORDINARY),
    reason="needs MariaDB's server programs (mariadbd), and for root setpriv(1)",
)


@contextmanager
def server() -> Iterator[Path]:
    """Start a private server, and yield the path of its socket; always end it and remove its folder.

    The user `root` has no password: other users cannot enter the folder.
    """
    assert _SERVER is not None, "MariaDB's server programs are not installed"
    assert _INSTALL is not None, "MariaDB's server programs are not installed"
    with folder_of_server("mariadb") as folder:
        # Each server removes the temporary tables of others from a `tmpdir` that they share.
        files, socket = [f"--datadir={folder / 'data'}", f"--tmpdir={folder}"], folder / "socket"
        make_data(
            folder, _INSTALL, "--no-defaults", *files, "--auth-root-authentication-method=normal", "--skip-test-db"
        )
        options = ["--no-defaults", *files, f"--socket={socket}", f"--pid-file={folder / 'pid'}", "--skip-networking"]
        with started(
            folder, _SERVER, *options, answers=lambda: _execute(socket, "SELECT 1") == 0, end_by=signal.SIGKILL
        ):
            yield socket


def create_database(socket: Path, name: str) -> None:
    """Create an empty database."""
    assert _execute(socket, f"CREATE DATABASE {name} CHARACTER SET utf8mb4") == 0


def _execute(socket: Path, statement: str) -> int:
    command = [str(_CLIENT), "--no-defaults", f"--socket={socket}", "--user=root", f"--execute={statement}"]
    return subprocess.run(command, check=False, capture_output=True, env=ENVIRONMENT).returncode
