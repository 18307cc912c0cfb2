"""Pages of figures: a page a kind of row, from what files and frames carry themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from generate.reference.keys import keys_of_file
from generate.reference.markdown import block, bullets, code, contents, link, named, page, prose
from simulator.described import TABLES, Described, Table

ABOUT = """What every figure of reports and files means: a page a kind of row. Names are those of
CSV and Parquet columns, and of data frames. In JSON a dotted name is nested: `busy_ratio.mac` is
`mac` in `busy_ratio`.

Files and frames say the same of themselves. The metadata of each Parquet column, and `attrs` of a
frame, hold its `unit`, `meaning` and `formula`:"""

ATTRS = """from simulator import simulate

frame = simulate("nm-edge", "gemm:128x192x256").to_frame()
print(frame.attrs["meaning"]["in_flight_hits"])
"""

NESTED = "In JSON one object, with the parts that follow."

FEWEST_SHARED = 6
"""Figures of another page are listed with links if there are so many; fewer are told again."""


@dataclass(frozen=True)
class Found:
    """Where the figures of a table are found.

    Attributes
    ----------
    title : str
    tables : str
        What has them as CSV, Parquet or a frame; empty: nothing.
    nested : str
        What has them as JSON; empty: nothing.
    """

    title: str
    tables: str = ""
    nested: str = ""


FOUND = {
    "layers": Found("Layers of a report", "`nmsim run -o FILE`, `Report.to_frame()`"),
    "comparison": Found(
        "Layers of a comparison", "`nmsim compare -o FILE`, `Comparison.to_frame()`"
    ),
    "report": Found(
        "A report in JSON",
        nested="`nmsim run`, `nmsim compare`, `Report.to_json()`, `Comparison.to_json()`",
    ),
    "sweep": Found(
        "Rows of a sweep",
        "`nmsim sweep`, `nmsim results`, `SweepResult.to_frame()`",
        "`nmsim sweep`, `nmsim results`, `SweepResult.to_json()`",
    ),
    "front": Found("Rows of a front", "`nmsim pareto`", "`nmsim pareto`"),
    "search": Found("Trials of a search", "`nmsim search`", "`nmsim search`"),
    "qualities": Found("Measured quality", "`nmsim quality`, `QualityResult.to_frame()`"),
    "qualities in JSON": Found("Measured quality in JSON", nested="`nmsim quality`"),
    "trainings": Found("Trained networks", "`nmsim train`, `simulator.train(...).to_frame()`"),
    "trainings in JSON": Found("Trained networks in JSON", nested="`nmsim train`"),
    "claims": Found("Answers to claims", "`nmsim train --claims`"),
    "claims in JSON": Found("Claims in JSON", nested="`nmsim train --claims`"),
    "trade-off": Found("Points of a trade-off", "`nmsim tradeoff`, `TradeOff.to_frame()`"),
    "trade-off in JSON": Found(
        "A trade-off in JSON", nested="`nmsim tradeoff`, `TradeOff.to_json()`"
    ),
    "pruned": Found("What pruning kept", "`nmsim prune`", "`nmsim prune`"),
    "advice": Found("What is advised", "`nmsim advise`, `Advice.to_frame()`"),
    "limits": Found("What limits", "`nmsim limits -o FILE`, `Limits.to_frame()`"),
    "requirement": Found("What it takes", "`nmsim require`, `Requirement.to_frame()`"),
    "difference of reports": Found(
        "What moved between reports", "`nmsim diff`, `Difference.to_frame()`"
    ),
    "difference of machines": Found(
        "What moved between machines", "`nmsim diff`, `Difference.to_frame()`"
    ),
    "difference of stores": Found(
        "What moved between stores", "`nmsim diff`, `Difference.to_frame()`"
    ),
    "validation": Found("Errors by data set", "`nmsim validate`", "`nmsim validate`"),
    "validated figures": Found(
        "Published figures and the model's", "`nmsim validate --rows`", "`nmsim validate --rows`"
    ),
    "validated decisions": Found(
        "Published gains and the model's",
        "`nmsim validate decisions`",
        "`nmsim validate decisions`",
    ),
}
"""By the names of tables."""


def pages() -> dict[str, str]:
    """A page a table, and one that lists them."""
    listed = (
        f"[{FOUND[table.name].title}]({slug(table)}.md): {prose(table.about)}" for table in TABLES
    )
    index = page(
        "# Figures",
        ABOUT,
        block("python", ATTRS),
        bullets(listed),
        contents(*map(slug, TABLES)),
    )
    return {"reference/figures/index.md": index} | {
        f"reference/figures/{slug(table)}.md": _page(table) for table in TABLES
    }


def slug(table: Table) -> str:
    """The name of a table's page."""
    return table.name.replace(" ", "-").lower()


def anchor(figure: str) -> str:
    """Where a figure stands on its page, as Sphinx makes it of the heading."""
    return re.sub(r"[^a-z0-9]+", "-", figure.lower()).strip("-")


def _page(table: Table) -> str:
    found = FOUND[table.name]
    ways = (("CSV, Parquet, data frames", found.tables), ("JSON", found.nested))
    return page(
        f"# {found.title}",
        prose(table.about),
        bullets(f"{kind}: {way}." for kind, way in ways if way),
        *_sections(table),
    )


def _sections(table: Table) -> Iterator[str]:
    """Figures in their order; a heading before those that are nested, and before shared ones."""
    keys = {key.name: f"../machine.md#{key.anchor}" for key in keys_of_file("machine")}
    keys |= {f"sweep.{key.name}": f"../sweep.md#{key.anchor}" for key in keys_of_file("sweep")}
    places = keys | {figure.name: f"#{anchor(figure.name)}" for figure in table.figures}
    homes = _homes(table)
    nested = ""
    for home, group in groupby(table.figures, key=lambda figure: homes.get(figure.name)):
        if home is not None:
            yield _shared([*group], *home)
            continue
        for figure in group:
            first = figure.name.partition(".")[0] if "." in figure.name else ""
            if first and first != nested:
                yield page(f"## {code(first)}", NESTED)
            nested = first
            heading = f"{'###' if first else '##'} {code(figure.name)}"
            yield named("field", f"{slug(table)}.{figure.name}", heading)
            yield _figure(figure, places)


Home = tuple[Table, str]


def _homes(table: Table) -> dict[str, Home]:
    """Of figures that an earlier page tells: its table, and below what they lie here. Only where
    many of them stand side by side."""
    earlier = TABLES[: TABLES.index(table)]
    known = {figure: other for other in reversed(earlier) for figure in other.figures}
    found: dict[str, Home] = {}
    for figure in table.figures:
        prefix, _, rest = figure.name.partition(".")
        for below, bare in ((prefix, replace(figure, name=rest)), ("", figure)):
            if bare in known:
                found[figure.name] = (known[bare], below)
    runs = groupby(table.figures, key=lambda figure: found.get(figure.name))
    long = {home for home, group in runs if home and len([*group]) >= FEWEST_SHARED}
    return {name: home for name, home in found.items() if home in long}


def _shared(figures: list[Described], home: Table, prefix: str) -> str:
    """Links to figures that stand on another page."""
    title = FOUND[home.name].title
    heading = f"## As in: {title[0].lower()}{title[1:]}"
    heading += f", below {code(prefix)}" if prefix else ""
    links = (
        link(code(figure.name), f"{slug(home)}.md#{anchor(figure.name.removeprefix(f'{prefix}.'))}")
        for figure in figures
    )
    return page(heading, "{.names}\n" + bullets(links))


def _figure(figure: Described, places: dict[str, str]) -> str:
    return page(
        f"{{.facts}}\nin {figure.unit}" if figure.unit else "",
        prose(figure.meaning, places.get),
        f"= {code(figure.formula)}" if figure.formula else "",
    )
