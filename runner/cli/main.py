"""Where the command begins, and where every error ends.

Loaded by every tick: what only other commands need, or only errors, is imported when it is met.
"""

import os
import sys

_INTERRUPTED = 130
_ENOMEM = 12  # on Linux and on macOS: without memory there is no loading of `errno`
_NO_MEMORY = b"error: there is not enough memory\nhint: free some memory, or raise the limit: `ulimit -v`\n"


def main() -> None:
    """Run the command of sys.argv and exit with its code."""
    try:
        _main(sys.argv[1:])
    except KeyboardInterrupt:  # before the command has begun, or after its end
        _leave(_INTERRUPTED)
    except (MemoryError, ImportError, SystemError) as error:  # not even what explains errors could be loaded
        try:
            os.write(2, _NO_MEMORY if _is_without_memory(error) else _not_installed(error))
        finally:
            _leave(1)


def _is_without_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that it came of, is a lack of memory; also where a library finds no room for itself."""
    while error is not None:
        is_of_system = isinstance(error, OSError) and error.errno == _ENOMEM
        is_of_library = isinstance(error, ImportError) and ".so" in str(error)
        if is_of_system or is_of_library or isinstance(error, (MemoryError, SystemError)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _not_installed(error: BaseException) -> bytes:
    return f"error: runner cannot be loaded: {error}\nhint: install it again\n".encode("utf-8", "backslashreplace")


def _main(words: list[str]) -> None:
    is_bare_tick = words == ["tick"]
    if is_bare_tick and _is_idle_and_says_so():
        _leave(0)
    if not sys.flags.utf8_mode and _has_undecoded(__file__):
        _start_again_in_utf_8()
    from runner.cli import streams  # noqa: PLC0415 - see above

    streams.prepare()
    code = streams.finish(_code_of(words))
    if is_bare_tick:
        _leave(code)
    sys.exit(code)


def _has_undecoded(path: str) -> bool:
    """Return whether a path has bytes that the encoding of file names does not know: Python has put surrogates for them."""
    return any("\udc80" <= letter <= "\udcff" for letter in path)


def _start_again_in_utf_8() -> None:
    """Replace this process by the same command in Python's UTF-8 mode; standard output keeps its encoding.

    Python 3.13 loads no library written in C from a path with surrogates.
    """
    written = {} if sys.stdout is None else {"PYTHONIOENCODING": f"{sys.stdout.encoding}:{sys.stdout.errors}"}
    words = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    try:
        os.execve(sys.executable, words, written | os.environ)  # noqa: S606 - no shell is wanted
    except OSError:
        return  # what needs none of these libraries works all the same


def _leave(code: int) -> None:
    # Nothing is open and nobody waits: for the interpreter to tidy up takes a seventh of an idle tick.
    os._exit(code)


def _is_idle_and_says_so() -> bool:
    """Return whether cron's tick has nothing to do and has said so; where anything is in the way, the whole tick tells what."""
    from runner.cli.folders import find_root, state_of  # noqa: PLC0415 - see above
    from runner.operations.ticking.idle import idle_line  # noqa: PLC0415

    try:
        root = find_root(None)
        line = idle_line(root, state_of(root, None))
        if line is None:
            return False
        data = f"{line}\n".encode(sys.stdout.encoding)
        return os.write(sys.stdout.fileno(), data) == len(data)
    except KeyboardInterrupt:
        _leave(_INTERRUPTED)
    except Exception:  # noqa: BLE001, S110 - the whole tick meets it again
        pass
    return False


def _code_of(words: list[str]) -> int:
    """Run a command past its end; return its exit code."""
    try:
        if words == ["tick"]:
            return _tick()
        from runner.cli.app import run  # noqa: PLC0415 - typer takes longer to load than a tick takes

        return run(words)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error ends here
        from runner.cli.failure import explain  # noqa: PLC0415 - see above

        return explain(error)


def _tick() -> int:
    """Run the command that cron runs, past typer."""
    from runner.cli.folders import find_root, state_of  # noqa: PLC0415 - see above
    from runner.cli.ticking import run_tick  # noqa: PLC0415 - only a tick with something to do
    from runner.operations.workspace import Workspace  # noqa: PLC0415

    root = find_root(None)
    return run_tick(Workspace(root, state_of(root, None)))
