"""What a key may be, and in which unit, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from generate.reference.markdown import code
from generate.reference.schema_keys import Key, Schema

LEAST_SAID: Final = 1e12
"""Bounds from here on only keep nonsense out."""

UNITS: Final = (
    ("bytes_per_second", "bytes a second"),
    ("bytes_per_cycle", "bytes a cycle"),
    ("pj_per_byte", "pJ a byte"),
    ("macs_per_cycle", "multiply-accumulates a cycle"),
    ("specials_per_cycle", "special functions a cycle"),
    ("sums_per_cycle", "sums a cycle"),
    ("cycles", "cycles"),
    ("bytes", "bytes"),
    ("bits", "bits"),
    ("ratio", "a ratio"),
    ("hz", "Hz"),
    ("ns", "ns"),
    ("ms", "ms"),
    ("pj", "pJ"),
    ("w", "W"),
)
"""What the end of a name says; the first that fits."""


def unit_of(key: Key) -> str:
    """The unit that a key's name states; empty for counts, and for what is no number."""
    ends = (unit for end, unit in UNITS if key.last == end or key.last.endswith(f"_{end}"))
    return next(ends, "") if any(map(_measures, key.forms)) else ""


def _measures(form: Schema) -> bool:
    """Whether it is a number, or numbers by name."""
    values = form.get("additionalProperties")
    inner = values if isinstance(values, tuple) else ()
    return form.get("type") in ("integer", "number") or any(map(_measures, inner))


def kind_of(key: Key) -> str:
    """What a key may be: ``integer, 1 to 4,096``."""
    if key.forms and all("type" not in form and "enum" not in form for form in key.forms):
        return _OF_DEFAULTS[type(key.default)]
    return _either(key.forms)


_OF_DEFAULTS: Final = {str: "text", int: "integer", float: "number"}


def _either(forms: tuple[Schema, ...]) -> str:
    bare = [form for form in forms if form.get("type") != "array"]
    lists = [form for form in forms if form.get("type") == "array"]
    said = [*map(_form, bare)]
    for form in lists:
        items = [_form(item) for item in form.get("items", ())]
        if set(items) <= set(said):
            said.append("a list of such")
        else:
            said.append("list of " + (" or ".join(map(_many, items)) or "values"))
    return "; or ".join(dict.fromkeys(said)) or "anything"


def _form(form: Schema) -> str:
    if "enum" in form:
        return "one of " + ", ".join(map(code, form["enum"]))
    if form.get("pattern") == ":":
        return "`module:function`"
    if form.get("maxProperties") == 1:
        return "one of these with its parameters, as below"
    kinds = form.get("type", ())
    named = [_KINDS[kind](form) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return " or ".join(named) or "any value"


def _many(text: str) -> str:
    """As the items of a list: ``integers, 1 or more``."""
    word, comma, rest = text.partition(",")
    return f"{word}s{comma}{rest}" if word in ("integer", "number", "text", "section") else text


def _mapping(form: Schema) -> str:
    values = form.get("additionalProperties")
    if isinstance(values, tuple):
        return f"by name: {_either(values)}"
    return "by name: any value" if values else "section"


def _number(word: str, form: Schema) -> str:
    least, most = form.get("minimum"), form.get("maximum")
    ends = most is not None and most < LEAST_SAID
    is_open = "exclusiveMinimum" in form or (least is not None and 0 < least < 1e-5)
    if is_open:
        return f"{word} above 0" + (f", at most {most:,}" if ends else "")
    if least is None:
        return word
    return f"{word}, {least:,} to {most:,}" if ends else f"{word}, {least:,} or more"


_KINDS: Final[dict[str, Callable[[Schema], str]]] = {
    "string": lambda _: "text",
    "boolean": lambda _: "`true` or `false`",
    "integer": lambda form: _number("integer", form),
    "number": lambda form: _number("number", form),
    "array": lambda form: _either((form,)),
    "object": _mapping,
}


def written(value: Any) -> str:
    """A value as YAML has it, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {written(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def shown(value: Any, key: Key, name: str = "") -> str:
    """A value of a preset, long ones also as people read them: ``41943040`` (40 MiB)."""
    is_long = isinstance(value, int) and value >= 10**5
    text = f"{name}: {written(value)}" if name else written(value)
    return code(text) + (f" ({read(value, key)})" if is_long else "")


def read(value: float, key: Key) -> str:
    """A number as people read it."""
    if key.last in ("bytes", "reserved_bytes"):
        return binary(int(value))
    return f"{value:,}" if isinstance(value, int) else written(value)


def binary(size_bytes: int) -> str:
    """A capacity: ``40 MiB``."""
    power = min(3, max(0, size_bytes.bit_length() - 1) // 10)
    return f"{size_bytes / 1024**power:.4g} {('bytes', 'KiB', 'MiB', 'GiB')[power]}"
