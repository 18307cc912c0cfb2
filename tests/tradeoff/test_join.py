"""Does the network that was measured get the time, layer by layer?"""

from __future__ import annotations

import pytest
from measured_rows import LAYERS, MODEL, row, trained_rows

from simulator import Conv, Gemm, Matmul, Stream, Workload, simulate
from simulator.errors import WorkloadError
from simulator.hardware import load_hardware
from simulator.quality.measured import Measured
from simulator.quality.traced import own_network
from simulator.tradeoff.groups import Group, grouped
from simulator.tradeoff.join import Clock, Networks, join_note, weights_of
from simulator.workload.patterned import under
from simulator.workload.trace_writer import write_trace


def group(rows: Measured) -> Group:
    (found,) = grouped([rows])
    return found


def patterns(workload: Workload) -> dict[str, str]:
    return {layer.name: str(getattr(layer, "pattern", None)) for layer in workload.layers}


def test_layers_run_as_their_rows_say_and_others_dense() -> None:
    model = Workload("net", [*MODEL.layers, Gemm("extra", 8, 8, 8, pattern="2:4")])
    found = Networks(model).of(group(row("sparsegpt", {"second": "1:4"}, 0.9)))
    none = "None"
    assert patterns(found) == {"first": none, "second": "1:4", "third": none, "extra": none}


def test_time_is_that_of_simulating_the_mix() -> None:
    layers = [
        Gemm(name, 256, 512, 512, pattern="2:4" if name == "first" else None) for name in LAYERS
    ]
    clock = Clock(load_hardware("nm-edge"))
    found = clock.time_ns(Networks(MODEL).of(group(row("wanda", {"first": "2:4"}, 0.9))))
    assert found == simulate("nm-edge", Workload("net", layers)).total.time_ns


def test_equal_workloads_are_simulated_once() -> None:
    clock = Clock(load_hardware("nm-edge"))
    assert clock.report(under(MODEL, {})) is clock.report(
        under(MODEL, dict.fromkeys(LAYERS, "1:1"))
    )


def test_a_row_with_a_trace_is_timed_by_it() -> None:
    smaller = next(one for one in trained_rows() if one.method.startswith("channels"))
    found = Networks(None).of(group(smaller))
    assert found.layers[0] == Gemm("fc", m=128, n=512, k=256, pattern="2:4")


def test_traces_of_rows_are_of_one_sample() -> None:
    network = Workload(
        "all",
        [
            Gemm("fc", 8, 3, 16),
            Conv("conv", 16, 16, 8, 8, kernel=3),
            Matmul("scores", 4, 4, 4),
            Stream("add", reads=10, writes=5),
        ],
        ["for one sample", "something else"],
    )
    text = write_trace(network)
    measured = row("rewind", "2:4", 0.9, network=Workload("all", [network.layers[0]]), trace=text)
    found = own_network(measured, 256)
    assert found is not None
    fc, conv, scores, add = found.layers
    assert (fc.n, conv.batch, scores.batch) == (768, 256, 256)  # type: ignore[union-attr]  # kinds are known here
    assert (add.reads, add.writes) == (2560, 1280)  # type: ignore[union-attr]  # kinds are known here
    assert found.notes == ("for 256 samples", "something else")


def test_models_must_be_named_for_rows_without_a_trace() -> None:
    with pytest.raises(WorkloadError, match="MODEL: must be named: rows of net bring no trace"):
        Networks(None).of(group(row("wanda", "2:4", 0.9)))


def test_another_network_is_refused() -> None:
    other = Workload("other", [Gemm("fc", 8, 8, 8)])
    with pytest.raises(WorkloadError, match=r"no layer is named as in the rows.*'fc'"):
        Networks(other).of(group(row("wanda", "2:4", 0.9)))
    wider = Workload("wide", [Gemm(name, 512, 512, 512) for name in LAYERS])
    with pytest.raises(WorkloadError, match=r"wide first: is not the layer.*262,144 weights"):
        Networks(wider).of(group(row("wanda", "2:4", 0.9)))


def test_layers_that_do_not_join_are_told() -> None:
    part = Workload("part", MODEL.layers[:2])
    both = [(part, group(row("wanda", name, 0.9))) for name in ("2:4", "1:4")]
    assert join_note(both) == "WARNING: 2 of 3 pruned layers are layers of part; not third"
    assert join_note([(MODEL, one) for _, one in both]) is None


def test_weights_of_layers() -> None:
    assert weights_of(Gemm("fc", m=3, n=100, k=5, batch=2)) == 30
    assert weights_of(Conv("conv", 16, 32, 8, 8, kernel=3, groups=4)) == 32 * 4 * 9
