"""Which command prints the figures of a page again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import typer

DECIDING = (
    "settings", "engine", "batch", "param", "library", "accuracy", "stack", "dense", "weights",
    "allow_overflow",
)  # fmt: skip
"""Options that decide what is simulated; others say how it is shown, and where."""


def command_of(context: typer.Context, pattern: str) -> str:
    """A line for a shell that simulates one pattern of what this command does.

    Weights are pruned by `nmsim compare` alone, so that with weights it is that command again.
    """
    words = ["nmsim", "run", *_named(context, "hardware", "workload"), "--pattern", pattern]
    if context.params["weights"] and "patterns" in context.params:
        words[1] = "compare"
        words[-2:] = ["--patterns", context.params["patterns"]]
    return shlex.join([*words, *_options(context)])


def _named(context: typer.Context, *names: str) -> list[str]:
    return [str(context.params[name]) for name in names]


def _options(context: typer.Context) -> Iterator[str]:
    """Those that decide, wherever they are not as they are by default."""
    for option in context.command.params:
        value = context.params[option.name] if option.name in DECIDING else None
        if value in (None, False) or value == option.default:
            continue
        for one in value if isinstance(value, (list, tuple)) else [value]:
            yield option.opts[0]
            if one is not True:
                yield str(one)
