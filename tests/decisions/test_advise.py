"""Is what is advised the best there is, layer by layer, and do the sentences say what is so?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from simulator import (
    Advice,
    ConfigError,
    Conv,
    Gemm,
    Stream,
    Workload,
    WorkloadError,
    advise,
    load_hardware,
    load_workload,
    simulate,
)
from simulator.decisions.trust import Band, Outcome
from simulator.workload.patterned import bearing, under
from tests.machines import tiny

NETWORK = Workload(
    "net",
    [
        Gemm("wide", 512, 384, 512, repeat=2),
        Conv("image", 3, 32, 32, 32, kernel=3, padding=1),
        Gemm("thin", 512, 4, 512),
        Conv("middle", 32, 64, 32, 32, kernel=3, padding=1),
        Stream("relu", 4096, 4096),
        Gemm("small", 16, 16, 16),
    ],
)


def _total(machine, advice, patterns):
    return simulate(machine, under(advice.workload, patterns)).total.time_ps


MACHINES = {
    "tiny": tiny(kernel_start_ns=500),
    "narrow": tiny(
        core__scratchpad__bytes_per_cycle=64,
        sparsity__patterns=["2:4"],
        sparsity__largest_group=0,
    ),
    "h100-sxm": load_hardware("h100-sxm"),
    "nm-flex": load_hardware("nm-flex"),
    "mi300x, changed": load_hardware("mi300x", {"core.count": 8}),
}  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_no_other_choice_for_one_layer_is_better(name):
    """On machines without a band, but for what is equal to 0.1 % of that layer."""
    machine = MACHINES[name]
    advice = advise(machine, NETWORK, ("2:4", "1:8"), break_even=0)
    assert advice.band is None
    best = advice.mix.total.time_ps
    assert best == _total(machine, advice, advice.pattern_of)
    for layer in advice.layers:
        slack = 0.001 * layer.dense_ns * 1000 * layer.repeat
        for other in {"1:1", "2:4", "1:8"} - {layer.pattern}:
            changed = advice.pattern_of | dict.fromkeys(layer.members, other)
            assert _total(machine, advice, changed) >= best - slack, (layer.name, other)


@pytest.mark.parametrize("machine", ["h100-sxm", "nm-flex"])
def test_nor_where_l2_is_carried_through_a_transformer(machine):
    advice = advise(machine, "bert-base", parameters={"seq": 32}, break_even=0)
    for layer in advice.layers:
        for other in {"1:1", "2:4", "1:8"} - {layer.pattern}:
            changed = advice.pattern_of | dict.fromkeys(layer.members, other)
            assert _total(machine, advice, changed) >= 0.999 * advice.mix.total.time_ps


def test_ties_stay_dense():
    """On a machine that was measured: what gains less than its error stays dense."""
    advice = advise("a100-sxm4-80gb", "resnet50", ("2:4",), batches=(16,), break_even=0)
    assert advice.band is not None
    margins = {layer.gains["2:4"] - 1 for layer in advice.layers if layer.pattern == "2:4"}
    assert min(margins) > advice.band.error_ratio
    tied = [layer for layer in advice.layers if layer.outcome is Outcome.TIE]
    assert tied
    assert all(layer.is_dense and layer.reason for layer in tied)


def test_layers_are_counted_as_the_network_has_them():
    advice = advise("nm-flex", "bert-base", ("2:4",), break_even=0)
    assert sum(advice.counts.values()) == 72
    assert advice.layers[0].members == ("query", "key", "value")
    assert set(advice.pattern_of) == set(bearing(load_workload("bert-base")))
    assert "every layer gains" in next(iter(advice.sentences()))
    assert any(line.startswith("Advised: every layer 2:4: 1.") for line in advice.sentences())


def _reason(network, **overrides):
    (layer,) = advise(tiny(**overrides), Workload("g", [network]), ("2:4",), break_even=0).layers
    return None if layer.reason is None else layer.reason.kind


@pytest.mark.parametrize(
    ("kind", "layer", "machine"),
    [
        ("launch", Gemm("g", 16, 16, 64), {"kernel_start_ns": 10**6}),
        ("pattern", Gemm("g", 64, 64, 256), {"sparsity__largest_group": 0}),
        ("channels", Gemm("g", 64, 64, 1), {}),
        ("latency", Gemm("g", 16, 16, 64), {"memory__dram__latency_ns": 10**6}),
        ("tiles", Gemm("g", 16, 16, 8), {"core__count": 64, "libraries__own__epilogue_ns": 9000}),
        ("epilogue", Gemm("g", 16, 16, 8), {"libraries__own__epilogue_ns": 9000}),
        ("barrier", Gemm("g", 16, 16, 8), {"core__barrier_cycles": 90000}),
        (None, Gemm("g", 64, 64, 256), {"core__scratchpad__bytes_per_cycle": 1}),
    ],
)
def test_reasons(kind, layer, machine):
    """Each from a machine that is short of that one thing."""
    assert _reason(layer, **machine) == kind


def test_what_dram_reads_is_told():
    flat = Workload("flat", [Gemm("g", 64, 2**18, 64)])
    (layer,) = advise("a100-sxm4-80gb", flat, ("2:4",), break_even=0).layers
    assert layer.reason.kind == "DRAM"
    assert layer.reason.text.endswith("100% of the bytes are no weights")


def test_padding_that_the_library_demands():
    own = tiny().libraries["own"].model_dump(mode="json", exclude_none=True)
    sparse = tiny(
        libraries={"own": own, "padding": own | {"multiples": {"k": 256}}},
        library__sparse="padding",
    )
    (layer,) = advise(sparse, Workload("g", [Gemm("g", 64, 64, 64)]), ("2:4",)).layers
    assert layer.reason.kind == "padding"
    assert "k from 64 to 256" in layer.reason.text
    assert layer.pattern == "1:1"


def test_sentences_of_networks_without_weights_and_machines_without_patterns():
    streams = Workload("s", [Stream("relu", 4096, 4096)])
    advice = advise("nm-flex", streams)
    assert tuple(advice.sentences()) == ("No layer of s has weights: there is nothing to prune.",)
    assert advice.to_frame().empty
    assert json.loads(advice.to_json())["layers"] == []
    assert "nothing to prune" in advice._repr_html_()
    dense_only = advise("v100-sxm2", "gemm:256x256x256", ("2:4",))
    assert (
        next(iter(dense_only.sentences())) == "2:4 gains nothing: v100-sxm2 runs every layer dense."
    )
    assert [*dense_only.sentences()][1] == "Advised: all layers dense; no layer gains by 2:4."
    one = advise("nm-flex", "gemm:2048x2048x2048", ("2:4",), break_even=0)
    assert "in all; its one layer gains" in next(iter(one.sentences()))


def test_forcing_is_told_where_it_is_another_gain():
    advice = advise("rtx3090", "bert-base", ("2:4",), break_even=0)
    assert "Run sparse everywhere, it would be 0." in next(iter(advice.sentences()))
    assert advice.gain_of("2:4") == 1 > advice.gain_of("2:4", forced=True)
    flex = advise("nm-flex", "bert-base", ("2:4",), break_even=0)
    assert "everywhere" not in next(iter(flex.sentences()))


def test_trust():
    assert any(
        "unvalidated" in line for line in advise("nm-flex", NETWORK, break_even=0).sentences()
    )
    known = advise("a100-sxm4-80gb", NETWORK, break_even=0)
    assert isinstance(known.band, Band)
    assert [*known.sentences()][-1].startswith("Validated: ")
    changed = load_hardware("a100-sxm4-80gb", {"core.count": 107})
    assert "unvalidated" in [*advise(changed, NETWORK, break_even=0).sentences()][-1]


def test_what_it_would_take():
    advice = advise("rtx3090", "bert-base", ("2:4",))
    assert advice.from_batch == {"2:4": 4}
    assert "from batch 4 on the network gains" in next(iter(advice.sentences()))
    frame = advice.to_frame()
    assert (frame["break_even_columns"] > frame["n"]).all()
    few = advise("rtx3090", "bert-base", ("2:4",), break_even=1)
    assert [layer.columns is not None for layer in few.layers].count(True) == 1
    none = advise("rtx3090", "bert-base", ("2:4",), break_even=0)
    assert not none.from_batch
    assert all(layer.width is None for layer in none.layers)


def test_a_workload_that_is_given_has_no_batch():
    advice = advise("nm-flex", NETWORK, ("2:4",))
    assert advice.notes[-1] == "its break-even batch is not known: net has no parameter 'batch'"
    assert not advice.from_batch
    gemm = advise("nm-flex", "gemm:512x512x512", ("2:4",))
    assert "has no parameter 'batch'" in gemm.notes[-1]


def test_several_batches():
    advice = advise("a100-sxm4-80gb", "bert-base", ("2:4",), batches=(1, 8, 32), break_even=0)
    assert [row.batch for row in advice.batches] == [1, 8, 32]
    alone = advise("a100-sxm4-80gb", "bert-base", ("2:4",), batches=(32,), break_even=0)
    assert advice.batches[-1].advised == alone.gain
    assert advice.gain == advice.batches[0].advised
    assert [row.sparse for row in advice.batches] == sorted(row.sparse for row in advice.batches)


def test_a_batch_that_memory_does_not_hold_is_left_out_and_named():
    small = load_hardware("nm-edge", {"memory.dram.bytes": 260_000_000})
    asked = {"batches": (1, 4096), "break_even": 0, "accuracy": "sampled"}
    advice = advise(small, "bert-base", ("2:4",), **asked)
    assert [row.batch for row in advice.batches] == [1]
    assert advice.notes[-1].startswith("batch 4,096 is left out: ")
    assert "too large for the memory" in advice.notes[-1]


def test_stays_dense_as_asked():
    advice = advise("nm-flex", "bert-base", ("2:4",), dense="^output$", break_even=0)
    (stays,) = [layer for layer in advice.layers if layer.name == "output"]
    assert (stays.pattern, stays.reason.kind) == ("1:1", "asked")


def test_patterns_of_the_trace_are_set_aside():
    own = under(NETWORK, {"wide": "1:8", "thin": "1:8"})
    plain, marked = (advise("h100-sxm", one, ("2:4",), break_even=0) for one in (NETWORK, own))
    assert plain.to_json() == marked.to_json()


def test_layers_of_one_name_have_one_pattern():
    twice = Workload("twice", [Gemm("a", 16, 16, 1), Gemm("a", 512, 512, 512), Gemm("b", 8, 8, 1)])
    advice = advise(tiny(), twice, ("2:4",), break_even=0)
    assert [layer.pattern for layer in advice.layers] == ["2:4", "2:4", "1:1"]


def test_it_is_shown():
    advice = advise("a100-sxm4-80gb", replace(NETWORK, name="<net>"), break_even=0)
    assert isinstance(advice, Advice)
    assert list(advice.to_frame()["name"]) == list(bearing(NETWORK))
    assert "&lt;net&gt;" in advice._repr_html_()
    axes = advice.plot().axes[0]
    assert [text.get_text().split(",")[0] for text in axes.get_yticklabels()] == list(
        bearing(NETWORK)
    )


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"patterns": ()}, ConfigError, "name at least one"),
        ({"patterns": ("2:4", "2:4")}, ConfigError, "the same pattern twice"),
        ({"patterns": ("1:1", "2:4")}, ConfigError, "dense is always among the choices"),
        ({"patterns": ("fastest",)}, ConfigError, "not a pattern"),
        ({"patterns": ("trace",)}, ConfigError, "not a pattern"),
        ({"batches": (1, 1)}, WorkloadError, "the same batch twice"),
        ({"batches": (0,)}, WorkloadError, "out of range"),
        ({"batches": (4,), "parameters": {"batch": 2}}, WorkloadError, "is a parameter, too"),
        ({"workload": NETWORK, "batches": (4,)}, WorkloadError, "has no parameters"),
        ({"quality": "q.sqlite", "dense": "fc"}, ConfigError, "without library, stack and dense"),
        ({"stack": "fussed"}, ConfigError, "unknown stack"),
    ],
)
def test_bad_input(change, error, text):
    asked = {"hardware": "nm-flex", "workload": "bert-base"} | change
    with pytest.raises(error, match=text):
        advise(**asked)
