"""The native layer trace: a CSV with one layer a line, a header row, and parameters.

``# nmsim trace 3`` says in which version of this format a file is written; one that does not is of
version 1, as all were before. ``# parameter: seq = 128`` declares a parameter and its default;
every size may be an expression of parameters: ``batch*seq``. ``# blocks: 32`` says that the layers
are one of 32 equal blocks of their network. ``# stack: fused`` says as which software stack it is
run unless another is asked for, of `stack.STACKS`; without it each layer is a kernel. ``# Note:
text`` says what was assumed when the trace was written; reports repeat it. Other lines that start
with ``#`` are comments. The columns are those of `simulator.workload.columns.COLUMNS`, which
``nmsim workloads --columns`` lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from simulator.errors import SimulatorError, WorkloadError, did_you_mean
from simulator.workload.attention import Attention
from simulator.workload.columns import COLUMNS, DEFAULTS, RESERVED, STREAM, columns_of
from simulator.workload.comments import (
    blocks_in,
    check_version,
    notes_in,
    parameters_in,
    stack_in,
)
from simulator.workload.expressions import evaluate
from simulator.workload.layer import Conv, Gemm, Layer, Matmul, Stream, Workload
from simulator.workload.operators import OPERATORS, parts_of
from simulator.workload.table import Row, Table

NAMES = tuple(column.name for column in COLUMNS)

INPUT = "input"
"""What the network itself is given, among the names of inputs."""


def read_trace(table: Table, parameters: Mapping[str, int]) -> Workload:
    """``CSV -> Workload``.

    Raises
    ------
    WorkloadError
        With file, line and column of the first thing that is wrong.
    """
    check_version(table)
    values = parameters_in(table, parameters)
    header = table.rows[0]
    names = [cell.text for cell in header.filled]
    for cell in header.filled:
        if cell.text not in NAMES:
            raise WorkloadError(
                cell.where, "unknown column", got=cell.text, hint=did_you_mean(cell.text, NAMES)
            )
        if names.count(cell.text) > 1:
            raise WorkloadError(cell.where, "column occurs twice", got=cell.text)
    for required in ("name", "kind"):
        if required not in names:
            raise WorkloadError(header.where, f"no column '{required}'")
    layers: list[Layer] = []
    above = {INPUT}
    for row in table.rows[1:]:
        layers.append(_layer(_Cells(row, names, values, above)))
        above.add(layers[-1].name)
    if not layers:
        raise WorkloadError(str(table.path), "has no layers", want="one layer a line")
    blocks = blocks_in(table, values)
    return Workload(table.path.stem, layers, notes_in(table), blocks, stack_in(table))


@dataclass
class _Cells:
    """One layer's cells by column name."""

    row: Row
    names: list[str]
    values: Mapping[str, int]
    above: Collection[str]

    def __post_init__(self) -> None:
        for extra in self.row.cells[len(self.names) :]:
            if extra.text:
                raise WorkloadError(extra.where, "more cells than columns", got=extra.text)
        self.by_column = dict(zip(self.names, self.row.cells, strict=False))

    def text(self, column: str, default: str | None = None) -> str:
        """What stands in a column, or what its being empty means."""
        cell = self.by_column.get(column)
        if cell is not None and cell.text:
            return cell.text
        if default is None:
            default = DEFAULTS.get(column)
        if default is None:
            raise WorkloadError(
                cell.where if cell else self.row.where, f"{self.article} needs '{column}'"
            )
        return default

    @property
    def kind(self) -> str:
        return self.by_column["kind"].text if "kind" in self.by_column else ""

    @property
    def article(self) -> str:
        """The kind in a sentence: ``a linear``, ``an elementwise``."""
        return f"{'an' if self.kind.startswith(('a', 'e', 'i', 'o', 'u')) else 'a'} {self.kind}"

    def size(self, column: str, default: str | None = None) -> int:
        return evaluate(self.text(column, default), self.values, self.where(column))

    def flag(self, column: str) -> bool:
        value = self.size(column)
        if value > 1:
            raise WorkloadError(self.where(column), "must be 0 or 1", got=value)
        return value == 1

    def pair(self, column: str) -> tuple[int, ...]:
        # An x between sizes, not one inside a parameter's name.
        parts = re.split(r"(?<![a-zA-Z_])x(?![a-zA-Z_])", self.text(column))
        return tuple(evaluate(part, self.values, self.where(column)) for part in parts)

    def where(self, column: str) -> str:
        cell = self.by_column.get(column)
        return f"{cell.where if cell else self.row.where} {column}"

    def refuse_foreign(self, allowed: frozenset[str]) -> None:
        """A cell that the layer's kind has no use for is a mistake, not a comment."""
        for name, cell in self.by_column.items():
            if cell.text and name in RESERVED:
                raise WorkloadError(
                    f"{cell.where} {name}", "is reserved: this nmsim does not simulate it yet",
                    got=cell.text, want="an empty cell",
                )  # fmt: skip
            if cell.text and name not in allowed:
                raise WorkloadError(
                    f"{cell.where} {name}", f"{self.article} has no '{name}'", got=cell.text
                )

    def pattern(self) -> str | None:
        return self.text("pattern", "") or None

    def inputs(self) -> tuple[str, ...]:
        """Names of layers above, in their order."""
        text = self.text("inputs", "")
        names = [part.strip() for part in text.split(";")] if ";" in text else text.split()
        names = [name for name in names if name]
        for name in names:
            if name not in self.above:
                raise WorkloadError(
                    self.where("inputs"), f"no layer above is called '{name}'", got=text,
                    hint=did_you_mean(name, self.above),
                )  # fmt: skip
        return tuple(names)

    def epilogue(self) -> tuple[str, ...]:
        text = self.text("epilogue", "")
        ops = parts_of(text) if text else ()
        for op in ops:
            if op not in OPERATORS:
                raise WorkloadError(
                    self.where("epilogue"), f"unknown operator '{op}'", got=text,
                    hint=did_you_mean(op, OPERATORS),
                )  # fmt: skip
        return ops


def _linear(cells: _Cells) -> Layer:
    sizes = {name: cells.size(name) for name in ("m", "n", "k")}
    return Gemm(
        cells.text("name"),
        **sizes,
        batch=cells.size("batch"),
        dtype=cells.text("dtype"),
        pattern=cells.pattern(),
        repeat=cells.size("repeat"),
        accumulate=cells.flag("accumulate"),
        epilogue=cells.epilogue(),
        inputs=cells.inputs(),
    )


def _matmul(cells: _Cells) -> Layer:
    sizes = {name: cells.size(name) for name in ("m", "n", "k")}
    return Matmul(
        cells.text("name"),
        **sizes,
        batch=cells.size("batch"),
        dtype=cells.text("dtype"),
        repeat=cells.size("repeat"),
        cached=cells.flag("cached"),
        epilogue=cells.epilogue(),
        inputs=cells.inputs(),
    )


def _conv(cells: _Cells) -> Layer:
    padding = cells.pair("padding")
    return Conv(
        cells.text("name"),
        in_channels=cells.size("in_channels"),
        out_channels=cells.size("out_channels"),
        in_h=cells.size("in_h"),
        in_w=cells.size("in_w"),
        kernel=_square(cells.pair("kernel")),
        stride=_square(cells.pair("stride")),
        padding=padding[0] if len(padding) == 1 else padding,
        dilation=_square(cells.pair("dilation")),
        groups=cells.size("groups"),
        ceil_output=cells.flag("ceil_output"),
        batch=cells.size("batch"),
        dtype=cells.text("dtype"),
        pattern=cells.pattern(),
        repeat=cells.size("repeat"),
        accumulate=cells.flag("accumulate"),
        epilogue=cells.epilogue(),
        inputs=cells.inputs(),
    )


def _attention(cells: _Cells) -> Layer:
    heads, seq = cells.text("heads"), cells.text("seq")
    return Attention(
        cells.text("name"),
        heads=cells.size("heads"),
        kv_heads=cells.size("kv_heads", heads),
        seq=cells.size("seq"),
        context=cells.size("context", seq),
        head_dim=cells.size("head_dim"),
        batch=cells.size("batch"),
        causal=cells.flag("causal"),
        dtype=cells.text("dtype"),
        repeat=cells.size("repeat"),
        cached=cells.flag("cached"),
        epilogue=cells.epilogue(),
        inputs=cells.inputs(),
    )


def _stream(cells: _Cells) -> Layer:
    stream = Stream(
        cells.text("name"),
        reads=cells.size("reads"),
        writes=cells.size("writes"),
        op=cells.kind,
        dtype=cells.text("dtype"),
        repeat=cells.size("repeat"),
        passes=cells.size("passes", "1"),
        inputs=cells.inputs(),
    )
    if not cells.text("row", ""):
        return stream
    over_rows = replace(stream, row=cells.size("row"))
    return over_rows if cells.text("passes", "") else stream.over_rows(cells.size("row"))


KINDS: dict[str, Callable[[_Cells], Layer]] = {
    "linear": _linear,
    "matmul": _matmul,
    "conv": _conv,
    "attention": _attention,
    **dict.fromkeys(OPERATORS, _stream),
}


def _layer(cells: _Cells) -> Layer:
    parts = parts_of(cells.kind)
    for kind in parts:
        if kind not in KINDS or (len(parts) > 1 and kind not in OPERATORS):
            known = OPERATORS if len(parts) > 1 else KINDS
            raise WorkloadError(
                cells.where("kind"), "unknown kind", got=cells.kind, hint=did_you_mean(kind, known)
            )
    cells.refuse_foreign(columns_of(STREAM if parts[0] in OPERATORS else parts[0]))
    try:
        return KINDS[parts[0]](cells)
    except SimulatorError as error:
        if error.where.startswith(str(cells.row.path)):
            raise
        raise WorkloadError(cells.row.where, str(error)) from None


def _square(sizes: tuple[int, ...]) -> int | tuple[int, int]:
    return sizes[0] if len(sizes) == 1 else sizes  # type: ignore[return-value]
