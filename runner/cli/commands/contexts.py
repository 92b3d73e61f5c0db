"""`contexts`."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli.commands.arguments import Json
from runner.cli.context import State, show, text
from runner.cli.state_folder import prepare_state
from runner.operations.reviewing.context_check import check_contexts
from runner.report import as_json
from runner.report.context_text import check_facts, check_json
from runner.report.tables import Line

_EPILOG = """\b
Examples:
  runner contexts check                    every context of runner.yaml
  runner contexts check django             one of them
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(no_args_is_help=True)
    group.command("check", epilog=_EPILOG)(_check)
    group.callback()(_contexts)
    app.add_typer(group, name="contexts")


def _contexts() -> None:
    """Check the applications whose names stand in scope of tasks."""


def _check(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", parser=text, help="Contexts. Default: all.")
    ] = None,
    json: Json = False,
) -> int:
    """Set up the contexts of runner.yaml, and show what is in scope."""
    state: State = context.obj
    prepare_state(state.workspace)
    checks = []
    for number, check in enumerate(check_contexts(state.workspace, tuple(names or ()))):
        checks.append(check)
        if json:
            continue
        show(*([Line("")] if number else []), check_facts(check))
        output = check.output.decode("utf-8", "replace").rstrip("\n")
        if output:
            show(Line("\noutput", "bold"), Line(output))
    if json:
        print(as_json.dumps([check_json(check) for check in checks]))
    elif not checks:
        print("runner.yaml has no contexts")
    return 0 if all(check.use is not None for check in checks) else 1
