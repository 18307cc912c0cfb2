"""The reference: every key, column, figure, command, public name and error, from the program."""

from __future__ import annotations

from generate.reference import api, commands, errors, figures, keys, presets, trace
from generate.reference.markdown import contents, page

MAKERS = (
    keys.pages,
    presets.pages,
    trace.pages,
    figures.pages,
    commands.pages,
    api.pages,
    errors.pages,
)

INDEX = """Made from the program itself whenever this site is built, so that it says what the
program does.

What you write:

- [Keys of a machine](machine.md), [of a sweep](sweep.md), [of a recipe](recipe.md): what they mean,
  what may stand there, their units and defaults, and what the presets say, with its source.
- [Layer traces](trace.md): the columns of a network's CSV.
- [Machines and networks](presets.md) that come with the program.

What you read:

- [Figures](figures/index.md) of reports, files and data frames: unit, meaning, formula.
- [Errors](errors.md): what each class means, with one of each.

What you call:

- [Commands](commands.md), their arguments and options.
- [Python](api.md): functions and classes, with shapes, units and what they raise.

Keys, figures, options and functions have links of their own, and the search finds them by name."""


def pages() -> dict[str, str | bytes]:
    """All pages below `docs/reference/`."""
    index = page(
        "# Reference",
        INDEX,
        contents(
            "machine",
            "sweep",
            "recipe",
            "trace",
            "presets",
            "figures/index",
            "commands",
            "api",
            "errors",
        ),
    )
    made = {path: text for maker in MAKERS for path, text in maker().items()}
    return {"reference/index.md": index, **made}
