"""Hints: one for each slip, and what a hint suggests is valid and means what was written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ScheduleError
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.schedule.localtime import load_zone
from runner.taskfile.compiler import compile_task
from runner.taskfile.rules.timezone import unknown_zone

_HEAD = "frequency: 1\nunit: days\nactive: true\n"
_CODE = "code: |\n  print(1)\n"


def _problems(text: str) -> tuple[Problem, ...]:
    return compile_task("tasks/a.yaml", text.encode(), Settings()).problems


#: What is written → what the one hint about it says. Where the line stands in the file makes no difference.
_SLIPS = {
    "active: true\n frequency: 1\nunit: days\n" + _CODE: "`frequency` is indented too far",
    "active: true\n    unit: days\nfrequency: 1\n" + _CODE: "`unit` is indented too far",
    "description: hello\n  owner: me\n" + _HEAD + _CODE: "`owner` is indented too far",
    "frequency:1\nunit: days\nactive: true\n" + _CODE: "put a space after the colon of `frequency`",
    _HEAD + "description: sales: all\n" + _CODE: "quote the text",
    _HEAD + "code: |\nprint(1)\n": "indent the Python below `code: |`",
    _HEAD + "code: |\n\nimport os\nprint(1)\n": "indent the Python below `code: |`",
    _HEAD + "code: |   # Python\nprint(1)\nprint(2)\n": "indent the Python below `code: |`",
    _HEAD + "code: |\n    print(1)\n  print(2)\n": "indent this line as far as the first line of the code",
    _HEAD + "code: |\n      \n  print(1)\n": "empty the blank lines above the code",
    _HEAD + "code: |\n\tprint(1)\n": "spaces, not tabs",
    "\tactive: true\nfrequency: 1\nunit: days\n" + _CODE: "spaces, not tabs",
    _HEAD + "tags:\n\t- a\n" + _CODE: "spaces, not tabs",
    _HEAD + "code: |\n\xa0\xa0print(1)\n": "no-break space (U+00A0)",
    _HEAD + "\xa0description: x\n" + _CODE: "no-break space (U+00A0)",
    _HEAD + "\u2003description: x\n" + _CODE: "U+2003",
    _HEAD + "cron: @daily\n" + _CODE: "quote text that begins with a sign",
}


@pytest.mark.parametrize("text", _SLIPS)
def test_a_slip_of_layout_is_met_with_the_one_hint_that_mends_it(text: str) -> None:
    hints = {problem.hint for problem in _problems(text) if problem.code in {"yaml", "unknown-key"}}

    assert len(hints) == 1, hints
    [hint] = hints
    assert _SLIPS[text] in hint
    assert "; " not in hint


_NUMBERS = st.one_of(
    st.from_regex(r"\A[-+]?[0-9]{1,6}(\.[0-9]{1,4})?\Z"),
    st.sampled_from(["1.10", "1e3", "007", "0x1F", "0o17", "+5", "-0", ".5", "1."]),
)


@given(number=_NUMBERS, key=st.sampled_from(["description", "owner", "timezone", "cron", "rrule", "start", "end"]))
def test_a_number_that_is_to_be_quoted_is_quoted_as_it_is_written(number: str, key: str) -> None:
    text = f"active: true\n{key}: {number}\n{_CODE}"
    for problem in _problems(text):
        quoted = re.fullmatch(r'quote it: "(.*)"', problem.hint)
        if quoted is not None:
            assert quoted[1] == number
            mended = _problems(text.replace(f": {number}\n", f': "{number}"\n'))
            assert (problem.line, problem.column) not in {(it.line, it.column) for it in mended}


@given(number=_NUMBERS, key=st.sampled_from(["timeout", "kill_grace", "jitter", "starting_deadline"]))
def test_a_unit_that_is_suggested_makes_a_valid_duration(number: str, key: str) -> None:
    text = f"{_HEAD}{key}: {number}\n{_CODE}"
    for problem in _problems(text):
        for suggested in re.findall(r"(?:such as|or) (\S+[sm])\b", problem.hint):
            assert _problems(text.replace(f": {number}\n", f": {suggested}\n")) == ()


@given(number=_NUMBERS)
def test_quotes_are_to_be_taken_away_only_where_the_bare_value_is_valid(number: str) -> None:
    text = f'frequency: "{number}"\nunit: days\nactive: true\n{_CODE}'
    for problem in _problems(text):
        if problem.hint.startswith("take the quotes away"):
            assert _problems(text.replace(f'"{number}"', number)) == ()


_OFFSETS = ["GMT+5", "gmt-3", "UTC+2", "UTC-05:00", "+02:00", "GMT+05:30", "Etc/GMT+15", "UTC+1", "Z+1", "EST+5"]
_ABBREVIATIONS = ["CEST", "PST", "IST", "BST", "EDT", "AEST", "west", "south", "central", "eastern", "local"]


@pytest.mark.parametrize("name", [*_OFFSETS, *_ABBREVIATIONS])
def test_no_zone_is_guessed_for_an_offset_or_an_abbreviation(name: str) -> None:
    said = unknown_zone(name)

    assert said is None or "did you mean" not in said[1]


@pytest.mark.parametrize("name", ["Asia/Beijing", "Europe/Munich", "America/Boston", "Asia/Mumbai", "Mars/Olympus"])
def test_no_zone_is_guessed_for_a_city_that_has_none(name: str) -> None:
    said = unknown_zone(name)

    assert said is not None
    assert "did you mean" not in said[1]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Europe/Lodon", "Europe/London"),
        ("utc", "UTC"),
    ],
)
def test_a_slip_in_the_name_of_a_place_is_met_with_that_place(name: str, meant: str) -> None:
    said = unknown_zone(name)

    assert said is not None
    assert said[1] == f"did you mean `{meant}`?"


_ZONES = sorted(available_timezones())


@given(zone=st.sampled_from(_ZONES), data=st.data())
def test_a_zone_that_is_suggested_can_be_used_and_is_as_near_as_a_slip(zone: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(zone) - 1))
    slip = data.draw(st.sampled_from([zone[:at] + zone[at + 1 :], zone.lower(), zone.rpartition("/")[2]]))
    said = unknown_zone(slip)
    found = None if said is None else re.fullmatch(r"did you mean `(.*)`\?", said[1])
    if found is not None:
        load_zone(found[1])
        assert not found[1].startswith("Etc/") or found[1].lower() == slip.lower()


def test_each_zone_that_is_suggested_for_a_city_alone_is_the_only_one_of_that_city() -> None:
    for zone in _ZONES:
        city = zone.rpartition("/")[2]
        said = unknown_zone(city) if zone != city else None
        found = None if said is None else re.fullmatch(r"did you mean `(.*)`\?", said[1])
        if found is None or found[1].lower() == city.lower():
            continue
        noon = datetime(2026, 6, 10, 12, tzinfo=UTC)
        try:
            wanted = load_zone(zone)
        except ScheduleError:
            continue
        assert noon.astimezone(load_zone(found[1])).utcoffset() == noon.astimezone(wanted).utcoffset(), city
