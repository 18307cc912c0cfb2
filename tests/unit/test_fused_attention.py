"""What fused attention moves and takes, in closed form; what it chooses and refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from machines import contended, tiny
from typer.testing import CliRunner

from simulator import Attention, Workload, simulate
from simulator.cli import app
from simulator.errors import ConfigError, MappingError, WorkloadError
from simulator.hardware import Hardware, load_hardware
from simulator.report.layer import LayerReport
from simulator.run.choice import Terms, attended
from simulator.run.simulate import ENGINES
from simulator.schedule.attention import attention_program
from simulator.schedule.attention_ranking import attention_offer
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import Program
from simulator.timeline.trace_file import Timeline
from simulator.workload.attention_problem import AttentionProblem

A100 = load_hardware("a100-sxm4-80gb")
VECTOR = {"macs_per_cycle": {"fp32": 64}, "specials_per_cycle": 16}
TILE = [{"rows": 16, "context": 16, "head_dim": 65536, "warps": 2}]
PREFILL = Attention("prefill", 8, 8, 1024, 1024, 128)
DECODE = Attention("decode", 8, 8, 1, 8192, 128)


def alone(hardware: Hardware, layer: Attention, engine: str = "fast") -> LayerReport:
    """The layer's figures in a network of its own."""
    return simulate(hardware, Workload("one", [layer]), engine=engine).layers[0]


def program_of(hardware: Hardware, layer: Attention, *, splits: int = 1) -> Program:
    """With tiles of 16 queries and 16 keys."""
    mapping = Mapping(16, layer.head_dim, 16, 8, layer.head_dim, splits, 2)
    return attention_program(hardware, AttentionProblem.of(layer, hardware), mapping)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kv_heads", [8, 2, 1])
def test_operands_are_read_once_and_scores_never_leave(kv_heads: int, causal: bool) -> None:
    """From DRAM Q, K and V once, where L2 holds them; Y is all that is written."""
    layer = replace(PREFILL, kv_heads=kv_heads, causal=causal)
    moved = alone(A100, layer).traffic_bytes
    queries = 8 * 1024 * 128 * 2
    assert moved["dram"]["activations"]["read"] == queries + layer.kv_bytes
    assert layer.kv_bytes == 2 * kv_heads * 1024 * 128 * 2
    assert moved["l2"]["outputs"]["written"] == queries
    assert moved.total("l2", "written") == queries
    assert moved["l2"]["partial_sums"]["read"] == 0


def test_every_tile_reads_its_queries_once_and_the_context_it_sees() -> None:
    layer = Attention("a", 1, 1, 64, 64, 32, causal=True)
    hardware = tiny(attention__tiles=TILE)
    moved = alone(hardware, layer).traffic_bytes
    blocks_seen = 1 + 2 + 3 + 4
    assert moved["l2"]["activations"]["read"] == 64 * 32 * 2 + blocks_seen * 2 * 16 * 32 * 2


@pytest.mark.parametrize("layer", [replace(PREFILL, causal=True), DECODE])
def test_a_warm_l2_holds_all_that_is_read(layer: Attention) -> None:
    warm = load_hardware(A100, {"memory.l2.start": "warm"})
    assert alone(warm, layer).traffic_bytes["dram"]["activations"]["read"] == 0
    program = program_of(contended(memory__l2__start="warm"), replace(layer, heads=1, kv_heads=1))
    reads = program.grid.outputs_base
    assert sorted(program.warm_blocks.tolist()) == list(range(reads))


def test_causal_computes_its_half_and_whole_diagonal_blocks() -> None:
    """Of s / b rows of blocks, row i has i + 1: (1 + b / s) / 2 of all."""
    hardware = tiny(attention__tiles=TILE)
    for seq in (16, 64, 256):
        layer = Attention("a", 2, 2, seq, seq, 32)
        whole, half = alone(hardware, layer), alone(hardware, replace(layer, causal=True))
        blocks = seq // 16
        assert half.macs_executed * 2 * blocks == whole.macs_executed * (blocks + 1)
        assert half.slots_used == half.macs < half.macs_executed
        assert whole.slots_padded == 0


def test_time_is_that_of_products_and_softmax() -> None:
    """One core, nothing waits for memory: stages, the first load, and the way out."""
    layer = Attention("a", 1, 1, 16, 64, 32)
    hardware = tiny(attention__tiles=TILE, attention__epilogue_ns=0, core__vector=VECTOR)
    macs = 2 * 16 * 16 * 32 / 64
    softmax = (4 * 16 * 16 + 16 * 32) / 64
    report = alone(hardware, layer)
    cost = report.core_time_ps
    assert cost.mac == 4 * macs * 1000
    assert cost.vector_stall == 4 * softmax * 1000
    outside = cost.prologue + cost.memory_stall + cost.epilogue + cost.idle
    assert report.time_ps == cost.mac + cost.vector_stall + outside
    together = alone(load_hardware(hardware, {"attention.overlapped": True}), layer)
    assert together.core_time_ps.vector_stall == 0
    slow = load_hardware(
        hardware, {"attention.overlapped": True, "core.vector.specials_per_cycle": 0.5}
    )
    exponentials = 16 * 16 / 0.5
    waited = alone(slow, layer).core_time_ps.vector_stall
    assert waited == pytest.approx(4 * (exponentials - macs) * 1000)


def test_scores_of_integers_are_converted_where_exponentials_are() -> None:
    """To floats, and back for the second product: three special functions a score, not one."""
    waits = []
    for dtype in ("fp16", "int8"):
        slow = {**VECTOR, "specials_per_cycle": 0.5}
        hardware = tiny(attention__tiles=TILE, core__vector=slow)
        layer = Attention("a", 1, 1, 16, 64, 32, dtype=dtype)
        waits.append(alone(hardware, layer).core_time_ps.vector_stall)
    assert waits[1] == 3 * waits[0] == 3 * 4 * 16 * 16 / 0.5 * 1000


def test_without_a_vector_unit_softmax_is_free_and_says_so() -> None:
    report = alone(tiny(attention__tiles=TILE), Attention("a", 1, 1, 16, 64, 32))
    assert report.core_time_ps.vector_stall == 0
    assert report.note == "softmax is free: tiny has no core.vector"
    assert alone(A100, PREFILL).note == ""


def test_splits_of_the_context_fill_cores() -> None:
    """Decoding: each part that goes to a core of its own saves time, until all have one."""
    hardware = tiny(
        core__count=4, attention__tiles=TILE, core__port_bytes_per_cycle=16, core__vector=VECTOR
    )
    layer = Attention("a", 1, 1, 1, 1024, 32)
    times = [
        ENGINES["fast"](program_of(hardware, layer, splits=splits)).makespan_ps
        for splits in (1, 2, 3, 4, 8)
    ]
    assert times[0] > times[1] > times[2] > times[3]
    assert times[0] / times[3] > 3
    assert times[4] > 0.9 * times[3]


def test_decoding_splits_its_context_and_prefill_does_not() -> None:
    assert "split" in alone(A100, DECODE).mapping
    assert "split" not in alone(A100, PREFILL).mapping
    causal = replace(DECODE, causal=True)  # the only query sees all
    assert alone(A100, causal).time_ps == alone(A100, DECODE).time_ps


def test_splits_beyond_what_rows_see_are_refused() -> None:
    layer = Attention("a", 1, 1, 64, 64, 32, causal=True)
    with pytest.raises(MappingError, match="a part of the context would have nothing to do"):
        program_of(tiny(), layer, splits=2)
    late = replace(layer, context=512)  # all rows see the first part, and some of the last
    hardware = contended(attention__tiles=TILE)
    assert program_of(hardware, late, splits=2).stage_events == 4 * 28 + 1 + 2 + 3 + 4


def test_ranking_finds_the_fastest_of_all_that_is_offered() -> None:
    """Within a tenth, on layers and machines of many kinds."""
    layers = [
        PREFILL,
        DECODE,
        replace(PREFILL, causal=True),
        replace(DECODE, kv_heads=1, batch=4),
        Attention("short", 12, 12, 128, 128, 64, batch=8),
    ]
    for hardware in (A100, load_hardware("h100-sxm"), load_hardware("nm-edge")):
        for layer in layers:
            terms = Terms(hardware, ENGINES["fast"])
            problem = AttentionProblem.of(layer, hardware)
            chosen = attended(terms, layer)
            every = attention_offer(hardware, problem)
            best = min(attended(terms, layer, one).time_ps for one in every)
            assert chosen.time_ps <= 1.1 * best, (hardware.name, layer)


OWN_TILES = {64: {(128, 128), (64, 256)}, 128: {(128, 64), (64, 128)}, 256: {(64, 64)}}
"""Queries and keys of FlashAttention-2's kernels, by the width of the heads."""


def offered_tiles(hardware: Hardware, width: int) -> set[tuple[int, int]]:
    problem = AttentionProblem.of(replace(PREFILL, head_dim=width), hardware)
    return {(x.tile_m, x.tile_k) for x in attention_offer(hardware, problem)}


@pytest.mark.parametrize("room", ["core.register_file.bytes", "core.scratchpad.bytes"])
@pytest.mark.parametrize("width", [64, 128, 256])
def test_more_room_takes_no_tile_away(width: int, room: str) -> None:
    """Until all kernels of the heads' width fit, which are then alone, as on GPUs."""
    plenty = {"core.register_file.bytes": 2**18, "core.scratchpad.bytes": 2**18}
    before: set[tuple[int, int]] = set()
    for size in range(65536, 2**18 + 1, 16384):
        tiles = offered_tiles(load_hardware("nm-edge", plenty | {room: size}), width)
        assert tiles >= before or tiles == OWN_TILES[width]
        before = tiles
    assert before == OWN_TILES[width] == offered_tiles(A100, width)


def test_what_does_not_fit_is_one_line() -> None:
    small = tiny(core__register_file__bytes=1024)
    with pytest.raises(MappingError, match=r"layer a: attention 16x32x16: the register file is"):
        alone(small, Attention("a", 1, 1, 16, 64, 32))
    small = tiny(core__scratchpad__bytes=1024)
    with pytest.raises(MappingError, match="the scratchpad is"):
        alone(small, Attention("a", 1, 1, 16, 64, 32))
    with pytest.raises(WorkloadError, match="layer a: tiny does not compute in this dtype"):
        alone(tiny(), Attention("a", 1, 1, 16, 64, 32, dtype="bf16"))
    with pytest.raises(ConfigError, match=r"attention\.tiles\.0\.context"):
        tiny(attention__tiles=[{"rows": 8, "context": 0, "head_dim": 8}])


def test_queries_may_be_held_in_registers() -> None:
    """They are read from the scratchpad once, and take no room there."""
    layer = Attention("a", 1, 1, 16, 64, 32)
    kept = alone(tiny(attention__tiles=TILE, attention__queries="register"), layer)
    anew = alone(tiny(attention__tiles=TILE), layer)
    saved = anew.traffic_bytes.total("scratchpad") - kept.traffic_bytes.total("scratchpad")
    assert saved == 3 * 16 * 32 * 2


def test_kept_keys_and_values_are_held_in_memory() -> None:
    layer = replace(DECODE, cached=True, repeat=4)
    total = simulate(A100, Workload("one", [layer])).total
    assert total.held.cache_bytes == 4 * layer.kv_bytes
    assert total.held.weight_bytes == 0


def test_equal_layers_are_equal_whatever_runs_them() -> None:
    """Both engines, either accuracy; a power limit slows it down with the same mapping."""
    layer = replace(PREFILL, seq=256, context=256)
    fast, reference = alone(A100, layer), alone(A100, layer, "reference")
    assert fast == reference
    workload = Workload("one", [layer])
    assert simulate(A100, workload, accuracy="sampled").layers[0] == fast
    limited = alone(load_hardware(A100, {"energy.tdp_w": 60.0}), layer)
    assert limited.throttled
    assert limited.mapping == fast.mapping
    assert limited.time_ps > fast.time_ps


def test_a_timeline_shows_every_stage() -> None:
    hardware = tiny(attention__tiles=TILE)
    timeline = Timeline(hardware, "attention", 1)
    layer = Attention("a", 2, 2, 64, 64, 32, causal=True)
    simulate(hardware, Workload("one", [layer]), observe=timeline.add)
    assert timeline.cut == []
    stages = [event for event in timeline.events if event.get("cat") == "stage"]
    assert len(stages) == 2 * (1 + 2 + 3 + 4)


def test_the_command_line_runs_it(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("name,kind,heads,seq,head_dim,causal\nattend,attention,12,384,64,1\n")
    shown = CliRunner().invoke(app, ["run", "a100-sxm4-80gb", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "attend" in shown.output
