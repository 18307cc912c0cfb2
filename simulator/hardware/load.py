"""``YAML -> Hardware``: presets, files, a file's base, dotted overrides, and clear errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from simulator import catalog
from simulator.errors import ConfigError, SimulatorError, did_you_mean
from simulator.hardware.machine import Hardware
from simulator.hardware.yaml_file import Document, KeyPath, read

BASE_KEY = "base"

PLAIN_WORDS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "too_short": "must not be empty",
}
"""By kind of pydantic's error, whose own words speak of Python's types."""


def load_hardware(
    name: str | Path | Hardware, overrides: Mapping[str, object] | None = None
) -> Hardware:
    """Read a machine.

    Parameters
    ----------
    name : str or Path
        A preset of ``configs/`` or the path of a YAML file. The file may name another as its
        ``base`` and then lists only what differs. A ``Hardware`` is taken as it is.
    overrides : mapping, optional
        Dotted keys and their values: ``{"core.count": 64}``.

    Raises
    ------
    ConfigError
        With file, line, column and key of the first thing that is wrong.
    """
    if isinstance(name, Hardware):
        document, source = Document(name.model_dump(mode="json")), name.name
    else:
        path = catalog.find(name, "configs", ".yaml", ConfigError)
        document, source = _read_with_base(path, ()), str(path)
    for key, value in (overrides or {}).items():
        _override(document, key, value)
    try:
        return Hardware.model_validate(document.data)
    except ValidationError as error:
        # A misspelt key is also a missing one: tell of the misspelling.
        problems = sorted(error.errors(), key=lambda problem: problem["type"] == "missing")
        raise _config_error(problems[0], document, source) from None
    except SimulatorError as error:
        raise ConfigError(source, str(error)) from None


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


def _override(document: Document, key: str, value: object) -> None:
    parts = key.split(".")
    if not all(parts):
        raise ConfigError(f"--set {key}", "not a dotted key", want="such as core.count")
    node = document.data
    for part in parts[:-1]:
        child = node.get(part)
        if child is None:
            child = node[part] = {}
        if not isinstance(child, dict):
            raise ConfigError(f"--set {key}", f"'{part}' has no keys below it")
        node = child
    node[parts[-1]] = value
    path: KeyPath = tuple(parts)
    for known in [p for p in document.positions if p[: len(path)] == path]:
        del document.positions[known]
    document.positions[path] = "--set"


def _config_error(details: ErrorDetails, document: Document, source: str) -> ConfigError:
    path: KeyPath = tuple(part for part in details["loc"])
    where = document.where(path, source)
    kind, got = details["type"], details["input"]
    if kind == "missing":
        return ConfigError(where, "is missing")
    if kind == "extra_forbidden":
        return ConfigError(where, "unknown key", hint=did_you_mean(str(path[-1]), _keys_at(path)))
    what = details["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ")
    what = PLAIN_WORDS.get(kind, what)
    hint = None
    if isinstance(got, str) and kind in {"int_type", "float_type"}:
        hint = "the unit stands in the key's name; write a plain number"
    shown = None if isinstance(got, dict | list | BaseModel) else got
    return ConfigError(where, what, got=shown, hint=hint)


def _keys_at(path: KeyPath) -> list[str]:
    """Keys that are valid beside the last part of ``path``."""
    model: Any = Hardware
    for part in path[:-1]:
        if isinstance(model, type) and issubclass(model, BaseModel):
            if part not in model.model_fields:
                return []
            model = model.model_fields[str(part)].annotation
        else:
            model = get_args(model)[-1] if get_origin(model) is dict else get_args(model)[0]
        if get_origin(model) in (Union, UnionType):
            model = get_args(model)[0]
    if isinstance(model, type) and issubclass(model, BaseModel):
        return list(model.model_fields)
    return []
