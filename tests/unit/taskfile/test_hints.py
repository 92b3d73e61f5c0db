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


@pytest.mark.parametrize(
    ("unit", "keys"),
    [
        *(
            (unit, ["cron: 0 9 * * 1-5"])
            for unit in ("weekdays", "Weekday", "workdays", "business-days", "working_day")
        ),
        *((unit, ["unit: minutes"]) for unit in ("seconds", "sec", "s", "milliseconds")),
        *((unit, ["unit: months", "frequency: 12"]) for unit in ("years", "year", "yearly", "annually")),
        *((unit, ["unit: months", "frequency: 3"]) for unit in ("quarters", "quarterly")),
        *((unit, ["unit: weeks", "frequency: 2"]) for unit in ("fortnights", "biweekly")),
        *((unit, ["unit: minutes"]) for unit in ("mins", "Minutes", "minuts")),
        *((unit, ["unit: days"]) for unit in ("Days", "dayss")),
    ],
)
def test_a_unit_that_there_is_not_is_met_with_what_means_the_same_and_is_valid(unit: str, keys: list[str]) -> None:
    [problem] = _problems(f"frequency: 1\nunit: {unit}\nactive: true\n{_CODE}")

    for key in keys:
        assert f"`{key}`" in problem.hint or f"`{key.removeprefix('unit: ')}`" in problem.hint
    others = [] if keys[0].startswith("cron") or len(keys) == 2 else ["frequency: 1"]
    assert _problems("\n".join([*keys, *others, "active: true", _CODE])) == ()


@given(number=_NUMBERS)
def test_quotes_are_to_be_taken_away_only_where_the_bare_value_is_valid(number: str) -> None:
    text = f'frequency: "{number}"\nunit: days\nactive: true\n{_CODE}'
    for problem in _problems(text):
        if problem.hint.startswith("remove the quotes"):
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


_TERMS = st.builds(
    lambda body, step: body + step,
    st.one_of(
        st.sampled_from(["*", "?", "5?", "?-3", "mon", "jan", "monday", "5l", "l", "15w", "5#2", "", "-"]),
        st.integers(0, 62).map(str),
        st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.tuples(*[st.sampled_from(["sun", "mon", "fri", "sat", "jan", "jun", "dec", "7", "0", "12", "1"])] * 2).map(
            lambda ends: f"{ends[0]}-{ends[1]}"
        ),
    ),
    st.sampled_from(["", "", "/1", "/2", "/5", "/7", "/0", "/x", "/61", "/"]),
)


def _cron_problems(fields: list[str]) -> tuple[Problem, ...]:
    return _problems(f'active: true\ncron: "{" ".join(fields)}"\n{_CODE}')


@given(term=_TERMS, at=st.integers(0, 4))
def test_what_is_to_be_written_in_the_place_of_a_term_of_cron_is_read_as_cron(term: str, at: int) -> None:
    fields = ["0", "0", "*", "*", "*"]
    problems = _cron_problems([*fields[:at], term, *fields[at + 1 :]])
    for problem in problems:
        plain = re.fullmatch(r"write (?:for example )?([^\s:]+)", problem.hint)
        meant = term.replace("?", "*") if problem.hint == "write * instead of ?" else plain and plain[1]
        if meant:
            assert _cron_problems([*fields[:at], meant, *fields[at + 1 :]]) == (), (term, meant)


@pytest.mark.parametrize(
    ("at", "term", "meant"),
    [
        (1, "22-2", "22-23,0-2"),
        (1, "22-2/2", "22,0,2"),
        (0, "50-10/15", "50,5"),
        (2, "28-3/2", "28,30,1,3"),
        (3, "nov-feb/2", "11,1"),
        (4, "fri-sun", "fri,sat,sun"),
        (4, "fri-mon/2", "fri,sun"),
        (4, "7-2", "sun,mon,tue"),
        (4, "sat-7/1", "sat-7/1"),
        (4, "5/2", "5-7/2"),
        (0, "5/15", "5-59/15"),
    ],
)
def test_what_is_to_be_written_in_the_place_of_a_range_means_what_was_meant(at: int, term: str, meant: str) -> None:
    fields = ["0", "0", "*", "*", "*"]
    problems = _cron_problems([*fields[:at], term, *fields[at + 1 :]])

    assert [problem.hint for problem in problems] == ([f"write {meant}"] if meant != term else [])


_SCHEDULES = [
    "frequency: 5\nunit: days\n",
    'cron: "0 8 * * *"\n',
    "rrule: FREQ=DAILY\n",
]
_OPTIONAL = """\
active: true
description: text
owner: me
tags: [a]
start: "2026-01-01"
end: "2027-01-01"
timezone: Europe/Berlin
timeout: 30m
kill_grace: 10s
concurrency_policy: forbid
catchup: latest
starting_deadline: 10m
jitter: 5m
retry:
  attempts: 3
  delay: 30s
  backoff: 2
  max_delay: 1h
limits:
  memory: 512M
  cpu: 5m
  open_files: 256
env:
  NAME: value
"""


@given(schedule=st.sampled_from(_SCHEDULES), data=st.data())
def test_a_key_that_is_suggested_is_accepted_in_the_place_of_the_unknown_one(
    schedule: str, data: st.DataObject
) -> None:
    lines = (schedule + _OPTIONAL + _CODE).splitlines()
    at = data.draw(st.sampled_from([number for number, line in enumerate(lines) if re.match(r" *[a-z_]+:", line)]))
    key = lines[at].split(":")[0].strip()
    cut = data.draw(st.integers(0, len(key) - 1))
    slip = data.draw(
        st.sampled_from([key[:cut] + key[cut + 1 :], key[:cut] + "x" + key[cut:], key.upper(), key + "s", *_SYNONYMS])
    )
    wrong = lines[at].replace(key, slip, 1)
    written = [*lines[:at], wrong, *lines[at + 1 :]]
    for problem in _problems("\n".join(written) + "\n"):
        found = re.fullmatch(r"did you mean `(.*)`\?", problem.hint)
        if problem.code == "unknown-key" and found is not None:
            mended = [*written]
            mended[problem.line - 1] = mended[problem.line - 1].replace(slip, found[1], 1)
            left = _problems("\n".join(mended) + "\n")
            assert (problem.line, problem.column) not in {(it.line, it.column) for it in left}, (wrong, left)


_SYNONYMS = ["until", "enabled", "command", "tz", "every", "since", "environment", "retries", "name", "args", "time"]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("until", "end"),
        ("enabled", "active"),
        ("command", "code"),
        ("tz", "timezone"),
        ("every", "frequency"),
        ("environment", "env"),
        ("retries", "retry"),
        ("timout", "timeout"),
        ("args", None),
        ("time", None),
        ("schedule", None),
    ],
)
def test_a_key_of_another_name_is_met_with_the_one_that_means_it_and_with_none_that_only_looks_like_it(
    key: str, meant: str | None
) -> None:
    [problem] = [it for it in _problems(f"{key}: x\n") if it.code == "unknown-key"]

    assert problem.hint == f"did you mean `{meant}`?" if meant else problem.hint.startswith("known are "), problem.hint


@pytest.mark.parametrize("others", ['cron: "0 8 * * *"\n', "rrule: FREQ=DAILY\n"])
@pytest.mark.parametrize("half", ["unit: days\n", "frequency: 1\n"])
def test_no_half_of_an_interval_is_to_be_made_whole_beside_another_schedule(others: str, half: str) -> None:
    said = [it for it in _problems(others + half + "active: true\n" + _CODE) if it.code == "schedule"]

    assert said
    assert all("add" not in it.hint for it in said), said


_PARTS = st.lists(
    st.sampled_from(
        [
            *(
                "INTERVAL=2",
                "COUNT=3",
                "UNTIL=20301231",
                "UNTIL=soon",
                "BYDAY=2TU",
                "BYDAY=MO",
                "BYDAY=MON",
                "BYDAY=-1FR",
            ),
            *(
                "BYWEEKNO=3",
                "BYYEARDAY=5",
                "BYMONTHDAY=5",
                "BYMONTHDAY=0",
                "BYSETPOS=1",
                "BYHOUR=9",
                "WKST=XX",
                "BYEASTER=1",
            ),
        ]
    ),
    unique=True,
    max_size=4,
)


@given(freq=st.sampled_from(["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]), parts=_PARTS)
def test_a_frequency_that_is_suggested_for_a_rule_can_stand_there(freq: str, parts: list[str]) -> None:
    def problems(freq: str) -> list[str]:
        text = f"active: true\nrrule: {';'.join([f'FREQ={freq}', *parts])}\n{_CODE}"
        return [f"{it.message}: {it.hint}" for it in _problems(text)]

    for said in problems(freq):
        for suggested in re.findall(r"use FREQ=(\w+)", said):
            assert problems(suggested) == [], (said, parts)


@pytest.mark.parametrize("key", ["1", "true", "null", "1.5", "~"])
def test_no_quotes_are_suggested_for_a_key_that_is_then_refused(key: str) -> None:
    for text in (f"{key}: x\n", f"env:\n  {key}: x\n"):
        for problem in _problems(_HEAD + text + _CODE):
            if "quote it" in problem.hint:
                assert _problems(_HEAD + text.replace(f"{key}:", f'"{key}":') + _CODE) == ()


@pytest.mark.parametrize(
    "line",
    [
        *("timeout: 0s", "starting_deadline: 0s", "limits: {cpu: 0s}", "limits: {memory: 0}", 'limits: {memory: "0"}'),
        *("timeout: 99999d", "kill_grace: 99999d", "jitter: 99999d", "retry: {delay: 99999d}", "limits: {memory: 1K}"),
        *("retry: {backoff: .nan}", "catchup: lates", "concurrency_policy: Forbid", "catchup: None", "timeout: 5 min"),
        *("limits: {file_size: 0}", "retry: {attempts: 0}", "retry: {backoff: 0}", "active: yes", "kill_grace: 10"),
    ],
)
def test_a_value_that_is_suggested_in_the_place_of_another_is_accepted(line: str) -> None:
    text = (_HEAD if not line.startswith("active") else _HEAD.replace("active: true\n", "")) + line + "\n" + _CODE
    problems = _problems(text)
    assert problems
    for problem in problems:
        for meant in re.findall(r"(?:did you mean|write) (?:for example )?`?([^\s`,:]+)", problem.hint):
            key, _, rest = line.rpartition(": ")
            mended = text.replace(line, f"{key}: {meant}{'}' if rest.endswith('}') else ''}")
            assert _problems(mended) == (), (meant, problem)
