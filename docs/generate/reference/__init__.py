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

- **What you write.** [Keys of a machine](machine.md), [of a sweep](sweep.md), [of a
  recipe](recipe.md); [layer traces](trace.md); [machines and networks](presets.md) to start from.
- **What you read.** [Figures](figures/index.md) of reports, files and data frames: name, unit,
  meaning, formula.
- **What you call.** [Commands](commands.md) and their options.

The search in the margin finds every key, figure, option and function by its name."""


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
