"""Permissions as the lines of a task file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from runner.model.permissions import Permissions
from runner.report.table import Layout, Table

TYPE_CHECKING = False  # only type checkers need these modules: loading them takes longer than most commands
if TYPE_CHECKING:
    from runner.operations.reviewing.permissions import Suggestion, TaskPermissions
    from runner.operations.reviewing.proposal import Proposal

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./+-]*")
_WIDTH = 80
_TABLE = Layout(columns=("TASK", "MAY TOUCH"), name="TASK", cut=("MAY TOUCH",))
#: Words of YAML that are no text, and must be quoted.
_WORDS = frozenset({"true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL", "."})


def block(permissions: Permissions) -> list[str]:
    """Return the lines of the key `permissions` in a task file."""
    values = as_mapping(permissions)
    if not values:
        return ["permissions: {}"]
    return ["permissions:", *(line for key, value in values.items() for line in _lines(key, value))]


def as_mapping(permissions: Permissions) -> dict[str, Any]:
    """Return the value of the key `permissions` in a task file."""
    network: bool | list[int] = True if permissions.has_network else list(permissions.ports)
    values = {
        "imports": list(permissions.imports),
        "network": network,
        "read": list(permissions.read),
        "write": list(permissions.write),
        "subprocess": permissions.can_start,
    }
    return {key: value for key, value in values.items() if value}


def permissions_table(values: Iterable[TaskPermissions]) -> Table:
    """Return what tasks may touch."""
    return Table(_TABLE, [(each.task, ", ".join(each.granted.in_words()) or "nothing more") for each in values])


def suggestion_lines(suggestion: Suggestion) -> Iterator[str]:
    """Yield the lines that show a suggestion: the block of the file, and what is not proposed."""
    if as_mapping(suggestion.proposal.permissions):
        yield from block(suggestion.block)
    yield from (f"# {note}" for note in _notes(suggestion.proposal))


def proposal_lines(proposal: Proposal) -> Iterator[str]:
    """Yield the lines that show a proposal."""
    values = as_mapping(proposal.permissions)
    yield ""
    if values:
        yield "The task needs, besides what it is granted:"
        yield ""
        yield from block(proposal.permissions)
    else:
        yield "The task needs nothing besides what it is granted."
    notes = _notes(proposal)
    if notes:
        yield ""
        yield from notes


def _notes(proposal: Proposal) -> list[str]:
    """Return the sentences about what is not proposed."""
    many = "many programs use it"
    undecided = [f"{path} is not proposed: {many}; `{key}: [{path}]` grants it" for key, path in proposal.questions]
    return [*undecided, *proposal.notes]


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as values for JSON."""
    questions = [{"key": key, "path": path} for key, path in proposal.questions]
    return {"needed": as_mapping(proposal.permissions), "undecided": questions, "notes": list(proposal.notes)}


def _lines(key: str, value: Any) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"  {key}: true"
        return
    words = [str(item) if isinstance(item, int) else _word(item) for item in value]
    flow = f"  {key}: [{', '.join(words)}]"
    if len(flow) <= _WIDTH:
        yield flow
        return
    yield f"  {key}:"
    yield from (f"    - {word}" for word in words)


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text not in _WORDS else json.dumps(text)
