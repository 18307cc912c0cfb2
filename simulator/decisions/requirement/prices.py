"""What more of a resource costs: a table in YAML, a line a resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from simulator.errors import SpecError, did_you_mean
from simulator.hardware.resources import RESOURCES, Resource
from simulator.hardware.yaml_file import Document, read

AREA: Final = "area"
Price = float | Literal["area"]
"""Counted, as a share of the machine's own area; or so much a doubling."""

DEFAULT: Final = Path(__file__).with_name("prices.yaml")
MOST_PRICE: Final = 1e6
"""A doubling that costs a million machines is not to be had."""

NAMES: Final = {resource.name: resource for resource in RESOURCES}


@dataclass(frozen=True)
class Priced:
    """A resource that may grow, and what a doubling of it costs."""

    resource: Resource
    price: Price

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def weight(self) -> float:
        """A doubling's price; 0 where area is counted instead."""
        return 0.0 if self.price == AREA else float(self.price)


def priced(
    table: Mapping[str, Any] | str | Path | None = None, free: tuple[str, ...] = ()
) -> tuple[Priced, ...]:
    """The resources that may grow, in the order of the table; those that are free come last.

    Parameters
    ----------
    table : mapping, str or Path, optional
        A YAML file, or a mapping like it: ``area`` or a number by the name of a resource. Default:
        ``prices.yaml`` beside this module.
    free : tuple of str
        Resources, or dotted keys of one, that cost nothing. They take the place of what the table
        says of the same keys.

    Raises
    ------
    SpecError
        With file, line and column, or the option, of the first thing that is wrong.
    """
    document, source = _document(table)
    listed = [
        Priced(_listed(name, document, source), _price(name, value, document, source))
        for name, value in document.data.items()
    ]
    given = [Priced(_freed(name), 0.0) for name in free]
    _refuse_shared(given, "--free")
    kept = [one for one in listed if not any(_share(one, other) for other in given)]
    _refuse_shared(kept, source)
    if not kept and not given:
        raise SpecError(source, "prices nothing", want="a line such as DRAM: 0.25")
    return (*kept, *given)


def _document(table: Mapping[str, Any] | str | Path | None) -> tuple[Document, str]:
    if isinstance(table, Mapping):
        return Document(dict(table)), "prices"
    path = DEFAULT if table is None else Path(table)
    return read(path, "price table", SpecError), str(path)


def _listed(name: str, document: Document, source: str) -> Resource:
    if name not in NAMES:
        hint = did_you_mean(name, NAMES)
        raise SpecError(document.where((name,), source), "no such resource", hint=hint)
    return NAMES[name]


def _price(name: str, value: Any, document: Document, source: str) -> Price:
    if value == AREA:
        return AREA
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= MOST_PRICE:
        want = f"{AREA}, or a number from 0 to {MOST_PRICE:g} for a doubling"
        raise SpecError(document.where((name,), source), "not a price", want=want, got=value)
    return float(value)


def _freed(name: str) -> Resource:
    """A resource by its name, or one key of it: what grows with which power is known of no other.

    A key may stand for several, with ``*`` for one of its names.
    """
    if name in NAMES:
        return NAMES[name]
    for resource in RESOURCES:
        for key, power in resource.keys:
            if _covers(key, name):
                return Resource(name, ((name, power),))
    keys = [key for resource in RESOURCES for key, _ in resource.keys]
    hint = did_you_mean(name, [*NAMES, *keys] if "." not in name else keys)
    raise SpecError("--free", "neither a resource nor a key of one", got=name, hint=hint)


def _covers(key: str, other: str) -> bool:
    """Whether what stands at the ``other`` dotted key stands at ``key``, where * is any name."""
    parts, others = key.split("."), other.split(".")
    return len(parts) == len(others) and all(
        part in ("*", name) for part, name in zip(parts, others, strict=True)
    )


def _share(one: Priced, other: Priced) -> bool:
    """Whether two have a key in common."""
    return any(
        _covers(key, another) or _covers(another, key)
        for key, _ in one.resource.keys
        for another, _ in other.resource.keys
    )


def _refuse_shared(some: list[Priced], where: str) -> None:
    for at, one in enumerate(some):
        for other in some[:at]:
            if one.name == other.name:
                raise SpecError(where, "the same resource twice", got=one.name)
            if _share(one, other):
                what = f"'{other.name}' and '{one.name}' are keys of one thing"
                raise SpecError(where, what, hint="name one of them")
