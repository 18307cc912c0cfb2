"""What people may write, as models say it: keys, their types and descriptions, JSON Schemas."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from simulator.hardware.yaml_tree import KeyPath

Schema = dict[str, Any]

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""The newest that editors' yaml-language-server knows: in it nothing stands beside a reference."""


class Also:
    """Forms in which a value may be written besides its own, as a validator takes them.

    An annotation, for the schema alone: ``Annotated[tuple[str, ...], Also({"type": "string"})]``.
    """

    def __init__(self, *forms: Schema) -> None:
        self.forms = forms

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> Schema:
        return {"anyOf": [handler(core), *self.forms]}


TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
NULL: Final[Schema] = {"type": "null"}


def schema_of(model: type[BaseModel], *, partial: bool = False) -> Schema:
    """The schema of a YAML file.

    Parameters
    ----------
    partial : bool
        Whether a file may leave out what the model needs, since another one says it.
    """
    schema = model.model_json_schema()
    for section in (schema, *schema.get("$defs", {}).values()):
        section["description"] = " ".join(section["description"].split())
        required = section.get("required", [])
        if partial:
            section.pop("required", None)
        properties = section.get("properties", {})
        for key, value in properties.items():
            if isinstance(value.get("additionalProperties"), dict):  # keys are the user's
                value["additionalProperties"] = _or_null(value["additionalProperties"])
            properties[key] = _described(value) if key in required else _or_null(value)
    return {"$schema": DIALECT, **schema}


def _or_null(schema: Schema) -> Schema:
    """Null is as good as leaving a key out."""
    shown, inner = _parts(schema)
    forms = inner["anyOf"] if inner.keys() == {"anyOf"} else [inner]
    return {**shown, "anyOf": [*forms, *([] if NULL in forms else [NULL])]}


def _described(schema: Schema) -> Schema:
    """What editors show of a key stays beside what it refers to."""
    shown, inner = _parts(schema)
    return {**shown, "allOf": [inner]} if "$ref" in inner and shown else schema


def _parts(schema: Schema) -> tuple[Schema, Schema]:
    """What editors show of a key, and what it may be."""
    names = ("title", "description", "default")
    shown = {name: schema[name] for name in names if name in schema}
    return shown, {key: value for key, value in schema.items() if key not in shown}


def type_at(model: Any, path: KeyPath) -> Any:
    """What a model says stands at a path: a model, ``dict[str, ...]``, ...; None: nothing."""
    for part in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            if part not in model.model_fields:
                return None
            model = model.model_fields[str(part)].annotation
        else:
            arguments = get_args(model) or (None,)
            model = arguments[-1] if get_origin(model) is dict else arguments[0]
        while get_origin(model) in (Union, UnionType, Annotated):
            model = get_args(model)[0]
    return model


def description_at(model: type[BaseModel], path: KeyPath) -> str:
    """What a model says of a key; of a mapping's keys what it says of the mapping; else empty."""
    for length in range(len(path), 0, -1):
        parent = type_at(model, path[: length - 1])
        if isinstance(parent, type) and issubclass(parent, BaseModel):
            field = parent.model_fields.get(str(path[length - 1]))
            return (field.description or "") if field is not None else ""
    return ""
