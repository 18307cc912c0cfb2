"""What does an engine see: which blocks, of which sizes, in which order; and what is refused?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from machines import library_of, problem_of, tiny

from simulator import Conv, Mapping, Stream
from simulator.engine import fast
from simulator.errors import MappingError, WorkloadError
from simulator.hardware import Hardware
from simulator.schedule.classes import BLOCK_CLASSES, COLUMNS, OUTPUTS, PARTIALS, ROWS
from simulator.schedule.program import Program, gemm_program, stream_program
from simulator.sparsity import DENSE
from simulator.workload.lowering import lower

MAPPING = Mapping(16, 16, 32, 8, 8)


def _sizes(program: Program, first: int, end: int) -> list[int]:
    """Bytes of blocks by id."""
    return program.block_bytes[program.block_class[first:end]].tolist()


def test_blocks_are_rows_then_columns_then_outputs() -> None:
    """A GEMM of 20 x 24 x 72 in tiles of 16 x 16 and stages of 32: edges keep their valid bytes."""
    hardware = tiny()
    problem = problem_of(hardware, "2:4", m=20, n=24, k=72)
    program = gemm_program(hardware, library_of(hardware), problem, MAPPING)
    # A row of 32 weights stores 16 slots of 2 bytes and 4 bits for each of 8 groups: 36 bytes.
    rows = [16 * 36, 16 * 36, 16 * (4 * 2 + 1), 4 * 36, 4 * 36, 4 * (4 * 2 + 1)]
    assert _sizes(program, 0, program.grid.columns_base) == rows
    columns = [16 * 64, 16 * 64, 16 * 16, 8 * 64, 8 * 64, 8 * 16]
    assert _sizes(program, program.grid.columns_base, program.grid.outputs_base) == columns
    outputs = [16 * 16 * 2, 16 * 8 * 2, 4 * 16 * 2, 4 * 8 * 2]
    assert _sizes(program, program.grid.outputs_base, program.grid.partials_base) == outputs


def test_partial_sums_follow_with_four_bytes_each() -> None:
    hardware = tiny()
    problem = problem_of(hardware, "1:1", m=20, n=24, k=72)
    mapping = Mapping(16, 16, 32, 8, 8, splits=2)
    program = gemm_program(hardware, library_of(hardware), problem, mapping)
    partials = _sizes(program, program.grid.partials_base, program.block_class.size)
    assert partials == [size * 2 for size in (512, 512, 256, 256, 128, 128, 64, 64)]


def test_input_bytes_of_a_convolution_are_shared_out_without_loss() -> None:
    """Block i of B has floor((i + 1) U / B) - floor(i U / B) of the U bytes."""
    hardware = tiny()
    layer = Conv("c", in_channels=5, out_channels=20, in_h=7, in_w=9, kernel=3, padding=1)
    problem = lower(layer, DENSE, hardware).problem
    program = gemm_program(hardware, library_of(hardware), problem, MAPPING)
    sizes = _sizes(program, program.grid.columns_base, program.grid.outputs_base)
    unique, blocks = 5 * 7 * 9 * 2, len(sizes)
    assert blocks == 4 * 2  # 63 pixels and 45 weights along k
    assert sizes == [(i + 1) * unique // blocks - i * unique // blocks for i in range(blocks)]
    assert sum(sizes) == unique
    # Weights are stored as they are: 45 a row, for 16 and 4 channels.
    assert _sizes(program, 0, program.grid.columns_base) == [16 * 64, 16 * 26, 4 * 64, 4 * 26]


@pytest.mark.parametrize(("reads", "writes"), [(50_000, 50_000), (9, 70_001), (70_001, 9)])
def test_a_streaming_layer_reads_and_writes_all_of_it(reads: int, writes: int) -> None:
    hardware = tiny()
    program = stream_program(
        hardware, library_of(hardware), Stream("s", reads=reads, writes=writes)
    )
    sizes = program.block_bytes[program.block_class]
    operands = np.array([block.operand for block in BLOCK_CLASSES])[program.block_class]
    assert sizes[operands == ROWS].sum() == reads * 2
    assert sizes[operands == OUTPUTS].sum() == writes * 2
    assert not (operands == COLUMNS).any()
    assert sizes.max() <= 16384 or min(reads, writes) == 9


def test_every_chunk_passes_the_core_once_with_two_buffers() -> None:
    """Nothing is computed; the last chunk is what the others leave."""
    hardware = tiny()
    stream = Stream("s", reads=20_000, writes=9)
    library = library_of(hardware, epilogue_ns=50)
    program = stream_program(hardware, library, stream)
    result = fast.run(program)
    done = result.stages.sum(axis=0).tolist()
    for name in ("rows_bytes", "rows_read_bytes", "rows_fill_bytes"):
        passed = sum(n * getattr(work, name) for n, work in zip(done, program.works, strict=True))
        assert passed == 2 * 20_000, name
    assert sum(done) == 3  # chunks of 16 KiB, evenly
    assert program.stage_buffers == program.accumulator_sets == 2
    assert program.prefetch
    assert program.hold_ps.tolist() == program.block_port_ps.tolist()  # no epilogue but the store
    assert (
        stream_program(hardware, library_of(hardware, stage_buffers=1), stream).stage_buffers == 1
    )


def test_rows_that_are_not_aligned_take_the_port_longer() -> None:
    """Rows of 36 weights of 2 bytes are read in vectors of 8 of 16 bytes: twice as long."""
    hardware = tiny(core__port_bytes_per_cycle=16, core__alignment_bytes=16)
    problem = problem_of(hardware, "1:1", m=16, n=16, k=36)
    program = gemm_program(hardware, library_of(hardware), problem, MAPPING)
    for times in (program.rows_port_ps, program.columns_port_ps):
        assert times[:2].tolist() == [2 * 1024 * 1000 // 16, 2 * 128 * 1000 // 16]


def test_an_overlapped_epilogue_has_accumulators_of_its_own() -> None:
    hardware = tiny()
    problem = problem_of(hardware, "1:1", m=16, n=16, k=32)
    for overlap, sets in ((False, 1), (True, 2)):
        library = library_of(hardware, epilogue_overlap=overlap)
        assert gemm_program(hardware, library, problem, MAPPING).accumulator_sets == sets


def test_blocks_that_do_not_occur_have_no_bytes() -> None:
    hardware = tiny()
    problem = problem_of(hardware, "1:1", m=32, n=32, k=64)
    program = gemm_program(hardware, library_of(hardware), problem, MAPPING)
    assert program.block_bytes.reshape(4, 4)[PARTIALS].tolist() == [0] * 4


def test_what_exceeds_main_memory_is_refused_to_the_byte() -> None:
    """Operands, metadata and output of one layer must fit."""
    need = 64 * 64 * 2 // 2 + 64 * 64 // 4 * 4 // 8 + 64 * 32 * 2 + 64 * 32 * 2
    for lacking in (0, 1):
        hardware = tiny(memory__dram__bytes=need - lacking)
        problem = problem_of(hardware, "2:4", m=64, n=32, k=64)
        if not lacking:
            program = gemm_program(hardware, library_of(hardware), problem, MAPPING)
            assert program.all_bytes == need
            continue
        with pytest.raises(
            MappingError, match=f"need {need} bytes.*= {need - 1} .--allow-overflow"
        ):
            gemm_program(hardware, library_of(hardware), problem, MAPPING)


def test_what_would_not_fit_in_the_simulator_is_refused() -> None:
    hardware = tiny(memory__dram__bytes=2**40)
    problem = problem_of(hardware, "1:1", m=2**17, n=2**17, k=2**17)
    with pytest.raises(WorkloadError, match="too large to simulate"):
        gemm_program(hardware, library_of(hardware), problem, MAPPING)


def test_what_an_engine_would_hold_is_told_in_gib() -> None:
    """A block takes 48 bytes, a tile 40 more; blocks are those of W, of X, outputs and partials."""
    hardware = tiny(memory__dram__bytes=2**40)
    rows, columns, stages = 2**16, 2**15, 2**14
    problem = problem_of(hardware, "1:1", m=16 * rows, n=16 * columns, k=32 * stages)
    tiles = rows * columns
    need = ((rows + columns) * stages + 2 * tiles) * 48 + 40 * tiles
    with pytest.raises(WorkloadError) as caught:
        gemm_program(hardware, library_of(hardware), problem, MAPPING)
    assert str(caught.value) == (
        f"gemm {16 * rows}x{16 * columns}x{32 * stages} x 1: too large to simulate:"
        f" {tiles * stages} stages, {need / 1024**3:.0f} GiB of engine state,"
        " want at most 10000000000 stages and 4 GiB (simulate a part of the layer)"
    )
    stream = Stream("s", reads=2**39, writes=2**39, op="copy")
    what = f"copy of {2**39} reads and {2**39} writes: too large to simulate"
    with pytest.raises(WorkloadError, match=what):
        stream_program(hardware, library_of(hardware), stream)


def test_engines_and_equality_leave_aside_what_only_a_report_reads() -> None:
    hardware = tiny()
    problem = problem_of(hardware, "2:4", m=20, n=24, k=72)
    program = gemm_program(hardware, library_of(hardware), problem, MAPPING)
    same = replace(program, blocks=None, stages=None)
    assert same == program
    assert replace(program, stage_buffers=9) != program


STAGES, TILES = 4096, 2048
KIB_RATE = 1.024
"""Bytes a second at which 1 KiB, a block of W or X, takes 1000 s."""


def slow(**changes: object) -> Hardware:
    """A machine of 1 MHz, on which the tiles above do not end in time."""
    return tiny(**{"clock_hz": 10**6, "core__count": 2, **changes})


def refusal(hardware: Hardware) -> str:
    problem = problem_of(hardware, "1:1", m=16 * 64, n=16 * 32, k=64)
    assert MAPPING.stage_events(problem) == STAGES
    with pytest.raises(MappingError) as caught:
        gemm_program(hardware, library_of(hardware), problem, MAPPING)
    return str(caught.value)


SLOW: list[tuple[dict[str, object], float]] = [
    ({"core__issue_cycles": 1e9}, STAGES),
    ({"core__barrier_cycles": 1e9}, STAGES),
    ({"core__scratchpad__latency_cycles": 1e9}, STAGES),
    ({"core__tensor_cores__drain_cycles": 1e9}, TILES),
    ({"libraries__own__epilogue_ns": 1e12}, 2 * TILES),  # its own and the one before it
    # To L2, to its far half, to DRAM: two a stage, one a tile, and two of its reduction.
    ({"memory__l2__latency_cycles": 1e9}, 2 * STAGES + 3 * TILES),
    ({"memory__dram__latency_ns": 1e12}, 2 * STAGES + 3 * TILES),
    ({"memory__l2__halves": {"far_latency_cycles": 1e9, "link_bytes_per_cycle": 4096}},
     2 * STAGES + 3 * TILES),
    # Of two blocks a stage, and of as many of a tile and of its reduction, each may wait for
    # another that is written; all as if they were as large as the largest.
    ({"memory__l2__bytes_per_cycle": KIB_RATE / 10**6}, 4 * STAGES + 8 * TILES),
    ({"memory__dram__bytes_per_second": KIB_RATE}, 4 * STAGES + 8 * TILES),
    # W and X of a stage; outputs of the tile and of the one before it, and partial sums.
    ({"core__port_bytes_per_cycle": KIB_RATE / 10**6}, 2 * STAGES + 3 * TILES),
]  # fmt: skip
"""What takes 1000 s at a time, and how often: all else takes next to no time."""


@pytest.mark.parametrize(
    ("changes", "times"), SLOW, ids=lambda value: "".join(value) if isinstance(value, dict) else ""
)
def test_the_longest_time_that_a_run_could_take_by_hand(
    changes: dict[str, object], times: float
) -> None:
    """As if nothing ran beside anything else."""
    assert f"could reach {1000 * times:.3g} s," in refusal(slow(**changes))


def test_the_last_of_several_splits_may_wait_for_the_sums_of_each() -> None:
    """Two splits of one stage each: twice the tiles, and two latencies for each split's sums."""
    hardware = slow(memory__dram__latency_ns=1e12)
    problem = problem_of(hardware, "1:1", m=16 * 64, n=16 * 32, k=64)
    times = 2 * STAGES + 2 * TILES * (1 + 2 * 2)
    with pytest.raises(MappingError, match=f"could reach {1000 * times:.3g} s,".replace("+", ".")):
        gemm_program(hardware, library_of(hardware), problem, replace(MAPPING, splits=2))


def test_an_output_that_is_added_to_may_be_waited_for() -> None:
    hardware = slow(memory__dram__latency_ns=1e12)
    problem = problem_of(hardware, "1:1", m=16 * 64, n=16 * 32, k=64)
    times = 2 * STAGES + TILES * (1 + 2 + 2)
    with pytest.raises(MappingError, match=f"could reach {1000 * times:.3g} s,".replace("+", ".")):
        gemm_program(hardware, library_of(hardware), replace(problem, accumulates=True), MAPPING)


def test_what_is_slow_adds_up() -> None:
    everything = {key: value for changes, _ in SLOW for key, value in changes.items()}
    times = sum(times for _, times in SLOW)
    assert f"could reach {1000 * times:.3g} s," in refusal(slow(**everything))


@pytest.mark.parametrize(("cores", "bits"), [(1, 2), (2, 2), (3, 3), (4, 3), (5, 4)])
def test_an_event_key_has_room_for_kind_and_core(cores: int, bits: int) -> None:
    said = f"want less than {2 ** (62 - bits) / 1e12:.3g} s"
    assert said in refusal(slow(core__count=cores, core__issue_cycles=1e9))


def test_times_that_an_event_key_cannot_hold_are_refused() -> None:
    hardware = tiny(memory__dram__bytes_per_second=1)
    problem = problem_of(hardware, "1:1", m=4096, n=4096, k=4096)
    with pytest.raises(MappingError, match="more than an event key holds"):
        gemm_program(hardware, library_of(hardware), problem, MAPPING)


def test_a_transfer_longer_than_picoseconds_can_count_is_refused() -> None:
    hardware = tiny(memory__dram__bytes_per_second=1e-12)
    problem = problem_of(hardware, "1:1", m=16, n=16, k=32)
    with pytest.raises(MappingError, match="takes longer than int64 picoseconds can hold"):
        gemm_program(hardware, library_of(hardware), problem, MAPPING)


def test_a_warm_l2_holds_what_was_used_last() -> None:
    """Blocks enter in the order of their first use, rows before columns."""
    hardware = tiny(memory__l2__start="warm")
    problem = problem_of(hardware, "1:1", m=32, n=32, k=64)
    program = gemm_program(hardware, library_of(hardware), problem, MAPPING)
    # Tile (0, 0), then the columns of (0, 1), then rows of (1, 0).
    w, x = 0, program.grid.columns_base
    wanted = [w, x, w + 1, x + 1, x + 2, x + 3, w + 2, w + 3]
    assert program.warm_blocks.tolist() == wanted
