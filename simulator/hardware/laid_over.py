"""A machine as a YAML file that names its base and lists only what differs, with comments."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

Difference = tuple[str, object, str]
"""A dotted key, its value, and a comment."""

PLAIN: Final = re.compile(r"(?!(?:true|false|null|yes|no|on|off)$)[A-Za-z_][\w-]*", re.I)
"""Keys that need no quotes."""


def machine_lines(base: str, name: str, differences: Iterable[Difference]) -> Iterator[str]:
    """The file, line by line; of a key that differs twice, the later value counts.

    Parameters
    ----------
    base : str
        As `base_name` gives it.
    """
    yield f"base: {json.dumps(base, ensure_ascii=False)}"
    yield f"name: {json.dumps(name, ensure_ascii=False)}"
    tree: dict[str, Any] = {}
    for key, value, comment in (single for one in differences for single in _singly(*one)):
        *sections, last = key.split(".")
        node = tree
        for section in sections:
            if not isinstance(node.get(section), dict):
                node[section] = {}
            node = node[section]
        is_whole = isinstance(value, float) and value.is_integer()
        plain = int(value) if is_whole else value  # type: ignore[call-overload]  # a float
        node[last] = f"{json.dumps(plain, ensure_ascii=False)}  # {comment}"
    yield from _lines(tree, "")


def base_name(machine: str, output: Path) -> str:
    """What the file at ``output`` calls its base: a preset by name, a file from there."""
    if not Path(machine).is_file():
        return machine
    return os.path.relpath(Path(machine).resolve(), output.resolve().parent)


def _singly(key: str, value: object, comment: str) -> Iterator[Difference]:
    """The keys below one, if its value is a mapping of some."""
    if isinstance(value, dict) and value:
        for name, below in value.items():
            yield from _singly(f"{key}.{name}", below, comment)
    else:
        yield key, value, comment


def _lines(tree: dict[str, Any], indent: str) -> Iterator[str]:
    for name, below in tree.items():
        key = name if PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)
        if isinstance(below, dict):
            yield f"{indent}{key}:"
            yield from _lines(below, f"{indent}  ")
        else:
            yield f"{indent}{key}: {below}"
