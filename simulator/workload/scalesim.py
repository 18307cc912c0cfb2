"""SCALE-Sim v3 topology files: convolutions or GEMMs, read by position.

A convolution row is ``name, ifmap h, ifmap w, filter h, filter w, channels, filters, stride`` and
a GEMM row ``name, M, N, K``; both may end in a ``keep:group``. The first row is a header whatever
it says. SCALE-Sim multiplies activations [M, K] by filters [K, N], so its N is our m and its M our
n. It has no padding, rounds output sizes up, and takes a layer whose name contains "DP" for
depthwise: one filter a channel.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.errors import SimulatorError, WorkloadError
from simulator.workload.layer import Conv, Gemm, Layer, Workload
from simulator.workload.table import Cell, Row, Table
from simulator.workload.trace import evaluate

CONV_SIZES, GEMM_SIZES = 7, 3
CONV_NOTE = "SCALE-Sim topology: no padding, output sizes rounded up"
GEMM_NOTE = "SCALE-Sim topology: its N is read as m (filters), its M as n (activations)"
DEPTHWISE_NOTE = "SCALE-Sim topology: layers named DP read as depthwise, one filter a channel"


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
    batch = parameters.get("batch", 1)
    rows = table.rows[1:]
    if not rows:
        raise WorkloadError(
            str(table.path), "has no layers", want="a header, then one layer a line"
        )
    name, *sizes_of_first = (cell.text for cell in _filled(table.rows[0]))
    numbers = [text.isascii() and text.isdigit() for text in (name, *sizes_of_first[:3])]
    if numbers == [False, True, True, True]:  # a name and sizes: a layer, not a header
        raise WorkloadError(
            table.rows[0].where,
            "the first row of a SCALE-Sim topology is its header, and this one holds sizes",
            hint="put a header before it, or it would be skipped",
        )
    sizes = GEMM_SIZES if _is_gemm(rows[0]) else CONV_SIZES
    layers = [_layer(row, sizes, batch) for row in rows]
    notes = [GEMM_NOTE if sizes == GEMM_SIZES else CONV_NOTE]
    if any(isinstance(layer, Conv) and layer.groups > 1 for layer in layers):
        notes.append(DEPTHWISE_NOTE)
    return Workload(table.path.stem, layers, notes)


def _is_gemm(row: Row) -> bool:
    """Four cells, or five of which the last is a pattern, are a GEMM."""
    cells = _filled(row)
    return len(cells) - (":" in cells[-1].text) <= 1 + GEMM_SIZES


def _filled(row: Row) -> list[Cell]:
    """The cells up to the last one that is not empty: trailing commas mean nothing."""
    cells = list(row.cells)
    while len(cells) > 1 and not cells[-1].text:
        cells.pop()
    return cells


def _layer(row: Row, sizes: int, batch: int) -> Layer:
    cells = _filled(row)
    pattern = None
    if len(cells) == sizes + 2:
        pattern = cells.pop().text
        if ":" not in pattern:
            raise WorkloadError(
                row.cells[sizes + 1].where, "not a pattern", got=pattern, want="keep:group"
            )
    if len(cells) != sizes + 1:
        raise WorkloadError(
            cells[-1].where,
            f"{len(cells)} cells",
            want=f"a name, {sizes} sizes and perhaps keep:group",
            hint="rows of one file must be all convolutions or all GEMMs",
        )
    numbers = [evaluate(cell.text, {}, cell.where) for cell in cells[1:]]
    name = cells[0].text
    if not name:
        raise WorkloadError(cells[0].where, "the layer has no name")
    try:
        if sizes == GEMM_SIZES:
            m, n, k = numbers
            return Gemm(name, m=n, n=m * batch, k=k, pattern=pattern)
        in_h, in_w, kernel_h, kernel_w, channels, filters, stride = numbers
        depthwise = "DP" in name
        return Conv(
            name,
            in_channels=channels,
            out_channels=channels * filters if depthwise else filters,
            in_h=in_h,
            in_w=in_w,
            kernel=(kernel_h, kernel_w),
            stride=stride,
            groups=channels if depthwise else 1,
            batch=batch,
            ceil_output=True,
            pattern=pattern,
        )
    except SimulatorError as error:
        raise WorkloadError(row.where, str(error)) from None
