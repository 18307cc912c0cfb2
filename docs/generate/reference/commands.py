"""The page of commands: their help, arguments and options, as typer has them."""

from __future__ import annotations

from typing import Any

import typer

from generate.reference.markdown import block, page, plain, prose
from simulator.cli import app
from simulator.cli.help import GROUPS

ABOUT = """Every command prints its result on standard output, and notes and progress on standard
error. `nmsim COMMAND --help` shows on a terminal what stands here. An error is one line, and exit
code 2. All exit codes stand in [errors](errors.md)."""


def pages() -> dict[str, str]:
    """One page, in the groups of `nmsim --help`."""
    group: Any = typer.main.get_command(app)
    commands = list(group.commands.values())
    text = page(
        "# Commands",
        ABOUT,
        _parameters(group, group.make_context("nmsim", [], resilient_parsing=True)),
        *(_group(name, commands) for name in GROUPS),
    )
    return {"reference/commands.md": text}


def _group(name: str, commands: list[Any]) -> str:
    own = [command for command in commands if command.rich_help_panel == name]
    return page(f"## {name}", *map(_command, own))


def _command(command: Any) -> str:
    context = command.make_context(f"nmsim {command.name}", [], resilient_parsing=True)
    arguments = [_usage(one) for one in command.params if _is_argument(one)]
    usage = " ".join([f"nmsim {command.name}", *arguments, "[OPTIONS]"])
    return page(
        f"### nmsim {command.name}",
        prose(command.help),
        block("text", usage),
        _examples(command.epilog or ""),
        _parameters(command, context),
    )


def _examples(epilog: str) -> str:
    """What follows ``Examples:``, a command a line."""
    told = epilog.removeprefix("Examples: ")
    return block("sh", "\n".join(told.split("; "))) if told else ""


def _parameters(command: Any, context: Any) -> str:
    """Arguments and options, each as ``--help`` has it."""
    told = [
        _parameter(_usage(one).strip("[]") if _is_argument(one) else record[0], record[1])
        for one in command.params
        if (record := one.get_help_record(context)) is not None
    ]
    return page(f"```{{program}} {context.info_name}\n```", *told)


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _usage(argument: Any) -> str:
    """As a usage line has it: in brackets where it may be left out."""
    name = (argument.metavar or argument.name.upper()).strip("[]")
    name += "..." if argument.nargs != 1 and not name.endswith("...") else ""
    return name if argument.required else f"[{name}]"


def _parameter(heads: str, about: str) -> str:
    """One of them; what ``--help`` has in brackets, such as a default, stands apart."""
    said, bracket, facts = about.partition("  [")
    facts = plain(f"{facts[:1].upper()}{facts[1:]}".rstrip("]"))
    text = prose(said) + (f" *{facts}.*" if bracket else "")
    return f":::{{option}} {heads}\n{text}\n:::"
