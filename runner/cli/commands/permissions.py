"""`permissions`."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli.commands.arguments import Json
from runner.cli.commands.completion import task_ids
from runner.cli.context import State, remark, show, text
from runner.errors import UsageError
from runner.operations.reviewing.permissions import Suggestion, all_permissions, suggest, write
from runner.report import as_json
from runner.report.permissions_text import as_mapping, block, permissions_table, proposal_json, suggestion_lines
from runner.report.tables import Line

_EPILOG = """\b
Examples:
  runner permissions                       what each task of the work tree may touch
  runner permissions --suggest             what each of them needs, as far as its code shows it
  runner permissions --suggest --write     and write that into the files
  runner run billing/report --learn        run a task, and see what it touches
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("permissions", epilog=_EPILOG)(_permissions)


def _permissions(
    context: typer.Context,
    tasks: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", parser=text, help="Tasks. Default: all.", autocompletion=task_ids),
    ] = None,
    suggests: Annotated[bool, typer.Option("--suggest", help="Show what tasks need beyond that.")] = False,
    writes: Annotated[bool, typer.Option("--write", help="With --suggest: write it into the task files.")] = False,
    json: Json = False,
) -> int:
    """Show what each task may touch, and what it needs."""
    state: State = context.obj
    if writes and not suggests:
        raise UsageError("--write writes what --suggest finds", "add --suggest")
    if not suggests:
        granted = all_permissions(state.workspace, tasks or ())
        if json:
            print(
                as_json.dumps([_as_json(each.task, as_mapping(each.granted), each.granted.is_held) for each in granted])
            )
        else:
            show(permissions_table(granted))
        return 0
    found = [it for it in suggest(state.workspace, tasks or ()) if it.proposal.has_something()]
    if writes:
        for suggestion in found:
            write(state.workspace, suggestion, block(suggestion.block))
    if json:
        print(as_json.dumps([{"task": it.task, "file": it.path, **proposal_json(it.proposal)} for it in found]))
        return 0
    _show(found, writes=writes)
    return 0


def _as_json(task: str, permissions: dict[str, object], is_held: bool) -> dict[str, object]:
    return {"task": task, "held": is_held, "permissions": permissions}


def _show(found: list[Suggestion], *, writes: bool) -> None:
    for number, suggestion in enumerate(found):
        show(*([Line("")] if number else []), Line(suggestion.path, "bold"))
        show(*map(Line, suggestion_lines(suggestion)))
    if not found:
        print("no task needs more than it is granted, as far as the code shows it")
    elif writes:
        remark(
            f"written into {len(found)} file{'' if len(found) == 1 else 's'}: see `git diff`, and run `runner validate`"
        )
    remark("files and ports that only a run shows: `runner run ID --learn`")
