"""Do MACs, bytes and core-time add up, and is no run faster than its roofline?"""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import Case, random_case

from simulator import Conv, Gemm, Mapping, Matmul, Stream, Workload, load_hardware, simulate
from simulator.catalog import presets
from simulator.engine import fast
from simulator.report.account import CORE_TIME
from simulator.report.layer import LayerReport
from simulator.schedule.classes import BLOCKS_OF, COLUMNS, OUTPUTS, PARTIALS, ROWS


def _class_bytes(case: Case, counts: object, operand: int) -> int:
    part = BLOCKS_OF[operand]
    return int((counts[part] * case.program.block_bytes[part]).sum())  # type: ignore[index]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_bytes_are_counted_once(seed: int) -> None:
    case = random_case(random.Random(seed))
    program, grid = case.program, case.program.grid
    result = fast.run(program)
    ids = program.block_class
    sizes = program.block_bytes[ids]
    # Every tile asks for every block of its row and column once: W a column, X a row of tiles.
    rows = sizes[: grid.columns_base].sum() * grid.columns
    columns = sizes[grid.columns_base : grid.outputs_base].sum() * grid.rows
    # Those that a core's cluster was sent before are not asked of L2 again.
    asked = result.requests + result.multicast
    assert _class_bytes(case, asked, ROWS) == rows
    assert _class_bytes(case, asked, COLUMNS) == columns
    sharing = program.cluster_cores > 1
    assert sharing or not result.multicast.any()
    assert _class_bytes(case, result.requests, ROWS) * case.library.cluster.n >= rows
    assert _class_bytes(case, result.requests, COLUMNS) * case.library.cluster.m >= columns
    # Outputs leave once, to L2 or straight to DRAM; a write-back never writes more than was made.
    outputs = sizes[grid.outputs_base : grid.partials_base].sum()
    left = result.dram_written if program.writes_to_dram else result.written
    assert _class_bytes(case, left, OUTPUTS) == outputs
    assert _class_bytes(case, result.dram_written, OUTPUTS) <= outputs
    # Every split but the last writes its partial sums, and they are read once.
    partial_blocks = grid.outputs * (grid.splits - 1)
    assert result.written[BLOCKS_OF[PARTIALS]].sum() == partial_blocks
    assert result.requests[BLOCKS_OF[PARTIALS]].sum() == partial_blocks
    # Outputs that are added to are read once, whatever the splits.
    read = outputs if program.accumulates else 0
    assert _class_bytes(case, result.requests, OUTPUTS) == read
    # DRAM reads at least what is needed once, cold, and never more than was asked for.
    assert (result.misses <= result.requests).all()
    if not program.warm_blocks.size:
        needed = sizes[: grid.outputs_base].sum() + read
        operands = (ROWS, COLUMNS, OUTPUTS)
        read = sum(_class_bytes(case, result.misses, operand) for operand in operands)
        assert read >= needed
    # Every stage is done once.
    assert result.stages.sum() == program.stage_events


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_no_run_beats_its_roofline(seed: int) -> None:
    """Each resource alone bounds the time from below."""
    case = random_case(random.Random(seed))
    program = case.program
    result = fast.run(program)
    counts, bytes_of = result.stages.sum(axis=0), program.block_bytes
    assert result.makespan_ps >= result.mac_ps.sum() // program.cores
    assert result.makespan_ps >= result.worked_ps.max()
    mac = sum(int(n) * cost.mac_ps for n, cost in zip(counts, program.costs, strict=True))
    assert result.mac_ps.sum() == mac
    assert (result.worked_ps == result.stages @ program.stage_ps).all()
    moved = result.misses + result.dram_written
    read, written = case.hardware.dram_rate, case.hardware.dram_write_rate
    least = 0
    for operand, rate in {ROWS: read, COLUMNS: read, OUTPUTS: written, PARTIALS: written}.items():
        least += _class_bytes(case, moved, operand) * rate.num // rate.den
    assert result.makespan_ps >= least
    l2 = case.hardware.l2_rate
    passed = int(((result.requests + result.written) * bytes_of).sum())
    assert result.makespan_ps >= passed * l2.num // l2.den
    assert result.makespan_ps >= result.port_ps.max()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_core_time_adds_up(seed: int) -> None:
    """Stages, waits and idling fill every core's time to the picosecond."""
    case = random_case(random.Random(seed))
    result = fast.run(case.program)
    assert (result.worked_ps + result.waits_ps.sum(axis=1) == result.end_ps).all()
    assert (result.waits_ps >= 0).all()
    assert (result.end_ps <= result.makespan_ps).all()


NETWORK = Workload(
    "mixed",
    [
        Gemm("linear", m=300, n=200, k=512),
        Gemm("odd", m=77, n=33, k=147, repeat=3),
        Gemm("tall", m=2048, n=1, k=4096),
        Matmul("scores", m=100, n=100, k=64, batch=6),
        Conv("stem", in_channels=3, out_channels=32, in_h=33, in_w=33, kernel=3, stride=2),
        Conv("conv", in_channels=40, out_channels=64, in_h=14, in_w=14, kernel=3, padding=1),
        Conv("depthwise", in_channels=32, out_channels=32, in_h=9, in_w=9, kernel=3, groups=32),
        Gemm("quantised", m=256, n=128, k=256, dtype="int8"),
        Stream("softmax", reads=10_000, writes=10_000, op="softmax"),
    ],
)


def _check_layer(layer: LayerReport, cores: int) -> None:
    assert 0 <= layer.mac_utilization <= 1
    assert layer.slots_used + layer.slots_padded == layer.macs_executed
    assert layer.slots_padded >= 0
    assert tuple(layer.core_time_ps) == CORE_TIME
    assert sum(layer.core_time_ps.values()) == cores * layer.time_ps
    assert min(layer.core_time_ps.values()) >= 0
    assert all(0 <= ratio <= 1 for ratio in layer.busy_ratio.values())


PRESETS = sorted(presets("configs", ".yaml"))


@st.composite
def layers(draw: st.DrawFn) -> Gemm | Conv:
    """Small layers with weights: linear, convolutions, grouped and depthwise ones."""
    if draw(st.booleans()):
        m, n, k = (draw(st.integers(1, 300)) for _ in "mnk")
        return Gemm("g", m=m, n=n, k=k, batch=draw(st.sampled_from([1, 1, 2])))
    groups, channels = draw(st.sampled_from([1, 1, 2, 24])), draw(st.integers(1, 40))
    return Conv(
        "c",
        in_channels=groups * (1 if groups == 24 else channels),
        out_channels=groups * draw(st.integers(1, 20)),
        in_h=draw(st.integers(3, 12)),
        in_w=draw(st.integers(3, 12)),
        kernel=draw(st.integers(1, 3)),
        padding=1,
        groups=groups,
    )


def _weights(layer: Gemm | Conv, density: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    shape: tuple[int, ...]
    if isinstance(layer, Conv):
        shape = layer.out_channels, layer.in_channels // layer.groups, *layer.pair("kernel")
    else:
        shape = layer.batch * layer.m, layer.k
    return generator.standard_normal(shape) * (generator.random(shape) < density)


@settings(max_examples=120, deadline=None)
@given(
    preset=st.sampled_from(PRESETS),
    skip=st.sampled_from(["none", "slots", "nonzeros", "nonzeros"]),
    operand_bytes=st.sampled_from([None, 64, 256]),
    buffers=st.sampled_from([1, 2]),
    layer=layers(),
    pattern=st.sampled_from(["1:1", "2:4", "8:16", "1:8", "unstructured:0.5",
                             "unstructured:0.1", "unstructured:0.01"]),
    density=st.sampled_from([None, 0.0, 0.02, 0.3, 1.0]),
)  # fmt: skip
def test_every_machine_mask_and_layer_has_a_possible_account(
    preset: str, skip: str, operand_bytes: int | None, buffers: int,
    layer: Gemm | Conv, pattern: str, density: float | None,
) -> None:  # fmt: skip
    """Real masks, zeros anywhere and depthwise layers, on all presets."""
    settings_: dict[str, object] = {"sparsity.skip": skip, "core.register_file.buffers": buffers}
    if operand_bytes is not None:
        settings_["core.register_file.operand_bytes_per_cycle"] = operand_bytes
    hardware = load_hardware(preset, settings_)
    weights = None if density is None else {layer.name: _weights(layer, density, 1)}
    report = simulate(hardware, Workload("one", [layer]), pattern, weights=weights, prune=True)
    _check_layer(report.layers[0], hardware.core.count)


@pytest.mark.parametrize("pattern", ["1:1", "2:4", "1:8"])
@pytest.mark.parametrize("machine", ["a100-sxm4-80gb", "nm-flex", "h100-sxm", "rtx3090"])
def test_reports_of_presets_add_up(machine: str, pattern: str) -> None:
    hardware = load_hardware(machine)
    report = simulate(hardware, NETWORK, pattern)
    for layer in report.layers:
        _check_layer(layer, hardware.core.count)
    assert 0 < report.total.mac_utilization <= 1
    assert sum(report.total.core_time_ps.values()) == hardware.core.count * report.total.time_ps
    assert report.total.macs == NETWORK.macs
    assert sum(report.total.bound_ratio.values()) == pytest.approx(1)


def test_activations_enter_the_scratchpad_whole_whatever_is_pruned() -> None:
    """The same tile shape moves the same X bytes under every pattern; W bytes follow density."""
    hardware = load_hardware("nm-flex")
    workload = Workload("one", [Gemm("g", m=512, n=512, k=2048)])
    mapping = Mapping(64, 64, 256, 32, 32, stage_buffers=2)
    pads = {}
    for pattern in ("1:1", "2:4", "1:4", "2:8", "1:8"):
        layer = simulate(hardware, workload, pattern, mapping=mapping).layers[0]
        pads[pattern] = layer.traffic_bytes["scratchpad"]
    activations = {tuple(pad["activations"].values()) for pad in pads.values()}
    assert len(activations) == 1
    dense = pads["1:1"]["weights"]["written"]
    for pattern, density in (("2:4", 2), ("1:4", 4), ("2:8", 4), ("1:8", 8)):
        assert pads[pattern]["weights"]["written"] == dense // density


def test_what_keeps_1_8_below_four_times_2_4_is_visible() -> None:
    """At equal tile shape 1:8 waits for the scratchpad, whose X traffic did not shrink."""
    workload = Workload("one", [Gemm("g", m=4096, n=4096, k=4096)])
    two, one = (simulate("nm-flex", workload, p).layers[0] for p in ("2:4", "1:8"))
    gain = two.time_ps / one.time_ps
    assert 1.2 < gain < 3
    assert one.bound == "scratchpad"
    assert one.core_time_ps["scratchpad_stall"] > one.core_time_ps["mac_useful"]


def test_keep_equal_to_group_is_the_dense_machine() -> None:
    workload = Workload("one", [Gemm("g", m=300, n=200, k=500)])
    dense = simulate("nm-flex", workload, "1:1").layers[0]
    full = simulate("nm-flex", workload, "4:4").layers[0]
    assert full.time_ps == dense.time_ps
    assert full.traffic_bytes == dense.traffic_bytes


def test_same_input_same_result() -> None:
    texts = {simulate("nm-flex", NETWORK, "2:8").to_json() for _ in range(2)}
    assert len(texts) == 1
