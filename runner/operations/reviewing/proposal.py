"""Propose the permissions that a task needs, from what it has touched. Pure, but for the question what is a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

from runner.execution.sandbox.shared_paths import has_credentials, is_shared, is_too_much
from runner.model.permissions import NOTHING, Permissions, is_within
from runner.model.safe_modules import STARTING
from runner.value import Value, replace

#: From this many files of a folder on, the folder is proposed.
_MANY = 4


class Proposal(Value):
    """What a task needs: what is proposed, and what a person has to decide.

    `questions` have whole folders of many programs, as (`read` or `write`, path). `notes` are sentences about what is
    not proposed.
    """

    permissions: Permissions
    questions: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def has_something(self) -> bool:
        """Return whether anything is proposed, or has to be decided."""
        return self != Proposal(NOTHING)

    def accepting(self, key: str, path: str) -> Proposal:
        """Return this proposal with a folder that a person grants."""
        old, rest = self.permissions, tuple(question for question in self.questions if question != (key, path))
        reads, writes = (*old.read, path), (*old.write, path)
        granted = replace(old, write=writes) if key == "write" else replace(old, read=reads)
        return replace(self, permissions=granted, questions=rest)


def propose(touched: Iterable[str], root: str, hidden: Iterable[str]) -> Proposal:
    """Return the proposal for what an attempt has touched, each as `KIND VALUE`.

    Paths below `root` are proposed relative to it. Of the folders `hidden`, which are those of runner, nothing is.
    """
    pairs = [(kind, value) for kind, _, value in (touch.partition(" ") for touch in touched)]
    modules = {value.partition(".")[0] for kind, value in pairs if kind == "import"}
    kinds = {kind for kind, _ in pairs}
    notes: list[str] = []
    writes = _kept({value for kind, value in pairs if kind == "write"}, hidden, notes)
    reads = _kept({value for kind, value in pairs if kind == "read"}, hidden, notes)
    writes, reads = _folded(writes), _folded(reads)
    reads = {path for path in reads if not any(is_within(path, folder) for folder in writes if not is_shared(folder))}
    notes += [
        f"the call `{value}` was denied: what it was about could not be read"
        for kind, value in pairs
        if kind == "denied"
    ]
    questions = [("read", path) for path in sorted(reads) if is_shared(path)]
    questions += [("write", path) for path in sorted(writes) if is_shared(path)]
    permissions = replace(
        NOTHING,
        imports=tuple(sorted(modules - STARTING)),
        has_network="network" in kinds,
        ports=() if "network" in kinds else tuple(sorted(int(value) for kind, value in pairs if kind == "port")),
        read=tuple(_relative(path, root) for path in sorted(reads) if not is_shared(path)),
        write=tuple(_relative(path, root) for path in sorted(writes) if not is_shared(path)),
        can_start="subprocess" in kinds or bool(modules & STARTING),
    )
    return Proposal(permissions, tuple(questions), tuple(notes))


def _kept(paths: set[str], hidden: Iterable[str], notes: list[str]) -> set[str]:
    """Return the paths that may be proposed, and add a note about each other one."""
    kept = set()
    for path in sorted(paths):
        if is_too_much(path):
            notes.append(f"{path} is not proposed: too much is in it; name what the task needs of it")
        elif has_credentials(path):
            notes.append(f"{path} is not proposed: it leads to credentials; `secrets` hands one to a task")
        elif any(is_within(path, folder) for folder in hidden):
            notes.append(f"{path} is not proposed: it belongs to runner")
        elif path.startswith("/proc/") and path.split("/")[2].isdigit():
            notes.append(f"{path} is not proposed: it is about other processes")
        else:
            kept.add(path)
    return kept


def _folded(paths: set[str]) -> set[str]:
    """Return the paths with a folder in place of many files of it, and nothing that is in a folder among them."""
    found = {_repository(path) for path in paths}
    while True:
        counts = Counter(map(os.path.dirname, found))
        many = {folder for folder, count in counts.items() if count >= _MANY and not is_shared(folder)}
        if not many:
            break
        found = {path for path in found if os.path.dirname(path) not in many} | many
    whole = [path for path in found if not is_shared(path)]
    return {path for path in found if not any(path != folder and is_within(path, folder) for folder in whole)}


def _repository(path: str) -> str:
    """Return the folder `.git` for each path below it: what of it git reads differs from call to call."""
    before, separator, _ = path.partition("/.git/")
    return f"{before}/.git" if separator else path


def _relative(path: str, root: str) -> str:
    return os.path.relpath(path, root) if path != root and is_within(path, root) else path
