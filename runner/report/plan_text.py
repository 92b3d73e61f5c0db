"""A plan as lines of text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from runner.model.change import Forecast, Plan, TaskChange
from runner.report import plan_words as words
from runner.report.fold import fold, fold_line, pieces
from runner.report.table import GAP, LEAST, Layout, Table, cells, plain, table_lines

_INDENT = "    "
_CODE = f"{_INDENT}  "
_STARTS = Layout(columns=("next, before", "next, after"), name="next, before")


def plan_lines(plan: Plan, width: int | None = None) -> Iterator[str]:
    """Yield the lines of a plan. A line of more than `width` cells is wrapped; where `width` is None, none is."""
    for indent, line in _lines(plan, width):
        if indent == _CODE and width is not None:
            yield from (indent + piece for piece in pieces(line, width - len(indent)))
        else:
            yield from fold_line(indent + line, width)


def _lines(plan: Plan, width: int | None) -> Iterator[tuple[str, str]]:
    """Yield the lines, each with its indent."""
    yield "", f"{words.headline(plan)}, {words.compared(plan)}"
    yield from (("", remark) for remark in plan.remarks)
    if words.unknown(plan):
        yield "", words.unknown(plan)
    for change in plan.tasks:
        yield "", ""
        yield "", plain(f"{words.sign(change)} {words.title(change)}")
        yield from ((_INDENT, plain(line)) for line in _facts(change))
        yield from ((_INDENT, line) for line in _next_starts(change.before, change.after, width))
        if change.rehearsal is not None:
            yield _INDENT, f"rehearsed: {plain(words.rehearsal(change.rehearsal))}"
            yield from ((_CODE, plain(line)) for line in change.rehearsal.output.splitlines())
            yield from ((_CODE, plain(line)) for line in words.rolled_back(change.rehearsal))
        if change.code:
            yield _INDENT, "code:"
            yield from ((_CODE, plain(line)) for line in change.code)
    if plan.settings:
        yield "", ""
        yield "", "runner.yaml"
        yield from ((_INDENT, plain(f"{it.name}: {words.difference(it)}")) for it in plan.settings)
    if plan.problems:
        yield "", ""
        for problem in plan.problems:
            yield "", str(problem)
            if problem.hint:
                yield _INDENT, f"hint: {problem.hint}"


def _facts(change: TaskChange) -> list[str]:
    """Return the lines about a task: changed fields, when and how often it starts, what it may use, and notes."""
    lines = [f"{it.name}: {words.difference(it)}" for it in words.shown_fields(change)]
    if change.after is not None:
        lines.append(f"starts at once: {words.answer(change.at_once)}")
    lines += [f"runs a day: {words.a_day(change.before, change.after)}"] if change.before or change.after else []
    lines += [f"may touch {words.capability(it)}" for it in change.capabilities]
    return lines + [f"note: {note}" for note in change.notes]


def _next_starts(before: Forecast | None, after: Forecast | None, width: int | None) -> Iterator[str]:
    """Yield the next starts before and after the change, side by side where they differ."""
    line = words.in_one_line(before, after)
    if line:
        yield line
    if line or before is None or after is None:
        return
    columns = _fitted(
        words.next_starts(before), words.next_starts(after), None if width is None else width - len(_INDENT)
    )
    yield from table_lines(Table(_STARTS, list(zip_longest(*columns, fillvalue=""))))


def _fitted(old: Sequence[str], new: Sequence[str], width: int | None) -> tuple[Sequence[str], Sequence[str]]:
    """Return both columns, at most `width` cells wide together.

    A column may take half of the width, and what the other column does not need. Longer lines are wrapped.
    """
    if width is None:
        return old, new
    natural = [max(map(cells, (title, *column))) for title, column in zip(_STARTS.columns, (old, new), strict=True)]
    available = width - len(GAP)
    widths = [max(available // 2, available - other, LEAST) for other in reversed(natural)]
    return _folded(old, widths[0]), _folded(new, widths[1])


def _folded(column: Sequence[str], width: int) -> list[str]:
    return [line for text in column for line in fold(text, width)]
