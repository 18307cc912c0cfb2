"""What does an engine see: which blocks, of which sizes, in which order; and what is refused?"""

from __future__ import annotations

import numpy as np
import pytest
from machines import library_of, problem_of, tiny

from simulator import Conv, Mapping, Stream
from simulator.errors import MappingError, WorkloadError
from simulator.schedule.classes import BLOCK_CLASSES, COLUMNS, OUTPUTS, ROWS
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


def test_times_that_an_event_key_cannot_hold_are_refused() -> None:
    hardware = tiny(memory__dram__bytes_per_second=1)
    problem = problem_of(hardware, "1:1", m=4096, n=4096, k=4096)
    with pytest.raises(MappingError, match="more than an event key holds"):
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
