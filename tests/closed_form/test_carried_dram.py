"""What passes DRAM where L2 is carried from layer to layer, by hand."""

from __future__ import annotations

import pytest
from machines import tiny

from simulator import Gemm, Matmul, Stream, Workload, load_hardware, simulate
from simulator.engine.result import EngineResult
from simulator.report.report import Report
from simulator.run.simulate import ENGINES
from simulator.schedule.program import Program
from simulator.workload.sequence import Part, order_of
from simulator.workload.stack import stacked

WIDTH, TOKENS, DEEP = 64, 32, 5
WEIGHTS = WIDTH * WIDTH * 2
TENSOR = WIDTH * TOKENS * 2


def _chain(**changes: object) -> Workload:
    """Layers that each read what the one before has written."""
    layers = [Gemm(f"l{n}", m=WIDTH, n=TOKENS, k=WIDTH, **changes) for n in range(DEEP)]
    return Workload("chain", layers)


def _dram(report: Report, way: str) -> int:
    return report.total.traffic_bytes.total("dram", way)


def test_a_chain_of_small_layers_reads_weights_alone_and_what_it_is_given() -> None:
    report = simulate(tiny(memory__l2__start="carried"), _chain())
    assert _dram(report, "read") == DEEP * WEIGHTS + TENSOR
    assert [layer.traffic_bytes["dram"]["activations"]["read"] for layer in report.layers] == [
        TENSOR, 0, 0, 0, 0,
    ]  # fmt: skip
    assert report.total.compulsory_dram_bytes == DEEP * WEIGHTS + 2 * TENSOR
    assert (
        sum(layer.compulsory_dram_bytes for layer in report.layers) == DEEP * WEIGHTS + 2 * TENSOR
    )


def test_what_is_written_reaches_dram_after_the_run() -> None:
    """Nothing is known to be dead: every output is written, though but one is a result."""
    report = simulate(tiny(memory__l2__start="carried"), _chain())
    assert report.total.left_dirty_bytes == DEEP * TENSOR == _dram(report, "written")
    assert all(layer.traffic_bytes.total("dram", "written") == 0 for layer in report.layers)


def test_a_repeated_inference_reads_nothing_that_fits() -> None:
    report = simulate(tiny(memory__l2__start="repeated"), _chain())
    assert _dram(report, "read") == TENSOR  # what it is given is new
    assert _dram(report, "written") == report.total.left_dirty_bytes == 0


def test_a_repeated_inference_writes_what_the_one_before_left() -> None:
    """L2 holds all weights but little else: the outputs of one inference evict those of another."""
    room = DEEP * WEIGHTS + 4 * TENSOR
    report = simulate(tiny(memory__l2__start="repeated", memory__l2__bytes=room), _chain())
    assert _dram(report, "written") >= (DEEP - 4) * TENSOR


def test_layers_that_repeat_pass_their_output_on() -> None:
    one = Workload("one", [Gemm("l", m=WIDTH, n=TOKENS, k=WIDTH, repeat=DEEP)])
    report = simulate(tiny(memory__l2__start="carried"), one)
    (layer,) = report.layers
    assert _dram(report, "read") == DEEP * (WEIGHTS + -(-TENSOR // 4 // DEEP) * 4)
    chain = simulate(tiny(memory__l2__start="carried"), _chain())
    assert chain.total.time_ps <= report.total.time_ps < chain.total.time_ps + DEEP
    assert layer.repeat == DEEP


def test_a_residual_is_read_where_it_lies_and_takes_no_other_room() -> None:
    """The last layer adds to what the first has written: that tensor is then of the last one."""
    layers = [
        Gemm("a", m=WIDTH, n=TOKENS, k=WIDTH, inputs=("input",)),
        Gemm("b", m=WIDTH, n=TOKENS, k=WIDTH, inputs=("a",)),
        Gemm("c", m=WIDTH, n=TOKENS, k=WIDTH, inputs=("b", "a"), accumulate=True),
    ]
    report = simulate(tiny(memory__l2__start="carried"), Workload("residual", layers))
    assert _dram(report, "read") == 3 * WEIGHTS + TENSOR
    assert report.total.left_dirty_bytes == 2 * TENSOR


def test_one_layer_alone_is_as_cold_but_for_what_is_written_after_it() -> None:
    one = Workload("one", [Gemm("l", m=WIDTH, n=TOKENS, k=WIDTH)])
    cold, carried = (simulate(tiny(memory__l2__start=x), one) for x in ("cold", "carried"))
    assert carried.layers == cold.layers
    assert carried.notes == cold.notes == ()
    assert _dram(carried, "written") == _dram(cold, "written") + TENSOR == TENSOR


def test_foreign_dirty_bytes_cost_their_write() -> None:
    """A stream fills L2 with what it writes; another one, of other data, waits for its eviction."""
    size = 2**16
    first = Stream("first", reads=size, writes=size, inputs=("input",))
    second = Stream("second", reads=2 * size, writes=16, inputs=("input",))
    hardware = tiny(
        memory__l2__start="carried", memory__l2__bytes=2**18, memory__dram__bytes_per_second=1e9
    )
    report = simulate(hardware, Workload("two", [first, second]))
    written = report.layers[1].traffic_bytes["dram"]["outputs"]["written"]
    assert written == 2 * size  # all that the first has left dirty
    alone = simulate(hardware, Workload("one", [second])).layers[0].time_ps
    assert report.layers[1].time_ps - alone == pytest.approx(2 * size * 1000, rel=0.05)


@pytest.mark.parametrize("start", ["carried", "repeated"])
def test_equal_layers_in_equal_states_are_simulated_once(
    start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cold, and where the layer finds its input; repeated, with weights, and with both."""
    calls: list[Program] = []
    engine = ENGINES["fast"]

    def counting(program: Program) -> EngineResult:
        calls.append(program)
        return engine(program)

    monkeypatch.setitem(ENGINES, "fast", counting)
    simulate(tiny(), _chain())
    cold = len(calls)
    simulate(tiny(memory__l2__start=start), _chain())
    assert len(calls) - cold == cold + (1 if start == "carried" else 3)


def test_sampled_layers_leave_what_they_have_touched() -> None:
    """A layer that is simulated in part is so from a cold L2; the next finds its output."""
    layers = [
        Gemm("large", m=8192, n=64, k=8192, inputs=("input",)),
        Gemm("small", m=64, n=64, k=8192, inputs=("large",)),
    ]
    workload = Workload("both", layers)
    exact, sampled = (
        simulate("nm-flex", workload, accuracy=accuracy) for accuracy in ("exact", "sampled")
    )
    assert sampled.layers[1].traffic_bytes["dram"] == exact.layers[1].traffic_bytes["dram"]


def test_resnet_at_batch_1_reads_its_weights_and_its_input_once() -> None:
    hardware = load_hardware("a100-sxm4-80gb", {"memory.l2.start": "carried"})
    report = simulate(hardware, "resnet50")
    results = report.layers[-1].n * 1000 * 2
    least = report.total.compulsory_dram_bytes - results
    assert least <= _dram(report, "read") <= 1.1 * least
    assert report.total.held.weight_bytes == pytest.approx(least, rel=0.01)
    assert any("carried from layer to layer" in note for note in report.notes)


def test_a_residual_of_what_the_network_is_given_is_no_larger_than_its_other_half() -> None:
    size = WIDTH * TOKENS
    layers = [
        Gemm("fc", m=WIDTH, n=TOKENS, k=WIDTH, inputs=("input",)),
        Stream("add", 2 * size, size, "add", inputs=("fc", "input")),
    ]
    report = simulate(tiny(memory__l2__start="carried"), Workload("residual", layers))
    assert _dram(report, "read") == WEIGHTS + TENSOR
    assert report.total.compulsory_dram_bytes == WEIGHTS + 2 * TENSOR


def _attend(context: int, seq: int) -> Workload:
    """Values and probabilities of a token, and a cache of values that is as long as the context."""
    width = 16
    return Workload("attend", [
        Gemm("value", m=width, n=seq, k=width, inputs=("input",)),
        Gemm("softmax", m=context, n=seq, k=width, inputs=("input",)),
        Matmul("c", m=width, n=seq, k=context, cached=True, inputs=("value", "softmax")),
    ])  # fmt: skip


def test_what_weighs_a_cache_is_read_whole_and_the_cache_from_memory() -> None:
    network = _attend(context=64, seq=1)
    assert order_of(network).steps[2].first == ((), (Part(1, 64, 64),))
    report = simulate(tiny(memory__l2__start="carried"), network)
    assert _dram(report, "read") == 2 * (16 * 16 + 64 * 16 + 16 + 16 * 64)


def test_a_cache_without_earlier_tokens_is_what_layers_above_have_written() -> None:
    network = _attend(context=16, seq=16)
    assert order_of(network).steps[2].first == ((Part(0, 256, 256),), (Part(1, 256, 256),))
    report = simulate(tiny(memory__l2__start="carried"), network)
    weights_and_input = 2 * (2 * 16 * 16 + 16 * 16)
    assert _dram(report, "read") == weights_and_input
    assert report.total.compulsory_dram_bytes == weights_and_input + 2 * 16 * 16


def test_a_loop_that_ends_in_a_normalization_passes_both_its_outputs_on() -> None:
    size, times = WIDTH * TOKENS, 3
    network = stacked(
        Workload("loop", [
            Stream("norm", size, size, "normalization", inputs=("input",), repeat=times),
            Gemm("fc", m=WIDTH, n=TOKENS, k=WIDTH, inputs=("norm",), repeat=times),
            Stream("add", 2 * size, size, "add", inputs=("fc", "input"), repeat=times),
        ]),
        "compiled",
    )  # fmt: skip
    fc, end = order_of(network).steps
    assert fc.later[1] == end.later[0][1:] == (Part(1, 2 * size, size),)
    assert (fc.given, end.given, fc.results, end.results) == (size, 0, 0, 1)


def test_bert_reads_its_weights_and_its_input_once() -> None:
    """The first block adds its input to what it made of it: the tensor that its products read.
    Later blocks add the output of the one before, which is as large."""
    report = simulate("a100-sxm4-80gb", "bert-base", "1:1")
    tensor = 2 * 128 * 768
    weights = 2 * 12 * (4 * 768 * 768 + 2 * 768 * 3072)
    assert _dram(report, "read") == weights + tensor
    assert report.total.compulsory_dram_bytes == weights + 2 * tensor
    added = next(layer for layer in report.layers if layer.name == "attention.add+norm")
    assert added.traffic_bytes.total("dram", "read") == added.compulsory_dram_bytes == 0
