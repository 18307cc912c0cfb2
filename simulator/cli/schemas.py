"""The command `nmsim schema`: JSON Schemas of the YAML files, for editors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from simulator.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from simulator.hardware.schema import Schema


def _machine() -> Schema:
    from simulator.hardware import hardware_schema

    return hardware_schema()


def _sweep() -> Schema:
    from simulator.exploration.spec import SweepSpec

    return SweepSpec.schema_of_file()


def _recipe() -> Schema:
    from simulator.training.spec import TrainSpec

    return TrainSpec.schema_of_file()


SCHEMAS: Final[dict[str, Callable[[], Schema]]] = {
    "machine": _machine,
    "sweep": _sweep,
    "recipe": _recipe,
}
"""By what a file describes; in a folder they are ``machine.schema.json`` and so on."""


def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="machine, sweep or recipe. Default: machine; --write: all three."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--write", metavar="DIR", help="Write DIR/machine.schema.json and so on."),
    ] = None,
) -> None:
    """Print or write the JSON Schema of a YAML file, by which editors complete and explain keys.

    Editors that read yaml-language-server's comments find it by a first line such as
    "# yaml-language-server: $schema=schemas/machine.schema.json", as the presets have it.
    """
    from simulator.cli import output as out

    if name is not None and name not in SCHEMAS:
        raise ConfigError("schema", "no such schema", got=name, hint=did_you_mean(name, SCHEMAS))
    if folder is None:
        out.write(text_of(name or "machine").encode(), None)
        return
    out.check_folder(folder, "--write")
    files = {one: folder / f"{one}.schema.json" for one in ([name] if name else SCHEMAS)}
    for file in files.values():
        out.check_target(file, "--write")
    for one, file in files.items():
        out.write(text_of(one).encode(), file)


def text_of(name: str) -> str:
    """A schema as its file holds it."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"
