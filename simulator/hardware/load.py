"""``YAML -> Hardware``: presets, files, a file's base, dotted overrides, and clear errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator import catalog
from simulator.errors import ConfigError
from simulator.hardware.checked import validated
from simulator.hardware.machine import Hardware
from simulator.hardware.yaml_file import Document, read
from simulator.hardware.yaml_tree import KeyPath

BASE_KEY = "base"


def load_hardware(
    name: str | Path | Hardware,
    overrides: Mapping[str, object] | None = None,
    origin: str = "--set",
) -> Hardware:
    """Read a machine.

    Parameters
    ----------
    name : str or Path
        A preset of ``configs/`` or the path of a YAML file. The file may name another as its
        ``base`` and then lists only what differs. A ``Hardware`` is taken as it is.
    overrides : mapping, optional
        Dotted keys and their values: ``{"core.count": 64}``.
    origin : str
        What an error names as the place where the overrides were written.

    Raises
    ------
    ConfigError
        With file, line, column and key of the first thing that is wrong.
    """
    if isinstance(name, Hardware):
        if not overrides:
            return name
        document, source = Document(name.model_dump(mode="json")), name.name
    else:
        path = catalog.find(name, "configs", ".yaml", ConfigError)
        document, source = _read_with_base(path, ()), str(path)
    for key, value in (overrides or {}).items():
        _override(document, key, value, origin)
    return validated(Hardware, document, source, ConfigError)


def hardware_schema() -> dict[str, Any]:
    """JSON Schema of the YAML, for editors."""
    schema = Hardware.model_json_schema()
    schema["properties"][BASE_KEY] = {
        "type": "string",
        "description": "Preset or file that this one changes; only differences follow.",
    }
    for section in (schema, *schema["$defs"].values()):
        section.pop("required", None)  # a file with a base may leave out anything
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
    merged.merge(document)
    return merged


def _at(where: str) -> type[ConfigError]:
    """ConfigError that starts with the position of the key that caused it."""

    class PositionedError(ConfigError):
        def __init__(self, name: str, what: str, **details: Any) -> None:
            super().__init__(where, what, **{"got": name, **details})

    return PositionedError


def _override(document: Document, key: str, value: object, origin: str) -> None:
    parts = key.split(".")
    if not all(parts):
        raise ConfigError(f"{origin} {key}", "not a dotted key", want="such as core.count")
    node = document.data
    for part in parts[:-1]:
        child = node.get(part)
        if child is None:
            child = node[part] = {}
        if not isinstance(child, dict):
            raise ConfigError(f"{origin} {key}", f"'{part}' has no keys below it")
        node = child
    node[parts[-1]] = value
    path: KeyPath = tuple(parts)
    for known in [p for p in document.positions if p[: len(path)] == path]:
        del document.positions[known]
    document.positions[path] = origin
