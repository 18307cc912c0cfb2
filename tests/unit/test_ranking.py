"""Does what fits follow from the machine alone, whatever machine was asked before?"""

from __future__ import annotations

import pytest

from simulator import Gemm, load_hardware
from simulator.hardware import Hardware
from simulator.schedule import ranking
from simulator.schedule.mapping import Mapping
from simulator.sparsity import Pattern
from simulator.workload.lowering import lower

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
