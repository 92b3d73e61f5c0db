"""`code` is Python; a syntax error is shown where it stands in the YAML file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding


def check(draft: Draft) -> Iterator[Finding]:
    """Yield the syntax error of the code, if it has one; code that is not a literal block has no lines to point at."""
    code = draft.get("code")
    if code is None or draft.document.place(("code",)).style != "|":
        return
    if not code.strip():
        yield draft.finding("code", "value", "`code` is empty", "write the Python below it, indented")
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, draft.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        yield _at(draft, error)
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        yield draft.finding("code", "python", f"Python cannot compile this: {str(error) or 'nested too deeply'}")


def _at(draft: Draft, error: SyntaxError) -> Finding:
    line = first_line(draft) + max(1, error.lineno or 1) - 1
    column = _indent(draft) + max(1, error.offset or 1)
    return Finding("python", f"Python: {error.msg}", (error.text or "").strip()[:80], line, column)


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
