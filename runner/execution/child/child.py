"""The life of a child, from the fork to its exit. Nothing here returns to the tick."""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys

# What `signal` does around these, for names of signals, takes a fifth of a fork.
from _signal import SIG_DFL, default_int_handler, set_wakeup_fd  # type: ignore[import-not-found]
from _signal import signal as set_handler

from runner.execution.child.end_message import LARGEST_CODE, LEAST_CODE, EndMessage, kept_by_kernel
from runner.execution.child.inherited import Inherited
from runner.execution.child.namespace import make_main, numbered_source
from runner.execution.supervising.run_environment import make_folder
from runner.execution.system import processes
from runner.model.attempt_result import EXIT, RunError
from runner.model.job import Job
from runner.value import replace

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable
    from sys import UnraisableHookArgs
    from types import TracebackType
    from typing import NoReturn

    from runner.execution.supervising.masking import Masker
    from runner.execution.system.cgroups import Group

#: Exit code of a child that could not be set up; the report says why.
NOT_STARTED = 125
_INTERRUPT = int(signal.SIGINT)
#: Frames of this module that stand before those of a task.
_OWN_FRAMES = 2
_tick_streams: list[object] = []
_LONGEST_LINE = 10**9
#: What Python itself ignores, and what nobody can.
_KEPT = {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGKILL, signal.SIGSTOP}
#: What the pool catches, and what the tick's caller has ignored: a task begins as from a shell.
_DEFAULT_SIGNALS = [
    int(number)
    for number in signal.valid_signals()
    if number in {signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}
    or (number not in _KEPT and signal.getsignal(number) is signal.SIG_IGN)
]
#: The limit that an error of the system speaks of (setrlimit(2)).
_LIMIT_OF_ERRNO = {
    errno.ENOMEM: "memory",
    errno.EMFILE: "open_files",
    errno.EFBIG: "file_size",
}
_LIMIT_OF_SIGNAL: dict[object, str] = {-signal.SIGXFSZ: "file_size", -signal.SIGXCPU: "cpu"}


class ChildInputs:
    """What one child is given: an empty folder if there is one to be had, the writing ends of two pipes, and its secrets."""

    __slots__ = ("group", "is_told", "masker", "output", "pid", "report", "secrets", "spare")

    def __init__(
        self,
        spare: str | None,
        output: int,
        report: int,
        secrets: dict[str, str],
        masker: Masker | None,
        group: Group | None,
    ) -> None:
        self.spare = spare
        self.output = output
        self.report = report
        self.secrets = secrets
        self.masker = masker
        self.group = group
        self.pid = os.getpid()
        self.is_told = False


def live(job: Job, inherited: Inherited, inputs: ChildInputs) -> NoReturn:
    """Run a job's code and exit with its exit code."""
    code = NOT_STARTED
    try:
        _set_up(job, inherited, inputs)
        main = make_main(job)
        code = 1  # whatever happens from here on, the code has begun
        code = _run(job, inputs, main.__dict__)
    except BaseException as error:  # noqa: BLE001 - a child must never return into the tick's code
        _tell(inputs, _report(error, None, job, has_begun=code != NOT_STARTED))
    finally:
        os._exit(code)


def _set_up(job: Job, inherited: Inherited, inputs: ChildInputs) -> None:
    os.setsid()
    environment = inherited.environment
    if not processes.become_child(inherited.parent, environment.mark(job.run_id, job.attempt)):
        os._exit(NOT_STARTED)
    # From here on whoever takes it from its owner finds this process by its mark, and ends it.
    if inherited.owner.has_given_up(job.run_id, job.attempt):
        os._exit(NOT_STARTED)
    for number in _DEFAULT_SIGNALS:
        set_handler(number, SIG_DFL)
    set_handler(_INTERRUPT, default_int_handler)
    set_wakeup_fd(-1)
    if inherited.signals.times:  # one has come in time to find the handlers of the tick here
        os._exit(NOT_STARTED)
    if inherited.signals.blocked:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _set_up_descriptors(inherited, inputs)
    atexit._clear()  # noqa: SLF001 - the tick's own exit handlers are not the child's
    own = environment.own_environment(job, inputs.secrets)
    for name, value in own.items():
        os.environ[name] = value  # `update` asks of which kind its argument is: twenty pages more to copy
    _make_data_folder(own["RUNNER_DATA"])
    _find_modules(job, own.get("PYTHONPATH", ""))
    _enter(environment.folder(job.run_id, job.attempt, os.getpid()), inputs.spare)
    if inputs.group is not None:
        inputs.group.enter()
    if job.limits.any():
        import traceback  # noqa: F401, PLC0415 - there may be no memory and no file left when it is needed

        from runner.execution.child.rlimits import set_limits  # noqa: PLC0415 - only for tasks that have limits

        set_limits(job.limits)


def _make_data_folder(path: str) -> None:
    if not os.path.isdir(path):
        make_folder(os.path.dirname(path))
        make_folder(path)


def _find_modules(job: Job, python_path: str) -> None:
    """Let the code import what `PYTHONPATH` names, and after the standard library what is in `lib/`.

    Nobody writes bytecode beside modules of a commit.
    """
    if python_path:
        sys.path[:0] = python_path.split(":")
    lib = f"{job.root}/lib"
    if os.path.isdir(lib):
        installed = (at for at, path in enumerate(sys.path) if path.endswith(("site-packages", "dist-packages")))
        sys.path.insert(next(installed, len(sys.path)), lib)
        sys.dont_write_bytecode = True


def _enter(folder: str, spare: str | None) -> None:
    """Make a private folder, or take the spare one, and work there."""
    if spare is None or not _is_taken(spare, folder):
        make_folder(os.path.dirname(folder))
        os.mkdir(folder, mode=0o700)
    os.chdir(folder)


def _is_taken(spare: str, folder: str) -> bool:
    try:
        os.rename(spare, folder)
    except OSError:
        return False  # another task has removed it, with the state folder or without
    return True


def _set_up_descriptors(inherited: Inherited, inputs: ChildInputs) -> None:
    """Leave standard input from nowhere, standard output and error into one pipe, and the report; close all others."""
    os.dup2(inherited.nowhere, 0)
    os.dup2(inputs.output, 1)
    os.dup2(inputs.output, 2)
    os.closerange(3, inputs.report)
    os.closerange(inputs.report + 1, os.sysconf("SC_OPEN_MAX"))
    # The tick's streams may hold text that is not written yet: kept, they are never flushed into the child's pipe.
    _tick_streams.extend((sys.stdin, sys.stdout, sys.stderr))
    sys.stdin, sys.stdout, sys.stderr = inherited.stdin, inherited.stdout, inherited.stderr
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = inherited.stdin, inherited.stdout, inherited.stderr  # type: ignore[misc]


def _run(job: Job, inputs: ChildInputs, namespace: dict[str, object]) -> int:
    """Run the code, then do what the interpreter does at its end; return the exit code: the first that is not 0.

    Ctrl-C may come at any of these steps, and so may what the task's own handlers of signals raise: that ends the step.
    """
    code = 0
    for step in (_execute, _join_threads, _run_exit_handlers, _let_go):
        try:
            step(job, namespace)
        except SystemExit as ending:
            code = code or _exit_code(ending, job, inputs)
            inputs.is_told = inputs.is_told or code != 0
        except BaseException as error:  # noqa: BLE001 - whatever ends the code is the run's ending
            # The first frames are the one above and that of the step.
            trace = error.__traceback__
            for _ in range(_OWN_FRAMES):
                trace = trace.tb_next if trace else None
            _end_by(error, trace, job, inputs)
            code = code or 1
    return code


def _execute(job: Job, namespace: dict[str, object]) -> None:
    # exec is the product: code from a reviewed file, in a process of its own.
    exec(compile(numbered_source(job), job.path, "exec", dont_inherit=True), namespace)  # noqa: S102


def _join_threads(_job: Job, _namespace: dict[str, object]) -> None:
    """Wait for threads. From Python 3.13 on, that ignores what handlers of signals raise meanwhile: raises it all the same."""
    if "threading" in sys.modules:
        with _Ignored(lambda ignored: ignored.object is None) as kept:
            sys.modules["threading"]._shutdown()  # noqa: SLF001 - what Py_FinalizeEx calls
        if kept:
            raise kept[0]


def _run_exit_handlers(_job: Job, _namespace: dict[str, object]) -> None:
    """Run what was registered with atexit, which ignores what handlers raise. Raises KeyboardInterrupt all the same."""
    with _Ignored(lambda ignored: isinstance(ignored.exc_value, KeyboardInterrupt)) as kept:
        atexit._run_exitfuncs()  # noqa: SLF001 - what multiprocessing calls in its children, too
    if kept:
        raise kept[0]


class _Ignored:
    """Keeps those exceptions which the interpreter ignores, and which count; the others are shown as ever."""

    def __init__(self, counts: Callable[[UnraisableHookArgs], bool]) -> None:
        self._counts = counts
        self._kept: list[BaseException] = []
        self._shown = sys.unraisablehook

    def __enter__(self) -> list[BaseException]:
        sys.unraisablehook = self._note
        return self._kept

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._shown

    def _note(self, ignored: UnraisableHookArgs) -> None:
        if ignored.exc_value is not None and self._counts(ignored):
            self._kept.append(ignored.exc_value)
        else:
            self._shown(ignored)


def _let_go(_job: Job, namespace: dict[str, object]) -> None:
    """Write files that the code has not closed, and flush."""
    namespace.clear()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S110 - a stream of the task's own making, closed or broken
            pass


def _end_by(error: BaseException, trace: TracebackType | None, job: Job, inputs: ChildInputs) -> None:
    """Show an exception, and tell it."""
    if job.limits.any():
        from runner.execution.child.rlimits import use_spare  # noqa: PLC0415 - loaded when they were set

        use_spare()
    told = _report(error, trace, job, has_begun=True)
    _show(error, trace, told)
    _tell(inputs, told)


def _exit_code(ending: SystemExit, job: Job, inputs: ChildInputs) -> int:
    """Return the exit code of sys.exit(…), which prints what is not a number (sys.exit in the library reference).

    What is printed is told as the reason. The kernel keeps eight bits of a number (_exit(2)): the rest is told, and what
    would look like success is 1.
    """
    try:
        code = ending.code
    except Exception:  # noqa: BLE001 - a property of the task's own making
        code = _text_of(ending)
    if code is None:
        return 0
    if not isinstance(code, int):
        words = _text_of(code)
        _complain(f"{words}\n")
        if words.strip():
            _tell(inputs, EndMessage(_error(EXIT, words, ending, ending.__traceback__, job)))
        return 1
    number = int.__add__(code, 0)  # without what a subclass makes of it
    kept = kept_by_kernel(number)
    if kept != number and LEAST_CODE <= number <= LARGEST_CODE:
        _tell(inputs, EndMessage(exit_code=number))
    return kept


def _show(error: BaseException, trace: TracebackType | None, told: EndMessage) -> None:
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


def _report(error: BaseException, trace: TracebackType | None, job: Job, *, has_begun: bool) -> EndMessage:
    text = _text_of(error)
    found = _where_it_is(error, job)
    if found is not None:
        error.add_note(found)
        text = f"{text}; {found}"
    return EndMessage(
        _error(_name(type(error)), text, error, trace, job),
        _traceback_text(error, trace),
        _limit_of(error, job),
        has_begun=has_begun,
    )


def _error(kind: str, message: str, error: BaseException, trace: TracebackType | None, job: Job) -> RunError:
    """Return what is told of an exception, with the last line of the task's file that it has passed."""
    line = None
    frame = trace
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == job.path:
            line = frame.tb_lineno
        frame = frame.tb_next
    if isinstance(error, SyntaxError) and error.filename == job.path:
        line = error.lineno
    is_line = isinstance(line, int) and 0 < line < _LONGEST_LINE
    return RunError(kind, message, job.path if is_line else None, line if is_line else None)


def _where_it_is(error: BaseException, job: Job) -> str | None:
    """Return where a file is that was looked for in the working folder, which is empty; None where that is not known."""
    name = error.filename if isinstance(error, FileNotFoundError) else None
    if not isinstance(name, str) or name.startswith("/"):
        return None
    if os.path.lexists(f"{job.root}/{name}"):
        return f'it is in the commit of this run: task.root / "{name}"'
    if os.path.lexists(f"{os.environ.get('RUNNER_REPO')}/{name}"):
        return (
            f"{name} is in the repository, but not among the `files` of runner.yaml, or not in the commit of this run"
        )
    return None


def _limit_of(error: BaseException, job: Job) -> str:
    """Return the name of the limit that an exception speaks of, where the task has it."""
    name = "memory" if isinstance(error, MemoryError) else ""
    if isinstance(error, OSError):
        name = _LIMIT_OF_ERRNO.get(error.errno or 0, "")
    # As subprocess.CalledProcessError has it, of a program that the kernel has ended.
    name = _LIMIT_OF_SIGNAL.get(getattr(error, "returncode", None), name)
    return name if name and getattr(job.limits, name) is not None else ""


def _name(kind: type[BaseException]) -> str:
    module: object = kind.__module__  # a class of the task's own making may say anything here
    is_plain = not isinstance(module, str) or module in {"builtins", "__main__"}
    return kind.__qualname__ if is_plain else f"{module}.{kind.__qualname__}"


def _text_of(value: object) -> str:
    try:
        return str(value)
    except BaseException:  # noqa: BLE001 - an object of the task's own making
        return "<no message: str() of it failed>"


def _traceback_text(error: BaseException, trace: TracebackType | None) -> str:
    try:
        from traceback import format_exception  # noqa: PLC0415 - only for runs that fail

        return "".join(format_exception(type(error), error, trace))
    except BaseException as trouble:  # noqa: BLE001 - an exception of the task's own making
        return f"<no traceback: {type(trouble).__name__} while it was formatted>\n"


def _tell(inputs: ChildInputs, told: EndMessage) -> None:
    """Tell the tick, once: what ended the code first. A process that the task has forked fails for itself."""
    if inputs.is_told or os.getpid() != inputs.pid:
        return
    inputs.is_told = True
    try:
        # Masked before it is cut to fit into the pipe: half of a secret is none that could be found.
        os.write(inputs.report, (told if inputs.masker is None else _masked(told, inputs.masker)).encode())
    except OSError:
        pass  # closed by the task: the exit code still tells


def _masked(told: EndMessage, masker: Masker) -> EndMessage:
    if told.error is None:
        return told
    error = replace(told.error, type=masker.mask_text(told.error.type), message=masker.mask_text(told.error.message))
    return replace(told, error=error, traceback=masker.mask_text(told.traceback))
