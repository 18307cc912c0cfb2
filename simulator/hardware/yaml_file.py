"""One YAML file as a document: plain data, and where every key of it was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from simulator import catalog
from simulator.errors import ConfigError, SimulatorError
from simulator.hardware.yaml_tree import KeyPath, PlainDataError, tree_of

MAX_CHARACTERS = 200_000


@dataclass
class Document:
    """Plain data, and where each key of it was written."""

    data: dict[str, Any]
    positions: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath, default: str) -> str:
        """Position and dotted name of a key, or of the closest parent that was written."""
        dotted = ".".join(str(part) for part in path)
        for length in range(len(path), 0, -1):
            if path[:length] in self.positions:
                return f"{self.positions[path[:length]]} {dotted}"
        return f"{default} {dotted}".strip()

    def merge(self, other: Document) -> None:
        """Lay another document over this one: mappings merge, everything else is replaced."""
        _merge(self.data, other.data)
        self.positions.update(other.positions)


def read(path: Path, what: str = "machine", error: type[SimulatorError] = ConfigError) -> Document:
    """Read one YAML file that describes a machine, or something else.

    A file that says what an earlier one said is not parsed again; every document is its reader's
    own.

    Raises
    ------
    SimulatorError
        Of class ``error``, if the file cannot be read, is not YAML, or is not a mapping.
    """
    text = catalog.text_of(path, error)
    if len(text) > MAX_CHARACTERS:
        raise error(str(path), f"too large for a {what}", want=f"{MAX_CHARACTERS} characters")
    try:
        tree = tree_of(text)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise error(where, _first_line(problem)) from None
    except YAMLError as problem:
        raise error(str(path), f"not YAML: {str(problem).splitlines()[0]}") from None
    if not isinstance(tree.data, dict):
        raise error(str(path), f"not a {what}", want="a mapping of keys to values")
    positions = {key: f"{path}:{line}:{column}" for key, (line, column) in tree.marks.items()}
    return Document(_copy(tree.data), positions)


def parse_value(text: str, where: str = "--set") -> Any:
    """A value given on the command line, read as a file would be: 64, 1.5, true, [a, b].

    Raises
    ------
    ConfigError
        If it is YAML, but not plain data; what is not YAML is a text.
    """
    try:
        return _copy(tree_of(text).data)
    except PlainDataError as problem:
        raise ConfigError(where, str(problem.problem)) from None
    except YAMLError:
        return text


def _first_line(problem: MarkedYAMLError) -> str:
    """What is wrong; ruamel appends advice on its own API after the first line."""
    what = (problem.problem or "not YAML").splitlines()[0]
    return f"{problem.context}, {what}" if what.startswith("but ") and problem.context else what


def _copy(data: Any) -> Any:
    """Lists and mappings anew, which their owner may change."""
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(item) for item in data] if isinstance(data, list) else data


def _merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
