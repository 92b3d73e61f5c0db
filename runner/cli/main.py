"""The entry point of the command. It handles every error.

Every tick loads this module, so a module that only other commands or errors need is imported where it is used.
"""

import os
import sys

_INTERRUPTED = 130
_ENOMEM = 12  # on Linux and on macOS; `errno` cannot be imported without memory
_NO_MEMORY = b"error: there is not enough memory\nhint: free some memory, or raise the limit: `ulimit -v`\n"


def main() -> None:
    """Run the command of sys.argv and exit with its code."""
    try:
        _main(sys.argv[1:])
    except KeyboardInterrupt:  # before the command has begun, or after it has ended
        _exit_now(_INTERRUPTED)
    except (MemoryError, ImportError, SystemError) as error:  # the module that explains errors could not be loaded
        try:
            os.write(2, _NO_MEMORY if _is_out_of_memory(error) else _not_installed(error))
        finally:
            _exit_now(1)


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error or one of its causes is a lack of memory, also one of the loader of shared libraries."""
    while error is not None:
        is_system_error = isinstance(error, OSError) and error.errno == _ENOMEM
        is_library_error = isinstance(error, ImportError) and ".so" in str(error)
        if is_system_error or is_library_error or isinstance(error, (MemoryError, SystemError)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _not_installed(error: BaseException) -> bytes:
    return f"error: runner cannot be loaded: {error}\nhint: install it again\n".encode("utf-8", "backslashreplace")


def _main(words: list[str]) -> None:
    is_bare_tick = words == ["tick"]
    if is_bare_tick and _print_if_idle():
        _exit_now(0)
    if not sys.flags.utf8_mode and _has_surrogates(__file__):
        _restart_in_utf8_mode()
    from runner.cli import streams  # noqa: PLC0415 - see above

    streams.prepare()
    code = streams.finish(_code_of(words))
    if is_bare_tick:
        _exit_now(code)
    sys.exit(code)


def _has_surrogates(path: str) -> bool:
    """Return whether a path has bytes that the encoding of file names cannot decode. Python makes them surrogates."""
    return any("\udc80" <= letter <= "\udcff" for letter in path)


def _restart_in_utf8_mode() -> None:
    """Replace this process by the same command in Python's UTF-8 mode. Standard output keeps its encoding.

    Python 3.13 loads no extension module from a path with surrogates. Return if the command cannot be started.
    """
    encoding = {} if sys.stdout is None else {"PYTHONIOENCODING": f"{sys.stdout.encoding}:{sys.stdout.errors}"}
    words = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    try:
        os.execve(sys.executable, words, encoding | os.environ)  # noqa: S606 - no shell is wanted
    except OSError:
        return  # commands that need no extension module work without UTF-8 mode


def _exit_now(code: int) -> None:
    # No file is open and no thread runs. Python's own shutdown takes a seventh of an idle tick.
    os._exit(code)


def _print_if_idle() -> bool:
    """Print the line of an idle tick if there is nothing to do; return whether it was printed.

    Return False after any error: the whole tick meets the same error and explains it.
    """
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
        _exit_now(_INTERRUPTED)
    except Exception:  # noqa: BLE001, S110 - the whole tick meets the error again
        pass
    return False


def _code_of(words: list[str]) -> int:
    """Run a command, explain the error that ends it, and return its exit code."""
    try:
        if words == ["tick"]:
            return _tick()
        from runner.cli.app import run  # noqa: PLC0415 - typer takes longer to load than a tick takes

        return run(words)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error is explained here
        from runner.cli.failure import explain  # noqa: PLC0415 - see above

        return explain(error)


def _tick() -> int:
    """Run the bare `tick` of cron without loading typer, and return its exit code."""
    from runner.cli.folders import find_root, state_of  # noqa: PLC0415 - see above
    from runner.cli.ticking import run_tick  # noqa: PLC0415 - only a tick with something to do needs it
    from runner.operations.workspace import Workspace  # noqa: PLC0415

    root = find_root(None)
    return run_tick(Workspace(root, state_of(root, None)))
