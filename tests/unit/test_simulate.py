"""Which layers share a simulation, and which mappings are tried?"""

from __future__ import annotations

import numpy as np
import pytest

from simulator import Conv, Gemm, Workload, load_hardware, simulate
from simulator.engine.result import EngineResult
from simulator.hardware import Hardware
from simulator.run.choice import Terms
from simulator.run.simulate import ENGINES
from simulator.schedule.program import Program
from simulator.sparsity import parse_pattern
from simulator.workload.lowering import lower


def _skipping(**overrides: object) -> Hardware:
    return load_hardware(
        "nm-flex", {"sparsity.skip": "nonzeros", "memory.l2.start": "cold", **overrides}
    )


def _weights(density: float, seed: int, shape: tuple[int, int] = (512, 1024)) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.standard_normal(shape) * (generator.random(shape) < density)


def test_equal_layers_are_simulated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Program] = []
    engine = ENGINES["fast"]

    def counting(program: Program) -> EngineResult:
        calls.append(program)
        return engine(program)

    cold = load_hardware("nm-flex", {"memory.l2.start": "cold"})
    monkeypatch.setitem(ENGINES, "fast", counting)
    one = simulate(cold, Workload("one", [Gemm("a", m=512, n=256, k=512)]))
    alone = len(calls)
    layers = [Gemm(name, m=512, n=256, k=512) for name in "ab"]
    both = simulate(cold, Workload("two", layers))
    assert len(calls) == 2 * alone
    assert [layer.time_ps for layer in both.layers] == [one.layers[0].time_ps] * 2


def test_masked_layers_of_equal_shape_do_not_share() -> None:
    """Each has non-zeros of its own, and takes the time that it takes alone."""
    layers = [Gemm(name, m=512, n=256, k=1024) for name in ("thin", "full")]
    weights = {"thin": _weights(0.01, 1), "full": _weights(1.0, 2)}
    both = simulate(_skipping(), Workload("two", layers), "8:16", weights=weights, prune=True)
    alone = [
        simulate(_skipping(), Workload("one", [layer]), "8:16", weights=weights, prune=True)
        for layer in layers
    ]
    assert [x.macs_executed for x in both.layers] == [x.layers[0].macs_executed for x in alone]
    assert [x.time_ps for x in both.layers] == [x.layers[0].time_ps for x in alone]
    assert both.layers[0].macs_executed < both.layers[1].macs_executed


def test_few_non_zeros_are_worked_on_in_deeper_stages() -> None:
    """Steps that skipping leaves half empty fill up only where a stage holds more groups."""
    hardware = _skipping(**{"core.barrier_cycles": 200})
    layer = Gemm("g", m=512, n=4096, k=4096)
    weights = {"g": _weights(0.02, 3, (512, 4096))}

    def depth(mapping: str) -> int:
        return int(mapping.split()[0].split("x")[2])

    plain = simulate(hardware, Workload("one", [layer]), "4:16").layers[0]
    masked = simulate(hardware, Workload("one", [layer]), "4:16", weights=weights, prune=True)
    assert depth(masked.layers[0].mapping) > depth(plain.mapping)


def test_zeros_anywhere_run_in_tiles_of_the_dense_library() -> None:
    """No library has kernels of them: least of all one whose tiles are made for 2:4."""
    hardware = load_hardware("rtx3090", {"core.register_file.buffers": 2})
    terms = Terms(hardware, ENGINES["fast"])
    for asked, name in (("1:1", "cublas"), ("2:4", "cusparselt"), ("unstructured:0.5", "cublas")):
        layer = Gemm("g", m=64, n=64, k=128)
        pattern = lower(layer, parse_pattern(asked), hardware).problem.pattern
        assert terms.kernels(pattern, "fp16")[1] == hardware.libraries[name]


def test_a_mask_is_no_matter_of_lanes() -> None:
    """A depthwise layer may run in vector lanes, which skip nothing, also with real weights."""
    layer = Conv("c", 2, 2, 3, 3, kernel=1, padding=1, groups=2)
    hardware = load_hardware("a100-sxm4-40gb", {"sparsity.skip": "nonzeros"})
    weights = {"c": np.zeros((2, 1, 1, 1))}
    report = simulate(hardware, Workload("w", [layer]), "1:1", weights=weights, prune=True)
    assert report.layers[0].nonzeros == 0
