"""What a child process does, from the fork to its exit. It never returns into the code of the tick."""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys

# The module `signal` adds enums around these: to use them takes a fifth of the time of a fork.
from _signal import SIG_DFL, default_int_handler, set_wakeup_fd  # type: ignore[import-not-found]
from _signal import signal as set_handler

from runner.execution.child.application import Left
from runner.execution.child.end_message import LARGEST_CODE, LEAST_CODE, EndMessage, kept_by_kernel
from runner.execution.child.inherited import Inherited
from runner.execution.child.namespace import make_main, numbered_source
from runner.execution.supervising.run_environment import make_folder
from runner.execution.system import processes
from runner.model.attempt_result import DENIED, EXIT, ROLLBACK, RunError
from runner.model.environment import is_application
from runner.model.job import Job
from runner.value import replace

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable
    from sys import UnraisableHookArgs
    from types import TracebackType
    from typing import NoReturn

    Step = Callable[[Job, dict[str, object]], None]

    from runner.execution.child.application import Application
    from runner.execution.sandbox.wall import Wall
    from runner.execution.supervising.masking import Masker
    from runner.execution.system.cgroups import Group

#: Exit code of a child that could not be set up; the end message has the reason.
NOT_STARTED = 125
_INTERRUPT = int(signal.SIGINT)
#: The folder of this package: its frames are not shown in tracebacks.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_tick_streams: list[object] = []
_LONGEST_LINE = 10**9
#: The letters of a message that are kept before a hint, so that the reason of the run has both.
_SHORT_ENOUGH = 100
#: Signals that Python itself ignores, and those whose action cannot be changed.
_KEPT = {signal.SIGPIPE, signal.SIGXFSZ, signal.SIGKILL, signal.SIGSTOP}
#: Signals that the pool catches or the tick's caller ignores. A child restores their default action, as a shell does.
_DEFAULT_SIGNALS = [
    int(number)
    for number in signal.valid_signals()
    if number in {signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}
    or (number not in _KEPT and signal.getsignal(number) is signal.SIG_IGN)
]
#: The limit that causes an error of the system (setrlimit(2)).
_LIMIT_OF_ERRNO = {
    errno.ENOMEM: "memory",
    errno.EMFILE: "open_files",
    errno.EFBIG: "file_size",
}
_LIMIT_OF_SIGNAL: dict[object, str] = {-signal.SIGXFSZ: "file_size", -signal.SIGXCPU: "cpu"}


class ChildInputs:
    """What one child gets from the pool.

    `spare` is an empty folder, or None. `output` and `report` are the writing ends of pipes: for its output and for
    its end message. `pid` is the process that may write the end message, and `is_reported` whether it has. Where an
    application is left after the code, the message waits for that: it is `held` as long as `holds` is True. `learns`
    is the socket by which a child that learns tells what it touches; None for any other.
    """

    __slots__ = (
        "group",
        "held",
        "holds",
        "is_reported",
        "learns",
        "masker",
        "output",
        "pid",
        "report",
        "secrets",
        "spare",
        "wall",
    )

    def __init__(
        self,
        spare: str | None,
        output: int,
        report: int,
        secrets: dict[str, str],
        masker: Masker | None,
        group: Group | None,
        wall: Wall | None,
        learns: int | None,
    ) -> None:
        self.spare = spare
        self.output = output
        self.report = report
        self.secrets = secrets
        self.masker = masker
        self.group = group
        self.wall = wall
        self.learns = learns
        self.pid = os.getpid()
        self.is_reported = False
        self.holds = False
        self.held: EndMessage | None = None


def live(job: Job, inherited: Inherited, inputs: ChildInputs) -> NoReturn:
    """Run the code of a job in this process, and exit with its exit code."""
    code = NOT_STARTED
    try:
        _set_up(job, inherited, inputs)
        main = make_main(job)
        application = inherited.application
        if application is not None:
            main.__dict__.update(application.enter(job))
        if inputs.learns is not None:  # the last thing before the code
            _observe(job, inputs.learns)
        elif job.permissions.is_held:
            _hold(job, inherited, inputs)
        code = 1  # an error from here on is not one of the set-up
        code = _run(job, inputs, main.__dict__, application)
    except BaseException as error:  # noqa: BLE001 - a child must never return into the tick's code
        _report(inputs, _end_message(error, None, job, has_begun=code != NOT_STARTED))
    finally:
        os._exit(code)


def _set_up(job: Job, inherited: Inherited, inputs: ChildInputs) -> None:
    os.setsid()
    environment = inherited.environment
    if not processes.become_child(inherited.parent, environment.mark(job.run_id, job.attempt)):
        os._exit(NOT_STARTED)
    # A process that takes the attempt after this check finds this one by its mark, and kills it.
    if inherited.owner.has_given_up(job.run_id, job.attempt):
        os._exit(NOT_STARTED)
    for number in _DEFAULT_SIGNALS:
        set_handler(number, SIG_DFL)
    set_handler(_INTERRUPT, default_int_handler)
    set_wakeup_fd(-1)
    if inherited.signals.times:  # a signal came while the handlers of the tick were still installed
        os._exit(NOT_STARTED)
    if inherited.signals.blocked:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _set_up_descriptors(inherited, inputs)
    if inherited.application is None:
        atexit._clear()  # noqa: SLF001 - the exit handlers of the tick must not run in the child
    own = environment.own_environment(job, inputs.secrets)
    for name, value in own.items():
        os.environ[name] = value  # `update` would test the type of its argument: twenty more pages to copy
    _make_data_folder(own["RUNNER_DATA"])
    _find_modules(job, own.get("PYTHONPATH", ""))
    _enter(environment.folder(job.run_id, job.attempt, os.getpid()), inputs.spare)
    if inputs.group is not None:
        inputs.group.enter()
    _change_user(job, inherited, own)
    if job.limits.any():
        import traceback  # noqa: F401, PLC0415 - later, the limits may not allow to load it

        from runner.execution.child.rlimits import set_limits  # noqa: PLC0415 - only for tasks that have limits

        set_limits(job.limits)


def _change_user(job: Job, inherited: Inherited, own: dict[str, str]) -> None:
    """Become the user that the task names. Without one, root takes back the data of a task that had another user."""
    if not job.run_as and (os.geteuid() != 0 or os.stat(own["RUNNER_DATA"]).st_uid == 0):
        return
    from runner.execution.child.user import become, give  # noqa: PLC0415 - only for tasks with a user

    if not job.run_as:
        give(own["RUNNER_DATA"], 0, 0)
        return
    for name, value in become(job.run_as, (os.getcwd(), own["RUNNER_DATA"]), job.root, inherited.parent).items():
        if name not in own:
            os.environ[name] = value


def _hold(job: Job, inherited: Inherited, inputs: ChildInputs) -> None:
    """Hold the code to the permissions of its task."""
    _keep_temporary_files(job)
    environment = inherited.environment
    if inputs.wall is not None:
        folder = environment.folder(job.run_id, job.attempt, os.getpid())
        inputs.wall.put_on((folder, environment.data(job)))
    if not is_application(job.context):
        from runner.execution.sandbox.imports import watch_imports  # noqa: PLC0415 - the pool has loaded it

        watch_imports(job)


def _keep_temporary_files(job: Job) -> None:
    """Have temporary files made in the working folder: no task is granted /tmp, unless it asks for that."""
    if "TMPDIR" not in job.environment():
        os.environ["TMPDIR"] = os.getcwd()
    loaded = sys.modules.get("tempfile")
    if loaded is not None:
        vars(loaded)["tempdir"] = None  # the set-up of an application may have used /tmp


def _observe(job: Job, channel: int) -> None:
    """Tell what the code touches, and let it."""
    _keep_temporary_files(job)
    from runner.execution.learning.recorder import Recorder  # noqa: PLC0415 - the pool has loaded it
    from runner.execution.sandbox.imports import watch_imports  # noqa: PLC0415 - as above

    recorder = Recorder(channel, job.filter)
    if not is_application(job.context):
        watch_imports(job, lambda name, _line: recorder.tell("import", name))
    recorder.begin()


def _make_data_folder(path: str) -> None:
    if not os.path.isdir(path):
        make_folder(os.path.dirname(path))
        make_folder(path)


def _find_modules(job: Job, python_path: str) -> None:
    """Add `PYTHONPATH` to the beginning of `sys.path`, and `lib/` after the standard library.

    With `lib/`, Python writes no bytecode, because the files of a commit are read-only.
    """
    if python_path:
        sys.path[:0] = python_path.split(":")
    lib = f"{job.root}/lib"
    if os.path.isdir(lib):
        installed = (index for index, path in enumerate(sys.path) if path.endswith(("site-packages", "dist-packages")))
        sys.path.insert(next(installed, len(sys.path)), lib)
        sys.dont_write_bytecode = True


def _enter(folder: str, spare: str | None) -> None:
    """Make the private folder, or rename the spare one to it, and change into it."""
    if spare is None or not _is_renamed(spare, folder):
        make_folder(os.path.dirname(folder))
        os.mkdir(folder, mode=0o700)
    os.chdir(folder)


def _is_renamed(spare: str, folder: str) -> bool:
    try:
        os.rename(spare, folder)
    except OSError:
        return False  # another task has removed the spare folder, or the whole state folder
    return True


def _set_up_descriptors(inherited: Inherited, inputs: ChildInputs) -> None:
    """Connect standard input to /dev/null, standard output and error to one pipe; close all others but the report."""
    os.dup2(inherited.null, 0)
    os.dup2(inputs.output, 1)
    os.dup2(inputs.output, 2)
    kept = frozenset() if inherited.application is None else inherited.application.descriptors
    kept = kept if inputs.learns is None else kept | {inputs.learns}
    first = 3
    for descriptor in sorted(kept | {inputs.report}):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
    # The streams of the tick may have unwritten text. A reference keeps them from being flushed into the child's pipe.
    _tick_streams.extend((sys.stdin, sys.stdout, sys.stderr))
    sys.stdin, sys.stdout, sys.stderr = inherited.stdin, inherited.stdout, inherited.stderr
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = inherited.stdin, inherited.stdout, inherited.stderr  # type: ignore[misc]


def _run(job: Job, inputs: ChildInputs, namespace: dict[str, object], application: Application | None) -> int:
    """Run the code, then the steps of the interpreter's end; return the exit code of the first step that failed, or 0.

    Ctrl-C, or an exception from a signal handler of the task, may end any of these steps. The next ones still run.
    """
    code = 0
    for step in _STEPS if application is None else _steps_with(application, inputs):
        try:
            step(job, namespace)
        except SystemExit as system_exit:
            code = code or _exit_code(system_exit, job, inputs)
            if code != 0:
                _report_nothing_more(inputs)
        except BaseException as error:  # noqa: BLE001 - any exception that ends the code is the error of the run
            _show_and_report(error, _without_own_frames(error.__traceback__), job, inputs)
            code = code or 1
    return code


def _without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of this package at its beginning and at its end."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    last = frame = trace
    while frame is not None:
        if not frame.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            last = frame
        frame = frame.tb_next
    if last is not None:
        last.tb_next = None
    return trace


def _execute(job: Job, namespace: dict[str, object]) -> None:
    # exec is the purpose of this process: the code comes from a reviewed file.
    exec(compile(numbered_source(job), job.path, "exec", dont_inherit=True), namespace)  # noqa: S102


def _join_threads(_job: Job, _namespace: dict[str, object]) -> None:
    """Wait for threads. Raises what signal handlers raise meanwhile, which Python ignores since 3.13."""
    if "threading" in sys.modules:
        with _Ignored(lambda ignored: ignored.object is None) as kept:
            sys.modules["threading"]._shutdown()  # noqa: SLF001 - what Py_FinalizeEx calls
        if kept:
            raise kept[0]


def _run_exit_handlers(_job: Job, _namespace: dict[str, object]) -> None:
    """Run the functions registered with atexit. Raises a KeyboardInterrupt, which atexit ignores."""
    with _Ignored(lambda ignored: isinstance(ignored.exc_value, KeyboardInterrupt)) as kept:
        atexit._run_exitfuncs()  # noqa: SLF001 - what multiprocessing calls in its children, too
    if kept:
        raise kept[0]


def _steps_with(application: Application, inputs: ChildInputs) -> tuple[Step, ...]:
    """Return the steps of a run in an application, which is left after the code and closed after the exit handlers."""
    inputs.holds = True

    def leave(job: Job, _namespace: dict[str, object]) -> None:
        left = Left()
        try:
            left = application.leave()
        finally:  # an error of the code is reported before one of `leave`
            inputs.holds = False
            _report_held(left, job, inputs)
        if left.failure:
            _write_error(f"{ROLLBACK}: {left.failure}\n")
            raise SystemExit(1)

    def close(job: Job, namespace: dict[str, object]) -> None:
        application.close(lambda: _run_exit_handlers(job, namespace))

    return _execute, _join_threads, leave, close, _close_files


def _report_held(left: Left, job: Job, inputs: ChildInputs) -> None:
    """Report what the code has ended with, together with what was left; nothing where there is neither."""
    message = inputs.held or EndMessage()
    if left.failure and message.error is None:
        message = replace(message, error=RunError(ROLLBACK, left.failure, job.path))
    if left.rehearsal or inputs.held is not None or left.failure:
        _report(inputs, replace(message, rehearsal=left.rehearsal))


class _Ignored:
    """A context in which ignored exceptions are kept if `counts` returns True; Python shows the others as usual."""

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


def _close_files(_job: Job, namespace: dict[str, object]) -> None:
    """Close the files that the code has left open, by clearing its namespace, and flush standard output and error."""
    namespace.clear()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S110 - the task has replaced, closed or broken the stream
            pass


#: The steps of a run without an application.
_STEPS = (_execute, _join_threads, _run_exit_handlers, _close_files)


def _show_and_report(error: BaseException, trace: TracebackType | None, job: Job, inputs: ChildInputs) -> None:
    """Print the traceback of an exception, and report the exception to the pool."""
    if job.limits.any():
        from runner.execution.child.rlimits import use_spare  # noqa: PLC0415 - loaded when the limits were set

        use_spare()
    message = _end_message(error, trace, job, has_begun=True)
    _show(error, trace, message)
    _report(inputs, message)


def _exit_code(system_exit: SystemExit, job: Job, inputs: ChildInputs) -> int:
    """Return the exit code of sys.exit(…), which prints what is not a number (sys.exit in the library reference).

    The printed text is reported as the reason. The kernel keeps eight bits of a number (_exit(2)): the whole number is
    reported, and a number whose eight bits are 0 becomes 1.
    """
    try:
        code = system_exit.code
    except Exception:  # noqa: BLE001 - a property that the task has defined
        code = _text_of(system_exit)
    if code is None:
        return 0
    if not isinstance(code, int):
        words = _text_of(code)
        _write_error(f"{words}\n")
        if words.strip():
            _report(inputs, EndMessage(_error(EXIT, words, system_exit, system_exit.__traceback__, job)))
        return 1
    number = int.__add__(code, 0)  # a plain int, even where the task has defined a subclass
    kept = kept_by_kernel(number)
    if kept != number and LEAST_CODE <= number <= LARGEST_CODE:
        _report(inputs, EndMessage(exit_code=number))
    return kept


def _show(error: BaseException, trace: TracebackType | None, message: EndMessage) -> None:
    """Print a traceback, or call the task's `sys.excepthook`."""
    hook = sys.excepthook
    if hook is sys.__excepthook__:
        _write_error(message.traceback)
        return
    try:
        hook(type(error), error, trace)
    except BaseException:  # noqa: BLE001 - a hook that the task has defined
        _write_error(message.traceback)


def _write_error(text: str) -> None:
    """Write to standard error, even if the task has replaced `sys.stderr`."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except Exception:  # noqa: BLE001 - the task has replaced, closed or broken the stream
        try:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # the task has closed the descriptor; the end message has the text


def _end_message(error: BaseException, trace: TracebackType | None, job: Job, *, has_begun: bool) -> EndMessage:
    text, kind = _text_of(error), _name(type(error))
    place = _where_it_is(error, job)
    line, may_be_denied = _denial(error, trace, job) if has_begun else (None, False)
    if line is not None:
        error.add_note(f"not granted: add `{line}`")
        kind, text = DENIED, f"add `{line}`; {text}"
    elif place is not None:
        error.add_note(place)
        text = f"{text}; {place}"
    elif may_be_denied:
        first, newline, rest = text.partition("\n")
        hint = f"if a permission is missing, `runner run {job.task} --learn` says which"
        short = first[:_SHORT_ENOUGH].rstrip(". ")
        text = f"{short}; {hint}{newline}{rest}"
    return EndMessage(
        _error(kind, text, error, trace, job),
        _traceback_text(error, trace),
        _limit_of(error, job),
        has_begun=has_begun,
    )


def _error(kind: str, message: str, error: BaseException, trace: TracebackType | None, job: Job) -> RunError:
    """Return the error on record for an exception, with the line of the innermost frame in the task's file."""
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
    """Return where a file is that the code did not find in its working folder; None where that is not known."""
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


def _denial(error: BaseException, trace: TracebackType | None, job: Job) -> tuple[str | None, bool]:
    """Return the line of the task file that grants what was denied, or None; and whether one may be missing."""
    if not job.permissions.is_held or job.learns:
        return None, False
    from runner.execution.sandbox.denied import explained  # noqa: PLC0415 - the pool has loaded it

    try:
        return explained(error, trace, job.permissions)
    except Exception:  # noqa: BLE001 - an exception of a class that the task has defined
        return None, False


def _limit_of(error: BaseException, job: Job) -> str:
    """Return the name of the task's limit that may have caused an exception; empty where there is none."""
    name = "memory" if isinstance(error, MemoryError) else ""
    if isinstance(error, OSError):
        name = _LIMIT_OF_ERRNO.get(error.errno or 0, "")
    # subprocess.CalledProcessError has the negative signal of a program that the kernel has ended.
    name = _LIMIT_OF_SIGNAL.get(getattr(error, "returncode", None), name)
    return name if name and getattr(job.limits, name) is not None else ""


def _name(kind: type[BaseException]) -> str:
    module: object = kind.__module__  # the task may have set it to any object
    is_plain = not isinstance(module, str) or module in {"builtins", "__main__"}
    return kind.__qualname__ if is_plain else f"{module}.{kind.__qualname__}"


def _text_of(value: object) -> str:
    try:
        return str(value)
    except BaseException:  # noqa: BLE001 - an object of a class that the task has defined
        return "<no message: str() of it failed>"


def _traceback_text(error: BaseException, trace: TracebackType | None) -> str:
    try:
        from traceback import format_exception  # noqa: PLC0415 - only for runs that fail

        return "".join(format_exception(type(error), error, trace))
    except BaseException as trouble:  # noqa: BLE001 - an exception of a class that the task has defined
        return f"<no traceback: {type(trouble).__name__} while it was formatted>\n"


def _report(inputs: ChildInputs, message: EndMessage) -> None:
    """Write an end message to the pool: only the first one, and not in a process that the task has forked."""
    if inputs.is_reported or os.getpid() != inputs.pid:
        return
    if inputs.holds:
        inputs.held = inputs.held or message
        return
    inputs.is_reported = True
    try:
        # Secrets are masked before the message is cut to fit into the pipe: half of a secret could not be found.
        os.write(inputs.report, (message if inputs.masker is None else _masked(message, inputs.masker)).encode())
    except OSError:
        pass  # the task has closed the pipe; the pool still has the exit code


def _report_nothing_more(inputs: ChildInputs) -> None:
    """Ignore later errors: the code has ended with an exit code already."""
    if inputs.holds:
        inputs.held = inputs.held or EndMessage()
    else:
        inputs.is_reported = True


def _masked(message: EndMessage, masker: Masker) -> EndMessage:
    message = replace(message, rehearsal=masker.mask_text(message.rehearsal))
    error = message.error
    if error is None:
        return message
    error = replace(error, type=masker.mask_text(error.type), message=masker.mask_text(error.message))
    return replace(message, error=error, traceback=masker.mask_text(message.traceback))
