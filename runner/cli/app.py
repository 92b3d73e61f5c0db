"""Assemble the commands and run one of them."""

from __future__ import annotations

from importlib import import_module

import typer
from typer.exceptions import Abort, TyperException

from runner.cli.context import State
from runner.cli.failure import complain, explain
from runner.cli.folders import find_root, state_of
from runner.cli.help import GroupedCommands
from runner.operations.workspace import Workspace

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from typer._click import Context

_INTERRUPTED = 130
_USAGE = 2

#: Where the commands stand. Only what a command needs is loaded: half of the time of most.
_COMMANDS = {
    "ticks": ("tick", "run", "cancel"),
    "check": ("validate",),
    "look": ("list", "next", "status", "history", "show", "logs", "stats"),
    "plan": ("plan",),
    "review": ("why", "blame", "replay"),
    "write": ("new",),
    "contexts": ("contexts",),
    "permissions": ("permissions",),
}


class _Commands(GroupedCommands):
    def invoke(self, ctx: Context) -> object:
        """Run the command; return its exit code. A KeyboardInterrupt keeps its text, which typer would drop."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            return explain(interrupt)


app = typer.Typer(
    name="runner",
    help="Scheduled Python tasks, reviewed like code.",
    epilog="Tasks are YAML files below tasks/, read from the committed tree. Cron runs `runner tick` every minute.",
    cls=_Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(*, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only for --version

        typer.echo(f"runner {version('runner')}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    repo: str = typer.Option(None, metavar="DIR", help="The folder that holds tasks/. Default: this one or one above."),
    state: str = typer.Option(
        None, metavar="DIR", help="The folder of the state. Default: $RUNNER_STATE, else state/."
    ),
    no_pager: bool = typer.Option(  # noqa: FBT001 - typer makes options of boolean arguments
        False,  # noqa: FBT003
        "--no-pager",
        help="Print to the terminal without a pager, even if $RUNNER_PAGER or $PAGER is set.",
    ),
    version: bool = typer.Option(  # noqa: FBT001 - typer makes options of boolean arguments
        False,  # noqa: FBT003
        "--version",
        callback=lambda value: _version(wanted=value),
        is_eager=True,
        help="Show the version.",
    ),
) -> None:
    del version
    root = find_root(repo)
    context.obj = State(Workspace(root, state_of(root, state)), has_pager=not no_pager)


def _register(words: list[str]) -> None:
    """Add the module of the command in `words`; add all of them where it is unknown, for help and hints."""
    while words[:1] in (["--repo"], ["--state"], ["--no-pager"]):
        words = words[1 if words[0] == "--no-pager" else 2 :]
    called = [name for name, commands in _COMMANDS.items() if words and words[0] in commands]
    for name in called or _COMMANDS:
        import_module(f"runner.cli.commands.{name}").register(app)


def run(words: list[str]) -> int:
    """Run a command; return its exit code. Raises RunnerError, except for wrong usage."""
    _register(words)
    try:
        code = typer.main.get_command(app).main(args=words or ["--help"], prog_name="runner", standalone_mode=False)
    except Abort:
        return _INTERRUPTED
    except SystemExit as system_exit:  # the shell's completion
        code = system_exit.code
    except TyperException as error:
        complain(_sentence(error), _help_hint(error))
        return _USAGE
    return code if isinstance(code, int) else 0


def _sentence(error: TyperException) -> str:
    text = error.format_message().rstrip(".")
    return text[:1].lower() + text[1:]


def _help_hint(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "runner"
    return f"`{command} --help` shows how it is used"
