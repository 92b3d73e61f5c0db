"""One host, as the process that records sees it: its set-up, its jobs, and its end."""

from __future__ import annotations

import os
import select
import signal

from runner import clock
from runner.execution.hosting.host_process import HostProcess
from runner.execution.hosting.setup_log import SetupLog
from runner.execution.launcher.client import PAUSE
from runner.execution.owners import owner
from runner.execution.supervising.abandoned import clear_up
from runner.execution.supervising.events import Ended, Started
from runner.execution.supervising.run_environment import RunEnvironment
from runner.model.attempt_result import AttemptResult, RunError
from runner.model.context import Context, ContextUse, pack_context
from runner.model.job import Job
from runner.model.statuses import CANCELLED, FAILED
from runner.schedule.duration import format_duration
from runner.value import Value, replace

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.execution.launcher.messages import Message
    from runner.execution.supervising.events import Event

#: Seconds that a host may take longer than its time limit, to say where it is, and to end.
_MARGIN = 2.0
_PATIENCE = 5.0


class Hosting(Value):
    """What all hosts of a process need. `owner` is the name of its owner file, and the descriptor that locks it."""

    environment: RunEnvironment
    owner: tuple[str, int]
    secrets_file: str | None = None
    tells_output: bool = False


class HostedContext(Value):
    """A context with absolute paths, and what identifies its application: a commit, a digest, or an empty text.

    `name` is what people call it. `builder` is a command that builds what is missing, and then runs the command in the
    arguments that follow; it gets those variables of the caller whose names begin as in `variables`.
    """

    context: Context
    application: str = ""
    name: str = ""
    builder: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    def in_words(self) -> str:
        """Return what people call it."""
        return self.name or f"the context `{self.context.name}`"


class Host:
    """The host of one context, from its start on. Raises OSError where its Python cannot be started."""

    def __init__(self, hosted: HostedContext, hosting: Hosting) -> None:
        self.context = hosted.context
        self._words = hosted.in_words()
        self._application = hosted.application
        self._hosting = hosting
        self._started_at = clock.now()
        self._deadline = clock.monotonic() + self.context.timeout.total_seconds() + _MARGIN
        self._log = SetupLog(hosting.environment.state, self.context.name)
        variables = hosting.environment.environment(dict(os.environ))
        variables |= {name: os.environ[name] for name in os.environ if name.startswith(hosted.variables)}
        self._process = HostProcess(self.context, variables, hosting.owner, self._log.file, hosted.builder)
        self._client = self._process.client
        self._waiting: list[Job] = []
        self._begun: set[int] = set()
        self._found: list[Event] = []
        self._failure: _Failure | None = None
        self._use: ContextUse | None = None
        #: The names in scope, once the application is set up.
        self.names: list[str] = []
        #: Whether the host has ended, and why it cannot be used: an empty text as long as it can.
        self.is_over = False
        self.fault = ""
        self._client.send("set_up", self._values())

    @property
    def descriptors(self) -> list[int]:
        """The descriptors that become readable when the host has sent something, or has ended."""
        return self._process.descriptors

    @property
    def use(self) -> ContextUse | None:
        """What the host has told of itself; None before the end of its set-up."""
        return self._use

    def _values(self) -> dict[str, object]:
        environment = self._hosting.environment
        return {
            "context": pack_context(self.context),
            "path": self.context.path,
            "state": environment.state,
            "owner": self._hosting.owner[0],
            "outside": dict(os.environ),
            "server": (
                environment.root,
                environment.state,
                environment.store_id,
                self._hosting.secrets_file,
                self._hosting.tells_output,
            ),
        }

    def start(self, job: Job) -> None:
        """Start a job, now or once the application is set up."""
        if self._failure is not None:
            self._found.append(self._failed(job))
        elif self._use is None:
            self._waiting.append(job)
        else:
            self._client.start(job)

    def end(self, run_id: int, reason: str) -> None:
        """End a run as cancelled, if it is one of this host."""
        for job in [job for job in self._waiting if job.run_id == run_id]:
            self._cancel(job, reason)
        self._client.end(run_id, reason)

    def end_all(self, reason: str) -> None:
        """End all runs of this host as cancelled."""
        for job in list(self._waiting):
            self._cancel(job, reason)
        self._client.end_all(reason)

    def _cancel(self, job: Job, reason: str) -> None:
        self._waiting.remove(job)
        self._found.append(Ended(job, AttemptResult(CANCELLED, None, clock.now(), reason)))

    def seconds_left(self) -> float:
        """Return the seconds until `events` has something to do, though the host has sent nothing."""
        if self._found:
            return 0.0
        if self._client.is_behind():
            return PAUSE
        left = max(0.0, self._deadline - clock.monotonic()) if self._is_setting_up() else float("inf")
        return min(left, self._process.longest_wait)

    def _is_setting_up(self) -> bool:
        return self._use is None and not self.is_over

    def events(self, readable: set[int]) -> list[Event]:
        """Return the events since the last call. `readable` has the descriptors that can be read."""
        if self._client.is_behind():
            self._client.flush()
        if not self.is_over:
            has_exited = self._process.has_exited()
            if has_exited or self._client.descriptor in readable:
                self._receive()
            if has_exited or self._client.is_lost:
                self._end_of_host()
        if self._is_setting_up() and clock.monotonic() >= self._deadline:
            self._process.kill()
            self._end_of_host()
        found, self._found = self._found, []
        return found

    def _receive(self) -> None:
        """Take the messages that are there, and wait for no others: the pipe may stay open after the host's end."""
        poll = select.poll()
        poll.register(self._client.descriptor, select.POLLIN)
        while not self._client.is_lost and poll.poll(0):
            for message in self._client.receive():
                self._take(message)

    def _take(self, message: Message) -> None:
        kind, *values = message
        if kind == "masked":
            self._log.mask(values[0])
        elif kind == "ready":
            self._be_ready(*values)
        elif kind == "failed":
            self._fail(*values)
        else:
            event = self._client.event_of(message)
            if isinstance(event, Started):
                self._begun.add(event.job.run_id)
            if isinstance(event, Ended):
                event = replace(event, result=replace(event.result, context=self._use))
            if event is not None:
                self._found.append(event)

    def _be_ready(self, seconds: float, memory: int, names: list[str]) -> None:
        self._use = ContextUse(self.context.name, round(seconds, 3), memory, self._application)
        self.names = names
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            self._client.start(job)

    def _fail(self, kind: str, message: str, traceback: str) -> None:
        """Fail all jobs. The first one gets the traceback and the output of the set-up; the others name its run."""
        words = f"{kind}: {message}".removeprefix(": ").removesuffix(": ").partition("\n")[0]
        self.fault = self._log.masked(f"the set-up of {self._words} failed: {words}")
        error = RunError(kind or "ContextError", self._log.masked(message))
        self._failure = _Failure(self.fault, error, self._log.masked(traceback))
        waiting, self._waiting = self._waiting, []
        self._found += [self._failed(job) for job in waiting]

    def _failed(self, job: Job) -> Ended:
        failure = self._failure
        assert failure is not None  # noqa: S101 - callers have checked it
        now = clock.now()
        if failure.run_id is None:
            self._failure = replace(failure, run_id=job.run_id)
            result = AttemptResult(FAILED, self._started_at, now, failure.reason, error=failure.error)
            result = replace(result, traceback=failure.traceback or None, output=self.output())
        else:
            reason = f"{failure.reason}; run {failure.run_id} has the details"
            result = AttemptResult(FAILED, self._started_at, now, reason, error=failure.error)
        return Ended(job, result)

    def _end_of_host(self) -> None:
        """Fail what the host has left: its pipe is closed, so that it has ended, or is ending."""
        how = self._how_it_ended()
        self.is_over = True
        if self._use is None:
            if self._failure is None:
                self._fail("", how, "")
            return
        self.fault = f"the host of {self._words} ended: {how}"
        for job in list(self._client.jobs.values()):
            if self._may_have_begun(job):
                self._found.append(self._abandoned(job, self.fault))
            else:
                self._waiting.append(job)
        self._client.jobs.clear()

    def wait(self, longest: float) -> list[Event]:
        """Wait at most `longest` seconds for what the host sends; return the events."""
        poll = select.poll()
        for descriptor in self.descriptors:
            poll.register(descriptor, select.POLLIN)
        found = poll.poll(int(min(longest, self.seconds_left()) * 1000) + 1)
        return self.events({descriptor for descriptor, _ in found})

    def output(self) -> bytes:
        """Return what the set-up has printed, masked, with the traceback of one that has failed."""
        traceback = "" if self._failure is None else self._failure.traceback
        return self._log.read() + traceback.encode("utf-8", "backslashreplace")

    def unstarted(self) -> list[Job]:
        """Return the jobs that a host has not begun before it ended: another one may start them."""
        jobs, self._waiting = self._waiting, []
        return jobs

    def _may_have_begun(self, job: Job) -> bool:
        if job.run_id in self._begun:
            return True
        notes = owner.read(self._hosting.environment.state, self._hosting.owner[0])
        return notes.may_have_begun(job.run_id, job.attempt)

    def _abandoned(self, job: Job, reason: str) -> Ended:
        environment = self._hosting.environment
        output = clear_up(environment, job.run_id, job.attempt)
        result = AttemptResult(
            FAILED,
            self._started_at,
            clock.now(),
            reason,
            output=output.kept(),
            output_dropped_bytes=output.dropped,
            context=self._use,
        )
        return Ended(job, result, environment.live_file(job.run_id, job.attempt))

    def _how_it_ended(self) -> str:
        code = self._process.wait(_PATIENCE)
        if self._is_setting_up() and clock.monotonic() >= self._deadline - _MARGIN:
            return f"it took longer than {format_duration(self.context.timeout)}"
        if code < 0:
            return f"it was killed by signal {-code} ({signal.Signals(-code).name})"
        last = self._log.read().decode().strip().rpartition("\n")[2] if self._is_setting_up() else ""
        return f"it ended with exit code {code}{last and f': {last}'}"

    def close(self) -> None:
        """Ask the host to end, and wait until it has; end what is left of it."""
        self._client.send("close")
        limit = clock.monotonic() + _PATIENCE
        while self._client.is_behind() and clock.monotonic() < limit:
            clock.pause(PAUSE)
            self._client.flush()
        if self._use is None and not self.is_over:
            self._process.kill()  # it is in its set-up, and reads nothing
        self._process.wait(_PATIENCE)
        self._log.close()


def why_not_started(hosted: HostedContext, error: OSError) -> str:
    """Return the reason of a run whose host could not be started."""
    context = hosted.context
    named = {context.path: "its path, ", context.python: "its python, "}.get(error.filename, "")
    place = f"{named}{error.filename}: " if error.filename else ""
    return f"{hosted.in_words()} cannot be set up: {place}{error.strerror or error}"


class _Failure(Value):
    """Why a set-up failed, and the run that has the details; None before there is one."""

    reason: str
    error: RunError
    traceback: str
    run_id: int | None = None
