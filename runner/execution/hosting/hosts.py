"""An executor that gives each job with a context to the host of that context, which it starts for the first one."""

from __future__ import annotations

import select

from runner import clock
from runner.execution.hosting.host import Host, HostedContext, Hosting, why_not_started
from runner.execution.launcher.client import LauncherClient
from runner.execution.owners.ownership import short
from runner.execution.supervising.events import Ended
from runner.execution.supervising.run_environment import remove_folder
from runner.execution.supervising.signals import Signals
from runner.model.attempt_result import AttemptResult
from runner.model.job import Job
from runner.model.statuses import FAILED

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from runner.execution.supervising.events import Event

#: How many hosts of a context are started for one tick. A host that is killed is replaced.
_MOST_STARTS = 3
_LONGEST_WAIT = 3_600.0


class Hosts:
    """An executor of a tick, whose other jobs `inner` starts; without `inner`, of one job with a context."""

    def __init__(
        self, hosting: Hosting, find: Callable[[Job], HostedContext | None], inner: LauncherClient | None
    ) -> None:
        """Take `find`, too: it returns the context of a job, or None, and is called when its host is started."""
        self._hosting = hosting
        self._find = find
        self._inner = inner
        self._hosts: dict[str, Host] = {}
        self._starts: dict[str, int] = {}
        self._found: list[Event] = []
        self._wake_up: int | None = None
        self.signals = Signals() if inner is None else inner.signals

    @property
    def is_lost(self) -> bool:
        """Whether the launcher has died."""
        return self._inner is not None and self._inner.is_lost

    def __enter__(self) -> Self:
        if self._inner is None:
            self._wake_up = self.signals.catch()
        else:
            self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for host in self._hosts.values():
            host.close()
        self._remove_spares()
        if self._inner is None:
            self.signals.put_back()
        else:
            self._inner.__exit__(*error)

    def _remove_spares(self) -> None:
        """Remove the spare folders that a killed host has left, and those of the launcher, which ends, too."""
        was_killed = any(host.is_over and host.use is not None for host in self._hosts.values())
        if not was_killed and max(self._starts.values(), default=0) <= 1:
            return
        for folder, keeper in self._hosting.environment.spares():
            if keeper == short(self._hosting.owner[0]):
                remove_folder(folder)

    def start(self, job: Job) -> None:
        """Start a job. `wait` returns whether it was started, and later how it ended."""
        if not job.context:
            assert self._inner is not None  # noqa: S101 - the caller gives jobs with a context only
            self._inner.start(job)
            return
        try:
            self._host(job).start(job)
        except _NoHostError as error:
            self._found.append(Ended(job, AttemptResult(FAILED, clock.now(), clock.now(), str(error))))

    def _host(self, job: Job) -> Host:
        """Return the host of the context of a job, which is started unless there is one."""
        name = job.context
        host = self._hosts.get(name)
        if host is not None and not (host.is_over and host.use is not None):
            return host
        hosted = self._find(job)
        if hosted is None:
            raise _NoHostError(f"the context `{name}` is not in runner.yaml any more")
        if host is not None:
            host.close()
            if self._starts[name] >= _MOST_STARTS:
                raise _NoHostError(f"{host.fault}, as were others before it")
        try:
            self._hosts[name] = Host(hosted, self._hosting)
        except OSError as error:
            raise _NoHostError(why_not_started(hosted, error)) from None
        self._starts[name] = self._starts.get(name, 0) + 1
        return self._hosts[name]

    def end(self, run_id: int, reason: str) -> None:
        """Ask a run to end as cancelled, if this executor runs it."""
        for executor in self._executors():
            executor.end(run_id, reason)

    def end_all(self, reason: str) -> None:
        """Ask all runs to end as cancelled."""
        for executor in self._executors():
            executor.end_all(reason)

    def _executors(self) -> list[Host | LauncherClient]:
        return [*self._hosts.values(), *([] if self._inner is None else [self._inner])]

    def wait(self, longest: float) -> list[Event]:
        """Return the events that have come; wait at most `longest` seconds for the first one."""
        readable = self._readable(longest)
        events, self._found = self._found, []
        if self._wake_up in readable and self._wake_up is not None:
            self.signals.empty()
        if self._inner is not None:
            events += self._inner.take(is_readable=self._inner.descriptor in readable)
        for host in list(self._hosts.values()):
            events += host.events(readable)
            for job in host.unstarted() if host.is_over else []:
                self.start(job)
        found, self._found = self._found, []
        return [*events, *found]

    def _readable(self, longest: float) -> set[int]:
        """Wait, and return the descriptors that can be read."""
        poll = select.poll()
        hosts = [host for host in self._hosts.values() if not host.is_over]
        descriptors = [descriptor for host in hosts for descriptor in host.descriptors]
        descriptors += [] if self._wake_up is None else [self._wake_up]
        descriptors += [] if self._inner is None else [self._inner.descriptor]
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        seconds = [longest, _LONGEST_WAIT, *(host.seconds_left() for host in self._hosts.values())]
        seconds += [] if self._inner is None else [self._inner.seconds_left()]
        wait = 0 if self._found else int(min(seconds) * 1000) + 1
        return {descriptor for descriptor, _ in poll.poll(wait)}


class _NoHostError(Exception):
    """There is no host for a job. The message is the reason of its run."""
