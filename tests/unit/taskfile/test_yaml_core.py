"""What an unquoted word means: the core schema of YAML 1.2 (section 10.3.2), and nothing of YAML 1.1."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.taskfile.document import is_old_boolean, read_document

_TRUE = ["true", "True", "TRUE"]
_FALSE = ["false", "False", "FALSE"]
_NULL = ["null", "Null", "NULL", "~", ""]
_INTEGERS = {
    "0": 0,
    "-0": 0,
    "7": 7,
    "+12": 12,
    "-12": -12,
    "012": 12,
    "0099": 99,
    "0o17": 15,
    "0o0": 0,
    "0x1F": 31,
    "0xff": 255,
    "9999999999999999999999999999999999999999": 10**40 - 1,
}
_FLOATS = {
    "1.": 1.0,
    "1.0": 1.0,
    ".5": 0.5,
    "-.5": -0.5,
    "+1.5": 1.5,
    "1e3": 1000.0,
    "1E3": 1000.0,
    "1.5e-3": 0.0015,
    "012e1": 120.0,
    "1e999": math.inf,
    ".inf": math.inf,
    ".Inf": math.inf,
    ".INF": math.inf,
    "+.inf": math.inf,
    "-.inf": -math.inf,
    "-.INF": -math.inf,
}
_TEXTS = [
    # booleans and nulls of YAML 1.1, or nearly
    *("yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N"),
    *("tRUE", "truE", "fALSE", "nULL", "None", "nil", "~~"),
    # numbers of YAML 1.1, or nearly
    *("1_000", "0b101", "0o", "0o8", "0O17", "0x", "0xG", "0X1F", "-0x1F", "+0o7", "12:30:45", "190:20:30.15", "1:30"),
    *("1,000", "1 000", "1e", "e3", "1e+", "1.2.3", ".", "..", "+", "-.", "--1", "+-1", "1-", "0-0"),
    *(".infinity", "inf", "Infinity", "nan", "NaN", ".nAN", "-.nan", "+.nan", ".iNF", "--.inf"),
    # dates stay text, digits of other scripts too
    *("2026-01-31", "2026-01-31 08:00", "2026-01-31T08:00:00Z", "١٢", "\uff11\uff12", "1²"),
    # more digits than a number of ours has
    "1" * 41,
    "0." + "0" * 60,
    "0x" + "f" * 60,
]


def _value(text: str) -> Any:
    document = read_document(f"key: {text}\n")
    assert document.findings == ()
    return document.value["key"]


@pytest.mark.parametrize("word", _TRUE)
def test_three_spellings_are_true(word: str) -> None:
    assert _value(word) is True


@pytest.mark.parametrize("word", _FALSE)
def test_three_spellings_are_false(word: str) -> None:
    assert _value(word) is False


@pytest.mark.parametrize("word", _NULL)
def test_five_spellings_are_nothing(word: str) -> None:
    assert _value(word) is None


@pytest.mark.parametrize(("word", "number"), _INTEGERS.items())
def test_a_word_of_digits_is_an_integer(word: str, number: int) -> None:
    value = _value(word)

    assert (type(value), value) == (int, number)


@pytest.mark.parametrize(("word", "number"), _FLOATS.items())
def test_a_word_with_a_point_or_an_exponent_is_a_float(word: str, number: float) -> None:
    value = _value(word)

    assert (type(value), value) == (float, number)


@pytest.mark.parametrize("word", [".nan", ".NaN", ".NAN"])
def test_three_spellings_are_not_a_number(word: str) -> None:
    assert math.isnan(_value(word))


@pytest.mark.parametrize("word", _TEXTS)
def test_everything_else_is_text(word: str) -> None:
    assert _value(word) == word


@pytest.mark.parametrize("word", [*_TRUE, *_FALSE, *_NULL, *_INTEGERS, *_FLOATS, ".nan"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_what_is_quoted_is_text(word: str, quote: str) -> None:
    assert _value(f"{quote}{word}{quote}") == word


@pytest.mark.parametrize("word", ["true", "12", "~", "1.5"])
@pytest.mark.parametrize("sign", ["|-", ">-"])
def test_what_stands_in_a_block_is_text(word: str, sign: str) -> None:
    assert _value(f"{sign}\n  {word}") == word


def test_lists_and_mappings_hold_what_their_words_mean() -> None:
    assert _value("[true, 012, yes, '1', ~, {a: 0x10, b: [1.5]}]") == [
        True,
        12,
        "yes",
        "1",
        None,
        {"a": 16, "b": [1.5]},
    ]


@pytest.mark.parametrize("word", ["null", "~", "true", "12", "1.5", ".inf", "0x1F"])
def test_a_key_that_is_not_text_is_a_problem_unless_it_is_quoted(word: str) -> None:
    [finding] = read_document(f"{word}: 1\n").findings

    assert (finding.code, finding.line, finding.column) == ("yaml-key", 1, 1)
    assert read_document(f'"{word}": 1\n').findings == ()


@pytest.mark.parametrize("word", ["yes", "on", "y", "no", "1_000", "12:30", "2026-01-31"])
def test_a_key_that_only_yaml_1_1_reads_as_something_else_is_text(word: str) -> None:
    document = read_document(f"{word}: 1\n")

    assert (document.value, document.findings) == ({word: 1}, ())


def test_a_merge_key_is_a_key_like_any_other() -> None:
    assert read_document("<<: {a: 1}\n").value == {"<<": {"a": 1}}


@pytest.mark.parametrize("word", ["yes", "Yes", "NO", "on", "OFF", "y", "N"])
def test_the_booleans_of_yaml_1_1_are_known_for_a_hint(word: str) -> None:
    assert is_old_boolean(word)


@pytest.mark.parametrize("value", ["true", "nope", "", True, 1, None, ["yes"]])
def test_nothing_else_is_taken_for_a_boolean_of_yaml_1_1(value: object) -> None:
    assert not is_old_boolean(value)


@given(st.integers(-(10**38), 10**38))
def test_every_integer_is_read_back(number: int) -> None:
    value = _value(str(number))

    assert (type(value), value) == (int, number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_back(number: float) -> None:
    assert _value(repr(number)) == number


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 30))
def test_every_place_is_the_one_that_an_editor_shows(blank: int, comments: int, spaces: int) -> None:
    text = "\n" * blank + "# é\n" * comments + f"größe:{' ' * (spaces + 1)}x\nliste:\n  - é: 1\n"
    document = read_document(text)
    first = blank + comments + 1

    key = document.place(("größe",))
    assert (key.key_line, key.key_column, key.line, key.column) == (first, 1, first, 8 + spaces)
    item = document.place(("liste", 0, "é"))
    assert (item.key_line, item.key_column, item.line, item.column) == (first + 2, 5, first + 2, 8)
    assert document.place(("no", "such", "key")) == document.place(())
