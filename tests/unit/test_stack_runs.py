"""Do runs know stacks: reports, patterns and weights by the names of a network's layers?"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from simulator import compare, load_workload, simulate
from simulator.errors import ConfigError, WeightsError, WorkloadError
from simulator.report.report import Report
from simulator.run.kernels import of_kernels
from simulator.workload import Gemm, Stream, Workload
from simulator.workload.stack import STACKS, stacked

MACHINE = "nm-edge"


def network(**changes: object) -> Workload:
    """Three linear layers of one input, and what follows the last of them."""
    heads = [Gemm(name, 32, 16, 64, inputs=("input",)) for name in ("query", "key", "value")]
    last = Gemm("out", 32, 16, 32, inputs=("query",))
    gelu = Stream("gelu", 512, 512, op="gelu", inputs=("out",))
    return Workload("net", [*heads, last, gelu], stack="fused", **changes)  # type: ignore[arg-type]


def figures(report: Report) -> list[tuple[int, str, int]]:
    return [(layer.time_ps, layer.executed_as, layer.macs_executed) for layer in report.layers]


def test_a_report_says_what_its_kernels_hold() -> None:
    report = simulate(MACHINE, network())
    assert (report.stack, report.total.kernels) == ("fused", 2)
    assert [layer.members for layer in report.layers] == [
        ("query", "key", "value"), ("out", "gelu")
    ]  # fmt: skip
    assert json.loads(report.to_json())["stack"] == "fused"
    assert list(report.to_frame()["members"]) == ["query; key; value", "out; gelu"]
    listed = simulate(MACHINE, network(), stack="listed")
    assert (listed.stack, listed.total.kernels) == ("listed", 5)
    assert [layer.members for layer in listed.layers] == [(x.name,) for x in network().layers]


def test_a_stack_is_as_its_kernels_listed() -> None:
    folded = stacked(network())
    assert figures(simulate(MACHINE, folded)) == figures(simulate(MACHINE, network()))
    own = replace(STACKS["fused"], name="own", merges_products=False)
    assert simulate(MACHINE, network(), stack=own).stack == "own"


def test_a_workload_of_no_stack_runs_as_it_did() -> None:
    bare = Workload("net", network().layers)
    assert simulate(MACHINE, bare).to_json() == simulate(MACHINE, bare, stack="listed").to_json()
    assert simulate(MACHINE, bare).stack == "listed"


def test_layers_that_stay_dense_are_merged_with_none_that_do_not() -> None:
    report = simulate(MACHINE, network(), "2:4", dense="query")
    found = [(layer.name, layer.executed_as) for layer in report.layers]
    assert found == [("query", "1:1"), ("key+value", "2:4"), ("out", "2:4")]
    assert "1 of 4 layers stay dense: query" in report.notes
    report = simulate(MACHINE, network(), "2:4", dense="query|key|value")
    assert [layer.name for layer in report.layers] == ["query+key+value", "out"]
    assert report.layers[0].executed_as == "1:1"
    with pytest.raises(WorkloadError, match=r"^dense: finds no layer that has weights"):
        simulate(MACHINE, network(), "2:4", dense=r"query\+key")


def test_patterns_are_compared_on_the_same_kernels() -> None:
    reports = compare(MACHINE, network(), ("1:1", "2:4"), stack="fused", dense="value").reports
    assert [[layer.name for layer in report.layers] for report in reports] == [
        ["query+key", "value", "out"]
    ] * 2


def tensors() -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    random = np.random.default_rng(0)
    return {
        f"{layer.name}.weight": random.standard_normal((layer.m, layer.k))
        for layer in network().layers
        if isinstance(layer, Gemm)
    }


@pytest.mark.parametrize("pattern", ["1:1", "2:4", "unstructured:0.25"])
def test_weights_of_merged_layers_are_all_their_outputs(pattern: str) -> None:
    own = tensors()
    report = simulate(MACHINE, network(), pattern, weights=own, prune=True)
    whole = {name: own[name] for name in ("out.weight",)}
    whole["query+key+value"] = np.concatenate(
        [own[f"{name}.weight"] for name in ("query", "key", "value")]
    )
    as_one = simulate(MACHINE, stacked(network()), pattern, weights=whole, prune=True)
    assert figures(report) == figures(as_one)
    assert report.layers[0].nonzeros == as_one.layers[0].nonzeros
    assert not any("real weights" in note for note in report.notes)


def test_layers_with_weights_are_merged_with_none_that_have_none() -> None:
    own = tensors()
    del own["key.weight"]
    some = simulate(MACHINE, network(), weights=own)
    assert {layer.name for layer in some.layers} >= {"query", "key", "value"}
    assert "real weights for 3 of 4 layers; none for key" in some.notes
    listed = simulate(MACHINE, network(), weights=own, stack="listed")
    assert "real weights for 3 of 4 layers; none for key" in listed.notes


def test_weights_of_another_shape_are_refused() -> None:
    own = tensors()
    own["key.weight"] = np.ones((5, 64))
    with pytest.raises(WeightsError, match=r"^layer key: its tensor has another shape"):
        simulate(MACHINE, network(), weights=own)


def test_an_unknown_stack_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^stack: unknown stack, want eager, compiled, fused"):
        simulate(MACHINE, network(), stack="eagr")
    with pytest.raises(ConfigError, match=r"^stack: unknown stack"):
        simulate(MACHINE, Workload("net", network().layers, stack="none"))


@pytest.mark.parametrize("name", ["resnet50", "bert-base"])
def test_presets_run_as_tensorrt_does(name: str) -> None:
    reports = [simulate("a100-sxm4-80gb", name, stack=stack) for stack in (None, *STACKS)]
    times = [report.total.time_ps for report in reports]
    assert reports[0].stack == "fused"
    assert times[0] == times[3] < times[2] < times[1]


def test_a_preset_names_its_stack() -> None:
    assert load_workload("gpt2-xl").stack == "fused"
    assert load_workload("gemm:64x64x64").stack == "listed"


def test_kernels_of_which_some_layers_have_no_weights_are_refused() -> None:
    own = tensors()
    del own["key.weight"]
    with pytest.raises(WeightsError, match=r"^key: has no weights, .* query, key, value, or to"):
        of_kernels(network(), stacked(network()), own)
