"""The rule that `code` is valid Python. The finding has the position of the error in the YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding
from runner.taskfile.python import Fault, fault_in
from runner.taskfile.text import indent_of

_LONGEST_LINE = 80


def check(draft: Draft) -> Iterator[Finding]:
    """Yield the syntax error of the code, if it has one. Code that is not a literal block is not checked.

    Its lines are not those of the file, and the rule `literal_code` has a finding for it.
    """
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
    # The message of Python may name another line of the block.
    message = re.sub(r"\b(on|at) line (\d+)", lambda match: f"{match[1]} line {int(match[2]) + offset}", fault.message)
    return Finding("python", f"Python: {message}", hint, fault.line + offset, fault.column + _indent(draft))


def first_line(draft: Draft) -> int:
    """Return the line of the file, from 1, that holds the first line of the code."""
    return draft.document.place(("code",)).line + 1


def _indent(draft: Draft) -> int:
    return indent_of(draft.document.text, first_line(draft), draft.get("code"))
