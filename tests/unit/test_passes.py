"""What is read several times: where does it come from, and who says how often?"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import tiny
from onnx_models import graph_of, imported_from, node, weights
from traces import event, reader

from simulator import Gemm, Hardware, Stream, Workload, WorkloadError, load_workload, simulate
from simulator.engine import fast, reference
from simulator.importers.hf_blocks import Builder, Heads, Tokens
from simulator.schedule.program import Program, stream_program
from simulator.schedule.streaming import STREAM_CHUNK_BYTES
from simulator.workload.trace_writer import write_trace

CHUNKS = 8
ELEMENTS = CHUNKS * STREAM_CHUNK_BYTES // 2


def machine(chunks: int, cores: int = 1, writes: str = "dram", **dram: float) -> Hardware:
    """A machine whose L2 holds so many chunks."""
    size = chunks * STREAM_CHUNK_BYTES
    settings = {f"memory__dram__{key}": value for key, value in dram.items()}
    return tiny(core__count=cores, memory__l2__bytes=size, memory__writes=writes, **settings)


def laid_out(hardware: Hardware, layer: Stream) -> Program:
    return stream_program(hardware, hardware.libraries[hardware.library.dense], layer)


def missed(layer: Stream, room: int, cores: int) -> int:
    """Chunks that an LRU of ``room`` chunks misses where bands are read pass by pass."""
    a_chunk = STREAM_CHUNK_BYTES // 2
    band = CHUNKS if layer.row is None else min(CHUNKS, -(-2 * cores * layer.row // a_chunk))
    cache: OrderedDict[int, None] = OrderedDict()
    misses = 0
    for first in range(0, CHUNKS, band):
        for _ in range(layer.passes):
            for chunk in range(first, min(first + band, CHUNKS)):
                misses += chunk not in cache
                cache[chunk] = None
                cache.move_to_end(chunk)
                if len(cache) > room:
                    cache.popitem(last=False)
    return misses


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize("room", [1, 2, 4, 8])
@pytest.mark.parametrize("row", [None, 100, 4096, 8192, ELEMENTS])
def test_what_still_lies_in_l2_is_not_read_from_dram_again(
    passes: int, room: int, row: int | None
) -> None:
    """All inputs at a time, or the rows in flight: counted by an LRU that shares no code."""
    layer = Stream("s", ELEMENTS, ELEMENTS, "softmax", passes=passes, row=row)
    found = simulate(machine(room), Workload("w", [layer])).layers[0]
    read = missed(layer, room, cores=1) * STREAM_CHUNK_BYTES
    moved = found.traffic_bytes
    assert moved["dram"]["activations"]["read"] == read
    assert moved["l2"]["activations"]["read"] == passes * ELEMENTS * 2
    assert moved["dram"]["outputs"]["written"] == ELEMENTS * 2


def test_passes_over_dram_take_their_time() -> None:
    """A read and a write, against three reads and a write: DRAM is all that counts."""
    hardware = machine(1, cores=4, bytes_per_second=1e9)
    once = Stream("s", 64 * ELEMENTS, 64 * ELEMENTS)
    layers = simulate(hardware, Workload("w", [once, replace(once, passes=3)])).layers
    assert layers[1].time_ps / layers[0].time_ps == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize(("own", "start_ns"), [(None, 7000), (0, 0), (3000, 3000)])
def test_a_streaming_kernel_has_a_start_of_its_own(own: int | None, start_ns: int) -> None:
    """Where the machine says one; of products and other kernels it says another."""
    hardware = tiny(kernel_start_ns=7000, stream_start_ns=own)
    layers = [Stream("s", 8, 8), Gemm("g", 4, 4, 4)]
    stream, product = simulate(hardware, Workload("w", layers)).layers
    assert stream.core_time_ps.kernel_start == start_ns * 1000
    assert product.core_time_ps.kernel_start == 7000 * 1000


@settings(max_examples=40, deadline=None)
@given(
    reads=st.integers(1, 300_000),
    writes=st.integers(1, 300_000),
    passes=st.integers(1, 4),
    row=st.none() | st.integers(1, 300_000),
    room=st.integers(1, 40),
    cores=st.integers(1, 5),
    to=st.sampled_from(["l2", "dram"]),
)
def test_both_engines_agree(
    reads: int, writes: int, passes: int, row: int | None, room: int, cores: int, to: str
) -> None:
    layer = Stream("s", reads, writes, passes=passes, row=row and min(row, reads))
    program = laid_out(machine(room, cores, to), layer)
    one, other = fast.run(program), reference.run(program)
    for name in one.__dataclass_fields__:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_only_wide_rows_of_what_sums_over_them_are_read_again() -> None:
    softmax = Stream("s", 10**6, 10**6, "softmax")
    assert softmax.over_rows(24_576) == replace(softmax, row=24_576)
    assert softmax.over_rows(24_577) == replace(softmax, passes=3, row=24_577)
    assert replace(softmax, dtype="int8").over_rows(24_577).passes == 1
    assert replace(softmax, op="normalization").over_rows(24_577).passes == 2
    assert replace(softmax, op="elementwise").over_rows(24_577).passes == 1


@pytest.mark.parametrize(("context", "passes"), [(24_576, 1), (32_768, 3)])
def test_configurations_know_how_wide_their_rows_are(context: int, passes: int) -> None:
    builder = Builder(Tokens(batch=1, seq=1, context=context), "fp16")
    softmax = builder.attention(Heads(count=8, kv=8, size=64), "values", ["qkv"])[1].layer
    assert isinstance(softmax, Stream)
    assert softmax.passes == passes
    norm = builder.norm("norm", 4096).layer
    assert isinstance(norm, Stream)
    assert norm.passes == 1


def test_models_and_profiles_know_how_wide_their_rows_are(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["h"]), node("Softmax", ["h"], ["y"], name="s")]
    model = graph_of(nodes, {"x": [2, 64]}, [weights("w", 64, 32_768)])
    calls = event("mm", 0, 10, [2, 64], [64, 32_768]), event("_softmax", 20, 10, [2, 32_768])
    for imported in (imported_from(tmp_path, model), reader(tmp_path)(*calls)):
        softmax = imported.workload.layers[-1]
        assert isinstance(softmax, Stream)
        assert (softmax.op, softmax.passes, softmax.row) == ("softmax", 3, 32_768)


def test_a_trace_says_how_often_and_over_what(tmp_path: Path) -> None:
    layers = [
        Stream("a", 8, 8, "softmax", passes=3, row=4),
        Stream("b", 8, 8, "softmax", passes=2),
        Stream("c", 8, 8),
        Stream("wide", 10**6, 10**6, "softmax", passes=1, row=10**6),
    ]
    path = tmp_path / "streams.csv"
    path.write_text(write_trace(Workload("streams", layers)))
    assert load_workload(path).layers == tuple(layers)


def test_a_trace_that_says_how_wide_rows_are_need_not_say_how_often(tmp_path: Path) -> None:
    path = tmp_path / "streams.csv"
    rows = "\n".join(f"s{row},softmax,{2 * row},8,{row}" for row in (24_576, 24_577))
    path.write_text(f"name,kind,reads,writes,row\n{rows}\n")
    assert [layer.passes for layer in load_workload(path).layers] == [1, 3]


def test_presets_of_networks_read_long_contexts_again() -> None:
    contexts = (2048, 32_768)
    layers = [load_workload("llama-7b", context=context).layers for context in contexts]
    softmax = [next(one for one in found if one.name == "softmax") for found in layers]
    assert [one.passes for one in softmax if isinstance(one, Stream)] == [1, 3]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("s,softmax,8,8,0,", "passes: out of range, want 1 to 1099511627776, got 0"),
        ("s,softmax,8,8,2,0", "row: out of range, want 1 to 1099511627776, got 0"),
        ("l,linear,,,2,", "passes: a linear has no 'passes', got '2'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, cells: str, expected: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"name,kind,reads,writes,passes,row\n{cells}\n")
    with pytest.raises(WorkloadError) as caught:
        load_workload(path)
    assert expected in str(caught.value)
