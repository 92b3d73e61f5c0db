"""Write the help: commands in groups, with whole summaries, and plain names for the values of options."""

from __future__ import annotations

from typer.core import TyperArgument, TyperGroup, TyperOption

TYPE_CHECKING = False  # the names are enough for type checkers
if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

#: The commands by what people use them for.
GROUPS = {
    "Every day": ("tick", "run", "status", "list", "next", "history", "show", "logs", "stats", "cancel"),
    "Review": ("validate", "plan"),
    "Investigate": ("why", "blame", "replay"),
    "Set up": ("new", "permissions", "contexts"),
}
_REST = "More"
#: Longer than any summary: the help wraps them and cuts none.
_UNCUT = 10_000


class GroupedCommands(TyperGroup):
    """The commands of runner."""

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return the command of a name, or None."""
        command = super().get_command(ctx, cmd_name)
        for parameter in () if command is None else command.params:
            if isinstance(parameter, TyperArgument):
                parameter.display_type_rich = _no_type  # type: ignore[method-assign] # the name of the value is enough
            elif isinstance(parameter, TyperOption) and parameter.type_descriptor.is_ranged:
                parameter.metavar = parameter.metavar or "N"
        return command

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the commands with their summaries, in groups."""
        grouped = {name for names in GROUPS.values() for name in names}
        rest = tuple(name for name in self.commands if name not in grouped)
        width = max(len(name) for name in self.commands)
        for title, names in {**GROUPS, _REST: rest}.items():
            there = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name.ljust(width), it.get_short_help_str(_UNCUT)) for name, it in there if it is not None]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _no_type(ctx: Context) -> None:
    del ctx  # typer passes it by name
