"""Name contents that are no YAML at all: pointers of Git LFS, files of git-crypt, merge conflicts."""

from __future__ import annotations

import re

from runner.taskfile.findings import Finding

#: Git LFS specification, "The Pointer": the first line of a file that stands for a large one.
_LFS = b"version https://git-lfs.github.com/spec/"
#: The first bytes of a file that git-crypt has encrypted.
_GIT_CRYPT = b"\0GITCRYPT\0"
#: How a merge marks what it could not merge (git-merge(1), HOW CONFLICTS ARE PRESENTED). Code is indented, and begins
#: no line.
_CONFLICT = re.compile(rb"(<{7}|\|{7}|={7}|>{7})( .*)?")


def named_content(content: bytes) -> Finding | None:
    """Return what a content is that is no text of a task file, None where it may be one."""
    if content.startswith(_GIT_CRYPT):
        hint = (
            "run `git-crypt unlock`, take the file out of .gitattributes, and commit it after `git add --renormalize`"
        )
        return Finding("git-crypt", "the file is encrypted by git-crypt", hint)
    if content.startswith(_LFS):
        hint = "take the file out of .gitattributes (`git lfs untrack`), and commit its content"
        return Finding("git-lfs", "the file is a pointer of Git LFS, and not its content", hint)
    for number, line in enumerate(content.splitlines(), 1):
        if _CONFLICT.fullmatch(line):
            return Finding(
                "merge-conflict",
                "a conflict of a merge is not resolved",
                "choose one side, and remove the markers",
                number,
            )
    return None
