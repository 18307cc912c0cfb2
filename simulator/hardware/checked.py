"""``Document -> model``: what pydantic finds wrong, as one line with file, line and key."""

from __future__ import annotations

from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from simulator.errors import SimulatorError, did_you_mean
from simulator.hardware.yaml_file import Document
from simulator.hardware.yaml_tree import KeyPath

Model = TypeVar("Model", bound=BaseModel)

PLAIN_WORDS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "too_short": "must not be empty",
}
"""By kind of pydantic's error, whose own words speak of Python's types."""


def validated(
    model: type[Model], document: Document, source: str, error: type[SimulatorError]
) -> Model:
    """A document as a model.

    Raises
    ------
    SimulatorError
        Of class ``error``, with file, line, column and key of the first thing that is wrong.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as invalid:
        # A misspelt key is also a missing one: tell of the misspelling.
        problems = sorted(invalid.errors(), key=lambda problem: problem["type"] == "missing")
        raise _positioned(problems[0], model, document, source, error) from None
    except SimulatorError as problem:
        raise error(source, str(problem)) from None


def _positioned(
    details: ErrorDetails,
    model: type[BaseModel],
    document: Document,
    source: str,
    error: type[SimulatorError],
) -> SimulatorError:
    path: KeyPath = tuple(part for part in details["loc"])
    where = document.where(path, source)
    kind, got = details["type"], details["input"]
    if kind == "missing":
        return error(where, "is missing")
    if kind == "extra_forbidden":
        keys = _keys_at(model, path)
        return error(where, "unknown key", hint=did_you_mean(str(path[-1]), keys))
    what = details["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ")
    what = PLAIN_WORDS.get(kind, what)
    hint = None
    if isinstance(got, str) and kind in {"int_type", "float_type"}:
        hint = "the unit stands in the key's name; write a plain number"
    shown = None if isinstance(got, dict | list | BaseModel) else got
    return error(where, what, got=shown, hint=hint)


def _keys_at(model: Any, path: KeyPath) -> list[str]:
    """Keys that are valid beside the last part of ``path``."""
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
