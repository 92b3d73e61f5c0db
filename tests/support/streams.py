"""Run the real command with standard streams that are full, closed, without a reader, hung up, or non-blocking."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import tempfile
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from struct import pack

from tests.support.project import RUNNER, Project
from tests.support.waiting import wait_until
from tests.support.warm import can_be_warm, warm_command

#: A redirection of sh(1) → the error of the kernel for a write to standard output.
REFUSING = {
    ">/dev/full": "No space left on device",
    ">&-": "Bad file descriptor",
    "1</dev/null": "Bad file descriptor",
    "<&- >&-": "Bad file descriptor",
}


def redirected(
    project: Project, redirections: str, *words: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command with redirections of sh(1), and return the completed process."""
    return _run(project, ["sh", "-c", f'exec "$@" {redirections}', "sh", RUNNER, *words], env=env)


def into(project: Project, stdout: int, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command with a descriptor as standard output, and return the completed process."""
    return _run(project, [RUNNER, *words], stdout=stdout)


def _run(
    project: Project, words: list[str], stdout: int = subprocess.PIPE, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        words,
        cwd=project.root,
        env=project.environment() | (env or {}),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=120,
    )


@contextmanager
def pipe_without_reader() -> Iterator[int]:
    """Yield the writable end of a pipe whose readable end is closed."""
    readable, writable = os.pipe()
    os.close(readable)
    with open(writable, "wb"):
        yield writable


@contextmanager
def hung_up_terminal() -> Iterator[int]:
    """Yield a terminal whose other end is closed, so that writes fail with EIO."""
    controller, terminal = pty.openpty()
    os.close(controller)
    with open(terminal, "wb", buffering=0):
        yield terminal


def through_a_pipe_that_does_not_block(project: Project, *words: str) -> tuple[int, bytes, bytes]:
    """Run the command with a small non-blocking pipe (EAGAIN when full); return its exit code and both outputs."""
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writable, False)
    return _read_from(readable, writable, project, words, {})


def on_a_terminal(
    project: Project, *words: str, env: dict[str, str] | None = None, columns: int = 80
) -> tuple[int, bytes, bytes]:
    """Run the command on a terminal; return its exit code, the output on the terminal, and standard error.

    The command uses no pager unless `env` names one.
    """
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, pack("HHHH", 24, columns, 0, 0))
    env = {"RUNNER_PAGER": ""} | (env or {})
    read = _read_warm if can_be_warm(project.environment() | env) else _read_from
    code, screen, stderr = read(controller, terminal, project, words, env)
    return code, screen.replace(b"\r\n", b"\n"), stderr


def _read_warm(
    readable: int, writable: int, project: Project, words: tuple[str, ...], env: dict[str, str]
) -> tuple[int, bytes, bytes]:
    with (
        tempfile.TemporaryFile() as stderr,
        warm_command([*words], project.root, project.environment() | env, writable, stderr.fileno()) as command,
    ):
        os.close(writable)
        output = b"".join(iter(_chunks(readable), b""))
        os.close(readable)
        code = command.wait(120)
        stderr.seek(0)
        return code, output, stderr.read()


def _read_from(
    readable: int, writable: int, project: Project, words: tuple[str, ...], env: dict[str, str]
) -> tuple[int, bytes, bytes]:
    with subprocess.Popen(
        [RUNNER, *words],
        cwd=project.root,
        env=project.environment() | env,
        stdin=subprocess.DEVNULL,
        stdout=writable,
        stderr=subprocess.PIPE,
    ) as command:
        os.close(writable)
        assert command.stderr is not None
        # Standard error is small and never fills its pipe, so it can be read last.
        output = b"".join(iter(_chunks(readable), b""))
        os.close(readable)
        return command.wait(120), output, command.stderr.read()


def _chunks(descriptor: int) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return os.read(descriptor, 1000)
        except OSError:  # EIO: the terminal has no more output
            return b""

    return read


def answered(
    project: Project, words: Sequence[str], env: dict[str, str], *exchanges: tuple[bytes, bytes]
) -> tuple[int, bytes]:
    """Have a person at a terminal answer questions; return the exit code and what stood on the terminal."""
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(
        [RUNNER, *words],
        cwd=project.root,
        env=project.environment() | env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    said = b""

    def read(question: bytes) -> bool:
        nonlocal said
        said += os.read(ours, 4096)
        return question in said

    for question, answer in exchanges:
        wait_until(lambda question=question: read(question))  # type: ignore[misc] # bound at once
        os.write(ours, answer)
    code = asked.wait(60)
    os.close(theirs)
    with suppress(OSError):  # a terminal at its end
        read(b"")
    os.close(ours)
    return code, said
