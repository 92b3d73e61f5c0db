"""Where the command begins, and where every error ends."""

import os
import sys

from runner.cli.place import find_root, state_of
from runner.errors import RunnerError

_BUG = 3
_INTERRUPTED = 130
_DEBUG = "RUNNER_DEBUG"


def main() -> None:
    """Run the command of sys.argv and exit with its code (DESIGN §8)."""
    sys.exit(_guarded(sys.argv[1:]))


def _guarded(words: list[str]) -> int:
    try:
        code = _run(words)
        sys.stdout.flush()
    except RunnerError as error:
        _complain(error.message, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep the interpreter from complaining at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get(_DEBUG):
            raise
        _complain(
            f"a bug in runner: {type(error).__name__}: {error} ({_where(error)})",
            f"please report it; {_DEBUG}=1 shows more",
        )
        return _BUG
    return code


def _run(words: list[str]) -> int:
    if words == ["tick"]:
        return _bare_tick()
    from runner.cli.app import run  # noqa: PLC0415 - typer takes longer to load than a tick takes

    return run(words)


def _bare_tick() -> int:
    """Run the command that cron runs, past typer, and past everything else where nothing is due (DESIGN §9, start-up)."""
    from runner.operations.idle import idle_line  # noqa: PLC0415 - see above

    root = find_root(None)
    state = state_of(root, None)
    line = idle_line(root, state + "/runner.db")
    if line is None:
        from runner.cli.bare_tick import tick_lines  # noqa: PLC0415 - only a tick with something to do

        line = "\n".join(tick_lines(root, state))
    print(line)
    return 0


def _complain(message: str, hint: str | None) -> None:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
