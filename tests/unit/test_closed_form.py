"""Does the estimate of a mapping's time follow what one resource alone would take?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from machines import library_of, problem_of, tiny

from simulator.hardware import Hardware
from simulator.schedule.mapping import Mapping
from simulator.schedule.ranking import estimate_ps

TILE = Mapping(16, 16, 16, fragment_m=8, fragment_n=8, stage_buffers=4)
FREE = {
    "core__register_file__operand_bytes_per_cycle": 1e9,
    "core__scratchpad__bytes_per_cycle": 1e9,
    "core__port_bytes_per_cycle": 1e9,
    "memory__l2__bytes_per_cycle": 1e9,
    "memory__dram__bytes_per_second": 1e18,
}


def cycles(hardware: Hardware, mapping: Mapping, **sizes: int) -> float:
    library = library_of(hardware, epilogue_ns=0)
    problem = problem_of(hardware, "1:1", **sizes)
    return float(estimate_ps(hardware, library, problem, [mapping])[0]) / 1000


@pytest.mark.parametrize(
    ("cores", "splits", "wanted"),
    [
        # 16 tiles of 4 stages of 16^3 MACs at 64 a cycle: 256 cycles each.
        (1, 1, 16 * 256),
        (2, 1, 8 * 256),
        (3, 1, 6 * 256),  # whole waves: five tiles and a third are six
        (3, 2, 11 * 128),  # 32 halves of tiles
    ],
)
def test_macs_alone_take_whole_waves_of_tiles(cores: int, splits: int, wanted: int) -> None:
    hardware = tiny(core__count=cores, **FREE)
    mapping = Mapping(16, 16, 16, 8, 8, splits=splits, stage_buffers=4)
    assert cycles(hardware, mapping, m=64, n=64, k=64) == pytest.approx(wanted, rel=1e-3)


def test_dram_alone_takes_every_byte_once() -> None:
    """One byte a cycle; both operands of 64 x 64 in two bytes fit in L2, and so does the output."""
    hardware = tiny(core__count=16, **{**FREE, "memory__dram__bytes_per_second": 1e9})
    assert cycles(hardware, TILE, m=64, n=64, k=64) == pytest.approx(2 * 64 * 64 * 2, rel=0.01)


def test_latency_alone_is_waited_for_once_a_buffer() -> None:
    """One tile of 64 stages, of 64 cycles: a buffer is free 1000 cycles after its request, and
    four are in flight."""
    hardware = tiny(**{**FREE, "memory__dram__latency_ns": 1000})
    period = (1000 + 64) / 4
    found = cycles(hardware, TILE, m=16, n=16, k=1024)
    assert found == pytest.approx(1000 + 63 * period + 64, rel=0.01)


def test_loads_through_registers_wait_for_each_other() -> None:
    """As above, but a stage is requested only when the one before is in the scratchpad."""
    changes = {"memory__dram__latency_ns": 1000, "core__async_copies": False}
    found = cycles(tiny(**{**FREE, **changes}), TILE, m=16, n=16, k=1024)
    assert found == pytest.approx(64 * 1000 + 64, rel=0.01)


def test_a_kernel_that_adds_up_partial_sums_starts_once_more() -> None:
    hardware = tiny(core__count=4, kernel_start_ns=5000)
    problem = problem_of(hardware, "1:1", m=16, n=16, k=1024)
    mappings = [replace(TILE, splits=splits) for splits in (1, 2)]
    inside, apart = (
        estimate_ps(hardware, library_of(hardware, reduction_kernel=kernel), problem, mappings)
        for kernel in (False, True)
    )
    assert (apart - inside).tolist() == [0, 5e6]
