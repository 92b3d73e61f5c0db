"""A plan as lines of text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from runner.model.change import Outlook, Plan, TaskChange
from runner.report import plan_words as words
from runner.report.table import Layout, Table, plain, table_lines

_INDENT = "    "
_FIRES = Layout(columns=("next, before", "next, after"), name="next, before")


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines of a plan."""
    yield f"{words.headline(plan)}, {words.compared(plan)}"
    yield from plan.remarks
    if words.unknown(plan):
        yield words.unknown(plan)
    for change in plan.tasks:
        yield ""
        yield from _task_lines(change)
    if plan.settings:
        yield ""
        yield "runner.yaml"
        yield from (f"{_INDENT}{it.name}: {words.difference(it)}" for it in plan.settings)
    if plan.problems:
        yield ""
        for problem in plan.problems:
            yield str(problem)
            if problem.hint:
                yield f"{_INDENT}hint: {problem.hint}"


def _task_lines(change: TaskChange) -> Iterator[str]:
    yield plain(f"{words.sign(change)} {words.title(change)}")
    lines = [f"{it.name}: {words.difference(it)}" for it in words.told_fields(change)]
    if change.after is not None:
        lines.append(f"starts at once: {words.answer(change.at_once)}")
    lines += [f"runs a day: {words.a_day(change.before, change.after)}"] if change.before or change.after else []
    lines += [f"may touch {words.capability(it)}" for it in change.capabilities]
    lines += [f"note: {note}" for note in change.notes]
    yield from (_INDENT + plain(line) for line in lines)
    yield from _fires(change.before, change.after)
    if change.code:
        yield f"{_INDENT}code:"
        yield from (f"{_INDENT}  {plain(line)}" for line in change.code)


def _fires(before: Outlook | None, after: Outlook | None) -> Iterator[str]:
    """Yield the next starts, side by side where they differ."""
    line = words.in_one_line(before, after)
    if line:
        yield _INDENT + line
    if line or before is None or after is None:
        return
    old, new = words.fires(before), words.fires(after)
    rows = list(zip_longest(old, new, fillvalue=""))
    yield from (f"{_INDENT}{line}" for line in table_lines(Table(_FIRES, rows)))
