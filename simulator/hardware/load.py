"""``YAML -> Hardware``: presets, files, a file's base, dotted overrides, and clear errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic_core import ErrorDetails

from simulator import catalog
from simulator.errors import ConfigError
from simulator.hardware.checked import first_problem, validated
from simulator.hardware.machine import Hardware
from simulator.hardware.schema import schema_of
from simulator.hardware.yaml_file import Document, read
from simulator.hardware.yaml_tree import KeyPath

BASE_KEY = "base"

ALTERNATIVES = {
    "sparsity.patterns": "sparsity.largest_group",
    "sparsity.largest_group": "sparsity.patterns",
}
"""Two ways to say one thing: what is given in one way replaces what was inherited in the other."""


def load_hardware(
    name: str | Path | Hardware,
    overrides: Mapping[str, object] | None = None,
    origin: str | Mapping[str, str] = "--set",
) -> Hardware:
    """Read a machine.

    A file's mappings are laid over those of its base, and its lists replace them. Listed patterns
    replace an inherited ``largest_group``, and the other way round. Null takes the inherited value
    of an optional key away.

    Parameters
    ----------
    name : str or Path
        A preset of ``configs/`` or the path of a YAML file. The file may name another as its
        ``base`` and then lists only what differs. A ``Hardware`` is taken as it is.
    overrides : mapping, optional
        Dotted keys and their values: ``{"core.count": 64}``.
    origin : str or mapping of str to str
        What an error names as the place where the overrides, or each of them, were written.

    Raises
    ------
    ConfigError
        With file, line, column and key of the first thing that is wrong, or with the overrides
        that make it wrong.
    """
    if isinstance(name, Hardware):
        if not overrides:
            return name
        source = name.name
    else:
        name = catalog.find(name, "configs", ".yaml", ConfigError)
        source = str(name)
    values = overrides or {}
    origins = dict.fromkeys(values, origin) if isinstance(origin, str) else origin
    changes = _Overrides(name, values, origins)
    return validated(Hardware, changes.document(values), source, ConfigError, changes.blame)


def replaced(given: Mapping[str, object]) -> dict[str, object]:
    """What keys that are given take away from others: dotted keys and what is left of them."""
    emptied: dict[str, object] = {"sparsity.patterns": [], "sparsity.largest_group": 0}
    said = [key for key in ALTERNATIVES if given.get(key) is not None and given[key] != 0]
    others = [ALTERNATIVES[key] for key in said]  # an empty list says: none at all
    return {key: emptied[key] for key in others if given.get(key) is None}


def hardware_schema() -> dict[str, Any]:
    """JSON Schema of a machine's YAML, for editors; every key has a description.

    Returns
    -------
    dict
        In draft 7, in which a file that names a ``base`` may leave out anything.
    """
    schema = schema_of(Hardware, partial=True)  # a file with a base may leave out anything
    schema["properties"][BASE_KEY] = {
        "type": "string",
        "description": "Preset or file that this one changes; only differences follow.",
    }
    return schema


def _read_with_base(path: Path, above: tuple[Path, ...]) -> Document:
    resolved = path.resolve()
    if resolved in above:
        raise ConfigError(str(path), "its base leads back to itself")
    document = read(path)
    base = document.data.pop(BASE_KEY, None)
    if base is None:
        return document
    where = document.where((BASE_KEY,), str(path))
    if not isinstance(base, str):
        raise ConfigError(where, "not a machine", want="a preset name or a .yaml file", got=base)
    beside = path.parent / base
    base_path = beside if beside.is_file() else catalog.find(base, "configs", ".yaml", _at(where))
    merged = _read_with_base(base_path, (*above, resolved))
    _replace_alternatives(merged.data, _flat(document.data))
    merged.merge(document)
    return merged


def _at(where: str) -> type[ConfigError]:
    """ConfigError that starts with the position of the key that caused it."""

    class PositionedError(ConfigError):
        def __init__(self, name: str, what: str, **details: Any) -> None:
            super().__init__(where, what, **{"got": name, **details})

    return PositionedError


def _replace_alternatives(inherited: dict[str, Any], given: Mapping[str, object]) -> None:
    for key in replaced(given):
        section, name = key.split(".")
        if isinstance(inherited.get(section), dict):
            inherited[section].pop(name, None)


def _flat(data: Mapping[str, Any]) -> dict[str, object]:
    """The keys of sections, dotted."""
    sections = [(name, part) for name, part in data.items() if isinstance(part, dict)]
    return {f"{name}.{key}": part[key] for name, part in sections for key in part}


@dataclass(frozen=True)
class _Overrides:
    """Values of dotted keys that change a machine, and where each was written."""

    machine: Path | Hardware
    values: Mapping[str, object]
    origins: Mapping[str, str]

    def document(self, values: Mapping[str, object]) -> Document:
        """What describes the machine, changed by some of the overrides."""
        if isinstance(self.machine, Hardware):
            document = Document(self.machine.model_dump(mode="json"))
        else:
            document = _read_with_base(self.machine, ())
        _replace_alternatives(document.data, values)
        for key, value in values.items():
            _override(document, key, value, self.origins[key])
        return document

    def blame(self, problem: ErrorDetails) -> str | None:
        """The overrides without which there is no such problem, or those that are closest to it;
        None if it is an override's by its name, or the file's own."""
        path = ".".join(str(part) for part in problem["loc"])
        shared = {key: _shared_parts(path, key) for key in self.values}
        is_direct = problem["type"] == "extra_forbidden" or any(
            shared[key] == key.count(".") + 1 for key in shared
        )
        if is_direct or not self.values or self._has(problem, {}):
            return None
        without = {key: {k: v for k, v in self.values.items() if k != key} for key in self.values}
        guilty = [key for key in self.values if not self._has(problem, without[key])]
        closest = [key for key in self.values if shared[key] == max(shared.values())]
        return ", ".join(f"{self.origins[key]} {key}" for key in guilty or closest)

    def _has(self, problem: ErrorDetails, values: Mapping[str, object]) -> bool:
        """Whether there is the same problem with some of the overrides, or with none."""
        other = first_problem(Hardware, self.document(values).data)
        about = (problem["loc"], problem["type"])
        return other is not None and about == (other["loc"], other["type"])


def _shared_parts(path: str, key: str) -> int:
    """How many parts two dotted keys begin with alike."""
    pairs = zip(path.split("."), key.split("."), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _override(document: Document, key: str, value: object, origin: str) -> None:
    parts = key.split(".")
    if not all(parts):
        raise ConfigError(f"{origin} {key}", "not a dotted key", want="such as core.count")
    node = document.data
    for depth, part in enumerate(parts[:-1], start=1):
        child = node.get(part)
        if child is None:
            child = node[part] = {}
            document.positions[tuple(parts[:depth])] = origin
        if not isinstance(child, dict):
            raise ConfigError(f"{origin} {key}", f"'{part}' has no keys below it")
        node = child
    node[parts[-1]] = value
    path: KeyPath = tuple(parts)
    for known in [p for p in document.positions if p[: len(path)] == path]:
        del document.positions[known]
    document.positions[path] = origin
