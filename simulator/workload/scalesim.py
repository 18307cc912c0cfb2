"""SCALE-Sim v3 topology files: convolutions or GEMMs, a layer a row.

SCALE-Sim reads by position: a convolution is ``name, ifmap h, ifmap w, filter h, filter w,
channels, filters, stride``, a GEMM ``name, M, N, K``. Its files say more in their headers: a ninth
column may be a batch size, a second stride or a sparsity ``keep:group``. So columns are read by
their names where the header has names of SCALE-Sim's, and by position where it has none. What
begins with ``#`` behind the name is a comment, which SCALE-Sim drops, too.

SCALE-Sim multiplies activations [M, K] by filters [K, N], so its N is our m and its M our n. It has
no padding, rounds output sizes up, and takes a layer whose name contains "DP" for depthwise: one
filter a channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from simulator.errors import SimulatorError, WorkloadError, did_you_mean
from simulator.workload.expressions import evaluate
from simulator.workload.layer import Conv, Gemm, Layer, Workload
from simulator.workload.table import Cell, Row, Table
from simulator.workload.trace import NAMES as NATIVE_COLUMNS

CONV = ("ifmap height", "ifmap width", "filter height", "filter width", "channels", "filters",
        "stride height")  # fmt: skip
GEMM = ("m", "n", "k")

SHOWN = {
    "name": "Layer name", "ifmap height": "IFMAP Height", "ifmap width": "IFMAP Width",
    "filter height": "Filter Height", "filter width": "Filter Width", "channels": "Channels",
    "filters": "Num Filter", "stride height": "Strides", "stride width": "Stride Width",
    "m": "M", "n": "N", "k": "K", "batch": "Batch Size", "sparsity": "Sparsity",
}  # fmt: skip
"""As SCALE-Sim's own files call the columns."""

_HEIGHT, _WIDTH = "(height|h|rows?)", "(width|w|cols?|columns?)"
SPELLINGS = {
    "name": "l|layers?|(layer )?names?",
    "ifmap height": f"(ifmap|input) ?{_HEIGHT}",
    "ifmap width": f"(ifmap|input) ?{_WIDTH}",
    "filter height": f"(filter|kernel) ?{_HEIGHT}",
    "filter width": f"(filter|kernel) ?{_WIDTH}",
    "channels": "((num|number of|input|in|ifmap) )?channels?",
    "filters": "((num|number of) )?(filters?|kernels?|output channels?|out channels?)",
    "stride height": f"strides?( ?{_HEIGHT})?",
    "stride width": f"strides? ?{_WIDTH}",
    "m": "m", "n": "n", "k": "k",
    "batch": "batch(es)?|batch ?(size|count)",
    "sparsity": "(n m )?(sparsity|sparse|pattern)( ?(ratio|support|pattern))?( n m)?|n m( ratio)?",
    "comment": "comments?|remarks?|notes?",
}  # fmt: skip
"""Regular expressions of a column's names, in small letters and single spaces."""

CONV_NOTE = "SCALE-Sim topology: no padding, output sizes rounded up"
GEMM_NOTE = "SCALE-Sim topology: its N is read as m (filters), its M as n (activations)"
DEPTHWISE_NOTE = "SCALE-Sim topology: layers named DP read as depthwise, one filter a channel"
BY_PLACE_NOTE = "SCALE-Sim topology: its header names no known column, so columns go by place"
BATCH_NOTE = "SCALE-Sim topology: a GEMM's batch counts products with weights of their own"


def read_scalesim(table: Table, parameters: Mapping[str, int]) -> Workload:
    """``SCALE-Sim topology CSV -> Workload``.

    Raises
    ------
    WorkloadError
        With file, line and column of what would be a guess.
    """
    for name in parameters:
        if name != "batch":
            raise WorkloadError(f"{table.path} {name}", "a SCALE-Sim topology has only 'batch'")
    rows = table.rows[1:]
    if not rows:
        raise WorkloadError(
            str(table.path), "has no layers", want="a header, then one layer a line"
        )
    _refuse_sizes(table.rows[0])
    layout = _layout(table.rows[0].filled, rows[0])
    layers = [_layer(row, layout, parameters.get("batch", 1)) for row in rows]
    notes = [GEMM_NOTE if layout.sizes == GEMM else CONV_NOTE, *layout.notes]
    if any(isinstance(layer, Conv) and layer.groups > 1 for layer in layers):
        notes.append(DEPTHWISE_NOTE)
    return Workload(table.path.stem, layers, notes)


def _refuse_sizes(header: Row) -> None:
    """The first row is a header whatever it says; a layer there would be lost."""
    name, *sizes = (cell.text for cell in header.filled)
    numbers = [text.isascii() and text.isdigit() for text in (name, *sizes[:3])]
    if numbers == [False, True, True, True]:
        raise WorkloadError(
            header.where,
            "the first row of a SCALE-Sim topology is its header, and this one holds sizes",
            hint="put a header before it, or it would be skipped",
        )


# What the header says


@dataclass(frozen=True)
class _Layout:
    """What the columns of a file mean.

    Attributes
    ----------
    sizes : tuple of str
        ``CONV`` or ``GEMM``.
    columns : tuple of str
        By place: what a column is, a key of ``SPELLINGS``; empty where that is not known.
    header : tuple of Cell
    notes : tuple of str
    """

    sizes: tuple[str, ...]
    columns: tuple[str, ...]
    header: tuple[Cell, ...]
    notes: tuple[str, ...]

    @property
    def needed(self) -> tuple[str, ...]:
        """A second stride is needed where there is a column of it."""
        second = ("stride width",) if "stride width" in self.columns else ()
        return ("name", *self.sizes, *second)

    @property
    def want(self) -> str:
        batch = ", a batch" if "batch" in self.columns else ""
        return f"a name, {len(self.needed) - 1} sizes{batch} and perhaps keep:group"


def _layout(header: tuple[Cell, ...], first: Row) -> _Layout:
    """Columns by name; those of unknown names are what stands at their place, if nothing else is.

    ``first`` tells convolutions from GEMMs where no name does.
    """
    names = [_meaning(cell.text) for cell in header]
    sizes = _sizes(header, names, first)
    expected = ("name", *sizes)
    _forget_doubles(names, expected)
    for cell, name in zip(header, names, strict=True):
        if name and names.count(name) > 1 and name != "comment":
            raise WorkloadError(cell.where, "column occurs twice", got=cell.text)
    by_place = not {*names} & {*sizes}
    if by_place:  # such a header may be of any length
        names += [""] * (len(expected) - len(names))
    columns = [
        expected[at] if not name and at < len(expected) and expected[at] not in names else name
        for at, name in enumerate(names)
    ]
    for needed in expected:
        if needed not in columns:
            shown = ", ".join(cell.text for cell in header)
            raise WorkloadError(header[-1].where, f"no column '{SHOWN[needed]}'", got=shown)
    notes = [BY_PLACE_NOTE] if by_place else _notes_on_names(header, names, columns)
    if sizes == GEMM and "batch" in columns:
        notes = [*notes, BATCH_NOTE]
    return _Layout(sizes, tuple(columns), header, tuple(notes))


def _forget_doubles(names: list[str], expected: tuple[str, ...]) -> None:
    """Of a name that is there twice, the one at the place of a missing one is a slip of the pen.

    SCALE-Sim's own files have ``IFMAP Width, IFMAP Width``. All others must be in their places.
    """
    places = list(enumerate(zip(names, expected, strict=False)))
    slips = [at for at, (name, wanted) in places if name and name != wanted]
    if all(names.count(names[at]) > 1 and expected[at] not in names for at in slips):
        for at in slips:
            names[at] = ""


def _meaning(title: str) -> str:
    words = " ".join(re.sub(r"[^a-z0-9]+", " ", title.lower()).split())
    return next((name for name, known in SPELLINGS.items() if re.fullmatch(known, words)), "")


def _sizes(header: tuple[Cell, ...], names: list[str], first: Row) -> tuple[str, ...]:
    conv, gemm = {*names} & {*CONV, "stride width"}, {*names} & {*GEMM}
    if conv and gemm:
        shown = ", ".join(cell.text for cell in header)
        raise WorkloadError(
            header[0].where, "columns of convolutions and of GEMMs in one header", got=shown
        )
    if conv or gemm:
        return CONV if conv else GEMM
    cells = first.filled
    return GEMM if len(cells) - (":" in cells[-1].text) <= 1 + len(GEMM) else CONV


def _notes_on_names(
    header: tuple[Cell, ...], names: list[str], columns: list[str]
) -> Iterator[str]:
    """What was read by its place among others, and what no cell was read of."""
    for cell, name, column in zip(header, names, columns, strict=True):
        shown = repr(cell.text[:40])  # one printable line, whatever the file holds
        if not column and cell.text:
            yield f"SCALE-Sim topology: column {shown} is not known, and empty"
        elif not name and column in SHOWN and column != "name":
            yield f"SCALE-Sim topology: column {shown} is read as {SHOWN[column]}, its place"


# What a row says


def _layer(row: Row, layout: _Layout, batch: int) -> Layer:
    cells = _cells(row, layout)
    numbers = {
        name: evaluate(cells[name].text, {}, cells[name].where)
        for name in (*layout.needed[1:], "batch")
        if name in cells
    }
    name = cells["name"].text
    if not name:
        raise WorkloadError(cells["name"].where, "the layer has no name")
    pattern = cells["sparsity"].text if "sparsity" in cells else None
    build = _gemm if layout.sizes == GEMM else _conv
    try:
        return build(name, numbers, pattern, batch)
    except SimulatorError as error:
        raise WorkloadError(row.where, str(error)) from None


def _cells(row: Row, layout: _Layout) -> dict[str, Cell]:
    """A row's cells by what they are; optional ones that are empty are left out."""
    filled = _without_comment(row)
    beyond = filled[len(layout.columns) :]
    missing = [name for name in layout.needed if name not in layout.columns[: len(filled)]]
    if missing or beyond[1:] or (beyond and "sparsity" in layout.columns):
        hint = "rows of one file must be all convolutions or all GEMMs"
        raise WorkloadError(
            filled[-1].where,
            f"{len(filled)} cells",
            want=layout.want,
            hint=f"no {SHOWN[missing[0]]}; {hint}" if missing else hint,
        )
    cells: dict[str, Cell] = {}
    for at, (name, cell) in enumerate(zip((*layout.columns, "sparsity"), filled, strict=False)):
        if cell.text and not name:
            raise _unknown_column(layout.header[at].text, cell)
        if name == "sparsity" and cell.text and ":" not in cell.text:
            raise WorkloadError(cell.where, "not a pattern", got=cell.text, want="keep:group")
        if cell.text or name in layout.needed:
            cells[name] = cell
    return cells


def _unknown_column(title: str, cell: Cell) -> WorkloadError:
    if title in NATIVE_COLUMNS:
        hint = "a native trace has a column 'kind'"
    else:
        hint = did_you_mean(title, SHOWN.values())
    return WorkloadError(f"{cell.where} {title}", "unknown column", got=cell.text, hint=hint)


def _without_comment(row: Row) -> tuple[Cell, ...]:
    """A row up to a ``#`` behind its name."""
    cells = list(row.filled[:1])
    for cell in row.filled[1:]:
        text, mark, _ = cell.text.partition("#")
        cells.append(cell._replace(text=text.strip()))
        if mark:
            break
    return Row(row.path, row.line, tuple(cells)).filled


def _gemm(name: str, numbers: Mapping[str, int], pattern: str | None, batch: int) -> Layer:
    return Gemm(
        name,
        m=numbers["n"],
        n=numbers["m"] * batch,
        k=numbers["k"],
        batch=numbers.get("batch", 1),
        pattern=pattern,
    )


def _conv(name: str, numbers: Mapping[str, int], pattern: str | None, batch: int) -> Layer:
    channels, filters, stride = (numbers[key] for key in ("channels", "filters", "stride height"))
    depthwise = "DP" in name
    return Conv(
        name,
        in_channels=channels,
        out_channels=channels * filters if depthwise else filters,
        in_h=numbers["ifmap height"],
        in_w=numbers["ifmap width"],
        kernel=(numbers["filter height"], numbers["filter width"]),
        stride=(stride, numbers.get("stride width", stride)),
        groups=channels if depthwise else 1,
        batch=numbers.get("batch", 1) * batch,
        ceil_output=True,
        pattern=pattern,
    )
