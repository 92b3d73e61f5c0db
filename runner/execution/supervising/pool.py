"""The pool starts child processes, reads their output, enforces limits, and removes all that they leave behind."""

from __future__ import annotations

import os
import select
import stat
import sys
from datetime import datetime

from runner import clock
from runner.execution.child import child
from runner.execution.child.inherited import Inherited
from runner.execution.owners.owner import Owner
from runner.execution.supervising.attempt import Attempt
from runner.execution.supervising.events import Ended, Printed, Refused, Started
from runner.execution.supervising.run_environment import RunEnvironment, remove_folder
from runner.execution.supervising.secrets import SecretError, find_secrets
from runner.execution.supervising.signals import Signals
from runner.execution.system import processes
from runner.model.attempt_result import AttemptResult
from runner.model.job import Job
from runner.model.statuses import CANCELLED, FAILED

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from socket import socket
    from typing import Self

    from runner.execution.child.application import Application
    from runner.execution.learning.observer import Observer
    from runner.execution.sandbox.wall import Wall
    from runner.execution.supervising.events import Event
    from runner.execution.supervising.masking import Masker
    from runner.execution.system.cgroups import Group

_CHUNK = 65_536
#: Seconds between two checks whether children have ended, where no descriptor reports that.
_POLL_INTERVAL = 0.02
#: Seconds between two measurements of what attempts with limits use.
_METER_INTERVAL = 0.1
#: Reads of a pipe after the child has ended. A full pipe needs fewer; a process that cannot be killed may write for
#: ever.
_MOST_CHUNKS = 64
_TAKEN = "another process may have taken the run: this one did not respond for a while, or its owner file was removed"


class Pool:
    """An executor that runs jobs in child processes while it is open. With `tells_output`, it reports their output.

    `control` is a descriptor that ends `wait` when it becomes readable, because another order has come. The pool of a
    host has an `application`, and finds secrets in `outside`, the environment of the tick.
    """

    def __init__(
        self,
        environment: RunEnvironment,
        owner: Owner,
        secrets_file: str | None = None,
        control: int | None = None,
        *,
        tells_output: bool = False,
        application: Application | None = None,
        outside: dict[str, str] | None = None,
    ) -> None:
        self._environment = environment
        self._owner = owner
        self._secrets_file = secrets_file
        self._tells_output = tells_output
        self._control = control
        self._events: list[Event] = []
        #: Whether `control` was readable when `wait` returned.
        self.is_ordered = False
        self._attempts: dict[int, Attempt] = {}
        self._descriptors: dict[int, Attempt] = {}
        self._poll = select.poll()
        self._spare: list[str] = []
        self._next_meter = 0.0
        self._foreign = processes.children()
        self._outside = dict(os.environ) if outside is None else outside
        self._application = application
        self._own_masker: Masker | None = None
        self.signals = Signals()
        self.is_lost = False

    def __enter__(self) -> Self:
        processes.adopt_orphans()
        # Every child inherits what the first call of `compile` and `now` loads, and does not load it again.
        compile("0", "<warm>", "exec")
        clock.now()
        self._poll.register(self.signals.catch(), select.POLLIN)
        if self._control is not None:
            self._poll.register(self._control, select.POLLIN)
        self._inherited = Inherited(self._environment, self.signals, self._owner, self._application)
        return self

    def __exit__(self, *error: object) -> None:
        self._end_everything()
        self._inherited.close()
        self.signals.put_back()

    def start(self, job: Job) -> None:
        """Start a child for a job. The next `wait` returns whether it was started."""
        self._events.append(self._start(job))

    def _start(self, job: Job) -> Event:
        fault = None if self._application is None else self._application.why_not_to_fork()
        if fault is not None:
            reason = f"the application of the context `{job.context}` cannot be forked: {fault}"
            return Ended(job, AttemptResult(FAILED, None, clock.now(), reason))
        try:
            secrets = find_secrets(job.secrets, self._secrets_file, self._outside, self._environment.root)
        except SecretError as error:
            return Ended(job, AttemptResult(FAILED, None, clock.now(), str(error)))
        try:
            is_ours = self._owner.begin(job.run_id, job.attempt)
        except OSError as error:
            return Refused(job, f"the owner file {self._owner.path} cannot be written: {error.strerror}")
        if not is_ours:
            return Refused(job, _TAKEN)
        started_at = clock.now()
        try:
            attempt = self._fork(job, secrets, started_at)
        except OSError as error:
            # The system has no more processes or descriptors. The run fails, and its retry policy applies.
            return Ended(job, AttemptResult(FAILED, started_at, clock.now(), f"could not be started: {error.strerror}"))
        self._attempts[attempt.pid] = attempt
        channel = None if attempt.observer is None else attempt.observer.channel
        for descriptor in (attempt.output, attempt.watch, channel):
            if descriptor is not None:
                self._register(descriptor, attempt)
        return Started(job, started_at)

    def _register(self, descriptor: int, attempt: Attempt) -> None:
        self._descriptors[descriptor] = attempt
        self._poll.register(descriptor, select.POLLIN)

    def _fork(self, job: Job, secrets: dict[str, str], started_at: datetime) -> Attempt:
        masker, wall = self._masker(secrets), self._wall(job)
        channel, channel_end = _channel() if job.learns else (None, None)
        group = self._group(job)
        output, output_end = os.pipe()
        try:
            report, report_end = os.pipe()
        except OSError:
            os.close(output)
            os.close(output_end)
            raise
        spare = self._spare.pop() if self._spare else None
        try:
            pid = os.fork()
            if pid == 0:
                learns = None if channel_end is None else channel_end.fileno()
                inputs = child.ChildInputs(spare, output_end, report_end, secrets, masker, group, wall, learns)
                child.live(job, self._inherited, inputs)
        except OSError:
            os.close(output)
            os.close(report)
            if channel is not None:
                channel.close()
            raise
        finally:
            os.close(output_end)
            os.close(report_end)
            if channel_end is not None:
                channel_end.close()
        os.set_blocking(output, False)
        live_file = self._environment.live_file(job.run_id, job.attempt)
        show = (lambda data: self._events.append(Printed(job, data))) if self._tells_output else None
        attempt = Attempt(job, pid, output, report, started_at, clock.monotonic(), live_file, masker, group, show)
        attempt.observer = None if channel is None else self._observer(job, pid, channel)
        return attempt

    def _wall(self, job: Job) -> Wall | None:
        """Return what holds a job to its permissions; None where it is not held, or there is no such thing."""
        if not job.permissions.is_held or job.learns:
            return None
        # The child inherits these modules: behind the wall, it could not load what says why.
        from runner.execution.sandbox import denied, imports  # noqa: F401, PLC0415 - only for tasks with permissions

        if sys.platform != "linux":
            return None
        from runner.execution.sandbox import grants  # noqa: PLC0415 - as above, and on Linux only

        return grants.wall_of(job, self._environment)

    def _observer(self, job: Job, pid: int, channel: socket) -> Observer:
        """Return the observer of a child that learns, which also loads what this child needs."""
        from runner.execution.learning.observer import Observer  # noqa: PLC0415 - only for a run that learns
        from runner.execution.sandbox import grants, landlock  # noqa: PLC0415 - as above

        environment = self._environment
        own = (environment.folder(job.run_id, job.attempt, pid), environment.data(job))
        rules = grants.rules_of(job, environment)
        return Observer(channel, job, [*rules, *((path, landlock.WRITE | landlock.READ) for path in own)])

    def _masker(self, secrets: dict[str, str]) -> Masker | None:
        """Return what masks the secrets of a job and the values of the application; None where there are none."""
        own = [] if self._application is None else self._application.masked
        if secrets:
            return _masker([*secrets.values(), *own])
        if own and self._own_masker is None:
            self._own_masker = _masker([*own])
        return None if self._own_masker is None else self._own_masker.another()

    def _group(self, job: Job) -> Group | None:
        """Return a new control group for an attempt with limits; None without limits, or where none can be made."""
        base = processes.control_groups() if job.limits.any() else None
        if base is None:
            return None
        from runner.execution.system import cgroups  # noqa: PLC0415 - only for tasks that have limits

        return cgroups.make(base, self._environment.mark(job.run_id, job.attempt), job.limits)

    def wait(self, longest: float) -> list[Event]:
        """Wait until something happens, at most `longest` seconds; read output, and return the events."""
        events, self._events = self._events, []
        self.is_ordered = False
        for descriptor, _ in self._poll.poll(0 if events else self._patience(longest)):
            attempt = self._descriptors.get(descriptor)
            if descriptor == self._control:
                self.is_ordered = True
            elif attempt is None:
                os.read(descriptor, _CHUNK)  # empty the wake-up pipe of signals; their handlers have run already
            elif descriptor == attempt.output:
                self._read(attempt)
            elif attempt.observer is not None and descriptor in attempt.observer.descriptors:
                self._observe(attempt, attempt.observer, descriptor)
        self._meter()
        ended = self._collect()
        printed, self._events = self._events, []
        return [*events, *printed, *ended]

    def _patience(self, longest: float) -> int:
        """Return how many milliseconds poll(2) may wait before the pool has something to check."""
        now = clock.monotonic()
        limits = [longest, 3_600.0]
        for attempt in self._attempts.values():
            limits += (attempt.seconds_left(now), attempt.go_live(now))
            if attempt.watch is None:
                limits.append(_POLL_INTERVAL)  # no descriptor reports that the child or its orphans have ended
            if attempt.job.limits.any():
                limits.append(_METER_INTERVAL)
        return int(min(limits) * 1000) + 1

    def _read(self, attempt: Attempt) -> bool:
        """Read one piece of output; return whether there may be more."""
        if attempt.output is None:
            return False
        try:
            data = os.read(attempt.output, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._close_output(attempt)
            return False
        attempt.take(data)
        return True

    def _observe(self, attempt: Attempt, observer: Observer, descriptor: int) -> None:
        """Let the observer read what has come; forget a descriptor from which nothing more comes."""
        new = observer.take(descriptor)
        if new is not None:
            self._register(new, attempt)
        elif not observer.is_open(descriptor):
            self._forget(descriptor)

    def _close_output(self, attempt: Attempt) -> None:
        if attempt.output is not None:
            self._forget(attempt.output)
            os.close(attempt.output)
            attempt.output = None

    def _meter(self) -> None:
        """End attempts that use more than their limits allow."""
        now = clock.monotonic()
        if now < self._next_meter:
            return
        self._next_meter = now + _METER_INTERVAL
        limited = [it for it in self._attempts.values() if it.job.limits.any() and not it.has_exited()]
        seen = processes.table() if limited else {}
        for attempt in limited:
            name = processes.over(attempt.pid, attempt.job.limits, attempt.group, seen)
            if name is not None:
                attempt.end_at_limit(name, now)

    def _collect(self) -> list[Ended]:
        """End attempts whose time is up; return those that have ended."""
        ended = []
        for attempt in list(self._attempts.values()):
            # The time is read first, because this process may be stopped after it has seen that a child is alive.
            now = clock.monotonic()
            if not attempt.has_exited():
                attempt.enforce(now)
                continue
            if attempt.watch is not None:
                self._forget(attempt.watch)
                os.close(attempt.watch)
                attempt.watch = None
            attempt.orphans = self._left_by(attempt)
            if not attempt.is_in_grace(clock.monotonic()):
                ended.append(self._finish(attempt))
        return ended

    def _left_by(self, attempt: Attempt) -> set[int]:
        """Return the pids of the processes that an ended attempt has left running."""
        others = [other for other in self._attempts.values() if other is not attempt]
        known = self._foreign.union({other.pid for other in others}, *(other.orphans for other in others))
        return processes.left_by(
            attempt.pid, known, [self._environment.mark(other.job.run_id, other.job.attempt) for other in others]
        )

    def _finish(self, attempt: Attempt) -> Ended:
        processes.end_all(lambda: self._left_by(attempt))
        del self._attempts[attempt.pid]
        for _ in range(_MOST_CHUNKS):
            if not self._read(attempt):
                break
        self._close_output(attempt)
        if attempt.observer is not None:
            for descriptor in attempt.observer.descriptors:
                if descriptor in self._descriptors:
                    self._forget(descriptor)
            attempt.observer.close()
        self._recycle_folder(attempt)
        ended = Ended(attempt.job, attempt.result(clock.now()), attempt.live_file())
        if attempt.group is not None:
            processes.empty(attempt.group)
        return ended

    def _recycle_folder(self, attempt: Attempt) -> None:
        """Keep the private folder of a child for a later one if it is empty, because to make one takes time."""
        folder = self._environment.folder(attempt.job.run_id, attempt.job.attempt, attempt.pid)
        spare = self._environment.spare_folder(self._owner.name, attempt.pid)
        try:
            os.rename(folder, spare)
            found = os.lstat(spare)
            # The task may have replaced the folder by a link, or removed its permissions; `run_as` changes its owner.
            is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            is_empty = is_ours and not os.listdir(spare)
            if is_empty:
                os.chmod(spare, 0o700)
        except OSError:
            is_empty = False
        if is_empty:
            self._spare.append(spare)
        else:
            remove_folder(spare)
            remove_folder(folder)

    def _forget(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        del self._descriptors[descriptor]

    def end(self, run_id: int, reason: str) -> None:
        """Send SIGTERM to all processes of a run, if this pool runs it; the run ends as cancelled."""
        for attempt in self._attempts.values():
            if attempt.job.run_id == run_id:
                attempt.end_early(CANCELLED, reason, clock.monotonic())

    def end_all(self, reason: str) -> None:
        """Send SIGTERM to all processes of all runs; the runs end as cancelled."""
        for attempt in self._attempts.values():
            attempt.end_early(CANCELLED, reason, clock.monotonic())

    def _end_everything(self) -> None:
        """Kill all children and what they have left behind, also when an exception has ended the tick."""
        for attempt in self._attempts.values():
            if not attempt.has_exited():
                processes.kill_tree(attempt.pid)
                os.waitpid(attempt.pid, 0)
        # Only after the last attempt has ended can each other child of this process be an orphan.
        for attempt in self._attempts.values():
            processes.end_all(lambda leader=attempt.pid: processes.left_by(leader, self._foreign, []))  # type: ignore[misc]
        for folder in self._spare:
            remove_folder(folder)


def _channel() -> tuple[socket, socket]:
    """Return the two ends of a channel that keeps messages apart, for a child that learns; load what it needs."""
    from socket import AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, socketpair  # noqa: PLC0415 - only for a run that learns

    from runner.execution.learning import recorder  # noqa: F401, PLC0415 - as above
    from runner.execution.sandbox import imports  # noqa: F401, PLC0415 - as above

    return socketpair(AF_UNIX, SOCK_SEQPACKET if sys.platform == "linux" else SOCK_DGRAM)


def _masker(values: list[str]) -> Masker | None:
    if not values:
        return None
    from runner.execution.supervising.masking import Masker  # noqa: PLC0415 - only for tasks that have secrets

    return Masker(values)
