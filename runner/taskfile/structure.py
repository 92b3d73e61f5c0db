"""Check a document against its JSON schema: which keys there are, and which values they take."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path as FilePath
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from runner.errors import ScheduleError
from runner.schedule import parse_schedule
from runner.taskfile.document import Document, Position, is_old_boolean, plain_value
from runner.taskfile.findings import Finding, nearest
from runner.taskfile.layout import odd_space_hint

#: The schemas are inside an installed package, or at the top of a checkout.
_PACKAGE = FilePath(__file__).resolve().parents[1]
_FOLDERS = (_PACKAGE / "schema", _PACKAGE.parent / "schema")

TASK = "task.schema.json"
SETTINGS = "runner.schema.json"

#: Parts of the schema that only editors use: the rule `one_schedule` gives better messages and positions.
_LEFT_TO_RULES = {"oneOf", "dependentRequired"}
_TYPES_OF = {bool: "boolean", int: "integer"}
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys",
}


@cache
def validator(schema: str) -> Draft202012Validator:
    """Return the validator of one of the two schemas. It is built once."""
    folder = next(folder for folder in _FOLDERS if folder.is_dir())
    return Draft202012Validator(json.loads((folder / schema).read_text(encoding="utf-8")))


def check_structure(document: Document, schema: str) -> Iterator[Finding]:
    """Yield the findings of a schema about a document."""
    if not isinstance(document.value, dict):
        message = "the file is empty" if document.value is None else "the file is not a mapping of keys"
        position = document.place(()) if document.value is not None else Position(1, 1, 1, 1)
        hint = "write `key: value` lines, such as `active: true`"
        yield Finding("structure", message, hint, position.line, position.column)
        return
    skeleton = _skeleton(document.value, schema)
    if skeleton is not None and _is_valid(skeleton, schema):
        return
    for error in validator(schema).iter_errors(document.value):
        if error.validator not in _LEFT_TO_RULES:
            yield from _finding(document, error)


Skeleton = tuple[tuple[str, Any], ...]


@cache
def _free_text(schema: str) -> dict[str, tuple[int, int]]:
    """Return the keys whose value may be any text, each with its least and its greatest length."""
    properties: dict[str, dict[str, Any]] = cast("dict[str, Any]", validator(schema).schema)["properties"]
    return {
        key: (rule.get("minLength", 0), rule.get("maxLength", sys.maxsize))
        for key, rule in properties.items()
        if rule.keys() <= {"type", "minLength", "maxLength", "description", "examples"} and rule["type"] == "string"
    }


def _skeleton(value: dict[str, Any], schema: str) -> Skeleton | None:
    """Return the parts of a document that decide whether it is valid, or None where a text or a nested value decides.

    jsonschema takes some 200 µs for a document. Thousands of task files differ only in their texts, so that the
    library has to check each skeleton only once.
    """
    free = _free_text(schema)
    parts: list[tuple[str, Any]] = []
    for key, item in value.items():
        if type(item) is str and key in free:
            shortest, longest = free[key]
            if not shortest <= len(item) <= longest:
                return None
            parts.append((key, "text"))
        elif isinstance(item, dict | list):
            return None
        else:
            # 1 == 1.0 == True in Python, but not in a schema.
            parts.append((key, (type(item), item)))
    return tuple(parts)


@lru_cache(maxsize=4096)
def _is_valid(skeleton: Skeleton, schema: str) -> bool:
    value = {key: "text" if item == "text" else item[1] for key, item in skeleton}
    return all(error.validator in _LEFT_TO_RULES for error in validator(schema).iter_errors(value))


def _finding(document: Document, error: ValidationError) -> Iterator[Finding]:
    path = tuple(error.absolute_path)
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known: dict[str, Any] = error.schema["properties"] if isinstance(error.schema, dict) else {}
        for key in instance:
            if key not in known:
                hint = odd_space_hint(key) or _nearest_key(key, known, instance)
                yield document.finding((*path, key), "unknown-key", f"unknown key `{key}`", hint, at_key=True)
    elif error.validator == "required":
        for key in cast("list[str]", error.validator_value):
            if key not in instance and f"'{key}' is a required" in error.message:
                yield document.finding(path, "missing-key", f"`{key}` is missing", _MISSING.get(key, ""))
    elif "propertyNames" in error.absolute_schema_path:
        message = f"`{instance}` is not a name that can be used here"
        yield document.finding((*path, instance), "value", message, _description(error), at_key=True)
    else:
        name = ".".join(str(step) for step in path)
        message, hint = _message_and_hint(error, document.word(path))
        yield document.finding(path, _CODES.get(str(error.validator), "value"), f"`{name}` {message}", hint)


#: Names of other schedulers for a key.
_OTHER_NAMES = {
    **dict.fromkeys(("until", "stop", "end_date"), "end"),
    **dict.fromkeys(("since", "from", "start_date", "begin"), "start"),
    **dict.fromkeys(("enabled", "enable"), "active"),
    **dict.fromkeys(("command", "script", "run", "python"), "code"),
    **dict.fromkeys(("tz", "zone"), "timezone"),
    **dict.fromkeys(("every", "interval"), "frequency"),
    **dict.fromkeys(("environment", "variables"), "env"),
    **dict.fromkeys(("retries", "max_retries"), "retry"),
    **dict.fromkeys(("name", "title"), "description"),
    **dict.fromkeys(("overlap", "concurrency"), "concurrency_policy"),
}
#: The least similarity (difflib) at which an unknown key counts as a misspelling: `args` is not meant as `tags`.
_ALIKE = 0.8


def _nearest_key(key: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Return a hint that names the key that is meant: one of which `key` is another name, or the most similar one.

    A key that the file has already, or that would make a second schedule, is never suggested by another name.
    """
    meant = _OTHER_NAMES.get(key.lower())
    if meant is None:
        return nearest(key, list(known), _ALIKE)
    is_second_schedule = meant == "frequency" and not given.keys().isdisjoint(("cron", "rrule"))
    may_be_given = meant in known and meant not in given and not is_second_schedule
    return f"did you mean `{meant}`?" if may_be_given else f"known are {', '.join(known)}"


_WORKING_DAYS = "for Monday to Friday, write `cron: 0 9 * * 1-5` instead of `frequency` and `unit`"
_SMALLEST = "the smallest unit is `minutes`"
#: Units that runner does not have, without a final `s`. A similar word, such as `weeks` for `weekdays`, is not meant.
_OTHER_UNITS = {
    **dict.fromkeys(("weekday", "workday", "working day", "business day"), _WORKING_DAYS),
    **dict.fromkeys(("s", "sec", "second", "millisecond"), _SMALLEST),
    **dict.fromkeys(("year", "yearly", "annually"), "write `unit: months`, and `frequency: 12` for one year"),
    **dict.fromkeys(("quarter", "quarterly"), "write `unit: months`, and `frequency: 3` for one quarter"),
    **dict.fromkeys(("fortnight", "fortnightly", "biweekly"), "write `unit: weeks`, and `frequency: 2` for two weeks"),
}


def _nearest_word(value: str, known: list[str], error: ValidationError) -> str:
    """Return a hint that names the known word that is meant, or what to write for a unit that there is not."""
    unit = value.lower().replace("_", " ").replace("-", " ")
    is_unit = error.absolute_path[-1] == "unit"
    hint = (_OTHER_UNITS.get(unit) or _OTHER_UNITS.get(unit.removesuffix("s"))) if is_unit else None
    return hint or nearest(value, known)


_CODES = {"type": "type"}
_MISSING = {"code": "add `code: |` and the Python below it, indented", "active": "add `active: true`"}


def _message_and_hint(error: ValidationError, word: str) -> tuple[str, str]:
    """Return what is wrong with a value, and what to do. `word` is the value as it is written."""
    value: Any = error.instance
    rule: Any = error.validator_value
    match error.validator:
        case "type":
            return _wrong_type(value, [rule] if isinstance(rule, str) else rule, error, word)
        case "enum":
            known = [str(item) for item in rule]
            hint = _nearest_word(value, known, error) if isinstance(value, str) else f"known are {', '.join(known)}"
        case "minimum" | "maximum":
            side = "at least" if error.validator == "minimum" else "at most"
            return f"is {value}; it must be {side} {rule}", _examples(error)
        case "maxLength" | "maxItems":
            return f"is too long: at most {rule} {'characters' if isinstance(value, str) else 'items'}", ""
        case "minLength" | "minItems":
            return "is empty", _examples(error)
        case "uniqueItems":
            return "names something twice", ""
        case _:
            hint = _examples(error)
    return f"is {_shown(value)}, which does not fit", hint


def _wrong_type(value: Any, types: list[str], error: ValidationError, word: str) -> tuple[str, str]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    wanted = " or ".join(_TYPES[expected] for expected in types)
    message = f"must be {wanted}, not {word if is_number else _shown(value)}"
    expected = types[0]
    if expected == "boolean" and is_old_boolean(value):
        meant = "true" if str(value).lower() in {"yes", "on", "y"} else "false"
        return message, f"write `{meant}`: YAML 1.2 reads {value} as text"
    if (
        isinstance(value, str)
        and _TYPES_OF.get(type(plain_value(value))) == expected
        and _is_accepted(plain_value(value), error)
    ):
        return message, f"remove the quotes: {value}"
    if expected == "string" and is_number:
        if "90s" in _schema(error).get("examples", []):
            return message, f"add a unit, such as {word}s or {word}m" if _is_count(word) else _examples(error)
        if _is_accepted(word, error):
            return message, f'quote it: "{word}"'
    return message, _examples(error)


def _is_accepted(value: Any, error: ValidationError) -> bool:
    """Return whether a value would be accepted in the place of the one in error.

    Return False where a rule reads the value as well, because the schema alone cannot say whether it is valid.
    """
    path = tuple(error.absolute_path)
    if path[:1] in _DATES:
        return _is_date(value)
    rule = {key: item for key, item in _schema(error).items() if not key.startswith("$")}
    return path[:1] not in _READ_BY_RULES and Draft202012Validator(rule).is_valid(value)


def _is_date(word: str) -> bool:
    try:
        parse_schedule({"rrule": "FREQ=DAILY", "start": word})
    except ScheduleError:
        return False
    return True


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdigit() and 0 < int(word) <= _LARGEST_COUNT


def _schema(error: ValidationError) -> dict[str, Any]:
    return cast("dict[str, Any]", error.schema) if isinstance(error.schema, dict) else {}


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


_LONGEST_SHOWN = 60
#: A day in seconds. A larger number is hardly meant in minutes.
_LARGEST_COUNT = 86_400
_DATES = {("start",), ("end",)}
#: Keys that a rule checks as well: it would refuse a number in quotes, which the schema accepts.
_READ_BY_RULES = {("timezone",), ("cron",), ("rrule",), ("code",)}


def _examples(error: ValidationError) -> str:
    schema = error.schema if isinstance(error.schema, dict) else {}
    examples = schema.get("examples", [])
    if examples:
        return f"for example {', '.join(json.dumps(example) for example in examples)}"
    return _description(error)


def _description(error: ValidationError) -> str:
    return str(error.schema.get("description", "")) if isinstance(error.schema, dict) else ""
