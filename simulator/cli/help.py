"""Help in groups: what simulates, explores, measures quality, reads models, and checks."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperGroup

SIMULATE: Final = "Simulate"
EXPLORE: Final = "Explore"
COST: Final = "What it costs"
MODELS: Final = "Models and weights"
MACHINES: Final = "Machines"
CHECK: Final = "Check"

GROUPS: Final = (SIMULATE, EXPLORE, COST, MODELS, MACHINES, CHECK)


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
