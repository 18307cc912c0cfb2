"""What `notebooks/05_real_weights` shows, and what its prose says of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from kept import rerun


def test_groups_cost_energy_and_zeros_anywhere_cost_cycles() -> None:
    found = rerun("05_real_weights")
    patterns_keep_what_is_told(found)
    zeros_anywhere_take_most_macs(found)
    the_detector_gains_little(found)


def patterns_keep_what_is_told(found: SimpleNamespace) -> None:
    """Kept energy of MiniLM by pattern, and of zeros anywhere at the same densities."""
    energy, anywhere = found.energy, found.anywhere
    expected = {"2:4": 0.877, "4:8": 0.905, "1:4": 0.638, "2:8": 0.686, "1:8": 0.459}
    assert {p: round(float(energy[p]), 3) for p in expected} == expected
    assert [round(float(x), 3) for x in anywhere.values()] == [0.940, 0.761, 0.555]
    assert energy["2:4"] < energy["4:8"] < energy["8:16"] < anywhere[0.5]
    assert len(found.linears) == 37
    # A permutation regains a quarter to a third of the loss.
    assert found.regained["regained"].between(0.25, 0.4).all()


def zeros_anywhere_take_most_macs(found: SimpleNamespace) -> None:
    """1.7 times the MACs of 8:16 with as many weights, and little gain over dense."""
    cycles = found.cycles
    executed, time = cycles["MACs executed, %"], cycles["linears, µs"]
    assert executed["2:4"] == executed["8:16"] == 50
    assert 85.5 < executed["zeros anywhere, skipped"] < 86.5
    gained = time["dense"] / time
    assert round(gained["zeros anywhere, skipped"], 2) in (1.13, 1.14)
    assert round(gained["8:16"], 2) == 1.39
    padded, imbalance = cycles["padded, %"], cycles["imbalance"]
    assert padded["8:16"] == 0
    assert padded["zeros anywhere, skipped"] > 35
    assert imbalance["zeros anywhere, skipped"] > imbalance["8:16"]
    assert found.lockstep.is_monotonic_increasing
    assert 11 < np.mean(found.fullest) < 13
    # Random access is slower than dense by an order of magnitude.
    assert time["random access"] > 10 * time["dense"]
    ran_as = {
        name: {layer.executed_as for layer in found.linear(report)}
        for name, report in found.reports.items()
    }
    assert ran_as["2:4"] == {"2:4"}
    assert ran_as["8:16"] == {"8:16"}


def the_detector_gains_little(found: SimpleNamespace) -> None:
    detection = found.detection
    two_four, one_eighth = (detection.speedup(report) for report in detection.reports[1:])
    assert 1.02 < two_four < 1.06 < one_eighth < 1.1
    depthwise = [layer for layer in detection.reports[2].layers if layer.executed_on == "vector"]
    assert {layer.executed_as for layer in depthwise if layer.macs} == {"1:1"}
    assert found.summary["useful MACs, %"]["1:8"] < 35
    dense = detection.reports[0].core_time_ns()
    waiting = (dense["idle"] + dense["prologue"]) / sum(dense.values())
    assert 0.55 < waiting < 0.65
    assert dense["mac_useful"] < 0.12 * sum(dense.values())
