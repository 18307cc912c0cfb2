"""Do both engines agree on random sequences of layers whose L2 is carried, and is DRAM's account
closed over the whole run?"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from machines import tiny

from simulator import Conv, Gemm, Matmul, Report, Stream, Workload, simulate
from simulator.hardware import Hardware
from simulator.workload import Layer
from simulator.workload.graph import outputs_of
from simulator.workload.sequence import operands_of, order_of

CASES = 250
"""Sequences of each kind of start."""


def _machine(rng: random.Random, start: str) -> Hardware:
    return tiny(
        core__count=rng.choice([1, 2, 4]),
        core__port_bytes_per_cycle=rng.choice([16, 64]),
        memory__l2__bytes=rng.choice([2000, 5000, 10_000, 25_000, 2**20]),
        memory__l2__bytes_per_cycle=rng.choice([16, 256]),
        memory__l2__latency_cycles=rng.choice([0, 30]),
        memory__l2__start=start,
        memory__l2__foreign_dirty_ratio=rng.choice([0, 0, 0.3]),
        memory__dram__bytes_per_second=rng.choice([3e9, 4e10]),
        memory__dram__efficiency_ratio=(ratio := rng.choice([1, 0.85])),
        memory__dram__write_efficiency_ratio=0.7 if ratio < 1 else None,
        memory__dram__latency_ns=rng.choice([0, 100]),
        memory__writes=rng.choice(["l2", "l2", "l2", "dram"]),
        libraries__own__splits=rng.choice([[1], [1, 2, 3]]),
        libraries__own__swap=rng.random() < 0.5,
        libraries__own__dispatch=rng.choice(["dynamic", "round_robin"]),
        libraries__own__prefetch=rng.random() < 0.3,
    )


def _layers(rng: random.Random) -> list[Layer]:
    """Layers that often read what one before has written, by size or by name."""
    layers: list[Layer] = []
    channels = [4, 8, 16]
    width, tokens = 16 * rng.randint(1, 3), 8 * rng.randint(1, 3)
    for number in range(rng.randint(2, 5)):
        name, repeat = f"l{number}", rng.choice([1, 1, 1, 2, 3])
        names = ["input", *(layer.name for layer in layers)]
        inputs = tuple(rng.sample(names, 1)) if rng.random() < 0.4 else ()
        kind = rng.choice(["gemm", "gemm", "conv", "matmul", "stream"])
        if kind == "gemm":
            wide = rng.choice([width, 16 * rng.randint(1, 4)])
            layers.append(
                Gemm(name, wide, tokens, width, repeat=repeat, inputs=inputs,
                     accumulate=rng.random() < 0.4, pattern=rng.choice([None, "2:4"]))
            )  # fmt: skip
            width = wide
        elif kind == "conv":
            shape = rng.choice(channels), rng.choice(channels), 5, 5, rng.choice([1, 3])
            stride, accumulate = rng.choice([1, 2]), rng.random() < 0.3
            layers.append(
                Conv(name, *shape, stride=stride, padding=1, repeat=repeat, inputs=inputs,
                     accumulate=accumulate)
            )  # fmt: skip
        elif kind == "matmul":
            cached = rng.random() < 0.3
            layers.append(
                Matmul(name, width, tokens, width, repeat=repeat, inputs=inputs, cached=cached)
            )
        else:
            size = width * tokens
            reads = rng.choice([size, 2 * size])
            passes = rng.choice([1, 1, 2])
            layers.append(Stream(name, reads, size, repeat=repeat, inputs=inputs, passes=passes))
    return layers


def _case(seed: int, start: str) -> tuple[Hardware, Workload]:
    rng = random.Random(f"{start} {seed}")
    return _machine(rng, start), Workload("random", _layers(rng))


@pytest.mark.parametrize("start", ["carried", "repeated"])
def test_engines_agree_on_random_sequences(start: str) -> None:
    reached: Counter[str] = Counter()
    for seed in range(CASES):
        hardware, workload = _case(seed, start)
        fast, reference = (
            simulate(hardware, workload, engine=engine) for engine in ("fast", "reference")
        )
        assert fast.layers == reference.layers, (start, seed)
        assert fast.total == reference.total, (start, seed)
        if start == "carried":
            _no_more_is_spared_than_can_be(workload, fast)
            _what_is_written_is_written_to_dram(hardware, workload, fast)
        reached.update(_features(hardware, workload, fast))
    assert len(reached) == 7
    assert min(reached.values()) >= CASES // 20, reached


def _no_more_is_spared_than_can_be(workload: Workload, report: Report) -> None:
    """Weights, what the network is given and what it gives pass DRAM in any case."""
    results = sum(
        step.results * outputs_of(layer) * 2
        for layer, step in zip(workload.layers, order_of(workload).steps, strict=True)
    )
    read, written = (report.total.traffic_bytes.total("dram", way) for way in ("read", "written"))
    assert read >= report.total.compulsory_dram_bytes - results
    assert written >= results


def _what_is_written_is_written_to_dram(
    hardware: Hardware, workload: Workload, report: Report
) -> None:
    """Nothing of a layer's output is lost on its way, but for bytes where shares are rounded.

    Without partial sums, which are outputs of no layer, and what is added to in its place.
    """
    added = any(getattr(layer, "accumulate", False) for layer in workload.layers)
    if added or hardware.libraries["own"].splits != (1,):
        return
    outputs = sum(outputs_of(layer) * layer.repeat * 2 for layer in workload.layers)
    written = report.total.traffic_bytes["dram"]
    through = sum(written[of]["written"] for of in ("activations", "outputs", "weights"))
    assert through >= outputs - 4 * sum(layer.repeat for layer in workload.layers)


def _features(hardware: Hardware, workload: Workload, report: Report) -> set[str]:
    """What a case exercised."""
    cold = simulate(hardware.model_copy(update={"memory": _cold(hardware)}), workload)
    written = report.total.traffic_bytes["dram"]
    found = {
        "less is read": _read(report) < _read(cold),
        "slower than cold": report.total.time_ps > cold.total.time_ps,
        "faster than cold": report.total.time_ps < cold.total.time_ps,
        "inputs written back": written["activations"]["written"] > 0,
        "evictions": any(layer.evictions for layer in report.layers),
        "repeats": any(layer.repeat > 1 for layer in workload.layers),
        "added to": any(getattr(layer, "accumulate", False) for layer in workload.layers),
    }
    return {name for name, holds in found.items() if holds}


def _cold(hardware: Hardware) -> object:
    l2 = hardware.memory.l2.model_copy(update={"start": "cold"})
    return hardware.memory.model_copy(update={"l2": l2})


def _read(report: Report) -> int:
    return report.total.traffic_bytes.total("dram", "read")


def test_operands_of_random_layers_have_sources() -> None:
    for seed in range(CASES):
        _, workload = _case(seed, "carried")
        for layer, step in zip(workload.layers, order_of(workload).steps, strict=True):
            for sources in (step.first, step.later):
                assert len(sources) == len(operands_of(layer))
                for operand, parts in zip(step.operands, sources, strict=True):
                    assert sum(part.read for part in parts) <= operand.touched
                    assert all(part.read <= part.elements for part in parts)
