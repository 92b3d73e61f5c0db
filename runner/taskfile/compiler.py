"""From the bytes of one file to a task or to every problem in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.model.catalog import CompiledFile
from runner.model.problem import ERROR, Problem
from runner.model.settings import FILE, Settings
from runner.taskfile.build import build_settings, build_task
from runner.taskfile.document import Document, read_document
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding, shown
from runner.taskfile.names import check_name
from runner.taskfile.not_yaml import named_content
from runner.taskfile.rules import RULES, durations
from runner.taskfile.rules.timezone import unknown_zone
from runner.taskfile.structure import SETTINGS, TASK, check_structure
from runner.taskfile.text import read_text

#: More problems in one file help nobody; the count of the rest is told.
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
        spots = {(finding.line, finding.column) for finding in findings}
        place = document.place(("timezone",))
        is_sound = isinstance(document.value, dict) and (place.line, place.column) not in spots
        unknown = unknown_zone(document.value.get("timezone")) if is_sound else None
        if unknown is not None:
            findings.append(document.finding(("timezone",), "timezone", *unknown))
        findings += _against_durations(document, findings)
        findings += _against_fetch(document)
    if findings:
        return None, _problems(FILE, findings)
    return build_settings(document), ()


def _against_durations(document: Document, findings: list[Finding]) -> list[Finding]:
    """Return what the rule about durations and sizes has against settings; the schema has accepted what it is asked about."""
    value: Any = document.value
    if not isinstance(value, dict):
        return []
    spots = {(finding.line, finding.column) for finding in findings}
    bad = {path for path, spot in document.spots.items() if path and spot[2:4] in spots}
    found: list[Finding] = []
    mappings: tuple[tuple[tuple[str, ...], Any], ...] = (((), value), (("defaults",), value.get("defaults")))
    for below, mapping in mappings:
        bad_keys = {path[len(below)] for path in bad if len(path) > len(below) and path[: len(below)] == below}
        sound = {key: item for key, item in _items(mapping) if key not in bad_keys}
        found += durations.against(document, below, sound)
    return found


def _against_fetch(document: Document) -> Iterator[Finding]:
    followed: Any = document.value.get("git") if isinstance(document.value, dict) else None
    if isinstance(followed, dict) and "fetch" in followed and followed.get("ref", "HEAD") == "HEAD":
        what = "`git.fetch` brings a branch of a remote, and `git.ref` names none"
        yield document.finding(("git", "fetch"), "value", what, "add for example `ref: origin/main`")


def _items(mapping: Any) -> Iterator[tuple[str, Any]]:
    return iter(mapping.items() if isinstance(mapping, dict) else ())


def position_of(content: bytes, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Return line and column of the value at a path of an accepted file."""
    text = read_text(content)
    if isinstance(text, Finding):
        return 1, 1
    place = read_document(text).place(path)
    return place.line, place.column


def symlink_problem(path: str) -> Problem:
    """Return what is said of a symbolic link: a task is a file, whose history git shows."""
    return Problem(shown(path), 1, 1, "symlink", ERROR, "symbolic links are not read", "put the file itself there")


def _bad_keys(draft: Draft, findings: list[Finding]) -> frozenset[str]:
    """Return the top-level keys whose value a finding points into."""
    spots = {(finding.line, finding.column) for finding in findings}
    return frozenset(str(path[0]) for path, spot in draft.document.spots.items() if path and spot[2:4] in spots)


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
