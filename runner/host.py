"""The program of a host: set up an application once, then fork a child for each job of its context.

The Python of the application runs it, with nothing of runner but this package, which uses the standard library alone.
`runner.execution.hosting.host` starts it, and gives it two pipes and the owner file, which it keeps locked.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from contextlib import suppress

from runner import clock
from runner.contexts import leftovers
from runner.contexts.env_file import EnvFileError, masked_values, read_env_file
from runner.contexts.objects import ContextError
from runner.execution.launcher.messages import Receiver, Sender
from runner.execution.launcher.server import Server
from runner.execution.owners.owner import Owner
from runner.execution.system import processes
from runner.model.context import unpack_context

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from runner.contexts.django import DjangoApplication
    from runner.contexts.module import ModuleApplication
    from runner.contexts.packages import Packages
    from runner.execution.launcher.messages import Message
    from runner.model.context import Context

    AnyApplication = DjangoApplication | ModuleApplication | Packages

_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(orders_end: int, events_end: int, owner_end: int, parent: int) -> None:
    """Run a host until the process `parent`, which records, closes the pipe of orders; then exit."""
    for descriptor in (orders_end, events_end, owner_end):
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - the function takes no keyword
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the tick gets these signals, and ends its hosts
    orders, events = Receiver(orders_end), Sender(events_end)
    try:
        messages = orders.receive()
        if messages:
            (_, values), *others = messages
            processes.end_with_parent(parent)
            _host(Owner(values["state"], (values["owner"], owner_end), is_first=False), orders, events, values, others)
    finally:
        # What the set-up has started is a child of this process by now, also where its parent has ended.
        processes.end_all(lambda: processes.left_by(os.getpid(), set(), []))
        os._exit(0)


def _host(owner: Owner, orders: Receiver, events: Sender, values: dict[str, Any], others: list[Message]) -> None:
    processes.adopt_orphans()
    before = leftovers.open_descriptors()
    context = unpack_context(values["context"])
    began = clock.monotonic()
    application = _set_up(context, values["path"], events, before)
    if application is None:
        return
    seconds = clock.monotonic() - began
    processes.outlive_parent()
    events.send("ready", seconds, _memory(), sorted(application.names))
    Server(owner, orders, events, application, values["outside"]).serve(others, *values["server"])


def _set_up(context: Context, path: str, events: Sender, before: frozenset[int]) -> AnyApplication | None:
    """Return the application after its set-up; None where that has failed, which is reported."""
    try:
        masked = _read_environment(context, events)
        application = _application(context, masked)
        sys.path[0] = path
        os.chdir(path)
        # The time limit prints where each thread is, and ends this process (faulthandler in the library reference).
        faulthandler.dump_traceback_later(context.timeout.total_seconds(), exit=True)
        try:
            application.set_up()
        finally:
            faulthandler.cancel_dump_traceback_later()
            _flush()
        application.descriptors = leftovers.opened_since(before)
    except (ContextError, EnvFileError) as error:
        events.send("failed", "", str(error), "")
        return None
    except BaseException as error:  # noqa: BLE001 - whatever ends the set-up is its failure
        events.send("failed", type(error).__qualname__, _text_of(error), _traceback(error))
        return None
    fault = application.why_not_to_fork()
    if fault is not None:
        events.send("failed", "", fault, "")
        return None
    return application


def _flush() -> None:
    """Write what the set-up has printed, unless it has closed or replaced the streams."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def _read_environment(context: Context, events: Sender) -> Sequence[str]:
    """Add the variables of `env_file` to the environment; return the values to mask, once the tick knows them."""
    os.environ["RUNNER_CONTEXT"] = context.name
    if not context.env_file:
        return []
    found = read_env_file(context.env_file)
    masked = masked_values(found.values())
    events.send("masked", masked)
    os.environ.update(found)
    return masked


def _application(context: Context, masked: Sequence[str]) -> AnyApplication:
    if context.settings:
        from runner.contexts.django import DjangoApplication  # noqa: PLC0415 - only for Django projects

        return DjangoApplication(context, masked)
    if not context.setup:
        from runner.contexts.packages import Packages  # noqa: PLC0415 - only for packages of a task

        return Packages(masked)
    from runner.contexts.module import ModuleApplication  # noqa: PLC0415 - only for other applications

    return ModuleApplication(context, masked)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - an exception of a class that the application has defined
        return ""


def _traceback(error: BaseException) -> str:
    """Return the traceback of an exception without the frames of runner."""
    from traceback import format_exception  # noqa: PLC0415 - only for a set-up that fails

    package = os.path.dirname(os.path.abspath(__file__)) + os.sep
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(package):
        trace = trace.tb_next
    return "".join(format_exception(type(error), error, trace))


def _memory() -> int:
    """Return the resident memory of this process in bytes (proc_pid_statm(5)); the greatest so far without /proc."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        import resource  # noqa: PLC0415 - not on Linux

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
