"""A plan as Markdown, for a comment on a pull request. Code is inside a `<details>` element, closed at first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from runner.model.change import Forecast, Plan, TaskChange
from runner.report import plan_words as words
from runner.report.table import plain

#: A job of CI finds its earlier comment by this mark, and updates it.
MARK = "<!-- runner plan -->"
#: How many lines of code are shown for a task: forges limit the length of a comment (GitHub: 65,536 characters).
_MOST_CODE = 200
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


def plan_markdown(plan: Plan) -> str:
    """Return a plan as Markdown."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield MARK
    yield f"### {_text(words.headline(plan))}"
    yield ""
    yield f"Compared {_text(words.compared(plan))}."
    for remark in (*plan.remarks, words.unknown(plan)):
        if remark:
            yield ""
            yield f"> {_text(remark)}"
    if plan.problems:
        yield from _problems(plan)
    for change in plan.tasks:
        yield ""
        yield from _task(change)
    if plan.settings:
        yield ""
        yield "#### `runner.yaml`"
        yield ""
        yield from (f"- `{it.name}`: {_text(words.difference(it))}" for it in plan.settings)


def _problems(plan: Plan) -> Iterator[str]:
    yield ""
    yield "**Problems**"
    yield ""
    for problem in plan.problems:
        hint = f" ({_text(problem.hint)})" if problem.hint else ""
        position = f"{problem.file}:{problem.line}:{problem.column}"
        yield f"- {_code(position)} {problem.severity}: {_text(problem.message)}{hint}"


def _task(change: TaskChange) -> Iterator[str]:
    kinds = words.title(change).removeprefix(f"{change.id}: ")
    yield f"#### {_code(change.id)} {_text(kinds)}"
    yield ""
    if change.after is not None:
        yield f"- **Starts at once on merge?** {_text(words.answer(change.at_once))}"
    yield f"- **Runs a day:** {_text(words.a_day(change.before, change.after))}"
    if change.rehearsal is not None:
        yield f"- **Rehearsed:** {_text(words.rehearsal(change.rehearsal))}"
    yield from (f"- **May touch** {_text(words.capability(it))}" for it in change.capabilities)
    yield from (f"- **Note:** {_text(note)}" for note in change.notes)
    yield ""
    yield from _next_starts(change.before, change.after)
    yield from _fields(change)
    if change.rehearsal is not None:
        printed = [*map(plain, change.rehearsal.output.splitlines()), *words.rolled_back(change.rehearsal)]
        yield from _folded("printed in the rehearsal", "text", printed)
    yield from _folded("code", "diff", change.code)


def _next_starts(before: Forecast | None, after: Forecast | None) -> Iterator[str]:
    line = words.in_one_line(before, after)
    if line:
        yield _text(line[:1].upper() + line[1:])
    if line or before is None or after is None:
        return
    old, new = words.next_starts(before), words.next_starts(after)
    yield "| next, before | next, after |"
    yield "|---|---|"
    yield from (f"| {_text(left)} | {_text(right)} |" for left, right in zip_longest(old, new, fillvalue=""))


def _fields(change: TaskChange) -> Iterator[str]:
    fields = words.shown_fields(change)
    if not fields:
        return
    yield ""
    yield "| field | before | after |"
    yield "|---|---|---|"
    yield from (f"| {_code(it.name)} | {_text(it.before)} | {_text(it.after)} |" for it in fields)


def _folded(title: str, language: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    shown = lines[:_MOST_CODE]
    fence = "`" * max(3, 1 + max((len(run) for line in shown for run in re.findall("`+", line)), default=0))
    yield ""
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield f"{fence}{language}"
    yield from shown
    yield fence
    if len(shown) < len(lines):
        more = len(lines) - len(shown)
        yield f"… and {more} more line{'' if more == 1 else 's'}"
    yield ""
    yield "</details>"


def _text(text: str) -> str:
    """Return text on one line, with every character escaped that is special in Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """Return text as inline code. Text with a backtick, which would end the code, is escaped instead."""
    return f"`{text}`" if "`" not in text else _text(text)
