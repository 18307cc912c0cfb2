"""What machines of the presets say of their keys, with the remarks that stand beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from generate.reference.schema_keys import ANY, EACH, Key
from simulator import catalog
from simulator.errors import ConfigError
from simulator.hardware.yaml_file import read
from simulator.hardware.yaml_tree import KeyPath, tree_of

_REMARK = re.compile(r"\s#\s*(.*)$")


@dataclass(frozen=True)
class Stated:
    """A value in a machine's YAML.

    Attributes
    ----------
    name : str
        Below the key that is asked for, such as a dtype; empty for its own value.
    value : object
    remark : str
        Where it is from, as the file says; empty where it says nothing.
    machines : tuple of str
        Presets that have it, inherited or their own.
    """

    name: str
    value: Any
    remark: str
    machines: tuple[str, ...]


@dataclass(frozen=True)
class _Said:
    value: Any
    remark: str


def machines() -> dict[str, Path]:
    """Presets and their files."""
    return catalog.presets("configs", ".yaml")


@cache
def _says(path: Path) -> dict[KeyPath, _Said]:
    """Leaves of a machine's YAML, those of its base included: lists are replaced whole."""
    document = read(path)
    base = document.data.pop("base", None)
    text = catalog.text_of(path, ConfigError)
    lines, marks = text.splitlines(), tree_of(text).marks
    own: dict[KeyPath, _Said] = {}
    _collect(document.data, (), "", own, lambda at: _remark(lines[marks[at][0] - 1]))
    inherited = _says(catalog.find(base, "configs", ".yaml", ConfigError)) if base else {}
    replaced = {_list_of(at) for at in own} - {None}
    return {at: said for at, said in inherited.items() if _list_of(at) not in replaced} | own


def _list_of(path: KeyPath) -> KeyPath | None:
    """The list that a leaf lies in."""
    at = next((place for place, part in enumerate(path) if isinstance(part, int)), None)
    return path[:at] if at is not None else None


def _collect(data: Any, path: KeyPath, above: str, into: dict[KeyPath, _Said], remark: Any) -> None:
    """Leaves with their remarks; without one they have that of what holds them."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        at = (*path, key)
        said = remark(at) or above
        if isinstance(value, dict) or (isinstance(value, list) and value and _nested(value)):
            _collect(value, at, said if isinstance(value, dict) else "", into, remark)
        else:
            into[at] = _Said(tuple(value) if isinstance(value, list) else value, said)


def _nested(items: list[Any]) -> bool:
    return isinstance(items[0], dict)


def _remark(line: str) -> str:
    found = _REMARK.search(line)
    return found[1] if found else ""


def stated(key: Key) -> list[Stated]:
    """What presets say of a key, most machines first; of one that holds values by name, by name."""
    parts = re.escape(key.name).replace(re.escape(EACH), r"\.\d+").replace(ANY, r"[^.]+")
    by_name = any(isinstance(form.get("additionalProperties"), tuple) for form in key.forms)
    form = re.compile(parts + (r"(?:\.(\w+))?" if by_name else ""))
    found: dict[tuple[str, Any, str], dict[str, None]] = {}
    for machine, path in machines().items():
        for at, said in _says(path).items():
            fits = form.fullmatch(".".join(map(str, at)))
            if fits:
                name = (fits[1] or "") if by_name else ""
                found.setdefault((name, said.value, said.remark), {})[machine] = None
    return [Stated(*what, tuple(names)) for what, names in found.items()]
