"""Do layers know their sizes and MACs, and refuse what is no layer?"""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest

from simulator.errors import SimulatorError, WorkloadError
from simulator.sparsity import Pattern, Unstructured
from simulator.workload import Conv, Gemm, Layer, Matmul, Stream, Workload
from simulator.workload.layer import MAX_SIZE


def conv(**sizes: object) -> Conv:
    """A small convolution, changed."""
    return Conv(**{"name": "c", "in_channels": 4, "out_channels": 8, "in_h": 8, "in_w": 8, **sizes})


def outputs(size: int, pads: int, reach: int, stride: int, ceil: bool) -> int:
    """Window positions, counted: all that end in the padded input and, rounded up as SCALE-Sim
    does, one more where those leave a rest of the input over."""
    padded, count = size + pads, 0
    for start in range(0, padded + stride, stride):
        inside = start + reach <= padded
        rest = count > 0 and start - stride + reach < padded
        count += inside or (ceil and rest)
    return count


@pytest.mark.parametrize(
    ("sizes", "out_h", "out_w"),
    [
        ({"kernel": 3}, 6, 6),
        ({"kernel": 3, "padding": 1}, 8, 8),
        ({"kernel": 3, "padding": 1, "stride": 2}, 4, 4),
        ({"kernel": 7, "stride": 2, "padding": 3, "in_h": 224, "in_w": 224}, 112, 112),
        ({"kernel": (3, 1)}, 6, 8),
        ({"kernel": (1, 3), "stride": (2, 1)}, 4, 6),
        ({"kernel": 3, "padding": (1, 0)}, 8, 6),
        ({"kernel": 3, "padding": (1, 0, 0, 2)}, 7, 8),  # top, left, bottom, right
        ({"kernel": 3, "dilation": 2}, 4, 4),
        ({"kernel": 3, "dilation": (1, 3)}, 6, 2),
        ({"kernel": 3, "stride": 2}, 3, 3),
        ({"kernel": 3, "stride": 2, "ceil_output": True}, 4, 4),
        ({"kernel": 8}, 1, 1),
    ],
)
def test_output_size(sizes: dict[str, object], out_h: int, out_w: int) -> None:
    layer = conv(**sizes)
    assert (layer.out_h, layer.out_w) == (out_h, out_w)


def test_output_size_is_the_number_of_window_positions() -> None:
    grid = itertools.product(
        range(1, 9), range(1, 4), range(1, 4), range(0, 3), range(1, 3), (False, True)
    )
    seen = 0
    for size, kernel, stride, pad, dilation, ceil in grid:
        reach = dilation * (kernel - 1) + 1
        expected = outputs(size, 2 * pad, reach, stride, ceil)
        sizes = {"in_h": size, "kernel": (kernel, 1), "stride": (stride, 1), "ceil_output": ceil}
        sizes |= {"padding": (pad, 0), "dilation": (dilation, 1)}
        if not expected:
            with pytest.raises(WorkloadError, match="larger than the padded input"):
                conv(**sizes)
            continue
        assert conv(**sizes).out_h == expected, sizes
        seen += 1
    assert seen > 700


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (Gemm("g", m=2, n=3, k=5), 30),
        (Gemm("g", m=2, n=3, k=5, batch=7, repeat=9), 210),  # once; repeat counts in a workload
        (Matmul("a", m=2, n=3, k=5, batch=7), 210),
        (conv(kernel=3, padding=1), 8 * 8 * 8 * 9 * 4),
        (conv(kernel=3, padding=1, batch=2), 2 * 8 * 8 * 8 * 9 * 4),
        (conv(kernel=3, padding=1, groups=4), 8 * 8 * 8 * 9),
        (conv(kernel=(3, 1), stride=2, out_channels=5), 5 * 3 * 4 * 3 * 4),
        (Stream("s", reads=10, writes=10), 0),
    ],
)
def test_macs(layer: Layer, macs: int) -> None:
    assert layer.macs == macs


def test_macs_of_a_published_layer() -> None:
    """ResNet-50's first convolution: 118.0 MMAC, He et al. 2016 table 1 (112 x 112 x 64 x 147)."""
    layer = Conv("conv1", 3, 64, 224, 224, kernel=7, stride=2, padding=3)
    assert layer.macs == 118_013_952
    assert layer.positions == 49


def touched(layer: Conv) -> int:
    """Input elements that some output reads, by walking every window of every output."""
    top, left, _, _ = layer.pads
    pixels = set()
    for out_y, out_x in itertools.product(range(layer.out_h), range(layer.out_w)):
        for ker_y, ker_x in itertools.product(*map(range, layer.pair("kernel"))):
            y = out_y * layer.pair("stride")[0] + ker_y * layer.pair("dilation")[0] - top
            x = out_x * layer.pair("stride")[1] + ker_x * layer.pair("dilation")[1] - left
            if 0 <= y < layer.in_h and 0 <= x < layer.in_w:
                pixels.add((y, x))
    return layer.batch * layer.in_channels * len(pixels)


@pytest.mark.parametrize(
    "sizes",
    [
        {"kernel": 1},
        {"kernel": 3, "padding": 1},
        {"kernel": 1, "stride": 2},  # three of four pixels are never read
        {"kernel": 1, "stride": 3},
        {"kernel": 2, "stride": 3},
        {"kernel": 2, "dilation": 2},
        {"kernel": 2, "dilation": 5},
        {"kernel": 3, "stride": 2},  # the last row and column are left over
        {"kernel": 3, "stride": 2, "ceil_output": True},
        {"kernel": 3, "stride": 2, "padding": (0, 1, 2, 3)},
        {"kernel": 2, "stride": (1, 4), "batch": 3, "groups": 2},
        {"kernel": 1, "padding": 3, "stride": 2},
        {"kernel": 1, "padding": (5, 0, 0, 0), "stride": 4},
    ],
)
def test_unique_inputs_are_the_pixels_that_some_window_touches(sizes: dict[str, object]) -> None:
    layer = conv(**sizes)
    assert layer.unique_inputs == touched(layer)


def test_unique_inputs_of_random_convolutions() -> None:
    rng = random.Random(7)
    for _ in range(300):
        sizes = {
            "in_channels": 2,
            "in_h": rng.randint(1, 9),
            "in_w": rng.randint(1, 9),
            "kernel": (rng.randint(1, 4), rng.randint(1, 4)),
            "stride": (rng.randint(1, 4), rng.randint(1, 4)),
            "dilation": (rng.randint(1, 3), rng.randint(1, 3)),
            "padding": tuple(rng.randint(0, 4) for _ in range(4)),
            "ceil_output": rng.random() < 0.5,
        }
        try:
            layer = conv(**sizes)
        except WorkloadError:
            continue
        assert layer.unique_inputs == touched(layer), sizes


def test_sizes_of_one_number_stand_for_both_directions() -> None:
    layer = conv(kernel=3, stride=2, dilation=1, padding=(1, 2))
    assert [layer.pair(name) for name in ("kernel", "stride", "dilation")] == [
        (3, 3),
        (2, 2),
        (1, 1),
    ]
    assert layer.pads == (1, 2, 1, 2)
    assert conv(padding=3).pads == (3, 3, 3, 3)
    assert conv(padding=(1, 2, 3, 4)).pads == (1, 2, 3, 4)


def test_a_pattern_is_parsed_once_and_layers_compare_by_value() -> None:
    assert Gemm("g", 4, 4, 4, pattern="2:4").pattern == Pattern(2, 4)
    assert conv(pattern=Pattern(1, 8)).pattern == Pattern(1, 8)
    assert Gemm("g", 4, 4, 4, pattern="unstructured:0.5").pattern == Unstructured(Fraction(1, 2))
    assert conv(pattern="unstructured:0.5").pattern == Unstructured(Fraction(1, 2))
    assert Gemm("g", 4, 4, 4).pattern is None
    assert Gemm("g", 4, 4, 4, pattern="2:4") == Gemm("g", 4, 4, 4, pattern=Pattern(2, 4))


@pytest.mark.parametrize("name", ["m", "n", "k", "batch", "repeat"])
@pytest.mark.parametrize("kind", [Gemm, Matmul])
@pytest.mark.parametrize("value", [0, -1, MAX_SIZE + 1, 2.0, "4", True, None])
def test_gemm_sizes_are_counts(kind: type[Gemm | Matmul], name: str, value: object) -> None:
    with pytest.raises(WorkloadError) as caught:
        kind("layer", **{"m": 4, "n": 4, "k": 4, name: value})
    assert str(caught.value).startswith(f"layer.{name}: ")


@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        ({"in_channels": 0}, "c.in_channels: out of range"),
        ({"out_channels": -8}, "c.out_channels: out of range"),
        ({"in_h": 2.5}, "c.in_h: must be a whole number"),
        ({"batch": True}, "c.batch: must be a whole number"),
        ({"repeat": 0}, "c.repeat: out of range"),
        ({"kernel": 0}, "c.kernel: not a size"),
        ({"kernel": (3, 0)}, "c.kernel: not a size"),
        ({"kernel": (3, 3, 3)}, "c.kernel: not a size"),
        ({"kernel": "3"}, "c.kernel: not a size"),
        ({"kernel": 2.5}, "c.kernel: not a size"),
        ({"kernel": None}, "c.kernel: not a size"),
        ({"stride": 0}, "c.stride: not a size"),
        ({"stride": True}, "c.stride: not a size"),
        ({"dilation": -1}, "c.dilation: not a size"),
        ({"padding": -1}, "c.padding: not a padding"),
        ({"padding": (1, 2, 3)}, "c.padding: not a padding"),
        ({"padding": (1, 0.5)}, "c.padding: not a padding"),
        ({"padding": 1.5}, "c.padding: not a padding"),
        ({"padding": None}, "c.padding: not a padding"),
        ({"groups": 3}, "c.groups: must divide in_channels and out_channels"),
        ({"groups": 8}, "c.groups: must divide"),
        ({"groups": 0}, "c.groups: out of range"),
        ({"kernel": 9}, "c: the kernel is larger than the padded input"),
        ({"kernel": (1, 9)}, "c: the kernel is larger than the padded input"),
        ({"kernel": 3, "dilation": 4}, "c: the kernel is larger than the padded input"),
        ({"kernel": 9, "ceil_output": True}, "c: the kernel is larger than the padded input"),
        ({"dtype": "fp17"}, "c.dtype: unknown dtype, got 'fp17' (did you mean 'fp16'?)"),
        ({"dtype": None}, "c.dtype: unknown dtype"),
        ({"pattern": "5:4"}, "c.pattern: a group cannot keep"),
        ({"pattern": 124}, "c.pattern: not a pattern"),
        ({"pattern": "unstructured:2"}, "c.pattern: a density is above 0 and at most 1"),
        ({"pattern": "unstructured"}, "c.pattern: not a density"),
    ],
)
def test_convolutions_that_are_refused(sizes: dict[str, object], what: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        conv(**sizes)
    assert str(caught.value).startswith(what)


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0), (-1, 4), (2.0, 4), (4, MAX_SIZE + 1)])
def test_a_streaming_layer_moves_something_both_ways(sizes: tuple[int, int]) -> None:
    with pytest.raises(WorkloadError):
        Stream("s", reads=sizes[0], writes=sizes[1])


def test_a_workload_adds_its_layers_up() -> None:
    layers = [Gemm("a", 2, 3, 5, repeat=2), Stream("b", 1, 1), Matmul("c", 2, 2, 2, batch=3)]
    workload = Workload("w", iter(layers), ["a note"])
    assert workload.layers == tuple(layers)
    assert workload.notes == ("a note",)
    assert workload.macs == 2 * 30 + 3 * 8


@pytest.mark.parametrize("layers", [[], ["conv1"], [Gemm("a", 1, 1, 1), None]])
def test_a_workload_holds_layers(layers: list[object]) -> None:
    with pytest.raises(WorkloadError):
        Workload("w", layers)  # type: ignore[arg-type]
