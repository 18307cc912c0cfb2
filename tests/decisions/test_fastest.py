"""Does `fastest` give each layer what it ran fastest under, and only what its weights follow?"""

from __future__ import annotations

import numpy as np
import pytest

from simulator import Gemm, Workload, compare, load_workload, simulate
from simulator.errors import ConfigError, WeightsError
from simulator.run.fastest import Compared, fastest_of
from simulator.workload.patterned import under
from tests.machines import tiny

MIXED = Workload(
    "mixed",
    [Gemm("small", 32, 16, 32), Gemm("wide", 512, 512, 512, repeat=3), Gemm("thin", 16, 16, 8)],
)
PATTERNS = ("1:1", "2:4", "1:8")


def _fastest(comparison):
    (report,) = [one for one in comparison.reports if one.pattern_name == "fastest"]
    return report


@pytest.mark.parametrize("machine", ["nm-flex", "a100-sxm4-80gb", "h100-sxm"])
@pytest.mark.parametrize("network", ["bert-base", "resnet50"])
def test_no_layer_was_faster_under_another_pattern(machine, network):
    comparison = compare(machine, network, (*PATTERNS, "fastest"))
    *others, fastest = comparison.reports
    chosen = fastest_of(load_workload(network), others)
    for row, layer in enumerate(fastest.layers):
        if layer.kind in ("gemm", "conv"):
            by_pattern = {report.pattern: report.layers[row].time_ps for report in others}
            assert by_pattern[layer.asked] == min(by_pattern.values())
            assert {chosen[name] for name in layer.members if name in chosen} == {layer.asked}
    again = simulate(machine, under(load_workload(network), chosen))
    assert again.total.time_ps == fastest.total.time_ps
    assert [x.name for x in again.layers] == [x.name for x in fastest.layers]


def test_the_place_does_not_matter_and_dense_need_not_be_named():
    totals = set()
    for patterns in (("fastest", "2:4"), ("2:4", "fastest"), ("2:4", "Fastest ", "1:1")):
        comparison = compare("h100-sxm", "bert-base", patterns)
        assert [one.pattern_name for one in comparison.reports] == [
            text.strip().lower() for text in patterns
        ]
        totals.add(_fastest(comparison).total.time_ps)
        frame = comparison.to_frame()
        assert set(frame["pattern"]) == {text.strip().lower() for text in patterns}
    assert len(totals) == 1


def test_it_says_how_many_layers_run_as_what():
    comparison = compare(tiny(), MIXED, ("1:1", "1:16", "fastest"), dense="thin")
    assert _fastest(comparison).pattern == "fastest"
    (text,) = [one for one in comparison.explanation() if "fastest runs" in one]
    assert text.endswith("fastest runs 4 layers 1:16, 1 dense.")
    first = compare(tiny(), MIXED, ("fastest", "1:16"), dense="thin")
    assert next(iter(first.explanation())) == "fastest runs 4 layers 1:16, 1 dense."


def test_equal_times_are_the_densest():
    comparison = compare("v100-sxm2", "bert-base", ("1:8", "2:4", "fastest"))  # skips no zeros
    assert {layer.asked for layer in _fastest(comparison).layers} == {"1:1"}


def test_layers_that_stay_dense_are_dense_in_the_mix():
    comparison = compare(tiny(), MIXED, ("2:4", "fastest"), dense="wide")
    fastest = _fastest(comparison)
    assert [layer.asked for layer in fastest.layers] == ["2:4", "1:1", "2:4"]
    assert fastest.notes[0] == "1 of 3 layers stay dense: wide"


def test_patterns_of_the_trace_are_among_the_choices():
    own = under(MIXED, {"small": "1:8", "wide": "1:16"})
    comparison = compare(tiny(), own, ("trace", "2:4", "fastest"))
    assert [layer.asked for layer in _fastest(comparison).layers] == ["1:8", "1:16", "2:4"]


def test_kernels_stay_what_they_were_compared_as():
    """Layers that a stack would merge, but for their patterns in the trace."""
    network = load_workload("bert-base")
    mixed = under(network, {"query": "2:4", "value": "1:8"})
    comparison = compare("nm-flex", mixed, ("trace", "2:4", "fastest"))
    names = [[layer.name for layer in report.layers] for report in comparison.reports]
    assert names[0] == names[1] == names[2]
    assert _fastest(comparison).stack == "fused"
    merged = _fastest(compare("nm-flex", network, ("2:4", "fastest")))
    assert merged.layers[0].members[:3] == ("query", "key", "value")


def test_layers_of_one_name_have_one_pattern():
    twice = Workload("twice", [Gemm("a", 16, 16, 8), Gemm("a", 512, 512, 512)])
    fastest = _fastest(compare(tiny(), twice, ("1:1", "1:16", "fastest")))
    assert {layer.asked for layer in fastest.layers} == {"1:16"}


def _weights(pattern_of):
    """Weights that follow a pattern: ``keep`` of every ``group``."""
    found = {}
    for layer in MIXED.layers:
        keep, group = pattern_of[layer.name]
        found[layer.name] = np.tile(np.arange(layer.k) % group < keep, (layer.m, 1)).astype("f2")
    return found


def test_weights_are_not_pruned_for_it():
    weights = _weights({"small": (2, 4), "wide": (4, 4), "thin": (1, 8)})
    comparison = compare(tiny(), MIXED, ("1:1", "2:4", "1:8", "fastest"), weights=weights)
    fastest = _fastest(comparison)
    assert [layer.asked for layer in fastest.layers] == ["2:4", "1:1", "1:8"]
    assert [layer.pruned_away for layer in fastest.layers] == [0, 0, 0]
    assert [layer.nonzeros for layer in fastest.layers] == [512, 512 * 512, 16]


def test_each_pattern_has_weights_of_its_own():
    own = {
        "2:4": _weights({"small": (2, 4), "wide": (2, 4), "thin": (2, 4)}),
        "1:8": _weights({"small": (1, 8), "wide": (2, 8), "thin": (1, 8)}),
    }
    fastest = _fastest(compare(tiny(), MIXED, ("2:4", "1:8", "fastest"), weights=own))
    assert [layer.asked for layer in fastest.layers] == ["1:8", "2:4", "1:8"]
    assert [layer.nonzeros for layer in fastest.layers] == [128, 512 * 256, 16]


def test_weights_of_other_layers_make_other_kernels():
    network = load_workload("bert-base")
    own = {"2:4": {"query": np.zeros((768, 768), "f2")}}
    with pytest.raises(WeightsError, match="of other layers"):
        compare("nm-flex", network, ("1:1", "2:4", "fastest"), weights=own)


@pytest.mark.parametrize("patterns", [(), ("fastest",), ("fastest", "2:4", "fastest"), ("2:5x",)])
def test_bad_patterns(patterns):
    with pytest.raises(ConfigError, match=r"^--patterns: "):
        Compared.parse(patterns, "--patterns")
