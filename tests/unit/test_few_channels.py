"""How do convolutions run whose channels fill no whole vectors, such as an image's?"""

from __future__ import annotations

import numpy as np
import pytest
from machines import tiny

from simulator import simulate
from simulator.hardware import Hardware, load_hardware
from simulator.schedule.timing import alignment_factors
from simulator.sparsity import Pattern
from simulator.workload import Conv, Gemm, Workload
from simulator.workload.laid_out import laid_out
from simulator.workload.lowering import GemmProblem, lower

A100 = load_hardware("a100-sxm4-80gb")
STEM = Conv("stem", 3, 64, 224, 224, kernel=7, stride=2, padding=3)


def ways(layer: Conv | Gemm, pattern: str = "1:1") -> tuple[GemmProblem, ...]:
    problem = lower(layer, Pattern.parse(pattern), A100).problem
    return laid_out(problem, A100, A100.libraries["cublas"])


@pytest.mark.parametrize(("dtype", "channels"), [("fp16", 8), ("int8", 16), ("tf32", 4)])
def test_pixels_may_lie_in_whole_vectors(dtype: str, channels: int) -> None:
    """Of 16 bytes, which then lie in memory so; or as they are."""
    whole, plain = ways(Conv("stem", 3, 64, 224, 224, 7, 2, 3, dtype=dtype))
    assert (whole.run, whole.k, plain.run, plain.k) == (channels, 49 * channels, 3, 49 * 3)
    assert whole.unique_input_bytes is not None
    pixels = STEM.unique_inputs // 3
    assert whole.unique_input_bytes == pixels * 16
    assert whole.macs == plain.macs == STEM.macs
    assert whole.own == plain
    assert whole.padding_note == f"padded for the library: k from 147 to {49 * channels}"


@pytest.mark.parametrize(
    "layer",
    [
        Conv("inner", 64, 64, 56, 56, kernel=3),
        Conv("depthwise", 12, 12, 56, 56, kernel=3, groups=12),
        Conv("grouped", 12, 64, 56, 56, kernel=3, groups=4),
        Gemm("linear", m=64, n=64, k=3),
    ],
)
def test_others_run_as_they_are(layer: Conv | Gemm) -> None:
    (one,) = ways(layer)
    assert one == lower(layer, Pattern(1, 1), A100).problem


def test_whole_vectors_hold_whole_groups() -> None:
    """20 channels are five groups of 2:4, and no whole vectors of eight; 24 are both."""
    assert [way.run for way in ways(Conv("c", 20, 64, 56, 56, kernel=3), "2:4")] == [24, 20]


def test_channels_that_groups_pad_are_stored_in_whole_vectors_where_they_are_said_to_be() -> None:
    """Six channels are two groups of 2:4 with two zeros, which fill a vector if they are stored.

    A machine that asks for shorter vectors has no reason to store them otherwise, and is no slower.
    """
    conv = Conv("c", 6, 64, 56, 56, kernel=3)
    whole, plain = ways(conv, "2:4")
    assert (whole.run, whole.real_run, plain.run, plain.real_run) == (8, 8, 8, 6)
    assert whole.unique_input_bytes == conv.unique_inputs // 6 * 16
    assert whole.macs == plain.macs == conv.macs
    times = [
        simulate(
            load_hardware(A100, {"core.alignment_bytes": vector}), Workload("w", [conv]), "2:4"
        )
        for vector in (32, 16, 8, 4)
    ]
    assert [x.total.time_ps for x in times] == sorted(
        (x.total.time_ps for x in times), reverse=True
    )


def test_channels_padded_to_whole_groups_alone_leave_pixels_as_they_lie() -> None:
    """20 of them fill 24 with three groups of eight; in memory pixels are of 20 still, or of 24."""
    flex = load_hardware("nm-flex")
    problem = lower(Conv("c", 20, 64, 56, 56, kernel=3), Pattern(1, 8), flex).problem
    whole, plain = laid_out(problem, flex, flex.libraries["tensorop"])
    assert (whole.run, whole.real_run, plain.run, plain.real_run) == (24, 24, 24, 20)
    assert alignment_factors(A100, whole) == (1, 1)
    assert alignment_factors(A100, plain) == (1, 2)
    assert whole.own == plain
    assert whole.slots_used == plain.slots_used


def test_the_faster_way_runs() -> None:
    """With zeros where they cost little, without where multiplying takes all of the time."""
    busy = load_hardware(A100, {"core.tensor_cores.macs_per_cycle.fp16": 16})
    for machine, padded in ((A100, True), (busy, False)):
        (layer,) = simulate(machine, Workload("w", [STEM])).layers
        assert ("padded" in layer.note) == padded
        assert (layer.macs, layer.slots_used, layer.k) == (STEM.macs, STEM.macs, 147)


def skipping() -> Hardware:
    return tiny(sparsity__skip="nonzeros", sparsity__lockstep_rows=2, core__alignment_bytes=8)


def test_zeros_beside_real_weights_cost_nothing_where_they_are_skipped() -> None:
    conv = Conv("conv", 6, 8, 5, 5, kernel=3)
    weights = {"conv": np.ones((8, 6, 3, 3))}
    (layer,) = simulate(
        skipping(), Workload("w", [conv]), "1:2", weights=weights, prune=True
    ).layers
    assert layer.nonzeros == 8 * 3 * 9
    assert layer.macs == conv.macs


@pytest.mark.parametrize("channels", [16, 64])
def test_inputs_pass_l2_as_they_enter_scratchpads_and_dram_once(channels: int) -> None:
    """Every kernel position reads its pixels again, past the caches of cores."""
    conv = Conv("conv", channels, 64, 12, 12, kernel=3, padding=1)
    (layer,) = simulate(tiny(), Workload("w", [conv])).layers
    moved = layer.traffic_bytes
    entered = moved["scratchpad"]["activations"]["written"]
    assert entered <= moved["l2"]["activations"]["read"] <= entered * 1.01
    assert moved["dram"]["activations"]["read"] == conv.unique_inputs * 2
