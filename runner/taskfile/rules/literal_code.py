"""The rule that `code` is a literal block: only then are its lines the lines of the file."""

from collections.abc import Iterator

from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

_STYLES = {">": "folded (`>`)", '"': "quoted", "'": "quoted"}


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for code that is folded, quoted or plain."""
    if draft.get("code") is None:
        return
    style = draft.document.place(("code",)).style
    if style != "|":
        written = _STYLES.get(str(style), "not a block")
        hint = "write `code: |` and the Python below it, indented"
        message = f"`code` is {written}: its lines would not be those of the file"
        yield draft.finding("code", "code-style", message, hint)
