"""Is the break-even what brute force over the whole series finds?"""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from simulator import Conv, Gemm, Workload, load_hardware, simulate
from simulator.decisions.advice.breakeven import (
    DOUBLINGS,
    QUARTERS,
    BreakEven,
    Probe,
    Prober,
    Question,
    break_even_batch,
    break_evens,
    scaled,
    sizes_of,
)
from simulator.decisions.trust import band_of
from tests.machines import tiny


def _random_layer(rng: random.Random) -> Gemm | Conv:
    if rng.random() < 0.5:
        return Gemm("x", rng.randrange(1, 500), rng.randrange(1, 150), rng.randrange(1, 600))
    groups = rng.choice([1, 1, 2])
    channels = [groups * rng.randrange(1, 60) for _ in range(2)]
    side, kernel = rng.randrange(3, 14), rng.choice([1, 3])
    return Conv("x", *channels, side, side, kernel=kernel, padding=kernel // 2, groups=groups)


def _gains_alone(prober: Prober, probe: Probe, side: str, factor: Fraction) -> bool:
    """Of one size, with two runs of its own."""
    layer = scaled(probe.layer, side, factor)
    times = [
        simulate(
            prober.hardware, Workload("w", [layer]), pattern,
            accuracy="sampled", allow_overflow=True,
        ).total.time_ps
        for pattern in ("1:1", probe.pattern)
    ]  # fmt: skip
    within = 0.001 if prober.band is None else prober.band.error_ratio
    return times[0] / times[1] - 1 > within


def _brute_force(prober: Prober, probe: Probe, side: str) -> Fraction | None:
    """By the definition, from the gain at every size of the series."""
    last = DOUBLINGS[side]
    gains = {2**at: _gains_alone(prober, probe, side, Fraction(2**at)) for at in range(1, last + 1)}
    lasting = [
        size for size in gains if all(gain for larger, gain in gains.items() if larger >= size)
    ]
    if not lasting:
        return None
    least = Fraction(lasting[0])
    for quarter in QUARTERS:
        if not _gains_alone(prober, probe, side, lasting[0] * quarter):
            break
        least = lasting[0] * quarter
    return least


@pytest.mark.parametrize(
    ("machine", "pattern", "side", "layers"),
    [
        ("rtx3090", "2:4", "columns", 18),
        ("a100-sxm4-80gb", "2:4", "width", 14),
        ("rtx4070-ti-super", "1:4", "columns", 18),
    ],
)
def test_it_is_what_brute_force_finds(machine, pattern, side, layers):
    """50 random layers in all."""
    hardware = load_hardware(machine)
    prober = Prober.of(hardware, band_of(hardware))
    rng = random.Random(f"{machine} {side}")
    probes = [Probe(_random_layer(rng), pattern) for _ in range(layers)]
    found = break_evens(prober, [Question(probe, side) for probe in probes])
    assert [one.factor for one in found] == [_brute_force(prober, one, side) for one in probes]
    assert len({one.factor for one in found}) > 1, "the cases tell nothing apart"


def test_sizes_are_of_whole_images_and_channels():
    conv = Conv("c", 6, 10, 8, 8, kernel=3, padding=1, groups=2)
    assert sizes_of(conv) == (5, 64, 27)
    assert scaled(conv, "columns", Fraction(5, 4)).batch == 2
    wider = scaled(conv, "width", Fraction(3, 2))
    assert (wider.in_channels, wider.out_channels, wider.batch) == (10, 16, 1)
    gemm = Gemm("g", 10, 6, 7)
    assert sizes_of(scaled(gemm, "width", Fraction(5, 4))) == (13, 6, 9)
    assert sizes_of(scaled(gemm, "columns", Fraction(5, 4))) == (10, 8, 7)


def test_it_says_what_was_tried_where_nothing_gains():
    layer = Gemm("g", 64, 32, 64)
    at, never = BreakEven("columns", Fraction(2), scaled(layer, "columns", Fraction(2))), None
    assert (str(at), at.size("n")) == ("64", 64)
    never = BreakEven("width", None, scaled(layer, "width", Fraction(8)))
    assert (str(never), never.size("m"), never.size("k")) == ("> 512 x 512", None, None)


def test_what_is_too_large_for_anything_is_no_gain():
    prober = Prober.of(tiny(), None)
    huge = Probe(Gemm("g", 2**30, 2**30, 2**30), "2:4")
    small = Probe(Gemm("g", 512, 512, 512), "2:4")
    assert prober.gain([huge, small]) == [False, True]
    assert prober.gain([]) == []


@pytest.mark.parametrize(
    ("gaining", "start", "expected"),
    [
        ({1, 2, 4, 8}, 1, 1),
        ({4, 8, 16}, 1, 4),
        ({4, 8, 16}, 8, 4),
        ({4, 16}, 16, 4),  # that it does not gain at 8 is not looked at
        ({16, 32, 64}, 2, 16),
        ({6, 12, 24}, 24, 6),  # 3 is tried
        (set(), 1, None),
        ({128, 256}, 1, None),
    ],
)
def test_batches_are_doubled_and_halved(gaining, start, expected):
    tried = []

    def gains(batch):
        tried.append(batch)
        return {"2:4": batch in gaining}

    assert break_even_batch(gains, start, ["2:4"]) == {"2:4": expected}
    assert len(tried) == len(set(tried))
    assert max(tried) <= 64 * start


def test_layers_are_timed_from_a_cold_l2_though_the_machine_carries_it():
    machine = load_hardware("a100-sxm4-80gb")
    prober = Prober.of(machine, None)
    assert machine.memory.l2.start != "cold" == prober.hardware.memory.l2.start
    assert not prober.hardware.library.dense_where_faster
    assert replace(prober, band=None) == prober
