"""Does a layer run dense where the machine's software times both, and only there?"""

from __future__ import annotations

import numpy as np
import pytest
from machines import tiny

from simulator import (
    ConfigError,
    Conv,
    Gemm,
    Hardware,
    Mapping,
    Workload,
    compare,
    load_hardware,
    simulate,
)
from simulator.workload import Layer

TIMES_BOTH = {"library.dense_where_faster": True}
SLOW_TILE = {"m": 64, "n": 8, "slots": 8}
"""Of a sparse library that has no other: most of it is padding for a product of few rows."""


def _machine(**keys: object) -> Hardware:
    """Sparse products in a library of their own, whose only tile is tall."""
    machine = tiny()
    (name,) = machine.libraries
    own = machine.libraries[name].model_dump(exclude_none=True)
    slow = {**own, "tiles": [SLOW_TILE], "epilogue_ns": 500, "whole_tiles": True}
    sparse = {"libraries.slow": slow, "library.sparse": "slow", "sparsity.patterns": ["2:4"]}
    return load_hardware(machine, {**sparse, **keys})


FEW, MANY = Gemm("few", m=8, n=8, k=64), Gemm("many", m=512, n=512, k=4096)
WORK = Workload("work", [FEW, MANY])


def test_it_is_off_by_default() -> None:
    assert not _machine().library.dense_where_faster
    layers = simulate(_machine(), WORK, "2:4").layers
    assert [layer.executed_as for layer in layers] == ["2:4", "2:4"]


def test_each_layer_takes_the_faster_of_both() -> None:
    dense, sparse = (simulate(_machine(), WORK, pattern).layers for pattern in ("1:1", "2:4"))
    both = simulate(_machine(**TIMES_BOTH), WORK, "2:4").layers
    assert dense[0].time_ps < sparse[0].time_ps
    assert dense[1].time_ps > sparse[1].time_ps
    assert [layer.executed_as for layer in both] == ["1:1", "2:4"]
    assert [layer.time_ps for layer in both] == [dense[0].time_ps, sparse[1].time_ps]
    assert both[0].note.startswith("2:4 runs dense, which is faster")
    assert both[0].traffic_bytes == dense[0].traffic_bytes


def test_elsewhere_the_report_says_that_dense_would_be_faster() -> None:
    found = compare(_machine(), WORK, ["1:1", "2:4"])
    few, many = found.reports[1].layers
    assert (few.executed_as, few.note) == ("2:4", "dense would be faster")
    assert (many.executed_as, many.note) == ("2:4", "")
    (sentence,) = found.explanation()
    assert sentence.endswith(" Dense would be faster for few.")
    assert "dense would be faster (few)" in list(found.notes())
    (other,) = simulate(_machine(), Workload("few", [FEW]), "1:4").layers
    assert other.note == "1:4 runs as 2:4; dense would be faster"


def test_it_is_not_said_where_the_mapping_is_the_user_s_own() -> None:
    own = Mapping(64, 8, 16, 8, 8)
    (layer,) = simulate(_machine(), Workload("few", [FEW]), "2:4", mapping=own).layers
    assert layer.note == ""


@pytest.mark.parametrize(
    ("machine", "pattern", "layer"),
    [
        ("nm-flex", "1:16", Gemm("g", m=2, n=32, k=2639, dtype="bf16")),
        ("nm-flex", "3:4", Conv("c", 16, 16, 19, 19, kernel=3, padding=1)),
        ("h100-sxm", "2:4", Gemm("g", m=1024, n=1024, k=1024)),
        ("nm-edge", "1:8", Gemm("g", m=512, n=512, k=512, dtype="int8")),
    ],
)
def test_what_is_said_is_what_dense_takes(machine: str, pattern: str, layer: Layer) -> None:
    one = Workload("one", [layer])
    dense, sparse = (simulate(machine, one, p).layers[0] for p in ("1:1", pattern))
    assert ("dense would be faster" in sparse.note) is (sparse.time_ps > 1.005 * dense.time_ps)


def test_real_weights_may_run_dense_too() -> None:
    weights = {"few": np.tile([1.0, 0.0, 1.0, 0.0], (8, 16))}
    (layer,) = simulate(
        _machine(**TIMES_BOTH), Workload("few", [FEW]), "2:4", weights=weights
    ).layers
    assert (layer.executed_as, layer.nonzeros) == ("1:1", 256)


def test_dense_layers_and_patterns_that_cannot_run_stay_as_they_are() -> None:
    for pattern in ("1:1", "3:4"):
        runs = [simulate(_machine(**keys), WORK, pattern).layers for keys in ({}, TIMES_BOTH)]
        assert runs[0] == runs[1]


def test_a_library_that_is_named_runs_what_is_asked() -> None:
    layers = simulate(_machine(**TIMES_BOTH), WORK, "2:4", library="slow").layers
    assert [layer.executed_as for layer in layers] == ["2:4", "2:4"]
    few = Workload("few", [Gemm("few", m=768, n=32, k=768)])
    for library, ran_as in ((None, "1:1"), ("cusparselt", "2:4"), ("tensorop", "2:4")):
        (layer,) = simulate("a100-sxm4-80gb", few, "2:4", library=library).layers
        assert layer.executed_as == ran_as


def test_rows_that_choose_columns_together_run_in_their_kernels() -> None:
    """Or as 2:4: their software times no dense ones."""
    few = Workload("few", [Gemm("few", m=128, n=16, k=64)])
    own = {f"libraries.{name}.epilogue_ns": 50_000 for name in ("spatha", "spatha-64")}
    (layer,) = simulate(load_hardware("rtx3090", own), few, "128:2:8").layers
    assert layer.executed_as != "1:1"


@pytest.mark.parametrize(
    ("preset", "both"),
    [("a100-sxm4-80gb", True), ("a100-sxm4-40gb", True), ("rtx3090", True), ("rtx3060", True),
     ("nm-flex", False), ("nm-flex-wide", False), ("nm-edge", False)],
)  # fmt: skip
def test_software_of_machines_that_exist_times_both(preset: str, both: bool) -> None:
    assert load_hardware(preset).library.dense_where_faster is both


def test_it_is_a_switch() -> None:
    with pytest.raises(ConfigError, match="dense_where_faster"):
        _machine(**{"library.dense_where_faster": "perhaps"})
