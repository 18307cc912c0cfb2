"""What is said of stalls, as `STALLS` says it: a table, and by stall what lowers it."""

from __future__ import annotations

from functools import cache

from generate.reference.keys import keys_of_file
from generate.reference.schema_keys import ANY
from simulator.hardware.resources import RESOURCES
from simulator.names import words
from simulator.report.stalls import STALLS

REFERENCE = "../reference/machine.md"
KEYS = {resource.name: [key for key, _ in resource.keys] for resource in RESOURCES}


def table() -> str:
    """Every stall, linked to its section, and what it is."""
    rows = [f"| [{words(s.kind)}](#{s.kind}) | `{s.kind}` | {s.means} |" for s in STALLS.values()]
    return "\n".join(
        ["| on the screen | in `core_time_ps` | what it is |", "|---|---|---|", *rows, ""]
    )


MANY = 4
"""From so many resources on, each is a line of its own."""


def lowered(kind: str) -> str:
    """Resources that lower a stall, each with its keys."""
    items = [f"{name} ({', '.join(map(_key, KEYS[name]))})" for name in STALLS[kind].lowered_by]
    intro = "Keys that lower it, the strongest first:"
    if len(items) < MANY:
        return f"{intro} {'; '.join(items)}.\n"
    return "\n".join([intro, "", *(f"* {item}" for item in items), ""])


def _key(key: str) -> str:
    """A key as it stands in a YAML, and a link to where it, or the section around it, is told."""
    place = _places()
    name = key.replace("*", ANY)
    while name not in place:
        name = name.rpartition(".")[0]
    return f"[`{key}`]({REFERENCE}#{place[name]})"


@cache
def _places() -> dict[str, str]:
    """Where on the page of a machine's keys each is told."""
    return {key.name: key.anchor for key in keys_of_file("machine")}
