"""What every command starts from."""

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
from runner.operations.checkout import forgotten
from runner.operations.workspace import Workspace
from runner.report.facts import Facts, facts_lines
from runner.report.table import CODES, END, Table, table_lines
from runner.report.tables import Part
from runner.report.wait_text import wait_line
from runner.value import Value


class State(Value):
    """Where the command works; `place` for those that need no state. `has_pager` is whether a pager may be used."""

    place: Workspace
    has_pager: bool = True

    @property
    def workspace(self) -> Workspace:
        """The place, of which the state can be used or is not there yet. Raises StoreError."""
        check_state(self.place)
        return self.place


def paged(context: typer.Context) -> State:
    """Return the state of a command of which everything that it prints on a terminal goes through the pager."""
    state: State = context.obj
    if state.has_pager:
        pager = Pager()
        context.call_on_close(pager.end)
        pager.begin()
    return state


def show(*parts: Part) -> None:
    """Print for people: within the width of a terminal, and in colour there, unless NO_COLOR says otherwise."""
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
    """Print lines as they are."""
    for line in lines:
        print(line)


def write_through(data: bytes) -> None:
    """Write bytes to standard output as they are, at once and all of them."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def say_wait(wait: Wait) -> None:
    """Say on standard error what a run waits for: standard output is the run's."""
    remark(wait_line(wait))


def instant(text: str | None) -> datetime | None:
    """Return the instant that an option names, in UTC unless it says otherwise; None where it is not given.

    Raises UsageError.
    """
    moment = time(text)
    return None if moment is None else moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def time(text: str | None) -> datetime | None:
    """Return the time that an option names, naive where it carries no offset; None where it is not given.

    Raises UsageError.
    """
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time", "write for example 2026-03-28 or 2026-03-28T22:00Z") from None


def remark(text: str) -> None:
    """Say on standard error what there is to be waited for, or what is done about it."""
    print(text, file=sys.stderr, flush=True)


def remark_edits(state: State, task: str) -> None:
    """Say on standard error that the file of a task has edits which are not committed, where it has."""
    found = forgotten(state.place, task)
    if found is not None:
        remark(f"note: {found}")


def text(word: str) -> str:
    """Return a word of the command line that is to be text, and not just bytes as a path may be. Raises UsageError."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{word!r} is not text in UTF-8", "check the encoding of the terminal or the script") from None
    return word
