"""Arguments and options of several commands."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli.commands.completion import task_ids
from runner.cli.context import text

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
OneTask = Annotated[str, typer.Argument(metavar="ID", help="The task.", parser=text, autocompletion=task_ids)]
AnyRun = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The number of the run, from `runner history`; or a task: its last run.",
        parser=text,
        autocompletion=task_ids,
    ),
]
