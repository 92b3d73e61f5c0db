"""The installed command without its start-up time: a process that has loaded the modules forks for each call.

There are two such processes, because the size of a process is most of the time of a fork: one has only the modules of
cron's `tick`, the other one has all modules.

The fork runs the `main` of the command, with its own words, folder, environment and streams. Tests that depend on the
start of an interpreter (`PYTHON…`, the locale, closed streams, the order of imports), or that kill the command, run
the installed command itself.
"""

from __future__ import annotations

import array
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_BACKLOG = 64
_LARGEST = 1 << 20
#: An interpreter reads these only when it starts; runner reads the last one only then.
_READ_AT_START = ("PYTHON", "LC_", "LANG", "RUNNER_PORTABLE")


def can_be_warm(environment: dict[str, str]) -> bool:
    """Return whether an environment has the same start-up variables as this process."""
    current = {name: value for name, value in os.environ.items() if name.startswith(_READ_AT_START)}
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)} == current


def run_warm(words: list[str], folder: Path, environment: dict[str, str], timeout: float) -> tuple[int, str, str]:
    """Run the command; return its exit code, standard output and standard error. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        with warm_command(words, folder, environment, stdout.fileno(), stderr.fileno()) as command:
            code = command.wait(timeout)
        stdout.seek(0)
        stderr.seek(0)
        return code, stdout.read().decode(), stderr.read().decode()


class WarmCommand:
    """A command that was forked, and the connection on which its exit code comes."""

    def __init__(self, call: socket.socket, pid: int) -> None:
        """Take the connection to the process that forks."""
        self._call = call
        self._pid = pid

    def wait(self, timeout: float) -> int:
        """Return the exit code. After `timeout` seconds, kill the command and raise subprocess.TimeoutExpired."""
        self._call.settimeout(timeout)
        try:
            return int(self._call.recv(_LARGEST))
        except TimeoutError:
            os.kill(self._pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(str(self._pid), timeout) from None


@contextmanager
def warm_command(
    words: list[str], folder: Path, environment: dict[str, str], stdout: int, stderr: int
) -> Iterator[WarmCommand]:
    """Start the command with two descriptors as its standard output and error, and yield it."""
    with socket.socket(*_KIND) as call:
        call.connect(_server(_TICK if words == ["tick"] else _ANY))
        order = json.dumps([words, str(folder), environment, _umask()]).encode()
        call.sendmsg([order], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [stdout, stderr]))])
        yield WarmCommand(call, int(call.recv(_LARGEST)))


_TICK, _ANY = "tick", "any"
_KIND = (socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _umask() -> int:
    """Return the umask of this process. It can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@cache
def _server(kind: str) -> str:
    """Start a process that forks, once for each test process, and return its address. It ends with this process."""
    folder = tempfile.mkdtemp(prefix="warm-")
    address = f"{folder}/socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm", kind, address],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )

    def end() -> None:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    while not os.path.exists(address):
        if process.poll() is not None:
            raise RuntimeError("the process that forks commands has ended")
        time.sleep(0.01)
    return address


def _serve(kind: str, address: str) -> None:
    """Load the modules of the command, and fork for each call, until the parent process has ended."""
    import gc  # noqa: PLC0415 - only the process that forks needs it
    import select  # noqa: PLC0415

    (_load_tick if kind == _TICK else _load_all)()
    gc.freeze()
    #: The connection of each command that has not ended, and its pid, by the pidfd of the command.
    running: dict[int, tuple[socket.socket, int]] = {}
    with socket.socket(*_KIND) as server:
        server.bind(f"{address}.new")
        server.listen(_BACKLOG)
        os.rename(f"{address}.new", address)
        while True:
            readable, _, _ = select.select([server, sys.stdin, *running], [], [])
            if sys.stdin in readable:
                return
            for ended in running.keys() & set(readable):
                _send_exit_code(*running.pop(ended))
                os.close(ended)
            if server in readable:
                call, pid = _start_command(server)
                running[os.pidfd_open(pid)] = call, pid


def _load_tick() -> None:
    """Load the modules of a tick that reads a commit and runs tasks."""
    import runner.cli.failure  # noqa: PLC0415
    import runner.cli.main  # noqa: PLC0415
    import runner.cli.screen  # noqa: PLC0415
    import runner.cli.ticking  # noqa: PLC0415
    import runner.execution.launcher.client  # noqa: PLC0415
    import runner.execution.supervising.pool  # noqa: PLC0415
    import runner.operations.ticking.refresh  # noqa: PLC0415
    import runner.operations.ticking.tick  # noqa: PLC0415
    import runner.report.tick_text  # noqa: PLC0415
    import runner.store.history  # noqa: PLC0415
    import runner.taskfile.compiler  # noqa: F401, PLC0415


def _load_all() -> None:
    """Load all modules of the command, and what typer loads for its first option."""
    from importlib import import_module  # noqa: PLC0415
    from pkgutil import walk_packages  # noqa: PLC0415

    import typer  # noqa: PLC0415

    from runner import cli, operations  # noqa: PLC0415

    for package in (cli, operations):
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            import_module(found.name)
    app = typer.Typer()

    @app.command()
    def _command(number: int = 1, word: str = "") -> None:
        """Do nothing: typer and pydantic load most of their modules for the first option."""

    typer.main.get_command(app).main(args=[], standalone_mode=False)


def _start_command(server: socket.socket) -> tuple[socket.socket, int]:
    """Accept a call, fork its command and send the pid to the caller; return the connection and the pid."""
    call, _ = server.accept()
    order, descriptors, _, _ = socket.recv_fds(call, _LARGEST, 2)
    pid = os.fork()
    if pid == 0:
        _run_command(json.loads(order), *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    with suppress(OSError):
        call.send(str(pid).encode())
    return call, pid


def _send_exit_code(call: socket.socket, pid: int) -> None:
    """Send the exit code of an ended command to its caller, if that still waits."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with call, suppress(OSError):
        call.send(str(code).encode())


def _run_command(order: list[object], stdout: int, stderr: int) -> None:
    """Take the streams, folder, umask and environment of a call, and run the command. Does not return."""
    words, folder, environment, umask = order
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, 64)
    os.umask(int(str(umask)))
    os.chdir(str(folder))
    os.environ.clear()
    os.environ.update(environment)  # type: ignore[call-overload]
    time.tzset()
    sys.argv = ["runner", *words]  # type: ignore[misc]
    os._exit(_exit_code())


def _exit_code() -> int:
    from runner.cli.main import main  # noqa: PLC0415

    code: object = 0
    try:
        main()
    except SystemExit as error:
        code = error.code
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    _serve(*sys.argv[1:])
