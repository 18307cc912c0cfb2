"""What fits on a machine, what is refused and why, and which mappings are offered?"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from machines import library_of, problem_of, tiny

from simulator import Gemm
from simulator.engine import fast
from simulator.errors import MappingError
from simulator.hardware import Hardware, Tile
from simulator.schedule.mapping import Mapping, check, register_bytes, scratchpad_bytes
from simulator.schedule.program import gemm_program
from simulator.schedule.ranking import Few, candidates, rank
from simulator.sparsity import parse_pattern
from simulator.workload.lowering import GemmProblem, lower


@pytest.fixture(autouse=True)
def more_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than are simulated, however slow, so that more of what is offered shows."""
    monkeypatch.setattr("simulator.schedule.ranking.REHEARSED_RATIO", float("inf"))
    for few in ("WHOLE_FEW", "ADDED_FEW", "PART_FEW"):
        monkeypatch.setattr(f"simulator.schedule.ranking.{few}", Few(SHOWN, float("inf")))


SHOWN = 5
TILE = Mapping(16, 16, 32, fragment_m=8, fragment_n=8, stage_buffers=3)


def needed_registers(hardware: Hardware, problem: GemmProblem, mapping: Mapping) -> int:
    return register_bytes(hardware, library_of(hardware), problem, mapping)


# What a tile occupies. The tiny machine's instruction takes 4 x 4 x 4 in fp16.

REGISTER_CASES = [
    # Accumulators: 16 x 16 x 4 bytes. Four fragments hold, twice, 8 rows of W and 8 columns of X:
    # 4 slots of 2 bytes a row; X as whole groups: 4 of k for 4 dense slots.
    ("1:1", {}, TILE, 1024 + 4 * 2 * (8 * 4 * 2 + 8 * 4 * 2)),
    # 2:4: 4 slots and 2 groups' metadata of 4 bits a row; 4 slots reach over 8 of k.
    ("2:4", {}, TILE, 1024 + 4 * 2 * (8 * (4 * 2 + 1) + 8 * 8 * 2)),
    # 1:8: 4 slots, 4 groups' metadata of 3 bits; 32 of k.
    ("1:8", {}, TILE, 1024 + 4 * 2 * 8 * (4 * 16 + 12 + 32 * 16) // 8),
    # Enumerative: 2:4 takes 3 bits a group.
    ("2:4", {"sparsity__metadata": "enumerative"}, TILE,
     1024 + 4 * 2 * 8 * (4 * 16 + 6 + 8 * 16) // 8),
    # One set of operands instead of two.
    ("2:4", {"core__register_file__buffers": 1}, TILE, 1024 + 4 * (8 * 9 + 8 * 8 * 2)),
    # Operands that tensor cores read from the scratchpad take no registers.
    ("2:4", {"core__operand_source__w": "scratchpad"}, TILE, 1024 + 4 * 2 * 8 * 8 * 2),
    ("2:4", {"core__operand_source__x": "scratchpad"}, TILE, 1024 + 4 * 2 * 8 * 9),
    # A machine that computes zeros holds no groups: 4 of k and no metadata.
    ("2:4", {"sparsity__skip": "none"}, TILE, 1024 + 4 * 2 * (8 * 4 * 2 + 8 * 4 * 2)),
    # Fragments that do not divide the tile: 2 x 3 of them.
    ("1:1", {}, replace(TILE, fragment_m=12, fragment_n=7), 1024 + 6 * 2 * (12 * 8 + 7 * 8)),
    # Without asynchronous copies a stage on its way, of 16 + 16 rows of 32 slots.
    ("1:1", {"core__async_copies": False}, TILE,
     1024 + 4 * 2 * (8 * 4 * 2 + 8 * 4 * 2) + (16 + 16) * 32 * 2),
    # One fragment.
    ("1:1", {}, replace(TILE, fragment_m=16, fragment_n=16), 1024 + 2 * (16 * 8 + 16 * 8)),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "changes", "mapping", "size"), REGISTER_CASES)
def test_registers_hold_accumulators_slots_and_group_buffers(
    pattern: str, changes: dict[str, object], mapping: Mapping, size: int
) -> None:
    hardware = tiny(**changes)
    problem = problem_of(hardware, pattern, m=64, n=64, k=256)
    assert needed_registers(hardware, problem, mapping) == size


def test_zeros_anywhere_hold_the_activations_of_every_slot_of_an_instruction() -> None:
    """Of each of 4 fragments twice: 8 rows of 4 slots of 2 bytes and 8 bits of index, and 4 rows x
    4 slots x 4 columns of activations."""
    hardware = tiny()
    problem = lower(Gemm("g", 64, 64, 256), parse_pattern("unstructured:0.5"), hardware).problem
    size = 1024 + 4 * 2 * (8 * 4 * (2 + 1) + 4 * 4 * 4 * 2)
    assert needed_registers(hardware, problem, TILE) == size


def test_an_overlapped_epilogue_needs_two_sets_of_accumulators() -> None:
    hardware = tiny()
    problem = problem_of(hardware, "1:1", m=64, n=64, k=256)
    library = library_of(hardware, epilogue_overlap=True)
    one = needed_registers(hardware, problem, TILE)
    assert register_bytes(hardware, library, problem, TILE) == one + 16 * 16 * 4


SCRATCHPAD_CASES = [
    # Three stages of 16 rows of 32 weights and 16 columns of 32 activations, 2 bytes each.
    ("1:1", "fp16", {}, TILE, 3 * (16 * 32 * 2 + 32 * 16 * 2)),
    # 2:4: half of the weights, and 8 groups of 4 bits a row.
    ("2:4", "fp16", {}, TILE, 3 * (16 * 16 * 2 + 16 * 4 + 32 * 16 * 2)),
    ("2:4", "fp16", {"sparsity__metadata": "enumerative"}, TILE,
     3 * (16 * 16 * 2 + 16 * 3 + 32 * 16 * 2)),
    # 1:8: an eighth, and 4 groups of 3 bits a row: 16 x 12 bits.
    ("1:8", "fp16", {}, TILE, 3 * (16 * 4 * 2 + 24 + 32 * 16 * 2)),
    ("2:4", "int8", {}, TILE, 3 * (16 * 16 + 16 * 4 + 32 * 16)),
    # Compressed in memory even where zeros are computed.
    ("2:4", "fp16", {"sparsity__skip": "none"}, TILE, 3 * (16 * 16 * 2 + 16 * 4 + 32 * 16 * 2)),
    # Bytes are rounded up an operand: 3 rows of 5 half bytes, 5 of 3 columns.
    ("1:1", "int4", {}, Mapping(3, 3, 5, 3, 3, stage_buffers=1), 8 + 8),
    # 5:7 in half bytes, 3 bits a slot: 3 x 5 x 4 and 3 x 15 bits; 7 x 3 x 4.
    ("5:7", "int4", {}, Mapping(3, 3, 7, 3, 3, stage_buffers=1), 8 + 6 + 11),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "dtype", "changes", "mapping", "size"), SCRATCHPAD_CASES)
def test_the_scratchpad_holds_slots_metadata_and_activations(
    pattern: str, dtype: str, changes: dict[str, object], mapping: Mapping, size: int
) -> None:
    hardware = tiny(**changes)
    problem = problem_of(hardware, pattern, m=64, n=64, k=256, dtype=dtype)
    assert scratchpad_bytes(hardware, problem, mapping) == size


# What is refused, and what the refusal says


@pytest.mark.parametrize("pattern", ["1:1", "2:4", "1:8"])
@pytest.mark.parametrize("lacking", [1, 100])
def test_a_register_file_that_is_too_small_says_by_how_much(pattern: str, lacking: int) -> None:
    whole = tiny()
    problem = problem_of(whole, pattern, m=64, n=64, k=256)
    need = needed_registers(whole, problem, TILE)
    check(tiny(core__register_file__bytes=need), library_of(whole), problem, TILE)
    small = tiny(core__register_file__bytes=need - lacking)
    with pytest.raises(MappingError) as caught:
        check(small, library_of(small), problem, TILE)
    text = str(caught.value)
    assert f"tile 16x16x32 of {pattern}: the register file is {lacking} bytes too small" in text
    assert f"want at most {need - lacking}, got '{need} bytes needed'" in text
    assert "accumulators, slots and group buffers" in text
    assert "core.register_file.bytes" in text


def test_reserved_registers_are_not_there() -> None:
    whole = tiny()
    problem = problem_of(whole, "1:1", m=64, n=64, k=256)
    need = needed_registers(whole, problem, TILE)
    library = library_of(whole)
    sizes = {"core__register_file__bytes": need + 50, "core__register_file__reserved_bytes": 50}
    check(tiny(**sizes), library, problem, TILE)
    sizes["core__register_file__reserved_bytes"] = 57
    with pytest.raises(MappingError, match="the register file is 7 bytes too small"):
        check(tiny(**sizes), library, problem, TILE)


@pytest.mark.parametrize("pattern", ["1:1", "2:4", "1:8"])
@pytest.mark.parametrize("lacking", [1, 100])
def test_a_scratchpad_that_is_too_small_says_by_how_much(pattern: str, lacking: int) -> None:
    whole = tiny()
    problem = problem_of(whole, pattern, m=64, n=64, k=256)
    need = scratchpad_bytes(whole, problem, TILE)
    check(tiny(core__scratchpad__bytes=need), library_of(whole), problem, TILE)
    small = tiny(core__scratchpad__bytes=need - lacking)
    with pytest.raises(MappingError) as caught:
        check(small, library_of(small), problem, TILE)
    text = str(caught.value)
    assert f"tile 16x16x32 of {pattern}: the scratchpad is {lacking} bytes too small" in text
    assert f"want at most {need - lacking}, got '{need} bytes needed for 3 stages'" in text
    assert "core.scratchpad.bytes" in text


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"tile_m": 0}, "mapping.tile_m: must be >= 1, got 0"),
        ({"tile_n": -1}, "mapping.tile_n: must be >= 1, got -1"),
        ({"tile_k": 0}, "mapping.tile_k: must be >= 1, got 0"),
        ({"fragment_m": 0}, "mapping.fragment_m: must be >= 1, got 0"),
        ({"fragment_n": 0}, "mapping.fragment_n: must be >= 1, got 0"),
        ({"splits": 0}, "mapping.splits: must be >= 1, got 0"),
        ({"stage_buffers": 0}, "mapping.stage_buffers: out of range, want 1 to 64, got 0"),
        ({"stage_buffers": 65}, "mapping.stage_buffers: out of range, want 1 to 64, got 65"),
        ({"tile_k": 30}, "mapping.tile_k: would cut a group, want a multiple of group 4, got 30"),
        ({"tile_k": 2}, "mapping.tile_k: would cut a group"),
        ({"splits": 9}, "mapping.splits: more splits than the 8 stages, got 9"),
    ],
)
def test_mappings_that_are_refused(changes: dict[str, int], what: str) -> None:
    hardware = tiny()
    problem = problem_of(hardware, "2:4", m=64, n=64, k=256)
    check(hardware, library_of(hardware), problem, TILE)
    check(hardware, library_of(hardware), problem, replace(TILE, splits=8))
    with pytest.raises(MappingError) as caught:
        check(hardware, library_of(hardware), problem, replace(TILE, **changes))
    assert str(caught.value).startswith(what)


def test_a_mapping_reads_as_its_tile() -> None:
    assert str(TILE) == "16x16x32"
    assert str(replace(TILE, splits=4, swapped=True)) == "16x16x32 split 4 swapped"


# What is offered


def best(hardware: Hardware, problem: GemmProblem, **changes: object) -> list[Mapping]:
    return candidates(hardware, library_of(hardware, **changes), problem)


def deepest(hardware: Hardware, pattern: str, **sizes: int) -> int:
    """The deepest stage offered of a long GEMM."""
    problem = problem_of(hardware, pattern, **{"m": 64, "n": 64, "k": 4096, **sizes})
    return max(mapping.tile_k for mapping in best(hardware, problem))


@pytest.mark.parametrize(
    ("pattern", "tile_k"),
    # The library's tile has 16 slots: as many groups as keep 16 weights, whole ones.
    [("1:1", 16), ("2:4", 32), ("1:4", 64), ("1:8", 128), ("1:16", 256), ("4:8", 32),
     ("3:8", 40), ("5:7", 21)],
)  # fmt: skip
def test_a_stage_grows_with_group_over_keep(pattern: str, tile_k: int) -> None:
    assert deepest(tiny(), pattern) == tile_k


def test_a_stage_keeps_its_bytes_whatever_the_dtype() -> None:
    """16 slots of 16 bits are 32 of 8 bits and 64 of 4."""
    found = []
    for dtype in ("fp16", "int8", "int4"):
        problem = problem_of(tiny(), "2:4", m=64, n=64, k=4096, dtype=dtype)
        found.append(max(mapping.tile_k for mapping in best(tiny(), problem)))
    assert found == [32, 64, 128]


def test_a_machine_that_computes_zeros_gains_no_depth() -> None:
    hardware = tiny(sparsity__skip="none")
    assert [deepest(hardware, pattern) for pattern in ("1:1", "2:4", "1:8")] == [16, 16, 16]


@pytest.mark.parametrize(
    "pattern", ["1:1", "1:2", "2:4", "3:5", "5:7", "3:8", "1:8", "7:9", "1:16", "15:16"]
)
@pytest.mark.parametrize("k", [16, 17, 100, 4096])
def test_a_stage_never_cuts_a_group_and_never_exceeds_k(pattern: str, k: int) -> None:
    hardware = tiny()
    problem = problem_of(hardware, pattern, m=40, n=24, k=k)
    group = problem.pattern.group
    for mapping in best(hardware, problem):
        assert mapping.tile_k % group == 0
        assert mapping.tile_k < k + group
        bounds = mapping.grid(problem).split_bounds()
        assert all(bound * mapping.tile_k % group == 0 for bound in bounds)


def wide(**changes: object) -> Hardware:
    """The tiny machine with more cores and a library worth choosing from."""
    tiles = [
        {"m": m, "n": n, "slots": 16, "fragment_m": min(m, 16), "fragment_n": min(n, 16)}
        for m in (8, 16, 32, 64)
        for n in (8, 16, 32, 64)
    ]
    return tiny(
        core__count=8,
        core__scratchpad__bytes_per_cycle=64,
        core__port_bytes_per_cycle=32,
        memory__l2__latency_cycles=100,
        memory__l2__bytes_per_cycle=128,
        memory__dram__bytes_per_second=50e9,
        libraries__own__tiles=tiles,
        libraries__own__splits=[1, 2, 4],
        **changes,
    )


SHAPES = [(64, 64, 256), (256, 256, 64), (200, 17, 300), (8, 512, 128), (1, 1, 1000)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pattern", ["1:1", "2:4", "1:8"])
def test_candidates_are_few_sorted_fitting_and_always_the_same(
    pattern: str, shape: tuple[int, int, int]
) -> None:
    hardware = wide()
    library = library_of(hardware)
    m, n, k = shape
    problem = problem_of(hardware, pattern, m=m, n=n, k=k)
    (ranked,) = rank(hardware, library, [problem])
    assert isinstance(ranked, list)
    found, times = [mapping for mapping, _ in ranked], [time for _, time in ranked]
    assert 1 <= len(found) <= SHOWN
    assert times == sorted(times)
    assert len(set(found)) == len(found)
    shapes = {(x.tile_m, x.tile_n, x.tile_k, x.splits, x.swapped) for x in found}
    assert not any((n, m, k, splits, not turned) in shapes for m, n, k, splits, turned in shapes)
    for mapping in found:
        check(hardware, library, problem.swapped() if mapping.swapped else problem, mapping)
    assert candidates(wide(), library_of(wide()), problem) == found


def test_the_best_candidate_is_the_best_of_all_that_fit() -> None:
    """Against every tile and split of the library, tried one at a time, by the engine."""
    hardware = wide()
    library = library_of(hardware)

    def time_ps(problem: GemmProblem, mapping: Mapping) -> int:
        order = problem.swapped() if mapping.swapped else problem
        return fast.run(gemm_program(hardware, library, order, mapping)).makespan_ps

    for m, n, k in SHAPES:
        problem = problem_of(hardware, "1:1", m=m, n=n, k=k)
        all_ps = []
        for tile in library.tiles:
            for splits in library.splits:
                one = library_of(hardware, tiles=(tile,), splits=(1, splits))
                all_ps += [time_ps(problem, x) for x in candidates(hardware, one, problem)]
        few_ps = [time_ps(problem, x) for x in candidates(hardware, library, problem)]
        assert min(few_ps) == min(all_ps)


def test_only_dense_gemms_swap_and_only_where_the_library_may() -> None:
    hardware = wide()

    def swaps(pattern: str, **changes: object) -> set[bool]:
        problem = problem_of(hardware, pattern, m=8, n=512, k=128)
        # One tile that is tall: it suits the swapped GEMM better.
        tall = Tile(m=64, n=8, slots=16, fragment_m=16, fragment_n=8)
        return {x.swapped for x in best(hardware, problem, tiles=(tall,), splits=(1,), **changes)}

    assert swaps("1:1") == {True, False}
    assert swaps("1:1", swap=False) == {False}
    assert swaps("2:4") == {False}


def test_a_small_scratchpad_gets_fewer_or_shallower_stages() -> None:
    def stages(size: int) -> tuple[int, int]:
        hardware = tiny(core__scratchpad__bytes=size)
        (mapping, *_) = best(hardware, problem_of(hardware, "1:1", m=64, n=64, k=4096))
        return mapping.tile_k, mapping.stage_buffers

    # A dense stage of 16 x 16 x 16 takes 1024 bytes, and the library has four buffers.
    assert stages(4096) == (16, 4)
    assert stages(4095) == (16, 3)
    assert stages(2048) == (16, 2)
    assert stages(2047) == (8, 3)
    assert stages(256) == (4, 1)


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("core__register_file__bytes", r"the register file is (\d+) bytes too small"),
        ("core__scratchpad__bytes", r"the scratchpad is (\d+) bytes too small"),
    ],
)
@pytest.mark.parametrize("pattern", ["1:1", "2:4"])
def test_where_nothing_fits_raising_the_size_by_what_is_missing_helps(
    key: str, what: str, pattern: str
) -> None:
    """The figure in the message is the right one: that many bytes more and it fits."""
    small = tiny(**{key: 64})
    problem = problem_of(small, pattern, m=64, n=64, k=4096)
    with pytest.raises(MappingError) as caught:
        best(small, problem)
    found = re.search(what, str(caught.value))
    assert found is not None
    enough = 64 + int(found[1])
    assert best(tiny(**{key: enough}), problem)
    with pytest.raises(MappingError, match="is 1 bytes too small"):
        best(tiny(**{key: enough - 1}), problem)


def test_splits_are_offered_while_cores_are_idle() -> None:
    hardware = wide()
    few = problem_of(hardware, "1:1", m=8, n=8, k=4096)
    tile = Tile(m=8, n=8, slots=16, fragment_m=8, fragment_n=8)
    offered = best(hardware, few, tiles=(tile,), splits=(1, 2, 16))
    assert {mapping.splits for mapping in offered} == {1, 2, 16}
    many = problem_of(hardware, "1:1", m=256, n=256, k=4096)
    offered = best(hardware, many, tiles=(tile,), splits=(1, 2, 16))
    assert {mapping.splits for mapping in offered} == {1}
    short = problem_of(hardware, "1:1", m=8, n=8, k=16)
    offered = best(hardware, short, tiles=(tile,), splits=(1, 2, 16))
    assert {mapping.splits for mapping in offered} == {1}


@pytest.mark.parametrize("build", [lambda p: p, lambda p: p.swapped()])
def test_a_mapping_s_grid_covers_the_problem(
    build: Callable[[GemmProblem], GemmProblem],
) -> None:
    problem = build(problem_of(tiny(), "1:1", m=40, n=24, k=100))
    grid = replace(TILE, splits=2).grid(problem)
    assert (grid.rows, grid.columns, grid.stages) == (-(-problem.m // 16), -(-problem.n // 16), 4)
    assert grid.tiles == 2 * grid.rows * grid.columns


@pytest.mark.parametrize(
    "changed",
    [{"tile_m": 16.0}, {"tile_m": True}, {"splits": "2"}, {"swapped": 1}, {"tile_k": None}],
)
def test_sizes_of_another_type_are_refused(changed: dict[str, object]) -> None:
    with pytest.raises(MappingError, match=f"mapping.{next(iter(changed))}: of another type, want"):
        replace(TILE, **changed)  # type: ignore[arg-type]
