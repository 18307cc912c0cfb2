"""YAML 1.2 into plain data, with the line and column of every key for error messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from simulator import catalog
from simulator.errors import ConfigError, SimulatorError

KeyPath = tuple[str | int, ...]
MAX_DEPTH, MAX_KEYS, MAX_CHARACTERS = 50, 20_000, 200_000

# What ruamel raises on bad input: its own, and what odd tags make of its constructors.
PARSER_ERRORS = (
    YAMLError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    RecursionError,
)


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

    Raises
    ------
    SimulatorError
        Of class ``error``, if the file cannot be read, is not YAML, or is not a mapping.
    """
    yaml = YAML(typ="rt", pure=True)
    text = catalog.text_of(path, error)
    if len(text) > MAX_CHARACTERS:
        raise error(str(path), f"too large for a {what}", want=f"{MAX_CHARACTERS} characters")
    try:
        tree = yaml.load(text)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        # ruamel appends advice on its own API after the first line.
        raise error(where, (problem.problem or "not YAML").splitlines()[0]) from None
    except PARSER_ERRORS as problem:
        raise error(str(path), f"not YAML: {type(problem).__name__}") from None
    if not isinstance(tree, CommentedMap):
        raise error(str(path), f"not a {what}", want="a mapping of keys to values")
    document = Document({})
    try:
        document.data = _plain(tree, (), str(path), document.positions, 0)
    except ConfigError as problem:
        raise error(problem.where, problem.what, want=problem.want) from None
    return document


def parse_value(text: str) -> Any:
    """A value given on the command line, read as a file would be: 64, 1.5, true, [a, b]."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except PARSER_ERRORS:
        return text


def _plain(node: Any, path: KeyPath, file: str, positions: dict[KeyPath, str], depth: int) -> Any:
    if depth > MAX_DEPTH or len(positions) > MAX_KEYS:  # aliases of aliases grow without end
        want = f"at most {MAX_DEPTH} levels and {MAX_KEYS} keys"
        raise ConfigError(file, "too large or nested too deeply", want=want)
    if isinstance(node, CommentedMap):
        result: dict[str, Any] = {}
        for key, value in node.items():
            line, column = node.lc.key(key) if key in (node.lc.data or {}) else (0, 0)
            here = (*path, str(key))
            positions[here] = f"{file}:{line + 1}:{column + 1}"
            result[str(key)] = _plain(value, here, file, positions, depth + 1)
        return result
    if isinstance(node, CommentedSeq):
        items = []
        for index, value in enumerate(node):
            line, column = node.lc.item(index)
            here = (*path, index)
            positions[here] = f"{file}:{line + 1}:{column + 1}"
            items.append(_plain(value, here, file, positions, depth + 1))
        return items
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):  # ruamel's scalars subclass these and remember their notation
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value
