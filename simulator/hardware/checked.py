"""``Document -> model``: what pydantic finds wrong, as one line with file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from simulator.errors import CombinationError, SimulatorError, did_you_mean
from simulator.hardware.schema import type_at
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


Blame = Callable[[ErrorDetails], str | None]
"""Who is to be named instead of the place where the key was written: what made it wrong beside
the machine's other values. None: nobody."""


def validated(
    model: type[Model],
    document: Document,
    source: str,
    error: type[SimulatorError],
    blame: Blame = lambda _: None,
) -> Model:
    """A document as a model.

    Raises
    ------
    SimulatorError
        Of class ``error``, with file, line, column and key of the first thing that is wrong.
    """
    try:
        return _built(model, document.data)
    except ValidationError as invalid:
        problem = _first(invalid)
        raise _positioned(problem, model, document, source, error, blame(problem)) from None
    except SimulatorError as problem:
        raise error(source, str(problem)) from None


def first_problem(model: type[BaseModel], data: dict[str, Any]) -> ErrorDetails | None:
    """What `validated` would tell of, or None if all is right."""
    try:
        _built(model, data)
    except ValidationError as invalid:
        return _first(invalid)
    return None


def _built(model: type[Model], data: Any) -> Model:
    """The model; null for a key that may be left out is as good as leaving it out.

    Nulls are looked for once one is in the way, since a machine is built for every point of a
    sweep.
    """
    while True:
        try:
            return model.model_validate(data)
        except ValidationError as invalid:
            nulls = [
                problem["loc"]
                for problem in invalid.errors()
                if problem["input"] is None and _is_optional(model, problem["loc"])
            ]
            if not nulls:
                raise
            for path in nulls:
                data = _without(data, path)


def _is_optional(model: type[BaseModel], path: KeyPath) -> bool:
    """Whether a key has a default, or is one of a mapping whose keys are the user's."""
    parent = type_at(model, path[:-1])
    if isinstance(parent, type) and issubclass(parent, BaseModel):
        field = parent.model_fields.get(str(path[-1]))
        return field is not None and not field.is_required()
    return get_origin(parent) is dict


def _without(node: Any, path: KeyPath) -> Any:
    """Data without one key; what holds the key is copied, the rest shared."""
    first, *rest = path
    if not rest:
        return {key: value for key, value in node.items() if key != first}
    if isinstance(node, Mapping):
        return {**node, first: _without(node[first], tuple(rest))}
    return [
        _without(item, tuple(rest)) if index == first else item for index, item in enumerate(node)
    ]


def _first(invalid: ValidationError) -> ErrorDetails:
    """A misspelt key is also a missing one: of both, the misspelling."""
    return min(invalid.errors(), key=lambda problem: problem["type"] == "missing")


def _positioned(
    details: ErrorDetails,
    model: type[BaseModel],
    document: Document,
    source: str,
    error: type[SimulatorError],
    blamed: str | None,
) -> SimulatorError:
    path: KeyPath = tuple(part for part in details["loc"])
    where = document.where(path, source)
    if blamed is not None:
        where, error = blamed, CombinationError
    kind, got = details["type"], details["input"]
    if kind == "missing":
        missing = "" if blamed is None else ".".join(str(part) for part in path) + " "
        return error(where, f"{missing}is missing")
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


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Keys that are valid beside the last part of ``path``."""
    parent = type_at(model, path[:-1])
    if isinstance(parent, type) and issubclass(parent, BaseModel):
        return list(parent.model_fields)
    return []
