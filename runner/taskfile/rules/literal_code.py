"""`code` is a literal block: only then do its lines match the file's."""

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
        yield draft.finding("code", "code-style", f"`code` is {written}: its lines would not be the file's", hint)
