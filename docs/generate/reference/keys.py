"""Pages of what YAML files may say: machines, sweeps, recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from generate.reference.markdown import (
    block,
    bullets,
    code,
    fold,
    link,
    named,
    page,
    prose,
    table,
)
from generate.reference.parts import MACHINE, RECIPE, SWEEP, Description, Part
from generate.reference.schema_keys import ANY, EACH, Key, keys_of
from generate.reference.stated import Stated, stated
from generate.reference.values import kind_of, read, shown, unit_of, written
from simulator import Hardware
from simulator.cli.schemas import SCHEMAS
from simulator.hardware.schema import schema_of

MOST_SAID = 12
"""Values of the presets, of keys that a preset has several times."""


def pages() -> Mapping[str, str]:
    """A page a file."""
    return {
        f"reference/{name}.md": _page(name, description, keys_of_file(name))
        for name, description in (("machine", MACHINE), ("sweep", SWEEP), ("recipe", RECIPE))
    }


@cache
def keys_of_file(name: str) -> list[Key]:
    """All keys of a machine, a sweep or a recipe, those that a machine without a base needs marked
    as required."""
    if name != "machine":
        return keys_of(SCHEMAS[name]())
    base = [key for key in keys_of(SCHEMAS[name]()) if key.name == "base"]
    return [*base, *keys_of(schema_of(Hardware))]


def part_of(key: Key, parts: tuple[Part, ...]) -> Part:
    """The part that a key is told in: that with the longest name that it lies below."""
    under = {name: part for part in parts for name in part.keys if _lies_below(key.name, name)}
    return under[max(under, key=len)]


def _lies_below(name: str, above: str) -> bool:
    return name == above or not above or name.startswith((f"{above}.", f"{above}{EACH}"))


def _page(kind: str, description: Description, keys: list[Key]) -> str:
    places = {key.name: f"#{key.anchor}" for key in keys}

    def told(key: Key) -> _Told:
        if description is MACHINE:
            return _Told(key.name, key, places, stated(key))
        return _Told(f"{kind}.{key.name}", key, places, [])

    sections = [
        page(
            named("index", ", ".join(part.found_by), f"## {part.title}"),
            part.about,
            *(told(key).text for key in own),
        )
        for part in description.parts
        if (own := [key for key in keys if part_of(key, description.parts) is part])
    ]
    index = bullets(
        f"[{part.title}](#{part.anchor}): {part.about.partition('. ')[0].rstrip('.')}."
        for part in description.parts
    )
    return page(
        f"# {description.title}",
        description.about,
        block("yaml", description.example.strip()),
        index,
        *sections,
    )


@dataclass(frozen=True)
class _Told:
    """A key as its page tells it.

    Attributes
    ----------
    name : str
        By which the search finds it: keys of sweeps and recipes begin with what they are of.
    places : mapping of str to str
        Links to all keys of the page.
    presets : list of Stated
        Empty for keys of no machine.
    """

    name: str
    key: Key
    places: Mapping[str, str]
    presets: list[Stated]

    @property
    def text(self) -> str:
        same = self.key.same_as
        below = f"Keys as below {link(code(same), self.places.get(same))}."
        return page(
            named("key", self.name, f"### {code(self.key.name)}"),
            f"{{.facts}}\n{self._facts()}",
            prose(self.key.meaning, self.places.get),
            below if same else "",
            self._presets(),
        )

    def _facts(self) -> str:
        """Its kind, unit and default, in a line."""
        unit, default = unit_of(self.key), self.key.default
        is_long = isinstance(default, dict | list) and len(written(default)) > 60
        known = f"default {code(written(default))}" if not is_long else "has a default"
        if default is None or default in ("", [None]):
            known = "optional"
        return " · ".join(
            part for part in (kind_of(self.key), unit, "required" if self.key.required else known)
            if part
        )  # fmt: skip

    def _presets(self) -> str:
        found = self.presets
        numbers = [one for one in found if _is_number(one.value)]
        if not found or self.key.name in ("name", "description"):
            return ""
        if ANY in self.key.name or EACH in self.key.name:
            return _values(found, self.key)
        title = "In the presets"
        if numbers and not any(one.name for one in numbers):
            title += ": " + _range([one.value for one in numbers], self.key)
        return fold(title, _table(found, self.key))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _range(values: list[float], key: Key) -> str:
    ends = dict.fromkeys((read(min(values), key), read(max(values), key)))
    return " to ".join(ends)


def _values(found: list[Stated], key: Key) -> str:
    """The values alone, of what presets have many times."""
    values = list(dict.fromkeys(one.value for one in found))
    if all(map(_is_number, values)):
        values.sort()
    texts = [shown(value, key) for value in values[:MOST_SAID]]
    more = f" and {len(values) - MOST_SAID} more" if len(values) > MOST_SAID else ""
    return "{.facts}\nIn the presets: " + ", ".join(texts) + more + "."


def _table(found: list[Stated], key: Key) -> str:
    """Values by where they are from; those by name that are from one place are one row."""
    rows = [
        (
            ", ".join(shown(one.value, key, one.name) for one in own),
            ", ".join(link(name, f"presets.md#{name}") for name in machines),
            prose(remark),
        )
        for (machines, remark, _), own in groupby(found, key=_place)
    ]
    return table(("value", "machines", "where it is from"), rows)


def _place(one: Stated) -> tuple[tuple[str, ...], str, object]:
    return one.machines, one.remark, None if one.name else one.value
