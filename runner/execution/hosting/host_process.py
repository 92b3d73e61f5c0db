"""The process of a host: its start, its pipes, and its end with all that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import runner
from runner import clock
from runner.execution.launcher.client import PoolClient
from runner.execution.launcher.messages import Receiver, Sender
from runner.execution.system import processes

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import IO

    from runner.model.context import Context

#: The program of a host. It makes runner's package known by its name, so that nothing else that is installed beside
#: runner gets into the application's way.
_PROGRAM = """
import sys
if sys.version_info < (3, 11):
    sys.exit("runner needs Python 3.11 or later, and this is %d.%d" % sys.version_info[:2])
from importlib.util import module_from_spec, spec_from_file_location
folder = sys.argv[1]
spec = spec_from_file_location("runner", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["runner"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["runner"])
from runner.host import main
main(*map(int, sys.argv[2:]))
"""
#: Seconds between two looks at a process that no descriptor watches.
_LOOK = 0.5
_PAUSE = 0.002


class HostProcess:
    """The process of one host. Raises OSError where the Python of the context cannot be started."""

    def __init__(
        self,
        context: Context,
        environment: dict[str, str],
        owner: tuple[str, int],
        log: IO[bytes],
        builder: tuple[str, ...] = (),
    ) -> None:
        """Start it. `owner` is the name of its owner file, and the descriptor that locks it.

        `builder` is a command that makes what is missing, and then runs the host.
        """
        #: By this mark its processes are found after it was killed; a child has a mark of its own.
        self._mark = f"host {owner[0]} {context.name}"
        self._started = clock.now().timestamp()
        orders, orders_end = os.pipe()
        events, events_end = os.pipe()
        passed = (orders, events_end, owner[1])
        python = context.python or sys.executable
        folder = os.path.dirname(os.path.abspath(runner.__file__))
        try:
            self._process = subprocess.Popen(
                [*builder, python, "-c", _PROGRAM, folder, *map(str, passed), str(os.getpid())],
                cwd="/" if builder else context.path,
                env={**environment, "RUNNER_MARK": self._mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=passed,
                start_new_session=True,
            )
        except OSError:
            os.close(orders_end)
            os.close(events)
            raise
        finally:
            os.close(orders)
            os.close(events_end)
        self.client = PoolClient(Receiver(events), Sender(orders_end))
        self._watch = processes.watch(self._process.pid)

    @property
    def descriptors(self) -> list[int]:
        """The descriptors that become readable when the host has sent something, and when it has ended.

        What the set-up has forked may keep the pipe open after the end.
        """
        return [self.client.descriptor, *([] if self._watch is None else [self._watch])]

    @property
    def longest_wait(self) -> float:
        """Seconds after which its end is to be looked for though no descriptor is readable."""
        return _LOOK if self._watch is None else float("inf")

    def has_exited(self) -> bool:
        """Return whether it has ended. It is not reaped: its process group keeps its pid until then."""
        if self._process.returncode is not None:
            return True
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def wait(self, patience: float) -> int:
        """Return its exit code. Kill it where it does not end in time, and all that it has left behind."""
        limit = clock.monotonic() + patience
        while not self.has_exited() and clock.monotonic() < limit:
            clock.pause(_PAUSE)
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        if code != 0:  # otherwise it has ended its processes itself
            processes.end_marked(self._mark, self._process.pid, self._started)
        if self._watch is not None:
            os.close(self._watch)
            self._watch = None
        return code

    def kill(self) -> None:
        """Kill it, and all its descendants."""
        processes.kill_tree(self._process.pid)
