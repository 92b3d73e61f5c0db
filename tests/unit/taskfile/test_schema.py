"""The two schemas: what editors explain to people, and what the loader refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.model.context import Context
from runner.model.settings import Settings
from runner.model.task import Policy
from runner.schedule.duration import format_duration, parse_duration
from runner.taskfile.compiler import compile_task
from runner.taskfile.document import read_document
from runner.taskfile.structure import SETTINGS, TASK, check_structure, validator

_FOLDER = Path(__file__).resolve().parents[3] / "schema"
_SCHEMAS = (TASK, SETTINGS)
#: Said by the rule about schedules, at a better place.
_LEFT_TO_RULES = {"oneOf", "dependentRequired"}


def _schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((_FOLDER / name).read_text(encoding="utf-8"))
    return schema


def _properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, rule in schema.get("properties", {}).items():
        yield f"{path}{key}", rule
        yield from _properties(rule, f"{path}{key}.")


_PROPERTIES = [
    pytest.param(name, rule, id=f"{name.removesuffix('.schema.json')}:{path}")
    for name in _SCHEMAS
    for path, rule in _properties(_schema(name))
]


def _within(name: str, rule: dict[str, Any]) -> Draft202012Validator:
    """Return the validator of one property, which finds the `$defs` of its schema."""
    return Draft202012Validator({**rule, "$defs": _schema(name)["$defs"]})


@pytest.mark.parametrize("name", _SCHEMAS)
def test_a_schema_is_a_valid_one_of_draft_2020_12(name: str) -> None:
    schema = _schema(name)

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", _SCHEMAS)
def test_the_loader_uses_the_schema_that_editors_are_shown(name: str) -> None:
    assert validator(name).schema == _schema(name)


@pytest.mark.parametrize("name", _SCHEMAS)
def test_every_mapping_of_a_schema_refuses_unknown_keys(name: str) -> None:
    schema = _schema(name)

    mappings = [schema, *(rule for _, rule in _properties(schema) if rule.get("type") == "object")]
    assert all(mapping["additionalProperties"] is False or "propertyNames" in mapping for mapping in mappings)


@pytest.mark.parametrize(("name", "rule"), _PROPERTIES)
def test_every_property_has_a_description_and_an_example(name: str, rule: dict[str, Any]) -> None:
    assert name in _SCHEMAS
    assert rule["description"].endswith(".")
    assert rule["examples"]


@pytest.mark.parametrize(("name", "rule"), _PROPERTIES)
def test_every_example_is_valid_by_its_own_property(name: str, rule: dict[str, Any]) -> None:
    for example in rule["examples"]:
        _within(name, rule).validate(example)


@pytest.mark.parametrize("name", _SCHEMAS)
def test_every_key_is_snake_case(name: str) -> None:
    for path, _ in _properties(_schema(name)):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)*", path)


@pytest.mark.parametrize("name", _SCHEMAS)
def test_every_pattern_is_anchored_at_both_ends(name: str) -> None:
    text = json.dumps(_schema(name))

    for pattern in re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', text):
        assert pattern.startswith("^")
        # `$` also matches before a newline at the end, as Python reads it; this does not, and JavaScript agrees.
        assert pattern.endswith(r"(?![\\s\\S])")


@pytest.mark.parametrize(("name", "rule"), [_PROPERTIES[2]])
def test_no_pattern_lets_a_newline_through(name: str, rule: dict[str, Any]) -> None:
    assert not _within(name, rule).is_valid(["a\n"])


_WITH_CONTEXT = Settings(contexts=(Context("django", "../app", settings="ticketing.settings"),), context="django")


def test_every_example_of_a_task_key_makes_a_valid_task() -> None:
    for key, rule in _schema(TASK)["properties"].items():
        for example in rule["examples"]:
            keys: dict[str, Any] = {"active": True, "frequency": 1, "unit": "days"}
            if key in {"cron", "rrule"}:
                keys = {"active": True}
            if key == "code":
                continue
            keys[key] = example
            lines = [f"{name}: {json.dumps(value)}" for name, value in keys.items()]
            text = "\n".join((*lines, "code: |", "  print()", ""))
            assert compile_task("tasks/a.yaml", text.encode(), _WITH_CONTEXT).problems == (), text


def test_the_defaults_that_descriptions_name_are_those_of_a_repository_without_settings() -> None:
    plain = Settings()
    defaults = {
        "timezone": plain.timezone,
        "ref": plain.ref,
        "fetch": "never" if plain.fetch is None else format_duration(plain.fetch),
        "require_signed": str(plain.require_signed).lower(),
        "require_run_as": str(plain.require_run_as).lower(),
        "max_parallel": str(plain.max_parallel),
        "timeout": format_duration(plain.timeout),
        "kill_grace": format_duration(plain.kill_grace),
        "shutdown_grace": format_duration(plain.shutdown_grace),
        "concurrency_policy": Policy().concurrency_policy,
        "catchup": Policy().catchup,
        "starting_deadline": "none",
        "jitter": format_duration(Policy().jitter),
        "rollback": "false",
    }
    assert Policy().starting_deadline is None
    named: dict[str, set[str]] = {}
    for name in _SCHEMAS:
        for path, rule in _properties(_schema(name)):
            said = re.search(r"Default: (?:timezone of runner\.yaml, else )?([A-Za-z0-9]+)\.", rule["description"])
            if said:
                named.setdefault(path.rpartition(".")[2], set()).add(said[1])

    assert named == {key: {value} for key, value in defaults.items()}


@pytest.mark.parametrize("name", _SCHEMAS)
def test_every_example_of_a_duration_is_read_as_one(name: str) -> None:
    for example in _schema(name)["$defs"]["duration"]["examples"]:
        assert parse_duration(example)


def test_both_schemas_mean_the_same_by_a_duration_and_by_tags() -> None:
    task, settings = _schema(TASK), _schema(SETTINGS)
    defaults = settings["properties"]["defaults"]["properties"]

    of_contexts = {"path", "dotted", "context"}
    assert task["$defs"] == {name: rule for name, rule in settings["$defs"].items() if name not in of_contexts}
    for key in ("type", "maxItems", "uniqueItems", "items"):
        assert task["properties"]["tags"][key] == defaults["tags"][key]
    for key in ("type", "maxLength"):
        assert task["properties"]["owner"][key] == defaults["owner"][key]


@given(st.text("0123456789dhms", max_size=12))
def test_the_pattern_of_durations_takes_what_can_be_read_and_what_is_beyond_a_hundred_years(text: str) -> None:
    try:
        parse_duration(text)
        readable = True
    except ValueError:
        readable = False

    if _within(TASK, {"$ref": "#/$defs/duration"}).is_valid(text):
        sizes = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
        seconds = sum(int(number) * sizes[unit] for number, unit in re.findall("([0-9]+)([dhms])", text))
        assert readable == (seconds <= 36_500 * 86_400)
    else:
        assert not readable or re.search("[0-9]{6}", text)


_SCHEDULE_KEYS = {"frequency": 1, "unit": "days", "cron": "@daily", "rrule": "FREQ=DAILY"}


@pytest.mark.parametrize(
    "keys", [keys for size in range(5) for keys in combinations(_SCHEDULE_KEYS, size)], ids="+".join
)
def test_an_editor_accepts_the_same_schedules_as_the_loader(keys: tuple[str, ...]) -> None:
    task: dict[str, Any] = {"active": True, **{key: _SCHEDULE_KEYS[key] for key in keys}}
    lines = [f"{key}: {json.dumps(value)}" for key, value in task.items()]
    text = "\n".join((*lines, "code: |", "  print()", ""))
    problems = compile_task("tasks/a.yaml", text.encode(), Settings()).problems

    assert validator(TASK).is_valid({**task, "code": "print()\n"}) == (problems == ())
    assert {problem.code for problem in problems} <= {"schedule"}


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 1_000_002),
    st.sampled_from([0.0, 1.0, 1.5, -1.0, 1e6, 1e300, float("inf"), float("nan")]),
    st.sampled_from(["", "text", "days", "day", "1h", "0s", "1 h", "UTC", "x" * 101, "x" * 201, "x" * 1001]),
)


@given(st.dictionaries(st.sampled_from([*_schema(TASK)["properties"], "unknown"]), _SCALARS))
def test_the_shortcut_for_flat_files_says_the_same_as_the_schema(value: dict[str, Any]) -> None:
    document = read_document("{}\n")
    flat = type(document)("", value, {}, ())
    refused = [error for error in validator(TASK).iter_errors(value) if error.validator not in _LEFT_TO_RULES]

    assert bool(list(check_structure(flat, TASK))) == bool(refused)
