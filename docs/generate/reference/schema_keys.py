"""Every key of a YAML file, as the JSON Schema that editors read knows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

EACH = "[]"
"""Behind a list, of keys of its items."""

ANY = "NAME"
"""Stands for keys that users choose."""


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes
    ----------
    name : str
        Dotted; ``NAME`` stands for keys that users choose, and ``[]`` for each item of a list.
    meaning : str
        Its description.
    forms : tuple of Schema
        What it may be, null apart.
    required : bool
        Whether a file that has no base must say it.
    default : object
        None where there is none, or where leaving it out means what ``meaning`` says.
    same_as : str
        The key below which the same keys stand already; empty where they follow this one.
    """

    name: str
    meaning: str
    forms: tuple[Schema, ...]
    required: bool
    default: Any
    same_as: str = ""

    @property
    def anchor(self) -> str:
        """Its place on its page, as Sphinx makes one of a heading."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def last(self) -> str:
        """The last part of its name."""
        return self.name.rpartition(".")[2]


def keys_of(schema: Schema) -> list[Key]:
    """All keys of a file, in the order of its schema, those of a section behind it."""
    found: dict[str, Key] = {}
    for key in _Walk(schema).below(schema, ""):
        found.setdefault(key.name.replace(EACH, ""), key)  # a list of one may be written without
    return [*found.values()]


class _Walk:
    """A walk through a schema, in which a section that is used twice is entered once."""

    def __init__(self, schema: Schema) -> None:
        self.sections: Mapping[str, Schema] = schema.get("$defs", {})
        self.entered: dict[str, str] = {}

    def below(self, section: Schema, prefix: str) -> Iterator[Key]:
        required = section.get("required", ())
        for name, value in section.get("properties", {}).items():
            dotted, meaning = f"{prefix}.{name}".lstrip("."), value.get("description", "")
            known = [x for x in map(self.entered.get, self._references(value)) if x]
            must = name in required and "default:" not in meaning.lower()  # filled in as it is read
            forms = tuple(self._forms(value))
            yield Key(dotted, meaning, forms, must, value.get("default"), *known[:1])
            if not known:
                yield from self._inside(value, dotted)

    def _inside(self, value: Schema, dotted: str) -> Iterator[Key]:
        if "$ref" in value:
            self.entered[value["$ref"]] = dotted
            yield from self.below(self._section(value["$ref"]), dotted)
        for part in _alternatives(value):
            yield from self._inside(part, dotted)
        for word, mark in (("items", EACH), ("additionalProperties", f".{ANY}")):
            if isinstance(value.get(word), Mapping):
                yield from self._inside(value[word], f"{dotted}{mark}")
        yield from self.below(value, dotted)

    def _references(self, value: Schema) -> Iterator[str]:
        """Sections that a value consists of, or its items do."""
        if "$ref" in value:
            yield value["$ref"]
        inner = [value.get("items"), value.get("additionalProperties"), *_alternatives(value)]
        for part in inner:
            if isinstance(part, Mapping):
                yield from self._references(part)

    def _forms(self, value: Schema) -> Iterator[Schema]:
        """What a value may be, null apart, without references."""
        if "$ref" in value:
            yield self._section(value["$ref"])
        elif _alternatives(value):
            for part in _alternatives(value):
                yield from self._forms(part)
        elif value.get("type") != "null":
            inner = ("items", "additionalProperties")
            parts = {word: value[word] for word in inner if isinstance(value.get(word), Mapping)}
            yield {**value, **{word: tuple(self._forms(part)) for word, part in parts.items()}}

    def _section(self, reference: str) -> Schema:
        return self.sections[reference.rpartition("/")[2]]


def _alternatives(value: Schema) -> tuple[Schema, ...]:
    return (*value.get("anyOf", ()), *value.get("allOf", ()))
