"""A count and its noun agree in number, wherever a report counts something."""

from __future__ import annotations

import pytest

from runner.clock import now
from runner.model.change import CHANGED, AtOnce, Plan, Side, TaskChange
from runner.model.run import Run, RunDetails
from runner.model.statuses import SUCCEEDED
from runner.model.wait import Wait
from runner.report.facts import Facts
from runner.report.plan_markdown import plan_markdown
from runner.report.tables import run_details
from runner.report.wait_text import wait_line


def _run(number: int = 1, missed: int = 0) -> Run:
    return Run(run_id=number, task="a", trigger="catchup", status=SUCCEEDED, timezone="UTC", missed=missed)


@pytest.mark.parametrize(("missed", "text"), [(1, "1 older slot"), (2, "2 older slots"), (30, "30 older slots")])
def test_show_counts_older_slots(missed: int, text: str) -> None:
    facts = next(iter(run_details(RunDetails(_run(missed=missed), ()), {})))

    assert isinstance(facts, Facts)
    assert ("missed", text, "") in facts.facts


@pytest.mark.parametrize(("number", "text"), [(1, "the run that this"), (2, "the runs that this")])
def test_a_run_says_what_it_replaces_in_the_right_number(number: int, text: str) -> None:
    assert text in wait_line(Wait(tuple(_run(it) for it in range(number))))


@pytest.mark.parametrize(("more", "text"), [(0, None), (1, "1 more line"), (2, "2 more lines")])
def test_a_plan_counts_the_lines_of_code_that_it_leaves_out(more: int, text: str | None) -> None:
    change = TaskChange("a", None, (CHANGED,), (), ("+ x",) * (200 + more), (), None, None, AtOnce(None, ""), ())
    side = Side("main", None)

    plan = Plan(side, side, now(), knows_state=True, tasks=(change,), settings=(), problems=())
    shown = plan_markdown(plan)

    assert [line for line in shown.split("\n") if line.startswith("…")] == ([] if text is None else [f"… and {text}"])
