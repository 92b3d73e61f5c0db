"""Read strict YAML: the core schema of YAML 1.2, one document, no anchors, aliases, tags or duplicate keys.

Every value keeps its position. The document is built from libyaml's *events*, one after another and without recursion.
PyYAML's composer and constructors are never called: libyaml's composer crashes the process on deep nesting, and merge
keys can take minutes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events
from yaml.cyaml import CParser  # type: ignore[attr-defined] # the stubs know the loaders only

from runner.taskfile.findings import Finding
from runner.taskfile.layout import layout_hint
from runner.value import Value

#: The deepest nesting that is read. A task file nests two or three levels deep.
DEEPEST = 20
#: The most keys and values that are read. A task file has some twenty. The time of some checks grows with the square.
MOST_VALUES = 1000

Path = tuple[str | int, ...]

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_YAML_1_1_BOOLEANS = {"yes", "no", "on", "off", "y", "n"}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 40
_WORD = re.compile(r"[^\s,\]}#]*")


class Position(Value):
    """The position of a value and of its key, from 1, and the style of the value. Without a key, both are the same."""

    key_line: int
    key_column: int
    line: int
    column: int
    style: str | None = None


#: The fields of a `Position`. Thousands of files have some twenty each, and few are read, so tuples are kept instead.
_PositionTuple = tuple[int, int, int, int, str | None]


class Document(Value):
    """The value of a file as plain data, the position of every value in it, and the text that was read."""

    text: str
    value: Any
    positions: dict[Path, _PositionTuple]
    findings: tuple[Finding, ...]

    def place(self, path: Path) -> Position:
        """Return the position of the value at a path. Where there is none, return that of its nearest parent."""
        while path and path not in self.positions:
            path = path[:-1]
        return Position(*self.positions.get(path, (1, 1, 1, 1, None)))

    def word(self, path: Path) -> str:
        """Return a plain value on one line as it is written: `1.10`, which is read as 1.1."""
        position = self.place(path)
        match = _WORD.match(self.text.split("\n")[position.line - 1], position.column - 1)
        return "" if match is None else match[0]

    def finding(self, path: Path, code: str, message: str, hint: str = "", *, at_key: bool = False) -> Finding:
        """Return a finding about the value at a path, or about its key."""
        position = self.place(path)
        if at_key:
            return Finding(code, message, hint, position.key_line, position.key_column)
        return Finding(code, message, hint, position.line, position.column)


def read_document(text: str) -> Document:
    """Return the document in a text. Where it cannot be read to its end, `value` is None and `findings` say why."""
    directive = _tag_directive(text)
    if directive is not None:
        return Document(text, None, {}, (directive,))
    builder = _Builder()
    try:
        _feed(builder, text)
    except _StopReading as stop:
        builder.findings.append(stop.finding)
        builder.root = None
    except yaml.MarkedYAMLError as error:
        builder.findings.append(_syntax(error, text))
        builder.root = None
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, RecursionError) as error:
        # PyYAML is known to raise all of these on malformed input. None of them has a position.
        builder.findings.append(Finding("yaml", f"not YAML: {error}"))
        builder.root = None
    return Document(text, builder.root, builder.positions, tuple(builder.findings))


def _tag_directive(text: str) -> Finding | None:
    """Return a finding about the first %TAG before the document, or None.

    No task file needs one, and libyaml compares each %TAG with all others, so that thousands take minutes.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("%TAG"):
            return Finding("yaml-tag", "the directive %TAG", "values are plain text, numbers and lists", number)
        if line.strip() and not line.startswith(("#", "%")):
            return None
    return None


def _feed(builder: _Builder, text: str) -> None:
    parser = CParser(text)
    try:
        while (event := parser.get_event()) is not None:
            handle = _HANDLERS.get(type(event))
            if handle is not None:
                handle(builder, event)
    finally:
        parser.dispose()


class _StopReading(Exception):  # noqa: N818 - it only ends the reading: the finding is the result
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(slots=True)
class _Open:
    """A mapping or sequence that is being read. `key` is the key of a mapping whose value comes next.

    `dropped` says that this key is a duplicate, whose value is not kept.
    """

    path: Path
    content: dict[str, Any] | list[Any]
    key: str | None = None
    key_line: int = 1
    key_column: int = 1
    dropped: bool = False


@dataclass(slots=True)
class _Builder:
    root: Any = None
    documents: int = 0
    values: int = 0
    positions: dict[Path, _PositionTuple] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)

    def document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise _StopReading(
                _at(event, "yaml-documents", "a second document begins here", "one file is one document")
            )

    def alias(self, event: Any) -> None:
        hint = "write the value out; anchors and aliases are not used in task files"
        raise _StopReading(_at(event, "yaml-alias", f"alias *{event.anchor}", hint))

    def _count(self, event: Any) -> None:
        self.values += 1
        if self.values > MOST_VALUES:
            raise _StopReading(
                _at(event, "yaml-size", f"more than {MOST_VALUES} keys and values", "move data out of the task")
            )

    def scalar(self, event: Any) -> None:
        self._count(event)
        if event.anchor is not None or event.tag is not None:
            self._check_node(event)
        holder = self.stack[-1] if self.stack else None
        if holder is not None and holder.key is None and type(holder.content) is dict:
            self._take_key(holder, event)
        else:
            self._put(holder, event, event.value if event.style else plain_value(event.value), event.style)

    def begin(self, event: Any) -> None:
        self._count(event)
        self._check_node(event)
        if len(self.stack) >= DEEPEST:
            raise _StopReading(_at(event, "yaml-depth", f"nested deeper than {DEEPEST} levels"))
        holder = self.stack[-1] if self.stack else None
        if holder is not None and type(holder.content) is dict and holder.key is None:
            raise _StopReading(_at(event, "yaml-key", "a key must be text", "write `key: value`"))
        content: dict[str, Any] | list[Any] = {} if type(event) is events.MappingStartEvent else []
        path = self._put(holder, event, content, None)
        self.stack.append(_Open(path, content))

    def end(self, _event: Any) -> None:
        self.stack.pop()

    def _check_node(self, event: Any) -> None:
        if event.anchor is not None:
            hint = "write the value out; anchors and aliases are not used in task files"
            raise _StopReading(_at(event, "yaml-alias", f"anchor &{event.anchor}", hint))
        if event.tag is not None:
            raise _StopReading(
                _at(
                    event,
                    "yaml-tag",
                    f"tag {event.tag}",
                    "values are plain text, numbers, lists and mappings",
                )
            )

    def _take_key(self, holder: _Open, event: Any) -> None:
        key = holder.key = event.value
        mark = event.start_mark
        holder.key_line, holder.key_column = mark.line + 1, mark.column + 1
        holder.dropped = key in holder.content
        if holder.dropped:
            first = self.positions[(*holder.path, key)][0]
            self.findings.append(_at(event, "yaml-duplicate", f"`{key}` is given twice", f"first on line {first}"))
        elif not event.style and type(plain_value(key)) is not str:
            hint = "put it in quotes" if holder.path == ("env",) and key.isalpha() else "write a name as the key"
            self.findings.append(_at(event, "yaml-key", f"the key {key!r} is not text", hint))

    def _put(self, holder: _Open | None, event: Any, value: Any, style: str | None) -> Path:
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if holder is None:
            self.root = value
            self.positions[()] = (line, column, line, column, style)
            return ()
        content = holder.content
        if isinstance(content, list):
            path: Path = (*holder.path, len(content))
            content.append(value)
            self.positions[path] = (line, column, line, column, style)
            return path
        key = str(holder.key)
        path = (*holder.path, key)
        if holder.dropped:
            path = ("\0dropped", *path)  # so that the values in it do not replace positions of the first one
        else:
            content[key] = value
            self.positions[path] = (holder.key_line, holder.key_column, line, column, style)
        holder.key = None
        return path


def plain_value(text: str) -> Any:
    """Return the value of an unquoted scalar. A scalar longer than any sensible number is text."""
    return text if len(text) > _LONGEST_NUMBER or not text.isascii() else resolve_plain(text)


def resolve_plain(text: str) -> Any:
    """Return the value of an unquoted scalar by the core schema of YAML 1.2 (section 10.3.2)."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def is_old_boolean(value: Any) -> bool:
    """Return whether a value is text that YAML 1.1 would have read as true or false."""
    return isinstance(value, str) and value.lower() in _YAML_1_1_BOOLEANS


def _at(event: Any, code: str, message: str, hint: str = "") -> Finding:
    mark = event.start_mark
    return Finding(code, message, hint, mark.line + 1, mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError, text: str) -> Finding:
    message = str(error.problem or error.context or "not YAML")
    mark = error.problem_mark or error.context_mark
    if "could not find expected ':'" in message or "unexpected end of stream" in message:
        mark = error.context_mark or mark  # where the key or quote begins, not where the parser noticed the error
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return Finding("yaml", message, layout_hint(message, text, line, column), line, column)


_HANDLERS = {
    events.DocumentStartEvent: _Builder.document,
    events.AliasEvent: _Builder.alias,
    events.ScalarEvent: _Builder.scalar,
    events.MappingStartEvent: _Builder.begin,
    events.SequenceStartEvent: _Builder.begin,
    events.MappingEndEvent: _Builder.end,
    events.SequenceEndEvent: _Builder.end,
}
