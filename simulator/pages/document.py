"""``title, data, scripts -> HTML``: one file that holds all that it shows.

Names in the data come from files of anybody's. They enter the page as JSON alone, in which no
character can end the element that holds it, and the script writes them as text, never as HTML. The
page's policy lets nothing run or load but the style and the script that are in it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from simulator.colours import BOUND_COLOURS, CORE_TIME_COLOURS, OPERAND_COLOURS, on_dark
from simulator.names import words
from simulator.quantities import ENERGY, MAC_RATE, POWER, SIZE, TIME
from simulator.traffic import LEVELS

PALETTES: Final = {"core": CORE_TIME_COLOURS, "operand": OPERAND_COLOURS, "bound": BOUND_COLOURS}
"""Colours by what they stand for: ``core`` and ``idle`` are the style's ``--core-idle``."""

UNITS: Final = {"time": TIME, "size": SIZE, "energy": ENERGY, "power": POWER, "rate": MAC_RATE}
"""Units of the script's quantities, each of its own base unit."""

PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<noscript>This page draws its figures with a script, which is switched off.</noscript>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def document(title: str, data: Mapping[str, Any], scripts: Sequence[str]) -> str:
    """A page, as the text of its file.

    Parameters
    ----------
    title : str
        Any text.
    data : mapping
        What the scripts find in ``data``: strings, numbers, booleans, None, lists, mappings, and
        objects of these, of which the attributes are taken. The names of things that have colours,
        and units, are added.
    scripts : sequence of str
        Files beside this one, in the order in which they are to run.

    Raises
    ------
    ValueError
        If a figure is not finite.
    """
    style = _style()
    script = '"use strict";\n' + "".join(map(_file, scripts))
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    named = {name: {key: words(key) for key in keys} for name, keys in PALETTES.items()}
    named["level"] = {level: words(level) for level in LEVELS}
    units = {name: [[unit.size, unit.name] for unit in of] for name, of in UNITS.items()}
    return PAGE.format(
        policy=policy,
        title=html.escape(title).encode("ascii", "xmlcharrefreplace").decode(),
        style=style,
        data=as_json({"names": named, "units": units, **data}),
        script=script,
    )


def as_json(data: object) -> str:
    """JSON of ASCII alone, that cannot end the HTML element that it stands in."""
    text = json.dumps(data, default=vars, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _hash(text: str) -> str:
    """What a content security policy calls a text that stands in the page."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    """The style, with the project's colours as variables, for light and for dark grounds."""
    light, dark = (
        "".join(
            f"--{palette}-{name}:{colour};"
            for palette, colours in PALETTES.items()
            for name, colour in of(colours).items()
        )
        for of in (dict, on_dark)
    )
    return _file("report.css").replace("/* light */", light).replace("/* dark */", dark)
