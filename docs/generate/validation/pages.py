"""Pages of data sets, and the index that lists them all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from generate.validation.families import SEEN, About, Family
from simulator.quantities import count
from simulator.validation import DATASETS, Validation, tables
from simulator.validation.fitted import FITTED, READ_OFF
from simulator.validation.summary import CONSTANTS, cells, constants

SPACE: Final = "\u00a0"
"""At which no line breaks."""

MACHINES_PAGE: Final = "../understand/trust.md"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown; nothing where there are no rows."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if len(lines) > 2 else ""


def page(family: Family, results: Mapping[str, Validation]) -> str:
    """A page with all data sets of a family."""
    parts = [f"# {family.title}", family.text]
    first: dict[str, str] = {}
    for name, about in family.sets.items():
        parts += _section(results[name], about, first.setdefault(DATASETS[name].table, name))
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(result: Validation, about: About, first: str) -> Iterator[str]:
    """All that is known of a data set, of whose table ``first`` is the first on the page."""
    name = result.dataset.name
    yield f"({name})=\n## {name}: {result.dataset.title}"
    facts = "\n".join(f":{field}: {text}" for field, text in _facts(result, first) if text)
    yield f":::{{container}} facts\n\n{facts}\n:::"
    yield about.text
    yield _errors(result)
    yield f"![{_alternative(result)}]({name}.svg)"
    for line in reversed(result.lines()):
        yield _worst(line, about)
    yield from _parts(result)
    yield from _numbers(name)


def _facts(result: Validation, first: str) -> Iterator[tuple[str, str]]:
    """What was measured, where it was published, and what is not compared."""
    data = result.dataset
    if data.name == first:
        yield "Measured", _measured(data.table)
        yield "Source", _sources(data.table)
    else:
        yield "Measured", f"in the table of [{first}](#{first})"
    yield "Conditions", data.note
    yield "Chosen after looking", data.chosen
    aside = result.set_aside().items()
    yield "Left out", "; ".join(f"{count(rows, 'row')} ({why})" for why, rows in aside)
    yield "Run it yourself", f"`nmsim validate {data.name} --rows`"


ERROR_COLUMNS: Final = ("constants", "rows", "mean", "of all", "median", "worst", "roofline")


def _errors(result: Validation) -> str:
    rows = [(constants(line), *cells(line)[1:]) for line in result.lines()]
    return table(ERROR_COLUMNS, rows)


def _alternative(result: Validation) -> str:
    """What the picture shows, for those who do not see it."""
    return f"Predicted against measured {result.dataset.unit} of {result.dataset.title}, and errors"


def _worst(line: Validation, about: About) -> str:
    """The worst row of a line, as it is and why."""
    point = line.worst
    if point is None:
        return ""
    explained = about.worst.get(SEEN[line.fitted])
    unit = "" if line.dataset.unit == "ratio" else f" {line.dataset.unit}"
    ran = " and ".join(f"`{one}`" for one in point.mapping.split(" / ") if one)
    how = [f"mapping {ran}" if ran else "", f"bound by {point.bound}" if point.bound else ""]
    told = "; ".join(one for one in how if one)
    which = "Worst row that a fit has seen" if line.fitted else "Worst row"
    return (
        f"{which}: `{point.label}`, measured {point.measured:.4g}{unit}, predicted "
        f"{point.predicted:.4g}{unit} ({100 * point.error:+.1f} %){'; ' * bool(told)}{told}. "
        f"{explained.why if explained else ''}"
    )


def _parts(result: Validation) -> Iterator[str]:
    """Errors of parts, where there are several."""
    rows = [
        (part + _fitted_mark(of), f"{len(of.points)}", f"{100 * of.mape:.1f}", _signed_span(of))
        for line in result.lines()
        for part, of in line.parts().items()
    ]
    if len(rows) > 1:
        yield table(("part", "rows", "mean", "from, to"), rows)


def _fitted_mark(line: Validation) -> str:
    return ", fitted" if line.fitted else ""


def _signed_span(line: Validation) -> str:
    errors = [100 * point.error for point in line.points]
    return f"{min(errors):+.1f}, {max(errors):+.1f}"


NUMBER_COLUMNS: Final = ("fitted number", "value", "of", "spread", "leave-one-out error")
READ_COLUMNS: Final = ("number read off", "value", "of")


def _numbers(data_set: str) -> Iterator[str]:
    """Numbers that were fitted to some of the rows, or stand in them."""
    yield table(
        NUMBER_COLUMNS,
        [
            (f"`{one.key}`", f"{one.value:.10g}", f"{one.of} ({one.kind.value})",
             f"{100 * one.spread_ratio:.1f} %", f"{100 * one.left_out_ratio:.1f} %")
            for one in FITTED if data_set in one.seen
        ],
    )  # fmt: skip
    yield table(
        READ_COLUMNS,
        [(f"`{n.key}`", f"{n.value:g}", n.of) for n in READ_OFF if n.data_set == data_set],
    )


SOURCE: Final = "Source: "


def _sources(name: str) -> str:
    """Where a table of figures comes from, with links."""
    lines = [line for line in tables.sources(name) if line.startswith(SOURCE)]
    return "; ".join(linked(line.removeprefix(SOURCE)) for line in lines)


def _measured(name: str) -> str:
    """What else the head of a table says; sources stand between sentences."""
    lines = ["" if line.startswith(SOURCE) else line for line in tables.sources(name)]
    sentences = " ".join(lines).split("  ")
    return " ".join(f"{said.strip().rstrip('.')}." for said in sentences if said.strip())


_GITHUB = re.compile(r"github (\w[\w-]*/[\w.-]+\w)(?:(?:, commit |@)([0-9a-f]{7,40}))?")
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{5})")
_ADDRESS = re.compile(r"https://[^\s,()]+[^\s,().]")


def linked(source: str) -> str:
    """A line of sources with a link for what stands in a repository, on arXiv, or at an address."""
    source = _ADDRESS.sub(lambda found: f"<{found[0]}>", source)
    source = _ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", source)
    return _GITHUB.sub(_repository, source)


def _repository(found: re.Match[str]) -> str:
    name, commit = found.groups()
    address = f"https://github.com/{name}" + (f"/tree/{commit}" if commit else "")
    return f"[{name}]({address})" + (f", commit {commit}" if commit else "")


INDEX_COLUMNS: Final = (
    "data set", "what", "rows", "mean", "of all", "worst", "roofline", "constants",
)  # fmt: skip

INDEX_SAYS: Final = {
    "rows": "Rows that count. *53 of 69*: 69 were published, and 16 are left out, since the model "
    "does not cover their kind; which and why, the data set's page says.",
    "mean": "The mean error of the rows that count.",
    "of all": "The mean error of every published row, those left out included.",
    "worst": "The largest error of a row that counts; negative where the model is too fast.",
    "roofline": "The mean error, on rows that count, of the larger of peak compute and peak DRAM "
    "time.",
}

INDEX: Final = """\
# Validation: the model against published figures

`nmsim validate` runs the model on {figures} published figures of {sets} data sets and compares.
These pages are made of what it says. Errors are absolute, in per cent:

{columns}

Pictures show rows that are left out as hollow circles, and as hollow triangles where their error
lies beyond the axis.

For an answer by machine, such as how far off a V100 number is, read [How far to trust it]({trust}).

![Mean error of every data set, of the model and of a roofline](overview.svg)

{words}

{{download}}`All figures as CSV <figures.csv>`, as `nmsim validate --rows --format csv` writes them.
"""


def words() -> str:
    """What the last column says, a table."""
    return table(("constants", "what it says"), list(CONSTANTS.items()))


def index(pages: Sequence[Family], results: Mapping[str, Validation]) -> str:
    """All data sets, page by page."""
    parts = [
        INDEX.format(
            figures=sum(len(result.points) for result in results.values()),
            sets=len(results),
            trust=MACHINES_PAGE,
            columns=table(("column", "what it says"), list(INDEX_SAYS.items())),
            words=words(),
        )
    ]
    for family in pages:
        lines = [line for name in family.sets for line in results[name].lines()]
        parts += [
            f"## [{family.title}]({family.name}.md)",
            table(INDEX_COLUMNS, [_index_row(family, line) for line in lines]),
        ]
    names = "\n".join(family.name for family in pages)
    return "\n\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{names}\n```"]) + "\n"


def _index_row(family: Family, line: Validation) -> tuple[str, ...]:
    _, rows, mean, of_all, _, *others = cells(line)
    data = line.dataset
    link = f"[{data.name}]({family.name}.md#{data.name})"
    rows = rows.replace(" ", SPACE)
    return link, data.title, rows, mean, of_all, *others, constants(line)
