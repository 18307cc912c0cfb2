"""Small results of every decision, with a name that no page may take for anything but text."""

from __future__ import annotations

from dataclasses import replace

from simulator import (
    Advice,
    Gemm,
    Limits,
    Requirement,
    Workload,
    advise,
    compare,
    diff,
    limits,
    load_hardware,
    require,
    sweep,
)
from simulator.decisions.difference.of_stores import stores_difference
from simulator.decisions.difference.result import Difference
from simulator.decisions.trust import Band
from simulator.validation import DataSet, Measurement, Validation

HOSTILE = "</script><img src=x onerror=alert(1)><b>&amp;"
PATTERNS = ("2:4", "1:8")
MACHINE = "nm-edge"
FASTER = load_hardware(MACHINE, {"memory.dram.bytes_per_second": 4e10, "core.count": 3})
POINTS = {
    "hardware": MACHINE,
    "workloads": ["gemm:64x48x96"],
    "patterns": ["1:1", "2:4"],
    "parameters": {"core.count": [1, 2], "core.scratchpad.bytes": [100, 65536]},
}


def network(name: str = HOSTILE) -> Workload:
    """Layers that gain, that do not, and one with a name."""
    sizes = {name: (256, 96, 512), "fc": (512, 96, 512), "thin": (512, 1, 512), "head": (16, 96, 2)}
    return Workload("net", [Gemm(layer, *size) for layer, size in sizes.items()])


def advice(name: str = HOSTILE) -> Advice:
    """With gains at two batches, and a band as of a machine that was measured."""
    told = advise(MACHINE, network(name), PATTERNS, break_even=1)
    rows = advise(MACHINE, "bert-base", PATTERNS, batches=[1, 4], break_even=0,
                  accuracy="sampled").batches  # fmt: skip
    return replace(told, batches=rows, band=Band(MACHINE, 0.05, 8, ("some",)))


def limited(name: str = HOSTILE) -> Limits:
    return limits(MACHINE, Workload(name, [Gemm("fc", 64, 48, 96)]), "2:4", factors=[2])


def required(speedup: float = 2.5) -> Requirement:
    prices = {"DRAM": 0.25, "L2 rate": 0.1, "port": 0.05, "MACs": "area"}
    return require(MACHINE, network(), "2:4", speedup, prices=prices, tries=12)


def moved(name: str = HOSTILE) -> Difference:
    """Between two patterns on two machines."""
    before, after = (compare(one, network(name), ["1:1", "2:4"]) for one in (MACHINE, FASTER))
    return diff(before, after)


def changed() -> Difference:
    """Of two machines, and a run on them."""
    return diff(MACHINE, FASTER, workload=network(), pattern="2:4")


def swept() -> Difference:
    """Between sweeps, some of whose points fail, and some of which are in one alone."""
    fewer = {**POINTS, "parameters": {"core.count": [2, 4], "core.scratchpad.bytes": [65536]}}
    return stores_difference(("a.sqlite", "b.sqlite"), sweep(POINTS).rows, sweep(fewer).rows)


def validated() -> list[Validation]:
    """Data sets of rows that fits have seen, that they have not, and that do not count."""
    one = (
        Measurement(HOSTILE, 10.0, 11.0, 5.0, fitted=True, bound="mac", mapping="16x16x16"),
        Measurement("twice", 20.0, 19.0, 4.0, bound="dram", macs=10**9),
        Measurement("odd", 40.0, 90.0, set_aside="its authors doubt it"),
    )
    two = (Measurement("gain", 1.5, 1.2), Measurement("loss", 0.9, 0.8))
    return [
        Validation(DataSet("first", "A first set", "none", "µs", lambda: one), one),
        Validation(DataSet("second", "A second set", "none", "ratio", lambda: two), two),
    ]
