"""What all commands share: the workspace, printing, and options with times."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import typer

from runner.cli.pager import Pager
from runner.cli.screen import has_colour, in_width, terminal_width
from runner.cli.state_folder import check_state
from runner.errors import UsageError
from runner.model.wait import Wait
from runner.operations.workspace import Workspace
from runner.report.facts import Facts, facts_lines
from runner.report.table import CODES, END, Table, table_lines
from runner.report.wait_text import wait_line
from runner.value import Value

TYPE_CHECKING = False  # only type checkers need these modules: loading them takes longer than most commands
if TYPE_CHECKING:
    from runner.report.tables import Part


class State(Value):
    """The workspace of a command; `place` is for commands that need no state. `has_pager` allows a pager."""

    place: Workspace
    has_pager: bool = True

    @property
    def workspace(self) -> Workspace:
        """The workspace, whose state folder can be used or does not exist yet. Raises StoreError."""
        check_state(self.place)
        return self.place


def paged(context: typer.Context) -> State:
    """Return the state of a command whose output goes through the pager on a terminal."""
    state: State = context.obj
    if state.has_pager:
        pager = Pager()
        context.call_on_close(pager.end)
        pager.begin()
    return state


def show(*parts: Part) -> None:
    """Print for people: within the width of the terminal, and in colour, unless NO_COLOR is set."""
    width, colour = terminal_width(), has_colour()
    for part in parts:
        if isinstance(part, Table):
            show_lines(map(in_width, table_lines(part, width, colour=colour)))
        elif isinstance(part, Facts):
            show_lines(facts_lines(part, width, colour=colour))
        else:
            code = CODES.get(part.colour) if colour else None
            print(part.text if code is None else f"{code}{part.text}{END}")


def show_lines(lines: Iterable[str]) -> None:
    """Print lines without changes."""
    for line in lines:
        print(line)


def write_through(data: bytes) -> None:
    """Write all of the bytes to standard output, unchanged, and flush."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def say_wait(wait: Wait) -> None:
    """Say on standard error what a run waits for: standard output is for the output of the run."""
    remark(wait_line(wait))


def instant(text: str | None) -> datetime | None:
    """Return the instant in an option, in UTC where it has no offset; None where the option is not given.

    Raises UsageError.
    """
    moment = time(text)
    return None if moment is None else moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def time(text: str | None) -> datetime | None:
    """Return the time in an option, naive where it has no offset; None where the option is not given.

    Raises UsageError.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time", "write for example 2026-03-28 or 2026-03-28T22:00Z") from None


def remark(text: str) -> None:
    """Say on standard error what a command waits for, or what it does."""
    print(text, file=sys.stderr, flush=True)


def remark_edits(state: State, task: str) -> None:
    """Say on standard error where the file of a task has uncommitted edits."""
    from runner.operations.checkout import forgotten  # noqa: PLC0415 - most commands do not need git

    found = forgotten(state.place, task)
    if found is not None:
        remark(f"note: {found}")


def text(word: str) -> str:
    """Return a word of the command line that must be text; a path may be any bytes. Raises UsageError."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{word!r} is not text in UTF-8", "check the encoding of the terminal or the script") from None
    return word
