"""Which of the mappings that fit are simulated, one problem at a time or many?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from machines import library_of, problem_of, tiny

from simulator import Gemm, load_hardware
from simulator.engine import fast
from simulator.errors import MappingError
from simulator.hardware import Hardware, Tile
from simulator.schedule import ranking
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import gemm_program
from simulator.schedule.ranking import PART_FEW, candidates, rank
from simulator.sparsity import Pattern
from simulator.workload.lowering import lower

TILES = [
    {"m": m, "n": n, "slots": 16, "fragment_m": 8, "fragment_n": 8}
    for m, n in ((8, 8), (16, 16), (16, 32), (32, 16), (64, 64))
]


def machine(**changes: object) -> Hardware:
    return tiny(core__count=4, libraries__own__tiles=TILES, **changes)


@pytest.mark.parametrize("pattern", ["1:1", "2:4"])
def test_many_problems_rank_as_each_does_alone(pattern: str) -> None:
    hardware = machine()
    library = library_of(hardware)
    problems = [
        problem_of(hardware, pattern, m=m, n=n, k=k)
        for m, n, k in ((64, 64, 64), (8, 200, 512), (300, 17, 96))
    ]
    together = rank(hardware, library, problems)
    for problem, ranked in zip(problems, together, strict=True):
        assert not isinstance(ranked, MappingError)
        assert [mapping for mapping, _ in ranked] == candidates(hardware, library, problem)


def test_those_simulated_are_few_and_nearly_as_fast_as_the_first() -> None:
    hardware = machine()
    problem = problem_of(hardware, "2:4", m=256, n=256, k=512)
    (ranked,) = rank(hardware, library_of(hardware), [problem])
    assert not isinstance(ranked, MappingError)
    costs = [cost for _, cost in ranked]
    stages = [mapping.stage_events(problem) for mapping, _ in ranked]
    assert 1 <= len(costs) <= PART_FEW.most or sum(stages) - max(stages) < PART_FEW.stages
    assert costs == sorted(costs)
    assert costs[-1] <= costs[0] * (1 + PART_FEW.ratio)


def test_what_rehearsals_cannot_tell_apart_goes_by_stages() -> None:
    """On a long product by few rows, deeper stages wait less often; both are rehearsed in parts."""
    hardware = load_hardware("nm-micro")
    library = hardware.libraries[hardware.library.of(is_dense=False, dtype="int8")]
    problem = problem_of(hardware, "1:2", m=4, n=1488, k=15168, dtype="int8")
    tiles = {(one.tile_m, one.tile_n, one.tile_k) for one in candidates(hardware, library, problem)}
    assert (32, 32, 64) in tiles


@pytest.mark.parametrize(
    ("size", "tiles"),
    [
        (128, {(64, 64)}),  # four of them for four cores
        (64, {(16, 32), (32, 16)}),  # one of 64 x 64 would leave three idle
        (8, {(8, 8)}),  # nothing gives every core a tile: by time
    ],
)
def test_the_largest_tile_that_gives_every_core_one(size: int, tiles: set[tuple[int, int]]) -> None:
    hardware = machine(libraries__own__choice="largest_tile", libraries__own__swap=False)
    problem = problem_of(hardware, "1:1", m=size, n=size, k=256)
    found = candidates(hardware, library_of(hardware), problem)
    assert {(mapping.tile_m, mapping.tile_n) for mapping in found} <= tiles


@pytest.mark.parametrize("prefetch", [False, True])
@pytest.mark.parametrize("overlap", [False, True])
def test_estimates_know_which_epilogues_hide(overlap: bool, prefetch: bool) -> None:
    """Of tiles whose epilogue takes about as long as their main loop."""
    hardware = machine()
    library = library_of(
        hardware, epilogue_ns=300, epilogue_overlap=overlap, prefetch=prefetch, swap=False
    )
    problem = problem_of(hardware, "1:1", m=256, n=256, k=64)
    (ranked,) = rank(hardware, library, [problem])
    assert not isinstance(ranked, MappingError)
    for mapping, estimate_ps in ranked:
        program = gemm_program(hardware, library, problem, mapping)
        assert estimate_ps == pytest.approx(fast.run(program).makespan_ps, rel=5e-3)


def test_mirror_images_count_as_one() -> None:
    """16 x 32 of a square GEMM and 32 x 16 of its swapped operands take as long."""
    hardware = machine()
    problem = problem_of(hardware, "1:1", m=256, n=256, k=512)
    (ranked,) = rank(hardware, library_of(hardware), [problem])
    turned = {(x.tile_m, x.tile_n, x.swapped) for x, _ in ranked}
    assert not any((n, m, not swapped) in turned for m, n, swapped in turned)


@pytest.mark.parametrize(("tiles", "splits"), [(1, True), (2, False), (3, False)])
def test_a_library_content_with_its_busy_cores_splits_nothing(tiles: int, splits: bool) -> None:
    """Of four cores, half contents it."""
    hardware = tiny(core__count=4)
    tile = Tile(m=16, n=16, slots=16, fragment_m=16, fragment_n=16)
    library = library_of(hardware, tiles=(tile,), splits=(1, 2), busy_ratio=0.5)
    problem = problem_of(hardware, "1:1", m=16 * tiles, n=16, k=4096)
    chosen = candidates(hardware, library, problem)
    assert any(mapping.splits > 1 for mapping in chosen) is splits
    always = candidates(hardware, library.model_copy(update={"busy_ratio": None}), problem)
    assert any(mapping.splits > 1 for mapping in always)


def test_a_problem_that_nothing_fits_is_refused_and_the_others_are_not() -> None:
    """A scratchpad of 600 bytes holds no stage of 16 x 16 that is more than a group deep."""
    hardware = tiny(core__scratchpad__bytes=600)
    library = library_of(hardware)
    deep = problem_of(hardware, "1:8", m=64, n=64, k=256)
    with pytest.raises(MappingError, match="the scratchpad is"):
        candidates(hardware, library, deep)
    shallow = problem_of(hardware, "1:8", m=64, n=64, k=8)
    found = rank(hardware, library, [deep, shallow])
    assert isinstance(found[0], MappingError)
    assert isinstance(found[1], list)


def test_problems_that_add_to_their_outputs_are_ranked_as_alone_beside_others() -> None:
    hardware = tiny()
    library = library_of(hardware, splits=(1, 2, 4))
    plain = problem_of(hardware, "1:1", m=64, n=48, k=256)
    adding = replace(plain, accumulates=True)
    (alone,), (other,) = rank(hardware, library, [adding]), rank(hardware, library, [plain])
    assert alone != other
    assert rank(hardware, library, [plain, adding]) == [other, alone]
    assert rank(hardware, library, [adding, plain]) == [alone, other]


CHANGES = {
    "core.register_file.bytes": 65536,
    "core.register_file.reserved_bytes": 150_000,
    "core.scratchpad.bytes": 40_000,
    "core.tensor_cores.instructions.fp16.k": 64,
    "sparsity.skip": "none",
    "libraries.tensorop.stage_buffers": 1,
    "libraries.tensorop.epilogue_overlap": True,
}


def _offered(hardware: Hardware) -> list[Mapping]:
    layer = Gemm("g", m=2048, n=2048, k=2048)
    problem = lower(layer, Pattern(2, 4), hardware).problem
    library = hardware.libraries[hardware.library.sparse]
    return ranking._Offer.of(hardware, library, [problem]).mappings


@pytest.mark.parametrize("key", CHANGES)
def test_what_fits_follows_from_the_machine(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = load_hardware("nm-flex"), load_hardware("nm-flex", {key: CHANGES[key]})
    machines = (plain, other, plain)
    found = [_offered(machine) for machine in machines]
    monkeypatch.setattr(ranking, "_known_fits", lambda *_: {})
    assert found == [_offered(machine) for machine in machines]
    assert found[0] != found[1]
