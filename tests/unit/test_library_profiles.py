"""What a library owns, and what it demands of sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from machines import contended, library_of, problem_of, tiny

from simulator import Hardware, Workload, load_hardware, simulate
from simulator.report.layer import LayerReport
from simulator.schedule import ranking
from simulator.schedule.mapping import Mapping
from simulator.sparsity import Pattern
from simulator.workload import Conv, Gemm, Layer, Matmul, Stream
from simulator.workload.laid_out import demanded
from simulator.workload.lowering import lower

OWN = {
    "register_buffers": ("core.register_file.buffers", 1, 2),
    "barrier_cycles": ("core.barrier_cycles", 37, 2),
    "whole_tiles": ("core.whole_tiles", True, False),
}
"""Of each value that a library may own: the machine's key, the library's value, the machine's."""

WORK = Workload(
    "work",
    [Gemm("fc", m=70, n=48, k=400), Matmul("qk", m=20, n=20, k=64, batch=3), Stream("s", 4000, 9)],
)

TERMS: dict[str, dict[str, Any]] = {
    "auto": {},
    "own mapping": {"mapping": Mapping(16, 8, 32, 8, 8)},
    "sampled": {"accuracy": "sampled"},
}


def _figures(hardware: Hardware, pattern: str, terms: dict[str, Any]) -> list[LayerReport]:
    return list(simulate(hardware, WORK, pattern, **terms).layers)


def _limited(**keys: object) -> Hardware:
    """Cores that share, under a power limit that is reached."""
    energy = {
        "mac_pj": {"fp16": 1}, "register_file_pj_per_byte": 1, "scratchpad_pj_per_byte": 1,
        "l2_pj_per_byte": 1, "dram_pj_per_byte": 10, "tdp_w": 0.2,
    }  # fmt: skip
    return load_hardware(contended(), {"energy": energy, **keys})


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("own", OWN)
def test_what_a_library_owns_counts_as_the_machines_would(own: str, terms: str) -> None:
    key, value, other = OWN[own]
    machine = _limited(**{key: value})
    profile = _limited(**{key: other, f"libraries.own.{own}": value})
    for pattern in ("1:1", "2:4"):
        figures = _figures(profile, pattern, TERMS[terms])
        assert figures == _figures(machine, pattern, TERMS[terms])
        assert figures != _figures(_limited(**{key: other}), pattern, TERMS[terms])
        assert any(layer.throttled for layer in figures)


@pytest.mark.parametrize("terms", TERMS)
def test_sums_in_fp16_run_at_their_own_rate(terms: str) -> None:
    """And utilisations, of layers and of all, and the roof are of that rate."""
    rates = "core.tensor_cores.macs_per_cycle.fp16", "core.tensor_cores.fp16_sums_macs_per_cycle"
    machine = _limited(**{rates[0]: 16})
    profile = _limited(**{rates[0]: 8, rates[1]: 16, "libraries.own.sums": "fp16"})
    other = _limited(**{rates[0]: 8, rates[1]: 16})
    for pattern in ("1:1", "2:4"):
        found, same, slower = (
            simulate(one, WORK, pattern, **TERMS[terms]) for one in (profile, machine, other)
        )
        assert found.layers == same.layers
        assert (found.total, found.roof) == (same.total, same.roof)
        # Where the power limit binds, faster MACs lower the clock, and need not be faster in all.
        assert found.roof.macs_per_second["fp16"] > slower.roof.macs_per_second["fp16"]
        assert found.layers != slower.layers
    unstated = _limited(**{rates[0]: 8, "libraries.own.sums": "fp16"})
    assert simulate(unstated, WORK, "1:1").layers == simulate(other, WORK, "1:1").layers


def test_absent_is_the_machines() -> None:
    hardware = contended()
    (library,) = hardware.libraries.values()
    assert [getattr(library, own) for own in OWN] == [None] * len(OWN)
    assert hardware.under(library) is hardware


DEMANDS: dict[str, Any] = {
    "libraries.own.least": {"m": 40, "n": 8},
    "libraries.own.multiples": {"m": 12, "k": 5},
    "libraries.own.multiples_bits": {"n": 128, "k": 256},
}

USEFUL = {"name", "m", "n", "k", "note", "macs", "dense_equivalent_utilization"} | {
    "slots_used", "slots_padded", "mac_utilization", "core_time_ps", "nonzeros",
    "compulsory_dram_bytes",
}  # fmt: skip
"""Figures in which a padded layer differs from one that is as large."""


def _asked(dtype: str) -> tuple[Layer, ...]:
    return (
        Gemm("small", m=30, n=1, k=70, batch=2, dtype=dtype),
        Gemm("wide", m=100, n=300, k=81, dtype=dtype),
        Matmul("qk", m=13, n=20, k=64, batch=3, dtype=dtype),
        Conv("conv", in_channels=22, out_channels=50, in_h=5, in_w=5, kernel=3, dtype=dtype),
        Gemm("taken", m=48, n=32, k=160, dtype=dtype),
    )


def _as_large(dtype: str) -> tuple[Layer, ...]:
    """The same layers at the sizes that the library takes, counted by hand."""
    wide, k70, k81, k64, channels = (
        (8, 80, 160, 80, 80) if dtype == "fp16" else (16, 160, 160, 160, 160)
    )
    return (
        Gemm("small", m=48, n=wide, k=k70, batch=2, dtype=dtype),
        Gemm("wide", m=108, n=304, k=k81, dtype=dtype),
        Matmul("qk", m=48, n=24 if dtype == "fp16" else 32, k=k64, batch=3, dtype=dtype),
        Conv("conv", in_channels=channels, out_channels=60, in_h=5, in_w=5, kernel=3, dtype=dtype),
        Gemm("taken", m=48, n=32, k=160, dtype=dtype),
    )


@pytest.mark.parametrize("dtype", ["fp16", "int8"])
@pytest.mark.parametrize("pattern", ["1:1", "2:4", "3:8"])
def test_the_padded_problem_is_what_runs(pattern: str, dtype: str) -> None:
    """And moves the bytes of the padded one, whose useful part is that of the real one."""
    asked, as_large = _asked(dtype), _as_large(dtype)
    hardware = contended(sparsity__largest_group=0, sparsity__patterns=["2:4", "3:8"])
    free = simulate(hardware, Workload("as large", as_large), pattern)
    plain = simulate(hardware, Workload("asked", asked), pattern)
    padded = simulate(load_hardware(hardware, DEMANDS), Workload("asked", asked), pattern)
    for own, large, got in zip(plain.layers, free.layers, padded.layers, strict=True):
        if own.name == "conv":  # 9 pixels, which no convolution has 16 of
            assert got.macs_executed > own.macs_executed
        else:
            for name in set(got.exported()) - USEFUL:
                assert getattr(got, name) == getattr(large, name), (got.name, name)
        for name in ("m", "n", "k", "macs", "slots_used"):
            assert getattr(got, name) == getattr(own, name), (got.name, name)
        assert got.slots_padded == got.macs_executed - own.slots_used
        assert got.core_time_ps.mac == large.core_time_ps.mac or own.name == "conv"
        assert ("padded" in got.note) == (got.name != "taken")
    assert padded.layers[0].note.endswith(
        f"m from 30 to 48, n from 1 to {as_large[0].n}"  # type: ignore[union-attr]  # a GEMM
    )


def test_padded_sizes_hold_whole_groups_where_k_is_padded_alone() -> None:
    """Without a demand of k, none is padded, though it holds no whole groups."""
    (library,) = load_hardware(contended(), {"libraries.own.multiples.k": 6}).libraries.values()
    problem = problem_of(contended(), "2:4", m=16, n=16, k=14)
    assert demanded(problem, library).k == 24  # of 6, and of 4
    assert demanded(problem_of(contended(), "2:4", m=16, n=16, k=12), library).k == 12
    assert demanded(problem, library_of(contended())) is problem


def test_a_padded_problem_is_padded_once_and_swapped_like_any_other() -> None:
    (library,) = load_hardware(contended(), DEMANDS).libraries.values()
    problem = problem_of(contended(), "1:1", m=30, n=1, k=70)
    padded = demanded(problem, library)
    assert demanded(padded, library) is padded
    assert padded.swapped().own == problem.swapped()
    assert padded.swapped().padding_note == padded.padding_note
    assert padded.swapped().macs == padded.macs == problem.macs == 30 * 70


def test_of_a_padded_convolution_the_padded_channels_are_stored() -> None:
    (library,) = load_hardware(contended(), DEMANDS).libraries.values()
    conv = Conv("conv", in_channels=22, out_channels=50, in_h=5, in_w=5, kernel=3)
    problem = demanded(lower(conv, Pattern(2, 4), contended()).problem, library)
    assert (problem.m, problem.n, problem.k) == (60, 16, 9 * 80)
    assert problem.unique_input_bytes == 25 * 80 * 2


def test_a_demand_is_of_channels_as_they_are_stored() -> None:
    """22 are padded to 24 by groups of 2:4, which a library of whole vectors wants stored, too."""
    (library,) = load_hardware(contended(), {"libraries.own.multiples.k": 8}).libraries.values()
    conv = Conv("conv", in_channels=22, out_channels=50, in_h=5, in_w=5, kernel=3)
    problem = lower(conv, Pattern(2, 4), contended()).problem
    assert (problem.run, problem.real_run) == (24, 22)
    assert demanded(problem, library_of(contended())) is problem
    padded = demanded(problem, library)
    assert (padded.run, padded.real_run, padded.k) == (24, 24, problem.k)
    assert padded.unique_input_bytes == 25 * 24 * 2
    assert demanded(padded, library) is padded


def test_real_weights_are_padded_with_zeros() -> None:
    """Which cost nothing where zeros are skipped, but as part of whole groups and instructions."""
    skipping = {"sparsity.skip": "nonzeros", "sparsity.lockstep_rows": 2}
    layers = [Gemm("fc", m=30, n=7, k=70), Conv("conv", 22, 50, 5, 5, kernel=3, groups=2)]
    rng = np.random.default_rng(0)
    weights = {"fc": rng.random((30, 70)), "conv": rng.random((50, 11, 3, 3))}
    plain, padded = (
        simulate(
            load_hardware(contended(), {**skipping, **demands}), Workload("w", layers), "2:4",
            weights=weights, prune=True,
        )
        for demands in ({}, DEMANDS)
    )  # fmt: skip
    for own, got in zip(plain.layers, padded.layers, strict=True):
        assert (got.nonzeros, got.slots_used) == (own.nonzeros, own.slots_used)
        assert own.macs_executed <= got.macs_executed
        assert own.traffic_bytes.total("dram") < got.traffic_bytes.total("dram")
        assert "padded" in got.note


def test_the_unstructured_baseline_is_of_no_library() -> None:
    plain, padded = (
        simulate(load_hardware(contended(), more), WORK, "unstructured:0.3").layers[0]
        for more in ({}, DEMANDS)
    )
    assert plain == padded


TILES = [
    {"m": m, "n": n, "slots": 16, "fragment_m": 8, "fragment_n": 8, "fallback": m * n < 512}
    for m, n in ((32, 32), (16, 32), (8, 8))
]


@pytest.mark.parametrize(
    ("m", "n", "fallback"),
    [
        (64, 64, False),  # four of 32 x 32
        (32, 64, False),  # two of 32 x 32, four of 16 x 32
        (64, 32, False),  # as above, with the operands swapped
        (32, 32, True),  # two of 16 x 32, in either order
        (8, 8, True),
    ],
)
def test_fallback_tiles_are_offered_where_no_other_gives_every_core_one(
    m: int, n: int, fallback: bool
) -> None:
    hardware = load_hardware(contended(), {"libraries.own.tiles": TILES})
    problem = problem_of(hardware, "1:1", m=m, n=n, k=64)
    offered = ranking._Offer.of(hardware, library_of(hardware), [problem]).mappings
    assert any(mapping.tile_m == 8 for mapping in offered) == fallback
    assert any(mapping.tile_m > 8 for mapping in offered)


def test_fallback_tiles_are_offered_where_the_others_do_not_fit() -> None:
    hardware = load_hardware(
        contended(), {"libraries.own.tiles": TILES, "core.register_file.bytes": 1500}
    )
    problem = problem_of(hardware, "1:1", m=640, n=640, k=64)
    found = ranking.candidates(hardware, library_of(hardware), problem)
    assert {(mapping.tile_m, mapping.tile_n) for mapping in found} == {(8, 8)}


def test_whole_tiles_take_as_long_at_the_edges_and_move_no_more() -> None:
    mapping = {"mapping": Mapping(16, 16, 32, 8, 8)}
    layers = [Gemm("edge", m=17, n=1, k=33), Gemm("full", m=32, n=16, k=64)]
    work = Workload("w", layers)
    cut = simulate(tiny(), work, "2:4", **mapping).layers
    whole = simulate(tiny(core__whole_tiles=True), work, "2:4", **mapping).layers
    assert whole[1] == cut[1]
    assert whole[0].macs_executed == whole[1].macs_executed > cut[0].macs_executed
    assert whole[0].core_time_ps.mac == whole[1].core_time_ps.mac
    assert whole[0].slots_used == cut[0].slots_used
    for level in ("dram", "l2"):
        assert whole[0].traffic_bytes[level] == cut[0].traffic_bytes[level]
