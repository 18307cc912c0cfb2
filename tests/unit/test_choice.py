"""Is auto as fast as anything the library offers, and a pattern as fast as one that contains it?"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from machines import tiny

from simulator import Conv, Gemm, LayerReport, Mapping, Workload, load_hardware, simulate
from simulator.engine import fast
from simulator.errors import MappingError
from simulator.hardware import Hardware
from simulator.run.choice import Terms, ranking
from simulator.schedule.mapping import check, fitting
from simulator.schedule.program import gemm_program
from simulator.sparsity import DENSE, Pattern, parse_pattern
from simulator.workload import Layer
from simulator.workload.lowering import lower

EQUAL = 1.005
"""Mappings and patterns whose times differ by less count as equally fast."""


def run(hardware: Hardware, layer: Layer, pattern: str, **options: object) -> LayerReport:
    return simulate(hardware, Workload("one", [layer]), pattern, **options).layers[0]


def fastest_offered(hardware: Hardware, layer: Gemm, pattern: str) -> int:
    """Every tile, stage depth, k-split and operand order of the library, simulated."""
    problem = lower(layer, parse_pattern(pattern), hardware).problem
    names = hardware.library
    library = hardware.libraries[names.dense if problem.pattern.is_dense else names.sparse]
    hardware = hardware.under(library)
    swaps = library.swap and problem.pattern.is_dense
    times = []
    for order in (problem, problem.swapped()) if swaps else (problem,):
        for tile, splits in product(library.tiles, library.splits):
            for mapping in fitting(hardware, library, order, tile)[0]:
                one = replace(mapping, splits=splits)
                try:
                    check(hardware, library, order, one)
                except MappingError:
                    continue
                program = gemm_program(hardware, library, order, one)
                times.append(fast.run(program).makespan_ps + program.restart_ps)
    return min(times)


IRREGULAR = [
    # Rows along k that vectors cannot read whole, few columns, k-splits.
    ("nm-flex", "1:4", Gemm("g", m=5001, n=40, k=4007, dtype="int4")),
    ("nm-flex", "2:8", Gemm("g", m=700, n=6, k=2000, batch=10)),
    ("nm-flex-wide", "2:4", Gemm("g", m=7, n=150, k=6101, dtype="b1")),
    ("nm-flex-wide", "4:16", Gemm("g", m=5100, n=30, k=4801, batch=2, dtype="int4")),
    # Edges: a last column of one, last rows of half a tile.
    ("nm-flex", "1:2", Gemm("g", m=4200, n=769, k=3600, dtype="int8")),
    ("v100-sxm2", "1:1", Gemm("g", m=400, n=900, k=4200)),
    ("h100-sxm", "2:4", Gemm("g", m=640, n=300, k=3000, batch=12, dtype="tf32")),
    # A small L2, from which partial sums and a band's weights fall; tiles that are prefetched.
    ("nm-edge", "2:4", Gemm("g", m=2700, n=590, k=534, dtype="int8")),
    ("nm-edge", "2:4", Gemm("g", m=768, n=200, k=3072)),
    ("nm-edge", "1:1", Gemm("g", m=70, n=64, k=32, dtype="int8")),
    ("a100-sxm4-80gb", "1:1", Gemm("g", m=1, n=500, k=700, batch=12)),
]


@pytest.mark.parametrize(("machine", "pattern", "layer"), IRREGULAR)
def test_auto_is_nearly_the_fastest_that_the_library_offers(
    machine: str, pattern: str, layer: Gemm
) -> None:
    hardware = load_hardware(machine)
    chosen = run(hardware, layer, pattern).time_ps - hardware.kernel_start_ns * 1000
    assert chosen <= 1.1 * fastest_offered(hardware, layer, pattern)


@pytest.mark.parametrize(("reduction_kernel", "splits"), [(False, 8), (True, 1)])
def test_a_kernel_that_starts_for_the_sums_alone_may_not_be_worth_it(
    reduction_kernel: bool, splits: int
) -> None:
    """One tile of 16 stages, or eight cores with two each, which save less than the second start.

    What is reported holds both starts.
    """
    own = tiny().libraries["own"].model_dump() | {
        "splits": [1, 8], "reduction_kernel": reduction_kernel,
    }  # fmt: skip
    hardware = tiny(core__count=8, kernel_start_ns=5000, libraries__own=own)
    layer = Gemm("g", m=16, n=16, k=256)
    chosen = run(hardware, layer, "1:1")
    assert chosen.mapping == ("16x16x16 split 8" if splits > 1 else "16x16x16")
    split = run(hardware, layer, "1:1", mapping=Mapping(16, 16, 16, 8, 8, splits=8))
    starts = 2 if reduction_kernel else 1
    assert split.core_time_ps["kernel_start"] == 8 * starts * 5_000_000


CHAINS = [
    ("1:16", "1:8", "1:4", "1:2", "3:4"), ("2:16", "2:8", "2:4", "3:4"), ("4:16", "4:8"),
    ("1:8", "2:8", "4:8"), ("1:8", "2:4", "4:8", "8:16"),
]  # fmt: skip
SHAPES = [
    # An instruction of 1:16 spans more of k than there is; registers hold fewer groups of 16.
    (2000, 3000, 512, "int8"),
    (6000, 6400, 64, "int4"),
    (64, 1100, 4035, "b1"),
    (64, 306, 334, "bf16"),
    (300, 1, 4096, "fp16"),
]


@pytest.mark.parametrize(("m", "n", "k", "dtype"), SHAPES)
def test_a_pattern_is_never_slower_than_one_that_contains_it(
    m: int, n: int, k: int, dtype: str
) -> None:
    hardware, layer = load_hardware("nm-flex"), Gemm("g", m=m, n=n, k=k, dtype=dtype)
    times = {p: run(hardware, layer, p).time_ps for p in sorted({p for c in CHAINS for p in c})}
    for chain in CHAINS:
        for asked, host in pairwise(chain):
            assert Pattern.parse(asked).fits(Pattern.parse(host))
            assert times[asked] <= EQUAL * times[host], (asked, host)


def test_listed_patterns_are_tried_and_the_one_executed_is_named() -> None:
    """2:4 stages are half as deep as 1:8 ones, and the machine reads few activations at a time."""
    listed = {"sparsity.patterns": ["1:8", "2:4"], "sparsity.largest_group": 0}
    hardware = load_hardware("nm-flex", listed)
    layer = Gemm("g", m=6000, n=6400, k=64, dtype="int4")
    dense_like, sparse = run(hardware, layer, "2:4"), run(hardware, layer, "1:8")
    assert (dense_like.executed_as, dense_like.note) == ("2:4", "dense would be faster")
    assert (sparse.asked, sparse.executed_as) == ("1:8", "2:4")
    assert sparse.note == "1:8 runs as 2:4, which is faster; dense would be faster"
    assert sparse.time_ps == dense_like.time_ps
    other = run(hardware, layer, "1:16")
    assert (other.executed_as, other.note) == ("2:4", "1:16 runs as 2:4; dense would be faster")


def test_a_layer_of_few_channels_runs_as_a_smaller_group() -> None:
    """12 channels are less than a group of 16, not less than a group of 8."""
    hardware, layer = load_hardware("nm-flex"), Conv("c", 12, 256, 56, 56, kernel=3, padding=1)
    wide, narrow = run(hardware, layer, "1:16"), run(hardware, layer, "1:8")
    assert Pattern.parse(wide.executed_as).group <= 12
    assert wide.time_ps <= EQUAL * narrow.time_ps
    assert wide.time_ps <= EQUAL * run(hardware, layer, "16:16").time_ps


def test_equally_fast_patterns_go_by_metadata() -> None:
    """One stage, bound by latency: 0.250, 0.375 and 0.5 bits a weight."""
    for listed in (["1:16", "1:8", "1:4"], ["1:4", "1:8", "1:16"]):
        changes = {"sparsity.patterns": listed, "sparsity.largest_group": 0}
        hardware = load_hardware("nm-flex", changes)
        report = run(hardware, Gemm("g", m=1, n=4096, k=64), "1:16")
        assert report.executed_as == "1:16"
        assert report.time_ps > run(hardware, Gemm("g", m=1, n=4096, k=64), "1:4").time_ps * 0.995


@pytest.mark.parametrize("skip", ["none", "slots", "nonzeros"])
def test_real_weights_run_as_the_fastest_pattern_that_they_follow(skip: str) -> None:
    hardware = load_hardware("nm-flex", {"sparsity.skip": skip})
    layer = Gemm("g", m=256, n=512, k=256, dtype="int8")
    tensor = np.random.default_rng(3).standard_normal((256, 256)).astype(np.float32)
    tensor.reshape(256, 16, 16)[:, :, 1:] = 0
    asked = ("1:16", "1:8", "2:4")
    times = [run(hardware, layer, p, weights={"g": tensor}).time_ps for p in asked]
    assert times[0] <= EQUAL * times[1]
    assert times[1] <= EQUAL * times[2]


def test_a_mapping_of_ones_own_runs_under_every_pattern_that_it_fits() -> None:
    hardware = tiny(sparsity__largest_group=0, sparsity__patterns=["1:8", "2:4"])
    layer = Gemm("g", m=64, n=64, k=256)
    mapping = Mapping(16, 16, 4, fragment_m=8, fragment_n=8)
    assert run(hardware, layer, "1:8", mapping=mapping).executed_as == "2:4"
    with pytest.raises(MappingError, match="would cut a group"):
        run(hardware, layer, "1:8", mapping=replace(mapping, tile_k=2))


def test_large_gemms_choose_the_same_exact_and_sampled() -> None:
    hardware, layer = load_hardware("nm-flex"), Gemm("g", m=8192, n=8192, k=8192)
    exact, sampled = (run(hardware, layer, "1:8", accuracy=a) for a in ("exact", "sampled"))
    assert (exact.mapping, exact.executed_as) == (sampled.mapping, sampled.executed_as)


def test_layers_that_add_to_their_outputs_rank_beside_others_as_alone() -> None:
    terms = Terms(load_hardware("nm-flex"), fast.run)
    plain, added = (
        lower(Gemm("g", m=5312, n=368, k=432, accumulate=one), DENSE, terms.hardware).problem
        for one in (False, True)
    )
    together = ranking(terms, [plain, added])
    for problem in (plain, added):
        assert together[problem] == ranking(terms, [problem])[problem]
