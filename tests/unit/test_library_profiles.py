"""What a library owns, and what it demands of sizes."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import Hardware, Workload, load_hardware, simulate
from simulator.report.layer import LayerReport
from simulator.schedule.mapping import Mapping
from simulator.workload import Gemm, Matmul, Stream
from tests.machines import contended

OWN = {
    "register_buffers": ("core.register_file.buffers", 1, 2),
    "barrier_cycles": ("core.barrier_cycles", 37, 2),
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
    "reference": {"engine": "reference"},
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


def test_absent_is_the_machines() -> None:
    hardware = contended()
    (library,) = hardware.libraries.values()
    assert library.register_buffers is library.barrier_cycles is None
    assert hardware.under(library) is hardware
