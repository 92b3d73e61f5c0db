"""The life of a child, from the fork to its exit. Nothing here returns to the tick."""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys

from runner.execution import processes
from runner.execution.job import Job
from runner.execution.namespace import make_main, numbered_source
from runner.execution.report import Report
from runner.execution.workshop import Workshop
from runner.model.run import RunError

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from types import TracebackType
    from typing import NoReturn

    from _typeshed import ReadableBuffer

#: Exit code of a child that could not be set up; the report says why.
NOT_STARTED = 125
_tick_streams: list[object] = []
_LONGEST_LINE = 10**9
#: What Python itself ignores, and what nobody can.
_KEPT = {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGKILL, signal.SIGSTOP}
#: What the pool catches, and what the tick's caller has ignored: a task begins as from a shell.
_DEFAULT_SIGNALS = [
    number
    for number in signal.valid_signals()
    if number in {signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
    or (number not in _KEPT and signal.getsignal(number) is signal.SIG_IGN)
]


def live(job: Job, workshop: Workshop, parent: int, spare: str | None, output: int, report: int) -> NoReturn:
    """Run a job's code and exit with its exit code.

    `spare` is an empty folder to be had, `output` and `report` are the writing ends of two pipes.
    """
    code = NOT_STARTED
    try:
        _set_up(job, workshop, parent, output, report)
        _enter(workshop.folder(job.run_id, job.attempt, os.getpid()), spare)
        code = _run(job, report)
    except BaseException as error:  # noqa: BLE001 - a child must never return into the tick's code
        _tell(report, _report(error, None, job.task.path))
    finally:
        os._exit(code)


def _set_up(job: Job, workshop: Workshop, parent: int, output: int, report: int) -> None:
    os.setsid()
    if not processes.become_child(parent, workshop.mark(job.run_id)):
        os._exit(NOT_STARTED)
    for number in _DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _set_up_descriptors(output, report)
    atexit._clear()  # noqa: SLF001 - the tick's own exit handlers are not the child's
    environment = workshop.environment(job.run_id, job.task.id)
    os.environ.clear()
    os.environ.update(environment)


def _enter(folder: str, spare: str | None) -> None:
    """Make a private folder, or take the spare one, and work there."""
    if spare is not None:
        os.rename(spare, folder)
    else:
        os.makedirs(folder, mode=0o700)
    os.chdir(folder)


def _set_up_descriptors(output: int, report: int) -> None:
    """Leave standard input from nowhere, standard output and error into one pipe, and the report; close all others."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, report)
    os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))
    # The tick's streams may hold text that is not written yet: kept, they are never flushed into the child's pipe.
    _tick_streams.extend((sys.stdin, sys.stdout, sys.stderr))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open for the child's whole life
    # Written through, as `python -u` does: output is in order, and what was printed before a crash is on record.
    sys.stdout = io.TextIOWrapper(
        _Through(io.FileIO(1, "w", closefd=False)), "utf-8", "backslashreplace", write_through=True
    )
    sys.stderr = io.TextIOWrapper(
        _Through(io.FileIO(2, "w", closefd=False)), "utf-8", "backslashreplace", write_through=True
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


class _Through(io.BufferedWriter):
    """Writes at once, and all of it: a signal may cut a write to a pipe short, and a raw file would leave it at that."""

    def write(self, data: ReadableBuffer) -> int:
        written = super().write(data)
        self.flush()
        return written


def _run(job: Job, report: int) -> int:
    task = job.task
    main = make_main(job)
    own = os.getpid()
    try:
        # exec is the product: code from a reviewed file, in a process of its own.
        exec(compile(numbered_source(task), task.path, "exec", dont_inherit=True), main.__dict__)  # noqa: S102
        code = 0
    except SystemExit as ending:
        code = _exit_code(ending)
    except BaseException as error:  # noqa: BLE001 - whatever ends the code is the run's ending
        # The first frame is the exec above.
        trace = error.__traceback__.tb_next if error.__traceback__ else None
        told = _report(error, trace, task.path)
        _show(error, trace, told)
        if os.getpid() == own:  # a process that the task has forked fails for itself
            _tell(report, told)
        code = 1
    return _finish(code, main.__dict__)


def _exit_code(ending: SystemExit) -> int:
    """Return the exit code of sys.exit(…), which prints what is not a number (sys.exit in the library reference)."""
    code = ending.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(2**63) <= code < 2**63 else 0xFF
    _complain(f"{code}\n")
    return 1


def _finish(code: int, namespace: dict[str, object]) -> int:
    """Do what the interpreter does at its end: wait for threads, run exit handlers, let go of everything, flush."""
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()  # noqa: SLF001 - what Py_FinalizeEx calls
    atexit._run_exitfuncs()  # noqa: SLF001 - what multiprocessing calls in its children, too
    namespace.clear()  # files that the code has not closed are written now
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S110 - a stream of the task's own making, closed or broken
            pass
    return code


def _show(error: BaseException, trace: TracebackType | None, told: Report) -> None:
    """Print a traceback, or let the task's own hook do what it does with it."""
    hook = sys.excepthook
    if hook is sys.__excepthook__:
        _complain(told.traceback)
        return
    try:
        hook(type(error), error, trace)
    except BaseException:  # noqa: BLE001 - a hook of the task's own making
        _complain(told.traceback)


def _complain(text: str) -> None:
    """Write to standard error, whatever the task has put in its place."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except Exception:  # noqa: BLE001 - of the task's own making, closed or broken
        try:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # closed; the report has it


def _report(error: BaseException, trace: TracebackType | None, path: str) -> Report:
    line = None
    frame = trace
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == path:
            line = frame.tb_lineno
        frame = frame.tb_next
    if isinstance(error, SyntaxError) and error.filename == path:
        line = error.lineno
    is_line = isinstance(line, int) and 0 < line < _LONGEST_LINE
    return Report(
        RunError(_name(type(error)), _message(error), path if is_line else None, line if is_line else None),
        _traceback_text(error, trace),
    )


def _name(kind: type[BaseException]) -> str:
    module: object = kind.__module__  # a class of the task's own making may say anything here
    is_plain = not isinstance(module, str) or module in {"builtins", "__main__"}
    return kind.__qualname__ if is_plain else f"{module}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - an exception of the task's own making
        return "<no message: str() of the exception failed>"


def _traceback_text(error: BaseException, trace: TracebackType | None) -> str:
    from traceback import format_exception  # noqa: PLC0415 - only for runs that fail

    try:
        return "".join(format_exception(type(error), error, trace))
    except BaseException as trouble:  # noqa: BLE001 - an exception of the task's own making
        return f"<no traceback: {type(trouble).__name__} while it was formatted>\n"


def _tell(report: int, told: Report) -> None:
    try:
        os.write(report, told.encode())
    except OSError:
        pass  # closed by the task: the exit code still tells
