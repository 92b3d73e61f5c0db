"""Rules that a schema cannot express, one in each module. A rule takes a `Draft` and yields its findings.

A draft gives a rule only the values that the schema has accepted, so that no value is reported twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding
from runner.taskfile.rules import (
    bounds,
    context,
    durations,
    literal_code,
    one_schedule,
    permissions,
    policies,
    python_syntax,
    run_as,
    schedule_comes,
    script_metadata,
    timezone,
)

Rule = Callable[[Draft], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    one_schedule.check,
    timezone.check,
    bounds.check,
    schedule_comes.check,
    durations.check,
    policies.check,
    context.check,
    permissions.check,
    run_as.check,
    script_metadata.check,
    literal_code.check,
    python_syntax.check,
)
