"""Compile the bytes of one file to a task or settings, or to all problems of the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.model.catalog import CompiledFile
from runner.model.problem import ERROR, Problem
from runner.model.settings import FILE, Settings
from runner.taskfile.build import build_settings, build_task
from runner.taskfile.contexts import check_contexts
from runner.taskfile.document import Document, Path, read_document
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding, shown
from runner.taskfile.names import check_name
from runner.taskfile.not_yaml import named_content
from runner.taskfile.permissions import check_permissions
from runner.taskfile.rules import RULES, durations
from runner.taskfile.rules.timezone import unknown_zone
from runner.taskfile.structure import SETTINGS, TASK, check_structure
from runner.taskfile.text import read_text

#: How many problems of one file are reported. A last problem counts the others.
_MOST_PROBLEMS = 100


def compile_task(path: str, content: bytes, settings: Settings) -> CompiledFile:
    """Return the task in a file `tasks/….yaml`, or all of the file's problems, sorted."""
    name = check_name(path)
    if name is not None:
        return CompiledFile(path, None, (name,))
    text = named_content(content) or read_text(content)
    if isinstance(text, Finding):
        return CompiledFile(path, None, (text.in_file(path),))
    document = read_document(text)
    findings = list(document.findings)
    draft = Draft(path, document, settings, frozenset())
    if document.value is not None or not findings:
        structural = list(check_structure(document, TASK))
        findings += structural
        if isinstance(document.value, dict):
            draft = Draft(path, document, settings, _bad_keys(draft, structural))
            findings += [finding for rule in RULES for finding in rule(draft)]
    if findings:
        return CompiledFile(path, None, _problems(path, findings))
    return CompiledFile(path, build_task(draft))


def compile_settings(content: bytes) -> tuple[Settings | None, tuple[Problem, ...]]:
    """Return the settings in a `runner.yaml`, or None and all of its problems, sorted."""
    text = named_content(content) or read_text(content)
    if isinstance(text, Finding):
        return None, (text.in_file(FILE),)
    document = read_document(text)
    findings = list(document.findings)
    if document.value is None and not findings:
        return Settings(), ()
    if document.value is not None:
        findings += check_structure(document, SETTINGS)
        found = {(finding.line, finding.column) for finding in findings}
        position = document.place(("timezone",))
        is_accepted = isinstance(document.value, dict) and (position.line, position.column) not in found
        unknown = unknown_zone(document.value.get("timezone")) if is_accepted else None
        if unknown is not None:
            findings.append(document.finding(("timezone",), "timezone", *unknown))
        findings += _check_durations(document, findings)
        findings += _check_fetch(document)
        if isinstance(document.value, dict):
            bad = _bad_paths(document, findings)
            findings += [*check_contexts(document, bad), *check_permissions(document, bad)]
    if findings:
        return None, _problems(FILE, findings)
    return build_settings(document), ()


def _check_durations(document: Document, findings: list[Finding]) -> list[Finding]:
    """Return the findings about durations and sizes in settings. Keys with a finding of the schema are not checked."""
    value: Any = document.value
    if not isinstance(value, dict):
        return []
    bad = _bad_paths(document, findings)
    found: list[Finding] = []
    mappings: tuple[tuple[tuple[str, ...], Any], ...] = (((), value), (("defaults",), value.get("defaults")))
    for parent, mapping in mappings:
        bad_keys = {path[len(parent)] for path in bad if len(path) > len(parent) and path[: len(parent)] == parent}
        accepted = {key: item for key, item in _items(mapping) if key not in bad_keys}
        found += durations.check_mapping(document, parent, accepted)
    return found


def _check_fetch(document: Document) -> Iterator[Finding]:
    git: Any = document.value.get("git") if isinstance(document.value, dict) else None
    if isinstance(git, dict) and "fetch" in git and git.get("ref", "HEAD") == "HEAD":
        message = "`git.fetch` brings a branch of a remote, and `git.ref` names none"
        yield document.finding(("git", "fetch"), "value", message, "add for example `ref: origin/main`")


def _items(mapping: Any) -> Iterator[tuple[str, Any]]:
    return iter(mapping.items() if isinstance(mapping, dict) else ())


def position_of(content: bytes, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column, from 1, of the value at a path of an accepted file."""
    text = read_text(content)
    if isinstance(text, Finding):
        return 1, 1
    position = read_document(text).place(path)
    return position.line, position.column


def symlink_problem(path: str) -> Problem:
    """Return the problem of a symbolic link. Git keeps no history of the content behind a link, so none is read."""
    return Problem(shown(path), 1, 1, "symlink", ERROR, "symbolic links are not read", "put the file itself there")


def _bad_keys(draft: Draft, findings: list[Finding]) -> frozenset[str]:
    """Return the top-level keys whose value, or a part of it, has a finding."""
    return frozenset(str(path[0]) for path in _bad_paths(draft.document, findings))


def _bad_paths(document: Document, findings: list[Finding]) -> set[Path]:
    """Return the paths of all values at which a finding points."""
    found = {(finding.line, finding.column) for finding in findings}
    return {path for path, position in document.positions.items() if path and position[2:4] in found}


def _problems(path: str, findings: list[Finding]) -> tuple[Problem, ...]:
    found = sorted(set(_in_file(path, findings)), key=Problem.order)
    if len(found) <= _MOST_PROBLEMS:
        return tuple(found)
    more = len(found) - _MOST_PROBLEMS
    rest = f"and {more} more problem{'' if more == 1 else 's'}"
    last = found[_MOST_PROBLEMS - 1]
    return (*found[:_MOST_PROBLEMS], Problem(path, last.line, last.column, "zz-more", ERROR, rest))


def _in_file(path: str, findings: list[Finding]) -> Iterator[Problem]:
    return (finding.in_file(path) for finding in findings)
