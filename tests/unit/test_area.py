"""Do larger groups, wider paths and bigger memories cost area, as much as the formula says?"""

from __future__ import annotations

import pytest
from machines import tiny

from simulator import catalog
from simulator.hardware import load_hardware
from simulator.hardware.area import (
    BIT_CELL_UM2,
    MUX2_GATES,
    area_parts,
    relative_area,
    selected_group,
)

PARTS = ["tensor_cores", "selectors", "register_file", "operand_paths", "scratchpad", "l2"]


@pytest.mark.parametrize("preset", catalog.presets("configs", ".yaml"))
def test_every_preset_has_an_area(preset: str) -> None:
    hardware = load_hardware(preset)
    parts = area_parts(hardware)
    assert list(parts) == PARTS
    assert min(parts.values()) >= 0
    assert relative_area(hardware) == pytest.approx(sum(parts.values()))


def test_selectors_grow_by_a_two_to_one_multiplexer_a_group_member() -> None:
    # 64 fp16, 128 int8 or 256 int4 lanes: 1024 bits to select in each case.
    gate_um2 = 0.057 * 3 * 0.240 / 0.7
    for group in (2, 4, 8, 16):
        parts = area_parts(tiny(sparsity__largest_group=group))
        assert parts["selectors"] == pytest.approx(1024 * (group - 1) * MUX2_GATES * gate_um2 / 1e6)


def test_a_larger_group_changes_selectors_alone() -> None:
    small, large = (area_parts(tiny(sparsity__largest_group=group)) for group in (4, 16))
    assert {part for part in PARTS if small[part] != large[part]} == {"selectors"}
    assert large["selectors"] == pytest.approx(5 * small["selectors"])


def test_selected_group_is_the_largest_executed() -> None:
    assert selected_group(load_hardware("a100-sxm4-80gb")) == 4
    assert selected_group(load_hardware("nm-flex")) == 16
    assert selected_group(load_hardware("v100-sxm2")) == 1
    assert area_parts(load_hardware("v100-sxm2"))["selectors"] == 0
    assert selected_group(load_hardware("nm-flex", {"sparsity.skip": "none"})) == 1


def test_arrays_are_bits_times_cells() -> None:
    parts = area_parts(tiny(core__count=3))
    assert parts["l2"] == pytest.approx(2**24 * 8 * BIT_CELL_UM2 / 0.6 / 1e6)
    assert parts["scratchpad"] == pytest.approx(3 * 2**20 * 8 * BIT_CELL_UM2 / 0.5 / 1e6)
    assert parts["register_file"] == pytest.approx(2 * parts["scratchpad"])


def test_the_wide_machine_pays_for_its_path() -> None:
    narrow, wide = load_hardware("nm-flex"), load_hardware("nm-flex-wide")
    ratio = area_parts(wide)["operand_paths"] / area_parts(narrow)["operand_paths"]
    assert ratio == pytest.approx((2624 + 128) / (1024 + 128))
    # A price that is felt, but not a second machine.
    assert 1.05 < relative_area(wide) / relative_area(narrow) < 1.5


def test_dtypes_share_a_datapath() -> None:
    both = area_parts(tiny())["tensor_cores"]
    alone = {
        "macs_per_cycle": {"fp16": 64},
        "instructions": {"fp16": {"m": 4, "n": 4, "k": 4}},
    }
    assert area_parts(tiny(core__tensor_cores=alone))["tensor_cores"] == both
