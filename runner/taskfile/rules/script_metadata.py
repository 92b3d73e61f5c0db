"""The rule about the packages that a task's code names (PEP 723)."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from runner.taskfile.contexts import context_of
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding
from runner.taskfile.rules.python_syntax import first_line
from runner.taskfile.script_metadata import MetadataError, read_metadata, takes
from runner.taskfile.text import indent_of


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for a block `# /// script` that is not valid, or that this task cannot have."""
    code = draft.get("code")
    if not isinstance(code, str):
        return
    try:
        metadata = read_metadata(code)
    except MetadataError as error:
        line = first_line(draft)
        column = indent_of(draft.document.text, line, code) + error.column
        yield Finding("script-metadata", error.message, error.hint, line + error.line - 1, column)
        return
    if metadata.requires_python and not takes(metadata.requires_python, tuple(sys.version_info[:3])):
        have = ".".join(map(str, sys.version_info[:2]))
        message = f"`requires-python` is {metadata.requires_python}, and the Python of runner is {have}"
        yield draft.finding("code", "script-metadata", message, "install runner with such a Python")
    if metadata.dependencies and context_of(draft):
        message = f"the task has packages of its own, and those of the context `{context_of(draft)}`"
        yield draft.finding(
            "code", "script-metadata", message, "remove the block `# /// script`, or add `context: none`"
        )
