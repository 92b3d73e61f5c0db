"""Bring the store to the commit in force: compile the files that changed, and put their tasks in force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from runner.adoption import Adoption, Transition
from runner.errors import GitError, RunnerError
from runner.model.problem import ERROR, REFUSED, Problem
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.settings import FILES, Settings
from runner.model.task import FOLDER, path_of
from runner.operations.ticking import adopt
from runner.operations.ticking.compile import compile_files
from runner.repo import refs, tree
from runner.repo.files import changed_files
from runner.repo.head import commit_at
from runner.repo.tree import Changes
from runner.repo.trust import Seen, refusals
from runner.store import catalogs
from runner.store.catalogs import Source
from runner.store.session import Deciding
from runner.taskfile.compiler import compile_settings
from runner.taskfile.names import is_task_file
from runner.taskfile.text import LARGEST_FILE
from runner.value import Value, replace


class _Target(Value):
    """What is to be in force.

    `settings_problems` are the problems of the commit's `runner.yaml`, None where that has not changed. `seen` says
    which commits and files were checked for signatures before; `is_again` says that this commit was. `refused` are the
    paths of settings files that are refused because of their signatures, `at_head` is the problem of a refused
    `runner.yaml` at HEAD.
    """

    source: Source
    changes: Changes
    settings_problems: tuple[Problem, ...] | None
    seen: Seen
    is_again: bool = False
    refused: frozenset[str] = frozenset()
    at_head: Problem | None = None


#: The name of the `runner.yaml` of HEAD, where HEAD is not the ref that is followed (gitrevisions(7)).
_AT_HEAD = f"HEAD:{SETTINGS_FILE}"


def refresh(session: Deciding, root: str, now: datetime, at: str | None = None) -> list[Adoption]:
    """Bring the store to the commit in force, or to commit `at` in a dry run; return what changed for each task.

    Raises GitError, RunnerError.
    """
    try:
        return _refresh(session, root, now, at)
    except GitError:
        if at is None:
            refs.commit_of(root, "HEAD")  # HEAD was read without git: where it is damaged, this error names it
        raise


def _refresh(session: Deciding, root: str, now: datetime, at: str | None) -> list[Adoption]:
    while True:
        known = catalogs.source(session)
        target = _target(session, root, known) if at is None else _named(session, root, known, at)
        adoptions = _put_in_force(session, root, known, target, now)
        if adoptions is not None:
            return adoptions
        # Another tick has changed the store meanwhile: compare again.


def _put_in_force(session: Deciding, root: str, known: Source, target: _Target, now: datetime) -> list[Adoption] | None:
    """Put a commit in force; return what changed for each task, None where the source in the store is not `known`."""
    refused = _refused(session, root, target)
    source = _with_checked(root, target, refused)
    source, refused_files = _with_files(root, known, source, target.seen)
    changes = _without(target.changes, refused) if target.is_again else target.changes
    if not changes.touch_tasks() and target.settings_problems is None:
        with session.transaction(durable=False):
            if catalogs.source(session) != known:
                return None
            if source != known:
                catalogs.set_source(session, source)
            _note_head(session, target.at_head)
            _note_files(session, refused_files)
        return []
    blob = source.settings_blob
    found = compile_files(session, root, changes.files, blob, lambda: settings_of(root, blob))
    with session.transaction():
        if catalogs.source(session) != known:
            return None
        snapshot = adopt.Snapshot(changes, found, {} if target.is_again else refused, blob)
        adoptions = adopt.adopt(session, snapshot, Transition(known.commit, source.commit, now))
        if target.settings_problems is not None:
            catalogs.set_problems(session, [SETTINGS_FILE], target.settings_problems)
        catalogs.set_source(session, source)
        _note_head(session, target.at_head)
        _note_files(session, refused_files)
    return adoptions


def _without(changes: Changes, refused: Mapping[str, Problem]) -> Changes:
    """Return the changes without those that are refused once more: their problems are recorded already."""
    return replace(
        changes,
        files=tuple(file for file in changes.files if file.path not in refused),
        gone=tuple(path for path in changes.gone if path not in refused),
        renamed=tuple(pair for pair in changes.renamed if not refused.keys() & {*pair}),
    )


def _note_head(session: Deciding, problem: Problem | None) -> None:
    known = [found for found in catalogs.problems(session) if found.file == _AT_HEAD]
    if known != ([] if problem is None else [problem]):
        catalogs.set_problems(session, [_AT_HEAD], [] if problem is None else [problem])


def _with_files(root: str, known: Source, source: Source, seen: Seen) -> tuple[Source, list[Problem]]:
    """Return the source with the commit whose files runs see, and the problems of files that have changed since.

    Where signatures are required, runs see the last commit whose files were all changed with an allowed signature.
    """
    if not source.require_signed:
        return replace(source, files_commit=None, files_seen=""), []
    before = Seen.decode(known.files_seen) if known.files_seen else Seen(seen.commits)
    accepted = before.commits[0] if before.commits else None
    folders = tuple(source.files.split("\n")) if source.files else FILES
    changed = _changed(root, accepted, str(source.commit), folders)
    found = refusals(root, before, str(source.commit), changed, source.allowed_signers, folders)
    if not found:
        return replace(source, files_commit=None, files_seen=""), []
    problems = [_refusal(path, why) for path, why in found.items()]
    return replace(source, files_commit=accepted or "", files_seen=before.encode()), problems


def _changed(root: str, accepted: str | None, commit: str, folders: tuple[str, ...]) -> list[str]:
    try:
        return changed_files(root, accepted, commit, folders)
    except GitError:  # the accepted commit is not in this clone: check every file
        return changed_files(root, None, commit, folders)


def _note_files(session: Deciding, refused: list[Problem]) -> None:
    known = [it for it in catalogs.problems(session) if it.code == REFUSED and _is_of_files(it.file)]
    if known != sorted(refused, key=Problem.order):
        catalogs.set_problems(session, {it.file for it in (*known, *refused)}, refused)


def _is_of_files(path: str) -> bool:
    return path not in {SETTINGS_FILE, _AT_HEAD} and not (path.startswith(f"{FOLDER}/") and is_task_file(path))


def _target(session: Deciding, root: str, known: Source) -> _Target:
    head = commit_at(root, "HEAD") or refs.commit_of(root, "HEAD")
    moved = tree.difference(root, known.head, head) if known.head else None
    head_settings = known.head_settings
    if moved is None or moved.settings is not None or known.require_signed:
        head_settings = tree.settings_at(root, head)
    seen = _seen(session, known)
    followed, at_head = known, None
    # A refused `runner.yaml` still differs from the known one, and is checked again: a newer commit may be signed.
    if head_settings != known.head_settings:
        followed, at_head = _followed(root, head, head_settings, known, seen)
    ref = followed.ref
    found = refs.Found("HEAD", head) if ref == "HEAD" else refs.find(root, ref)
    commit = found.commit
    source = replace(followed, commit=commit, head=head, ref_path=found.path)
    changes = moved
    if known.commit != known.head or commit != head:
        changes = tree.difference(root, known.commit, commit) if known.head and known.commit else None
    if changes is None:
        changes = _everything(session, root, source)
        _check_not_empty(changes, root, source, known)
    target = _settled(session, root, known, _Target(source, changes, None, seen))
    if at_head is None:
        return target
    # Where HEAD is followed, its `runner.yaml` is the one of the commit, whose problem is reported already.
    problem = None if ref == "HEAD" else _refusal(_AT_HEAD, at_head)
    return replace(target, refused=target.refused | {_AT_HEAD}, at_head=problem)


def _named(session: Deciding, root: str, known: Source, commit: str) -> _Target:
    """Return the target for a commit that the caller names. The ref in its `runner.yaml` is ignored."""
    source = replace(known, commit=commit)
    changes = tree.difference(root, known.commit, commit) if known.commit else None
    if changes is None:
        changes = _everything(session, root, source)
    return _settled(session, root, known, _Target(source, changes, None, _seen(session, known)))


def _settled(session: Deciding, root: str, known: Source, target: _Target) -> _Target:
    source = target.source
    if catalogs.has_refused(session):
        # A newer commit with the same content may be signed, the key may be allowed by now, or no key be required.
        everything = _everything(session, root, source)
        is_again = source.commit == known.commit and source.require_signed
        changes = _refused_before(everything, target.seen) if is_again else everything
        target = replace(target, changes=changes, is_again=is_again)
    target = _with_settings(root, target, is_first=known.commit is None)
    if target.source.settings_blob != known.settings_blob and known.commit:
        # Defaults have changed: every file is compiled again.
        target = replace(target, changes=_everything(session, root, target.source), is_again=False)
    return target


def _refused_before(everything: Changes, seen: Seen) -> Changes:
    """Return those of the changes that were refused when their signatures were checked before."""
    return Changes(
        tuple(file for file in everything.files if file.path in seen.since),
        tuple(path for path in everything.gone if path in seen.since),
        tuple(pair for pair in everything.renamed if seen.since.keys() >= {*pair}),
        everything.settings if SETTINGS_FILE in seen.since else None,
    )


def _seen(session: Deciding, known: Source) -> Seen:
    """Return what was checked for signatures before; where they were not required, the commits that were in force."""
    if known.seen:
        return Seen.decode(known.seen)
    commits = dict.fromkeys(commit for commit in (known.commit, known.head) if commit is not None)
    # An older runner refused these files, and did not record since which commit.
    refused = [problem.file for problem in catalogs.problems(session) if problem.code == REFUSED]
    return Seen(tuple(commits), dict.fromkeys(refused, ()))


def _everything(session: Deciding, root: str, source: Source) -> Changes:
    return adopt.against(tree.everything(root, str(source.commit)), catalogs.present_blobs(session))


def _check_not_empty(everything: Changes, root: str, source: Source, known: Source) -> None:
    if not everything.files and known.commit is None:
        raise RunnerError(
            f"commit {str(source.commit)[:12]} ({source.ref}) has no folder tasks/ in {root}",
            "add a task such as tasks/hello.yaml and commit it: git add tasks && git commit",
        )


def _followed(root: str, head: str, blob: str, known: Source, seen: Seen) -> tuple[Source, str | None]:
    """Return `known` with the git settings in the `runner.yaml` of HEAD, or unchanged with the reason of a refusal.

    The git settings are the ref, how often it is fetched, and which keys are allowed.
    """
    if known.require_signed:
        before = Seen(seen.commits, {SETTINGS_FILE: seen.before(_AT_HEAD)})
        refused = refusals(root, before, head, [SETTINGS_FILE], known.allowed_signers)
        if refused:
            return known, refused[SETTINGS_FILE]  # who may not change a task may not turn the check off either
    settings, problems = _read_settings(root, blob)
    if settings is not None:
        return replace(known.following(settings), head_settings=blob), None
    if known.commit is not None:
        return replace(known, head_settings=blob), None
    raise _broken_settings(problems)


def _with_settings(root: str, target: _Target, *, is_first: bool) -> _Target:
    """Return the target with the settings in force: those of the commit, or the last valid ones.

    Raises RunnerError where the settings of the first commit are invalid: there are no valid ones to fall back on.
    """
    source, blob = target.source, target.changes.settings
    if blob is None or blob == source.settings_seen:
        return target
    if source.require_signed and blob != source.settings_blob:
        found = refusals(root, target.seen, str(source.commit), [SETTINGS_FILE], source.allowed_signers)
        if found:
            source = replace(source, settings_seen=source.settings_blob)
            problem = None if target.is_again else (_refusal(SETTINGS_FILE, found[SETTINGS_FILE]),)
            return replace(target, source=source, settings_problems=problem, refused=frozenset(found))
    settings, problems = _read_settings(root, blob)
    if settings is None and is_first:
        raise _broken_settings(problems)
    source = replace(source, settings_seen=blob)
    if settings is not None:
        source = replace(source, settings_blob=blob).settled_by(settings)
    return replace(target, source=source, settings_problems=problems)


def _refused(session: Deciding, root: str, target: _Target) -> dict[str, Problem]:
    """Return the problems of files whose change lacks a required signature, by path."""
    source = target.source
    if not source.require_signed or not target.changes.touch_tasks():
        return {}
    present = {path_of(task_id): blob for task_id, blob in catalogs.present_blobs(session).items()}
    changed = [
        file.path
        for file in target.changes.files
        if file.path in target.seen.since or present.get(file.path) != file.blob
    ]
    found = refusals(root, target.seen, str(source.commit), [*changed, *target.changes.gone], source.allowed_signers)
    return {path: _refusal(path, why) for path, why in found.items()}


def _with_checked(root: str, target: _Target, refused: Iterable[str]) -> Source:
    """Return the source with the record of what has now been checked for signatures."""
    source = target.source
    if not source.require_signed:
        return replace(source, seen="")
    commits = (str(source.commit), str(source.head or source.commit))
    return replace(source, seen=target.seen.after(root, commits, target.refused | {*refused}).encode())


def _refusal(path: str, why: str) -> Problem:
    return Problem(path, 1, 1, REFUSED, ERROR, why, "the change needs a commit that is signed with an allowed key")


def _read_settings(root: str, blob: str) -> tuple[Settings | None, tuple[Problem, ...]]:
    """Return the settings in a `runner.yaml`, or None, and its problems. An empty `blob` means no such file."""
    if not blob:
        return Settings(), ()
    [(_, content)] = tree.read_blobs(root, [blob], LARGEST_FILE)
    return compile_settings(content)


def _broken_settings(problems: tuple[Problem, ...]) -> RunnerError:
    return RunnerError(str(problems[0]), problems[0].hint or "run `runner validate`")


def settings_of(root: str, blob: str) -> Settings:
    """Return the settings in a `runner.yaml`, the defaults for an empty `blob`. Raises RunnerError if invalid."""
    settings, problems = _read_settings(root, blob)
    if settings is None:
        raise _broken_settings(problems)
    return settings
