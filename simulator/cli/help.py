"""Help in groups: what simulates, decides, explores, is about models and weights, and checks."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperGroup

SIMULATE: Final = "Simulate"
DECIDE: Final = "Decide"
EXPLORE: Final = "Explore"
MODELS: Final = "Models and weights"
CHECK: Final = "Check"

GROUPS: Final = (SIMULATE, DECIDE, EXPLORE, MODELS, CHECK)


class GroupedHelp(TyperGroup):
    """Commands under the headings of ``GROUPS``, each with its whole sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the groups; the names of commands stand in one column."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        for group in GROUPS:
            lines = [
                (name.ljust(10), (command.help or "").partition("\n\n")[0].replace("\n", " "))
                for name, command in commands
                if command is not None and getattr(command, "rich_help_panel", None) == group
            ]
            with formatter.section(group):
                formatter.write_dl(lines)
