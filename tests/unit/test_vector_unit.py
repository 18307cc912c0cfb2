"""What a core computes beside its tensor cores, and what that takes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from machines import tiny

from simulator import catalog
from simulator.errors import ConfigError
from simulator.hardware import load_hardware
from simulator.hardware.core import VectorUnit

UNIT = {"core.vector": {"macs_per_cycle": {"fp32": 8, "fp16": 32}, "specials_per_cycle": 2}}


def vector(**changes: object) -> VectorUnit:
    unit = load_hardware(tiny(), {**UNIT, **changes}).core.vector
    assert unit is not None
    return unit


def test_formats_that_are_not_listed_compute_in_fp32() -> None:
    assert [vector().rate(dtype) for dtype in ("fp16", "fp32", "bf16")] == [32, 8, 8]


def test_lanes_and_special_functions_work_side_by_side() -> None:
    assert vector().cycles(16, 3) == 2
    assert vector().cycles(16, 5) == Fraction(5, 2)


def test_fp32_must_be_listed() -> None:
    with pytest.raises(ConfigError, match=r"core\.vector\.macs_per_cycle.*must list fp32"):
        load_hardware(tiny(), {"core.vector": {"macs_per_cycle": {"fp16": 8}}})


def test_unknown_formats_are_told() -> None:
    with pytest.raises(ConfigError, match="unknown dtype 'fp61'"):
        vector(**{"core.vector": {"macs_per_cycle": {"fp32": 8, "fp61": 8}}})


def test_a_machine_need_not_have_one() -> None:
    assert tiny().core.vector is None


@pytest.mark.parametrize("name", catalog.presets("configs", ".yaml"))
def test_of_no_preset_does_it_outdo_the_tensor_cores(name: str) -> None:
    core = load_hardware(name).core
    if core.vector is not None:
        for dtype, macs in core.tensor_cores.macs_per_cycle.items():
            assert core.vector.rate(dtype) <= macs
