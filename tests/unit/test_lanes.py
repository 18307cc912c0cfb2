"""Depthwise convolutions in vector lanes: what do patches cost, and when is that chosen?"""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from machines import contended, tiny

from simulator import Conv, Gemm, Hardware, Mapping, Workload, load_hardware, simulate
from simulator.engine import fast, reference
from simulator.errors import ConfigError
from simulator.report.layer import LayerReport
from simulator.schedule.blocks import class_stages
from simulator.schedule.classes import BLOCK_CLASSES, COLUMNS, OUTPUTS, ROWS, STAGE_CLASSES
from simulator.schedule.mapping import check
from simulator.schedule.program import gemm_program
from simulator.sparsity import DENSE
from simulator.workload.lowering import GemmProblem, lower
from simulator.workload.window import Window

LANES = {
    "core__vector": {"macs_per_cycle": {"fp32": 16, "int8": 64}, "specials_per_cycle": 4},
    "libraries__lanes": {
        "unit": "vector",
        "tiles": [{"m": 64, "n": [16, 32], "slots": 64}],
        "stage_buffers": 2,
        "prefetch": True,
        "epilogue_overlap": True,
        "swap": False,
    },
    "library__vector": "lanes",
}


def depthwise(channels: int = 32, size: int = 12, **changes: object) -> Conv:
    sizes = {"kernel": 3, "padding": 1, "groups": channels} | changes
    return Conv("d", channels, channels, size, size, **sizes)


def on_lanes(layer: Conv, hardware: Hardware) -> GemmProblem:
    """Its problem in vector lanes, which is the last one."""
    problem = lower(layer, DENSE, hardware).problems[-1]
    assert problem.unit == "vector"
    return problem


def ran(layer: Conv | Gemm, hardware: Hardware, **options: object) -> LayerReport:
    return simulate(hardware, Workload("w", [layer]), **options).layers[0]


def patch_inputs(layer: Conv, width: int, outputs: int) -> int:
    """Inputs of a channel between the first and the last that patches of outputs read, listed."""
    (high, wide), (down, across) = layer.pair("kernel"), layer.pair("stride")
    dilation_h, dilation_w = layer.pair("dilation")
    reads = [
        (output // width * down + y * dilation_h, output % width * across + x * dilation_w)
        for output in range(outputs)
        for y in range(high)
        for x in range(wide)
    ]
    rows, columns = ({at[axis] for at in reads} for axis in (0, 1))
    return (max(rows) + 1) * (max(columns) + 1)


@pytest.mark.parametrize("kernel", [1, 3, 5, (3, 5)])
@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_patch_loads_what_lies_below_its_windows(
    kernel: object, stride: object, dilation: int
) -> None:
    layer = depthwise(4, 40, kernel=kernel, stride=stride, dilation=dilation)
    window = Window.of(layer)
    assert window.width == 8
    for outputs in (8, 16, 61):
        assert window.inputs(outputs) == patch_inputs(layer, 8, outputs)


@pytest.mark.parametrize("dtype", ["fp16", "int8"])
@pytest.mark.parametrize("seed", range(12))
def test_stages_cost_what_lanes_and_loads_take(seed: int, dtype: str) -> None:
    """Every product listed: two operands from the scratchpad, one lane, one accumulator."""
    rng = random.Random(seed)
    rates = {
        "core__scratchpad__bytes_per_cycle": rng.choice([16, 64, 4096]),
        "core__register_file__operand_bytes_per_cycle": rng.choice([64, 4096]),
        "core__alignment_bytes": rng.choice([1, 16]),
    }
    hardware = tiny(**LANES, **rates)
    kernel, channels = rng.choice([3, 5]), rng.choice([4, 12, 24, 40])
    problem = on_lanes(depthwise(channels, 11, kernel=kernel, dtype=dtype), hardware)
    library = hardware.libraries["lanes"]
    under = hardware.under(library)
    n, k, bits = 32, kernel * kernel, {"fp16": 16, "int8": 8}[dtype]
    mapping = Mapping(64, n, k, 64, n, stage_buffers=2)
    check(under, library, problem, mapping)
    grid = mapping.grid(problem)
    works, costs = class_stages(under, problem, mapping, grid)
    a_lane = {"fp16": 1, "int8": 4}[dtype]
    for edges, work, cost in zip(STAGE_CLASSES, works, costs, strict=True):
        width = grid.extent("n", edges.last_column)
        outputs = [(row, column) for row in range(problem.m) for column in range(width)]
        steps = math.ceil(k / a_lane)
        loaded = problem.m * problem.window.inputs(width) * bits // 8
        weights = problem.m * k * bits // 8
        reads = sum(k * bits for _ in outputs) // 8 + weights
        assert work.macs_executed == len(outputs) * steps * a_lane
        assert (work.rows_bytes, work.columns_bytes) == (weights, loaded)
        assert work.read_bytes == reads
        vector = next(v for v in (16, 8, 4, 2, 1) if channels * bits % (8 * v) == 0)
        slower = max(1, rates["core__alignment_bytes"] // vector)
        mac = Fraction(len(outputs) * steps * a_lane, {"fp16": 16, "int8": 64}[dtype])
        port = Fraction(
            reads + slower * (loaded + weights), rates["core__scratchpad__bytes_per_cycle"]
        )
        moved = len(outputs) * steps * (2 * a_lane * bits + 32)
        path = Fraction(moved, 8 * rates["core__register_file__operand_bytes_per_cycle"])
        assert cost.stage_ps == math.ceil(1000 * max(mac, port, path))


@pytest.mark.parametrize("seed", range(15))
def test_both_engines_agree_and_inputs_are_read_once(seed: int) -> None:
    rng = random.Random(seed)
    hardware = contended(rng.randint(1, 5), **LANES)
    layer = depthwise(
        rng.choice([6, 16, 66]), rng.randint(5, 14), kernel=rng.choice([3, 5]),
        stride=rng.randint(1, 2), batch=rng.randint(1, 2),
    )  # fmt: skip
    problem, library = on_lanes(layer, hardware), hardware.libraries["lanes"]
    k = layer.positions
    mapping = Mapping(64, rng.choice([7, 16, 32]), k, 64, 7, stage_buffers=rng.randint(1, 2))
    program = gemm_program(hardware.under(library), library, problem, mapping)
    one, other = fast.run(program), reference.run(program)
    for name in one.__dataclass_fields__:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    sizes = program.block_bytes[program.block_class]
    operand = np.array([block.operand for block in BLOCK_CLASSES])[program.block_class]
    outputs = layer.batch * layer.out_h * layer.out_w * layer.out_channels
    assert sizes[operand == COLUMNS].sum() == 2 * layer.unique_inputs
    assert sizes[operand == ROWS].sum() == 2 * layer.out_channels * k
    assert sizes[operand == OUTPUTS].sum() == 2 * outputs


def test_a_layer_keeps_its_own_sizes_wherever_it_runs() -> None:
    hardware = tiny(**LANES)
    tensor, lanes = (
        ran(depthwise(), load_hardware(hardware, {"library.vector": name}))
        for name in (None, "lanes")
    )
    assert (tensor.executed_on, lanes.executed_on) == ("tensor", "vector")
    for figure in ("m", "n", "k", "count", "macs", "executed_as", "note"):
        assert getattr(tensor, figure) == getattr(lanes, figure), figure
    assert lanes.slots_used == lanes.macs_executed == lanes.macs
    assert lanes.time_ps < tensor.time_ps


def test_lanes_that_are_slow_are_left_alone() -> None:
    slow = {"macs_per_cycle": {"fp32": 0.1}, "specials_per_cycle": 4}
    assert ran(depthwise(), tiny(**{**LANES, "core__vector": slow})).executed_on == "tensor"


@pytest.mark.parametrize(
    "layer",
    [
        Gemm("g", 64, 1, 64),
        Conv("c", 16, 16, 8, 8, kernel=3, groups=8),
        Conv("one", 1, 1, 8, 8, kernel=3),
    ],
)
def test_what_is_not_depthwise_runs_on_tensor_cores(layer: Conv | Gemm) -> None:
    assert ran(layer, tiny(**LANES)).executed_on == "tensor"


def test_a_library_or_a_mapping_of_the_user_s_own_decides() -> None:
    hardware = tiny(**LANES)
    mapping = Mapping(4, 16, 9, 4, 16)
    assert ran(depthwise(), hardware, mapping=mapping).executed_on == "tensor"
    assert ran(depthwise(), hardware, library="own").executed_on == "tensor"
    product = ran(Gemm("g", 64, 32, 64), hardware, library="lanes")
    assert product.executed_on == "vector"
    assert product.time_ps >= 64 * 32 * 64 / 16 * 1000  # ps at 16 MACs a cycle of a nanosecond


def test_pruned_or_not_it_runs_dense_and_says_so() -> None:
    layer = ran(depthwise(), tiny(**LANES), pattern="2:4")
    assert (layer.asked, layer.executed_as, layer.executed_on) == ("2:4", "1:1", "vector")
    assert layer.note == "2:4 runs dense: 1 channel is less than a group"


def test_real_weights_may_be_attached() -> None:
    weights = {"d": np.ones((32, 1, 3, 3), dtype=np.float32)}
    layer = ran(depthwise(), tiny(**LANES), weights=weights)
    assert (layer.executed_on, layer.nonzeros) == ("vector", 32 * 9)


def test_samples_of_it_come_close() -> None:
    hardware, layer = contended(4, **LANES), depthwise(64, 600)
    whole, part = ran(layer, hardware), ran(layer, hardware, accuracy="sampled")
    assert part.executed_on == "vector"
    assert part.time_ps == pytest.approx(whole.time_ps, rel=0.05)


def test_on_an_a100_memory_decides() -> None:
    """A depthwise layer of MobileNetV2, at a batch that fills the card: not tiles."""
    layer = depthwise(96, 112, stride=2, batch=64)
    found = ran(layer, load_hardware("a100-sxm4-80gb"))
    assert (found.executed_on, found.bound) == ("vector", "dram")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"library__vector": "lane"}, "library: no library 'lane'"),
        ({"library__vector": "own"}, "library.vector: own has another unit"),
        ({"core__vector": None}, "libraries.lanes.unit: the machine has no core.vector"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tiny(**{**LANES, **changes})
    assert expected in str(caught.value)
