"""`runner.yaml`: what it settles, and what is said of mistakes in it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runner.model.limits import Limits
from runner.model.problem import Problem
from runner.model.retry import Retry
from runner.model.settings import Settings
from runner.taskfile.compiler import compile_settings, compile_task


def _settings(text: str) -> Settings:
    settings, problems = compile_settings(text.encode())
    assert problems == ()
    assert settings is not None
    return settings


def _problems(text: str | bytes) -> tuple[Problem, ...]:
    settings, problems = compile_settings(text if isinstance(text, bytes) else text.encode())
    assert settings is None
    assert problems
    assert list(problems) == sorted(problems, key=Problem.order)
    assert {problem.file for problem in problems} == {"runner.yaml"}
    return problems


def _lines(text: str | bytes) -> list[str]:
    return [f"{problem.line}:{problem.column}: {problem.code}: {problem.message}" for problem in _problems(text)]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "---\n", "~\n", "{}\n", "defaults: {}\n"])
def test_settings_that_say_nothing_are_those_of_a_repository_without_any(text: str) -> None:
    assert _settings(text) == Settings()


def test_every_key_is_read() -> None:
    text = """
timezone: Europe/Berlin
git: {ref: origin/main, fetch: 5m, require_signed: true, allowed_signers: /etc/runner/allowed_signers}
max_parallel: 8
defaults:
  timeout: 30m
  kill_grace: 5s
  owner: platform@example.org
  tags: [nightly, team-a]
  retry: {attempts: 5, delay: 1m, backoff: 1.5, max_delay: 10m}
  limits: {memory: 512M, cpu: 5m, processes: 20, open_files: 256, file_size: 1G}
shutdown_grace: 1m
secrets_file: /etc/runner/secrets
"""
    assert _settings(text) == Settings(
        timezone="Europe/Berlin",
        ref="origin/main",
        fetch=timedelta(minutes=5),
        require_signed=True,
        allowed_signers="/etc/runner/allowed_signers",
        max_parallel=8,
        timeout=timedelta(minutes=30),
        kill_grace=timedelta(seconds=5),
        owner="platform@example.org",
        tags=("nightly", "team-a"),
        retry=Retry(5, timedelta(minutes=1), 1.5, timedelta(minutes=10)),
        limits=Limits(512 * 2**20, timedelta(minutes=5), 20, 256, 2**30),
        shutdown_grace=timedelta(minutes=1),
        secrets_file="/etc/runner/secrets",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timezone: Europe/Berlin\n", Settings(timezone="Europe/Berlin")),
        ("git: {ref: HEAD~3}\n", Settings(ref="HEAD~3")),
        ("git: {ref: v1.2.3}\n", Settings(ref="v1.2.3")),
        ("max_parallel: 1\n", Settings(max_parallel=1)),
        ("max_parallel: 256\n", Settings(max_parallel=256)),
        ("max_parallel: 0x10\n", Settings(max_parallel=16)),
        ("defaults: {timeout: 1d}\n", Settings(timeout=timedelta(days=1))),
        ("defaults: {kill_grace: 0s}\n", Settings(kill_grace=timedelta(0))),
        ("defaults: {owner: ''}\n", Settings()),
        ("defaults: {tags: []}\n", Settings()),
        ("defaults:\n  tags:\n    - a\n", Settings(tags=("a",))),
    ],
)
def test_one_key_leaves_the_others_as_they_are(text: str, expected: Settings) -> None:
    assert _settings(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", ["1:1: structure: the file is not a mapping of keys"]),
        ("timezon: UTC\n", ["1:1: unknown-key: unknown key `timezon`"]),
        ("timezone: Europe/Berln\n", ["1:11: timezone: unknown time zone 'Europe/Berln'"]),
        ("timezone:\n", ["1:10: type: `timezone` must be text, not nothing"]),
        ("timezone: ''\n", ["1:11: timezone: unknown time zone ''"]),
        ("timezone: [UTC]\n", ["1:11: type: `timezone` must be text, not a list"]),
        ("max_parallel: 0\n", ["1:15: value: `max_parallel` is 0; it must be at least 1"]),
        ("max_parallel: 257\n", ["1:15: value: `max_parallel` is 257; it must be at most 256"]),
        ("max_parallel: many\n", ["1:15: type: `max_parallel` must be a whole number, not 'many'"]),
        ("max_parallel: true\n", ["1:15: type: `max_parallel` must be a whole number, not true"]),
        ("git: {ref: --upload-pack=x}\n", ["1:12: value: `git.ref` is '--upload-pack=x', which does not fit"]),
        ("git:\n  ref: main:tasks\n", ["2:8: value: `git.ref` is 'main:tasks', which does not fit"]),
        ("git: {ref: ''}\n", ["1:12: value: `git.ref` is '', which does not fit"]),
        ("ref: main\n", ["1:1: unknown-key: unknown key `ref`"]),
        ("git: {fetch: 5m}\n", ["1:14: value: `git.fetch` brings a branch of a remote, and `git.ref` names none"]),
        (
            "git: {ref: HEAD, fetch: 5m}\n",
            ["1:25: value: `git.fetch` brings a branch of a remote, and `git.ref` names none"],
        ),
        ("git: {ref: origin/main, fetch: 0s}\n", ["1:32: duration: a fetch every 0s would never end"]),
        ("git: {ref: origin/main, fetch: often}\n", ["1:32: value: `git.fetch` is 'often', which does not fit"]),
        ("git: {allowed_signers: signers}\n", ["1:24: value: `git.allowed_signers` is 'signers', which does not fit"]),
        ("git: {require_signed: maybe}\n", ["1:23: type: `git.require_signed` must be true or false, not 'maybe'"]),
        ("defaults: 30m\n", ["1:11: type: `defaults` must be a mapping of keys, not '30m'"]),
        ("defaults:\n", ["1:10: type: `defaults` must be a mapping of keys, not nothing"]),
        ("defaults:\n  history: 3\n", ["2:3: unknown-key: unknown key `history`"]),
        ("defaults:\n  retry: 3\n", ["2:10: type: `defaults.retry` must be a mapping of keys, not 3"]),
        ("defaults: {limits: {memory: 1M}}\n", ["1:29: size: `memory` 1M is less than Python itself takes"]),
        ("defaults: {limits: {cpu: 0s}}\n", ["1:26: duration: a limit of 0s would end every run at once"]),
        ("secrets_file: secrets\n", ["1:15: value: `secrets_file` is 'secrets', which does not fit"]),
        ("shutdown_grace: 99999d\n", ["1:17: duration: `shutdown_grace` 99999d is longer than a hundred years"]),
        ("defaults:\n  timeout: 30\n", ["2:12: type: `defaults.timeout` must be text, not 30"]),
        ("defaults:\n  timeout: 1 h\n", ["2:12: value: `defaults.timeout` is '1 h', which does not fit"]),
        ("defaults:\n  tags: [a, a]\n", ["2:9: value: `defaults.tags` names something twice"]),
        ("defaults:\n  tags:\n    - a b\n", ["3:7: value: `defaults.tags.0` is 'a b', which does not fit"]),
        (
            "max_parallel: 0\nzone: UTC\ndefaults:\n  owner: 5\n",
            [
                "1:15: value: `max_parallel` is 0; it must be at least 1",
                "2:1: unknown-key: unknown key `zone`",
                "4:10: type: `defaults.owner` must be text, not 5",
            ],
        ),
        ("timezone: UTC\ntimezone: UTC\n", ["2:1: yaml-duplicate: `timezone` is given twice"]),
        ("timezone: &utc UTC\n", ["1:11: yaml-alias: anchor &utc"]),
        ("timezone: !!str UTC\n", ["1:11: yaml-tag: tag tag:yaml.org,2002:str"]),
        ("---\n---\n", ["2:1: yaml-documents: a second document begins here"]),
        ("timezone: UTC\r\n", ["1:14: line-ends: the line ends with a carriage return"]),
        (b"\xff\xfet\x00", ["1:1: encoding: the file is UTF-16"]),
        (b"ref: \xe9\n", ["1:6: encoding: byte 0xe9 is not UTF-8"]),
        (b"#" * (1024 * 1024 + 1), ["1:1: file-size: the file is larger than 1 MiB"]),
    ],
)
def test_a_mistake_is_shown_where_it_stands(text: str | bytes, expected: list[str]) -> None:
    assert _lines(text) == expected


def test_a_mistake_in_a_nested_key_is_met_with_the_nearest_of_its_siblings() -> None:
    [problem] = _problems("defaults:\n  kill_grase: 5s\n")

    assert problem.hint == "did you mean `kill_grace`?"


@pytest.mark.parametrize("value", ["99999d", "36501d", "999999h"])
@pytest.mark.parametrize("key", ["timeout", "kill_grace"])
def test_a_default_beyond_a_hundred_years_is_a_problem_as_it_is_in_a_task(key: str, value: str) -> None:
    [problem] = _problems(f"defaults:\n  {key}: {value}\n")

    assert (problem.line, problem.code) == (2, "duration")


def test_a_default_timeout_of_nothing_is_a_problem_as_it_is_in_a_task() -> None:
    [problem] = _problems("defaults:\n  timeout: 0s\n")

    assert (problem.line, problem.column, problem.code) == (2, 12, "duration")


def test_a_default_duration_with_a_newline_is_a_problem() -> None:
    _problems('defaults:\n  timeout: "30m\\n"\n')


@pytest.mark.parametrize("text", ['git:\n  ref: "main\\n"\n', 'defaults:\n  tags: ["a\\n"]\n'])
def test_a_newline_behind_a_value_is_a_problem(text: str) -> None:
    _problems(text)


@pytest.mark.parametrize("number", ["4.0", "1e1"])
def test_a_whole_number_written_as_a_fraction_is_a_problem_or_an_integer(number: str) -> None:
    settings, problems = compile_settings(f"max_parallel: {number}\n".encode())

    assert problems or (settings is not None and type(settings.max_parallel) is int)


def test_a_ref_that_reads_as_a_number_is_met_with_a_hint_to_quote_it() -> None:
    [problem] = _problems("git: {ref: 1.0}\n")

    assert problem.hint == 'quote it: "1.0"'


def test_a_zone_that_is_too_long_is_complained_about_once_and_briefly() -> None:
    [problem] = _problems("timezone: " + "x" * 10_000 + "\n")

    assert len(problem.message) < 200


def test_a_task_takes_over_the_defaults_that_it_does_not_set_itself() -> None:
    settings = _settings("timezone: Asia/Tokyo\ndefaults: {timeout: 5m, kill_grace: 3s, owner: ops, tags: [x]}\n")
    text = b"active: true\nfrequency: 1\nunit: days\ncode: |\n  print()\n"

    task = compile_task("tasks/a.yaml", text, settings).task
    own = compile_task(
        "tasks/a.yaml",
        b"timezone: UTC\ntimeout: 9m\nkill_grace: 0s\nowner: me\ntags: []\n" + text,
        settings,
    ).task

    assert task is not None
    assert own is not None
    assert (task.schedule.timezone, task.timeout, task.kill_grace) == (
        "Asia/Tokyo",
        timedelta(minutes=5),
        timedelta(seconds=3),
    )
    assert (task.owner, task.tags) == ("ops", ("x",))
    assert (own.schedule.timezone, own.timeout, own.kill_grace) == ("UTC", timedelta(minutes=9), timedelta(0))
    assert (own.owner, own.tags) == ("me", ())
