"""`code` is Python; a syntax error is shown where it stands in the YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding
from runner.taskfile.python import Fault, fault_in

_LONGEST_LINE = 80


def check(draft: Draft) -> Iterator[Finding]:
    """Yield the syntax error of the code, if it has one; code that is not a literal block has no lines to point at."""
    code = draft.get("code")
    if code is None or draft.document.place(("code",)).style != "|":
        return
    if not code.strip():
        yield draft.finding("code", "value", "`code` is empty", "write the Python below it, indented")
        return
    fault = fault_in(code)
    if fault is None:
        return
    if not fault.line:
        yield draft.finding("code", "python", f"Python {fault.message}")
    else:
        yield _located(draft, code, fault)


def _located(draft: Draft, code: str, fault: Fault) -> Finding:
    offset = first_line(draft) - 1
    lines = code.split("\n")
    hint = lines[fault.line - 1].strip()[:_LONGEST_LINE] if fault.line <= len(lines) else ""
    # Python's own words may name another line of the block.
    message = re.sub(r"\b(on|at) line (\d+)", lambda match: f"{match[1]} line {int(match[2]) + offset}", fault.message)
    return Finding("python", f"Python: {message}", hint, fault.line + offset, fault.column + _indent(draft))


def first_line(draft: Draft) -> int:
    """Return the line of the file on which the first line of the code stands."""
    return draft.document.place(("code",)).line + 1


def _indent(draft: Draft) -> int:
    """Return by how many columns the block stands to the right of its Python: YAML takes them off every line."""
    lines = draft.document.text.split("\n")
    for raw, python in zip(lines[first_line(draft) - 1 :], draft.get("code").split("\n"), strict=False):
        if python.strip():
            return len(raw) - len(python)
    return 0
