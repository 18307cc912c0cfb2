"""Which command prints the figures of a page again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

import typer

from simulator.sparsity import FASTEST

SIMULATED = (
    "settings", "engine", "batch", "param", "library", "accuracy", "stack", "dense", "weights",
    "allow_overflow",
)  # fmt: skip
"""Options that decide what is simulated."""
SHOWN = ("format", "plot", "html", "output", "brief", "verbose", "timeline", "store", "workers",
         "rows", "worst", "tolerance")  # fmt: skip
"""Options that say how it is shown, and where; of what is not among them a page depends."""


def command_of(context: typer.Context, pattern: str) -> str:
    """A line for a shell that simulates one pattern of what this command does.

    It is this command again where `nmsim compare` alone can: it prunes weights, and finds what is
    fastest of others.
    """
    words = ["nmsim", "run", *_named(context, "hardware", "workload"), "--pattern", pattern]
    is_compared = bool(context.params["weights"]) or pattern == FASTEST
    if is_compared and "patterns" in context.params:
        words[1] = "compare"
        words[-2:] = ["--patterns", context.params["patterns"]]
    return shlex.join([*words, *_options(context, SIMULATED)])


def again(context: typer.Context) -> str:
    """This command with all that its page depends on."""
    every = {option.name for option in context.command.params if option.name}
    return shlex.join(["nmsim", str(context.info_name), *_options(context, every - set(SHOWN))])


def simulating(context: typer.Context) -> list[str]:
    """What decides what this command simulates, for one that has room for all of it anyway."""
    return [*_options(context, [name for name in SIMULATED if name != "allow_overflow"])]


def run_of(context: typer.Context, trace: Path) -> str:
    """A line that runs a trace as this command ran it; its sizes and patterns are the trace's."""
    own = [name for name in SIMULATED if name not in ("batch", "param")]
    words = ["nmsim", "run", *_named(context, "hardware"), str(trace)]
    return shlex.join([*words, *_options(context, own)])


def compare_of(
    context: typer.Context, patterns: Sequence[str], settings: Mapping[str, object]
) -> str:
    """A line that compares patterns on this command's machine with other settings."""
    words = ["nmsim", "compare", *_named(context, "hardware", "workload")]
    words += ["--patterns", ",".join(patterns)]
    for key, value in settings.items():
        words += ["--set", f"{key}={json.dumps(value)}"]
    own = [name for name in SIMULATED if name != "settings"]
    return shlex.join([*words, *_options(context, own)])


def _named(context: typer.Context, *names: str) -> list[str]:
    return [str(context.params[name]) for name in names]


def _options(context: typer.Context, names: Container[str]) -> Iterator[str]:
    """Arguments and options, wherever they are not as they are by default."""
    for option in context.command.params:
        value = context.params[option.name] if option.name in names else None
        if value is None or value is False or value == option.default:
            continue
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if option.param_type_name == "option":
                yield option.opts[0]
            if one is not True:
                yield str(one)
