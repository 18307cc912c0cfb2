"""Attention as a layer: its counts from the definition, what it refuses, its line in a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import Attention, Workload, WorkloadError, load_workload
from simulator.workload.trace_writer import write_trace


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("seq", "context"), [(1, 1), (1, 9), (5, 5), (4, 11)])
def test_pairs_are_those_that_meet(seq: int, context: int, causal: bool) -> None:
    layer = Attention("a", 6, 2, seq, context, head_dim=8, batch=3, causal=causal)
    pairs = [
        (i, j) for i in range(seq) for j in range(context) if not causal or j <= i + context - seq
    ]
    assert layer.pairs == len(pairs)
    assert layer.exponentials == len(pairs) * 3 * 6
    assert layer.macs == 2 * 8 * layer.exponentials
    assert layer.kv_bytes == 2 * 3 * 2 * context * 8 * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"heads": 0}, "a.heads: out of range"),
        ({"kv_heads": 4}, "a.kv_heads: must divide heads"),
        ({"seq": 10, "causal": True}, "a.context: leaves causal queries without a key"),
        ({"causal": 1}, "a.causal: must be True or False"),
        ({"dtype": "fp17"}, "a.dtype: unknown dtype"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], words: str) -> None:
    sizes = {"heads": 6, "kv_heads": 3, "seq": 4, "context": 9, "head_dim": 8}
    with pytest.raises(WorkloadError, match=words):
        Attention("a", **(sizes | change))  # type: ignore[arg-type]


def test_traces_hold_it(tmp_path: Path) -> None:
    layers = [
        Attention("prefill", 32, 8, 128, 128, 64, batch=2, causal=True, repeat=3),
        Attention("decode", 32, 8, 1, 2048, 64, cached=True, dtype="int8"),
    ]
    path = tmp_path / "two.csv"
    path.write_text(write_trace(Workload("two", layers)))
    read = load_workload(path)
    assert read.layers == tuple(layers)
    assert [layer.cached for layer in read.layers] == [False, True]  # type: ignore[union-attr]


def test_a_trace_may_leave_out_what_is_equal(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("name,kind,heads,seq,head_dim\na,attention,12,384,64\n")
    assert load_workload(path).layers == (Attention("a", 12, 12, 384, 384, 64),)
