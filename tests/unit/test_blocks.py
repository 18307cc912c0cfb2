"""Are classes where their codes say, and blocks of the class that their place in the grid says?"""

from __future__ import annotations

import numpy as np
import pytest
from machines import library_of, problem_of, tiny

from simulator import Mapping
from simulator.engine import fast
from simulator.schedule import classes
from simulator.schedule.blocks import Blocks
from simulator.schedule.classes import (
    BLOCK_CLASSES,
    BLOCKS_OF,
    COLUMNS,
    OUTPUTS,
    PARTIALS,
    ROWS,
    STAGE_CLASSES,
    stage_code,
)
from simulator.schedule.program import gemm_program


def test_a_code_is_a_place_in_the_table_of_stages() -> None:
    assert [stage_code(*edges) for edges in STAGE_CLASSES] == list(range(8))
    compiled = fast.LAST_ROW, fast.LAST_COLUMN, fast.LAST_STAGE
    assert compiled == (classes.LAST_ROW, classes.LAST_COLUMN, classes.LAST_STAGE)


def test_the_classes_of_an_operand_follow_each_other() -> None:
    for operand in (ROWS, COLUMNS, OUTPUTS, PARTIALS):
        codes = BLOCKS_OF[operand]
        assert {block.operand for block in BLOCK_CLASSES[codes]} == {operand}
        assert len({block.edges for block in BLOCK_CLASSES[codes]}) == 4
    assert len(set(BLOCK_CLASSES)) == len(BLOCK_CLASSES) == 4 * len(BLOCKS_OF)


def test_every_block_is_of_the_class_of_its_edges() -> None:
    """Two GEMMs of 3 x 2 tiles, 2 stages and 2 splits: walked tile by tile, stage by stage."""
    hardware = tiny()
    problem = problem_of(hardware, "1:1", m=40, n=24, k=48, batch=2)
    mapping = Mapping(16, 16, 32, 8, 8, splits=2)
    program = gemm_program(hardware, library_of(hardware), problem, mapping)
    grid, of = program.grid, program.block_class.tolist()
    seen = set()
    for tile in range(grid.tiles):
        place = grid.place(tile)
        row, column = place.row == 2, place.column == 1
        for stage in range(2):
            last = stage == 1
            assert BLOCK_CLASSES[of[place.rows_block + stage]] == (ROWS, (row, False, last))
            assert BLOCK_CLASSES[of[place.columns_block + stage]] == (
                COLUMNS,
                (False, column, last),
            )
            seen |= {place.rows_block + stage, place.columns_block + stage}
            assert program.stage_kind(place, stage) == 4 * row + 2 * column + last
        assert BLOCK_CLASSES[of[place.output_block]] == (OUTPUTS, (row, column, False))
        assert BLOCK_CLASSES[of[place.partial_block]] == (PARTIALS, (row, column, False))
        seen |= {place.output_block, place.partial_block}
    assert seen == set(range(program.block_class.size))


@pytest.mark.parametrize(("total", "parts"), [(10, 4), (3, 7), (12, 4), (0, 3)])
def test_shares_add_up_and_differ_by_a_byte(total: int, parts: int) -> None:
    blocks = Blocks()
    blocks.add_shares(COLUMNS, total, parts, times=2)
    sizes = np.array(blocks.class_bytes)[blocks.codes]
    wanted = [(i + 1) * total // parts - i * total // parts for i in range(parts)]
    assert sizes.tolist() == 2 * wanted
