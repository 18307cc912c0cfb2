"""Does one table say of a trace's columns what the reader, the writer and the help do with them?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator import Attention, Conv, Gemm, Matmul, Stream, Workload, load_workload
from simulator.errors import WorkloadError
from simulator.workload.columns import (
    COLUMNS,
    DEFAULTS,
    EVERY,
    RESERVED,
    STREAM,
    Column,
    columns_of,
)
from simulator.workload.trace_writer import MEANT, write_trace

LEAST_WORDS = 6
LEAST = {
    "linear": {"m": "8", "n": "8", "k": "8"},
    "matmul": {"m": "8", "n": "8", "k": "8"},
    "conv": {"in_channels": "8", "out_channels": "8", "in_h": "8", "in_w": "8"},
    "attention": {"heads": "4", "seq": "8", "head_dim": "16"},
    "softmax": {"reads": "64", "writes": "64"},
}
"""What a layer of each kind needs, besides its name."""

VALUES = {"kv_heads": "2", "context": "16", "kernel": "3x1", "padding": "1x1x0x0", "groups": "2",
          "dtype": "int8", "pattern": "2:4", "inputs": "input", "epilogue": "bias", "row": "8",
          "causal": "1", "cached": "1", "ceil_output": "1", "accumulate": "1"}  # fmt: skip
"""What may stand in columns beside numbers."""


def kind_of(kind: str) -> str:
    return STREAM if kind == "softmax" else kind


def read(path: Path, cells: dict[str, str]) -> Workload:
    path.write_text(",".join(cells) + "\n" + ",".join(cells.values()) + "\n")
    return load_workload(path)


def layer(kind: str, **cells: str) -> dict[str, str]:
    return {"name": "a", "kind": kind, **LEAST[kind], **cells}


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_column_is_described_in_words_that_are_not_its_own(column: Column) -> None:
    words = re.findall(r"[\w'-]+", column.meaning.lower())
    assert len(words) >= LEAST_WORDS
    assert len({*words} - set(column.name.split("_"))) >= LEAST_WORDS - 2
    assert column.meaning.endswith(".")
    assert set(column.kinds) <= set(EVERY)


@pytest.mark.parametrize("kind", LEAST)
@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_column_is_read_of_the_kinds_that_have_it_alone(
    tmp_path: Path, kind: str, column: Column
) -> None:
    if column.name in {"name", "kind", *RESERVED}:
        return
    value = LEAST[kind].get(column.name) or VALUES.get(column.name, "2")
    cells = layer(kind) | {column.name: value}
    if kind_of(kind) in column.kinds:
        (made,) = read(tmp_path / "t.csv", cells).layers
        plain = load_workload(tmp_path / "t.csv").layers[0]
        assert made == plain
        return
    with pytest.raises(WorkloadError, match=f"has no '{column.name}'"):
        read(tmp_path / "t.csv", cells)


@pytest.mark.parametrize("kind", LEAST)
def test_an_empty_cell_means_the_default(tmp_path: Path, kind: str) -> None:
    stated = {name: text for name, text in DEFAULTS.items() if name in columns_of(kind_of(kind))}
    assert stated
    empty = read(tmp_path / "t.csv", layer(kind, **dict.fromkeys(stated, "")))
    assert empty == read(tmp_path / "t.csv", layer(kind, **stated))
    assert empty == read(tmp_path / "t.csv", layer(kind))


def test_what_a_writer_leaves_out_is_a_default() -> None:
    assert MEANT.items() <= DEFAULTS.items()


def test_a_trace_is_written_in_the_order_of_the_columns() -> None:
    layers = [
        Gemm("a", m=8, n=8, k=8, pattern="2:4", accumulate=True, repeat=2, epilogue=("bias",)),
        Matmul("b", m=8, n=8, k=8, cached=True, batch=2, dtype="int8", inputs=("a",)),
        Conv("c", in_channels=4, out_channels=4, in_h=8, in_w=8, kernel=3, stride=2, padding=1,
             dilation=2, groups=2, ceil_output=True),
        Attention("d", heads=4, kv_heads=2, seq=8, context=16, head_dim=16, causal=True),
        Stream("e", reads=64, writes=64, op="softmax", passes=2, row=8),
    ]  # fmt: skip
    lines = write_trace(Workload("all", layers)).splitlines()
    header = next(line for line in lines if not line.startswith("#"))
    assert header.split(",") == [x.name for x in COLUMNS if x.name not in RESERVED]
