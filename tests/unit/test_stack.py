"""What does each stack make a kernel of, and what do its kernels read, write and compute?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import load_workload
from simulator.errors import ConfigError
from simulator.workload import Attention, Conv, Gemm, Layer, Matmul, Stream, Workload
from simulator.workload.eager import COMPOSED
from simulator.workload.graph import operands_of, outputs_of
from simulator.workload.stack import NAMES, STACKS, Stack, stacked

FUSED = STACKS["fused"]


def kernels(workload: Workload) -> int:
    return sum(layer.repeat for layer in workload.layers)


def names(workload: Workload) -> list[str]:
    return [layer.name for layer in workload.layers]


def elements(workload: Workload) -> int:
    """What all kernels read and write at least, weights apart."""
    moved = 0
    for layer in workload.layers:
        extra = outputs_of(layer) if getattr(layer, "accumulate", False) else 0
        moved += layer.repeat * (sum(operands_of(layer)) + outputs_of(layer) + extra)
    return moved


def named(workload: Workload, name: str) -> Layer:
    return next(layer for layer in workload.layers if layer.name == name)


# Kernels of a network: eager, compiled, fused, listed.
COUNTS = {
    # 17 a layer: 3 + scores, scale, mask, softmax, context, copy + 3 + 5; no copies of one sequence
    "bert-base": (12 * 17, 12 * 10, 12 * 7, 12 * 14),
    "gpt2-xl": (48 * 15 + 2, 48 * 8 + 2, 48 * 7 + 2, 48 * 12 + 2),
    # ten kernels are a rotation of queries and keys, two are a gated SiLU
    "llama-7b": (19 + 9 + 1, 12, 9, 16),
    "vit-b16": (12 * 14 + 3, 12 * 8 + 3, 12 * 7 + 3, 12 * 12 + 3),
    # 53 convolutions; 53 batch norms, 33 + 16 activations, 16 adds, 2 pools and a linear layer
    "resnet50": (53 + 53 + 49 + 16 + 3, 53 + 49 + 3, 53 + 3, 53 + 32 + 3),
    "mobilenetv2": (52 + 52 + 35 + 10 + 2, 52 + 52 + 2, 52 + 2, 52 + 10 + 2),
}


@pytest.mark.parametrize("name", COUNTS)
def test_kernels_of_a_preset(name: str) -> None:
    network = load_workload(name)
    assert tuple(kernels(stacked(network, stack)) for stack in NAMES) == COUNTS[name]


@pytest.mark.parametrize("name", ["bert-base", "vit-b16", "resnet50", "mobilenetv2"])
def test_no_stack_changes_what_is_multiplied(name: str) -> None:
    network = load_workload(name, batch=2)
    assert {stacked(network, stack).macs for stack in NAMES} == {network.macs}


def test_causal_attention_skips_what_no_query_sees() -> None:
    network = load_workload("llama-7b", seq=128)
    unseen = 2 * 32 * 128 * (128 * 127 // 2)
    assert stacked(network, "fused").macs == network.macs - unseen
    assert stacked(network, "eager").macs == network.macs


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", COUNTS)
def test_what_is_folded_moves_no_more(name: str, batch: int) -> None:
    network = load_workload(name, batch=batch)
    folded = [stacked(network, stack) for stack in ("fused", "compiled", "eager")]
    assert [*map(elements, folded)] == sorted(map(elements, folded))
    assert [*map(kernels, folded)] == sorted(map(kernels, folded))


@pytest.mark.parametrize("stack", NAMES)
@pytest.mark.parametrize("name", COUNTS)
def test_what_is_folded_stays_so(name: str, stack: str) -> None:
    once = stacked(load_workload(name, batch=3), stack)
    assert stacked(once, stack).layers == once.layers
    assert stacked(once) is once


@pytest.mark.parametrize("stack", NAMES)
@pytest.mark.parametrize("name", COUNTS)
def test_every_layer_is_in_one_kernel(name: str, stack: str) -> None:
    network = load_workload(name)
    held = [name for names in stacked(network, stack).holds for name in names]
    assert len(set(held)) == len(held)
    several = {layer.name for layer in network.layers if getattr(layer, "op", "") in COMPOSED}
    assert set(names(network)) - set(held) == (several if stack == "eager" else set())


def test_a_layer_of_bert_as_tensorrt_runs_it() -> None:
    folded = stacked(load_workload("bert-base"))
    assert [(layer.name, layer.inputs) for layer in folded.layers] == [
        ("query+key+value", ("input",)),
        ("scores+softmax+context", ("query+key+value",)),
        ("attention.output", ("scores+softmax+context",)),
        ("attention.add+norm", ("attention.output", "input")),
        ("intermediate", ("attention.add+norm",)),
        ("output", ("intermediate",)),
        ("output.add+norm", ("output", "attention.add+norm")),
    ]
    assert folded.holds[4] == ("intermediate", "gelu")
    attention = named(folded, "scores+softmax+context")
    assert attention == Attention(
        "scores+softmax+context", 12, 12, 128, 128, 64, repeat=12, inputs=("query+key+value",)
    )
    assert named(folded, "intermediate").epilogue == ("bias", "gelu")  # type: ignore[union-attr]


def test_a_skip_layer_norm_writes_what_others_read() -> None:
    """After the norm alone, the sum is not needed; before it, the next residual reads it."""
    size = 128 * 768
    post = named(stacked(load_workload("bert-base")), "output.add+norm")
    assert post == Stream(
        "output.add+norm", 2 * size, size, op="add+normalization", repeat=12,
        inputs=("output", "attention.add+norm"),
    )  # fmt: skip
    size = 1024 * 1600
    pre = named(stacked(load_workload("gpt2-xl")), "attention.add+norm2")
    assert (pre.reads, pre.writes) == (2 * size, 2 * size)  # type: ignore[union-attr]


def test_the_end_of_a_block_normalizes_for_the_next() -> None:
    folded = stacked(load_workload("gpt2-xl"))
    assert names(folded)[0] == "qkv"
    assert folded.layers[0].inputs == ("input",)
    assert named(folded, "mlp.add+norm1").repeat == 48
    alone = stacked(Workload("one", load_workload("llama-7b").layers), "fused")
    assert names(alone)[0] == "attention.norm"  # of a block that is not said to be one of many


def residual(**changes: object) -> list[Layer]:
    """A convolution whose input is added to what it computes."""
    size = 8 * 6 * 6
    add = Stream("add", 2 * size, size, op="add", inputs=("conv", "first"))
    return [
        Conv("first", 8, 8, 6, 6, 3, padding=1, epilogue=("batchnorm",), inputs=("input",)),
        Conv("conv", 8, 8, 6, 6, 3, padding=1, epilogue=("batchnorm",), inputs=("first",)),
        replace(add, **changes),  # type: ignore[arg-type]
        Stream("relu", size, size, op="relu", inputs=("add",)),
    ]


def test_a_residual_is_added_in_a_convolution() -> None:
    folded = stacked(Workload("net", residual()), "fused")
    assert folded.holds == (("first",), ("conv", "add", "relu"))
    assert folded.layers[1] == Conv(
        "conv", 8, 8, 6, 6, 3, padding=1, accumulate=True, inputs=("first",),
        epilogue=("batchnorm", "add", "relu"),
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes", [{"dtype": "fp32"}, {"repeat": 2}, {"reads": 300}, {"writes": 8}, {"op": "scale"}]
)
def test_what_does_not_match_stays(changes: dict[str, object]) -> None:
    folded = stacked(Workload("net", residual(**changes)), "fused")
    assert ("conv",) in folded.holds


def test_what_others_read_is_written() -> None:
    last = Stream("pool", 8 * 36, 8, op="pool", inputs=("conv",))
    folded = stacked(Workload("net", [*residual(), last]), "fused")
    assert folded.holds == (("first",), ("conv",), ("add", "relu"), ("pool",))


def attention(**changes: object) -> list[Layer]:
    """Four sequences of 16 tokens, 8 heads of 32 that share 2 of keys and values."""
    size = 4 * 8 * 16 * 16
    softmax = Stream("softmax", size, size, op="softmax", row=16, inputs=("scores",))
    return [
        Gemm("query", m=256, n=64, k=256, inputs=("input",)),
        Gemm("key", m=64, n=64, k=256, inputs=("input",)),
        Gemm("value", m=64, n=64, k=256, inputs=("input",)),
        Matmul("scores", 16, 64, 32, 8, epilogue=("scale", "causal"), inputs=("key", "query")),
        replace(softmax, **changes),  # type: ignore[arg-type]
        Matmul("context", 32, 64, 16, 8, inputs=("value", "softmax")),
        Gemm("out", m=256, n=64, k=256, inputs=("context",)),
    ]


@pytest.mark.parametrize("stack", ["compiled", "fused"])
def test_grouped_heads_are_found(stack: str) -> None:
    folded = stacked(Workload("net", attention()), stack)
    found = next(layer for layer in folded.layers if isinstance(layer, Attention))
    inputs = ("query", "key", "value") if stack == "compiled" else ("query+key+value",)
    assert found == Attention(
        "scores+softmax+context", 8, 2, 16, 16, 32, batch=4, causal=True, inputs=inputs
    )


@pytest.mark.parametrize("changes", [{"dtype": "fp32"}, {"row": 8}, {"writes": 9}, {"repeat": 2}])
def test_other_attention_stays_as_it_is(changes: dict[str, object]) -> None:
    folded = stacked(Workload("net", attention(**changes)), "fused")
    assert not any(isinstance(layer, Attention) for layer in folded.layers)
    assert {"scores", "context"} <= set(names(folded))


def test_heads_are_copied_where_pytorch_copies_them() -> None:
    folded = stacked(load_workload("bert-base", batch=4), "eager")
    copies = [layer for layer in folded.layers if isinstance(layer, Stream) and layer.op == "copy"]
    size = 4 * 128 * 768
    assert [(copy.name, copy.reads, copy.writes) for copy in copies] == [
        (name, size, size)
        for name in ("scores.keys", "scores.queries", "context.values", "context.heads")
    ]
    assert named(folded, "scores").inputs == ("scores.keys", "scores.queries")
    assert named(folded, "attention.output").inputs == ("context.heads",)
    decode = stacked(load_workload("llama-7b", seq=1, context=64), "eager")
    copied = [name for name in names(decode) if name.endswith((".keys", ".values", ".heads"))]
    assert copied == ["scores.keys", "attend.values"]  # what a cache of keys is concatenated to


def test_eager_heads_share_nothing() -> None:
    folded = stacked(Workload("net", attention()), "eager")
    copies = {layer.name: (layer.reads, layer.writes) for layer in folded.layers
              if isinstance(layer, Stream) and layer.op == "copy"}  # fmt: skip
    assert copies == {
        "scores.repeated.keys": (4096, 16384), "scores.queries": (16384, 16384),
        "context.repeated.values": (4096, 16384), "context.heads": (16384, 16384),
    }  # fmt: skip
    scores = named(folded, "scores")
    assert (scores.n, scores.batch) == (16, 4 * 8)  # type: ignore[union-attr]
    assert folded.macs == Workload("net", attention()).macs
    assert stacked(folded, "eager").layers == folded.layers


def test_a_cache_of_shared_heads_grows_and_is_repeated() -> None:
    """One new token of each of four sequences against 16; 8 heads share 2 of keys and values."""
    query, key, value, scores, softmax, context, out = attention()
    decode: list[Layer] = [
        *(replace(layer, n=4) for layer in (query, key, value)),  # type: ignore[call-arg]
        replace(scores, n=4, cached=True),  # type: ignore[call-arg]
        replace(softmax, reads=512, writes=512),  # type: ignore[call-arg]
        replace(context, n=4, cached=True),  # type: ignore[call-arg]
        replace(out, n=4),  # type: ignore[call-arg]
    ]
    folded = stacked(Workload("net", decode), "eager")
    assert [name for name in names(folded) if name.endswith(("keys", "values", "queries"))] == [
        "scores.keys", "scores.repeated.keys", "context.values", "context.repeated.values"
    ]  # fmt: skip
    assert stacked(folded, "eager").layers == folded.layers
    fused = stacked(Workload("net", decode), "fused").layers[1]
    assert fused == Attention(
        "scores+softmax+context", 8, 2, 1, 16, 32, batch=4, causal=True, cached=True,
        inputs=("query+key+value",),
    )  # fmt: skip


def test_operators_that_pytorch_has_no_kernel_for_are_several() -> None:
    folded = stacked(load_workload("llama-7b", seq=16), "eager")
    size = 2 * 16 * 4096
    turned = [layer for layer in folded.layers if layer.name.startswith("rotary.")]
    assert [layer.op for layer in turned] == ["scale", "scale", "copy", "scale", "add"] * 2  # type: ignore[union-attr]
    assert sum(layer.reads for layer in turned) == 11 * size // 2  # type: ignore[union-attr]
    assert turned[0].inputs == ("key", "query")
    assert named(folded, "scores").inputs == ("rotary.add10",)
    gated = [layer.name for layer in folded.layers if layer.name.startswith("silu.mul")]
    assert gated == ["silu.mul.silu1", "silu.mul.scale2"]
    plain = [Stream("act", 64, 64, op="silu", inputs=("input",))]
    assert names(stacked(Workload("net", plain), "eager")) == ["act"]


def test_a_trace_without_inputs_is_folded_by_its_order() -> None:
    bare = [replace(layer, inputs=()) for layer in load_workload("bert-base").layers]
    folded = stacked(Workload("net", bare), "fused")
    assert names(folded) == [
        "query", "key", "value", "scores+softmax+context", "attention.output", "attention.add+norm",
        "intermediate", "output", "output.add+norm",
    ]  # fmt: skip
    assert not any(layer.inputs for layer in folded.layers)


def test_listed_layers_are_kernels() -> None:
    network = Workload("net", residual())
    assert stacked(network) is network
    assert stacked(network, "listed") is network


def test_linear_layers_of_other_patterns_are_not_merged() -> None:
    network = load_workload("bert-base")
    layers = [replace(x, pattern="2:4") if x.name == "key" else x for x in network.layers]  # type: ignore[call-arg]
    assert names(stacked(Workload("net", layers), "fused"))[:3] == ["query", "key", "value"]
    layers = [replace(x, pattern="2:4") if x.name == "value" else x for x in network.layers]  # type: ignore[call-arg]
    assert names(stacked(Workload("net", layers), "fused"))[:2] == ["query+key", "value"]


def test_a_stack_of_ones_own() -> None:
    """FasterTransformer adds bias and GELU in a kernel of its own."""
    own = replace(FUSED, name="faster", epilogues=frozenset({"bias"}))
    folded = stacked(load_workload("bert-base"), own)
    assert kernels(folded) == 12 * 8
    assert stacked(folded, Stack("nothing")).layers == folded.layers


def test_an_unknown_stack_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        stacked(load_workload("bert-base"), "fussed")
    assert str(error.value) == (
        "stack: unknown stack, want eager, compiled, fused, listed, got 'fussed' "
        "(did you mean 'fused'?)"
    )


def test_a_kernel_reads_no_less_than_its_first_part() -> None:
    """A stream may say that it reads less than what its inputs hold."""
    layers = [
        Stream("a", 64, 64, op="scale", inputs=("input",)),
        Stream("b", 64, 64, op="gelu", inputs=("a",)),
        Stream("c", 64, 64, op="gelu", inputs=("a", "b")),
    ]
    (one,) = stacked(Workload("net", layers), "compiled").layers
    assert one == Stream("a+b+c", 64, 64, op="scale+gelu+gelu", inputs=("input",))


def test_a_kernel_reads_what_its_parts_do_not_read_of_each_other() -> None:
    layers = [
        Stream("a", 64, 64, op="scale", inputs=("input",)),
        Stream("b", 128, 64, op="add", inputs=("a", "other")),
    ]
    (one,) = stacked(Workload("net", layers), "compiled").layers
    assert one == Stream("a+b", 128, 64, op="scale+add", inputs=("input", "other"))


def test_an_error_that_names_all_stacks_names_them_once() -> None:
    with pytest.raises(ConfigError) as error:
        stacked(load_workload("bert-base"), "lazy")
    assert str(error.value) == (
        "stack: unknown stack, want eager, compiled, fused, listed, got 'lazy'"
    )


OPS = ["add", "gelu", "scale", "softmax", "normalization", "pool", "copy", "mask"]


@st.composite
def networks(draw: st.DrawFn) -> Workload:
    """Layers of few sizes, so that many fit each other; all, some or none say what they read."""
    layers: list[Layer] = []
    size, (least, most) = 64, draw(st.sampled_from([(0, 0), (0, 2), (1, 2)]))
    for number in range(draw(st.integers(1, 12))):
        above = ["input", *(layer.name for layer in layers)]
        some = st.lists(st.sampled_from(above), min_size=least, max_size=most, unique=True)
        inputs = tuple(draw(some))
        repeat, name = draw(st.sampled_from([1, 1, 3])), f"l{number}"
        match draw(st.sampled_from(["gemm", "matmul", "conv", "stream", "stream"])):
            case "gemm":
                layer: Layer = Gemm(name, 8, 8, 8, repeat=repeat, inputs=inputs)
            case "matmul":
                ops = tuple(draw(st.lists(st.sampled_from(["scale", "causal"]), max_size=2)))
                layer = Matmul(name, 8, 8, 8, repeat=repeat, inputs=inputs, epilogue=ops)
            case "conv":
                ops = tuple(draw(st.lists(st.sampled_from(["batchnorm", "relu"]), max_size=2)))
                layer = Conv(name, 4, 4, 4, 4, repeat=repeat, inputs=inputs, epilogue=ops)
            case _:
                op = draw(st.sampled_from(OPS))
                reads = size * (2 if op == "add" else 1)
                layer = Stream(name, reads, size, op=op, repeat=repeat, inputs=inputs)
        layers.append(layer)
    return Workload("net", layers, blocks=draw(st.sampled_from([1, 4])))


def _unseen(network: Workload) -> int:
    """MACs of attention that causal masks spare."""
    return sum(
        layer.repeat * (2 * layer.heads * layer.seq * layer.context * layer.head_dim - layer.macs)
        for layer in network.layers
        if isinstance(layer, Attention)
    )


@given(networks(), st.sampled_from(sorted(STACKS)))
def test_any_network_keeps_its_work(network: Workload, stack: str) -> None:
    folded = stacked(network, stack)
    assert folded.macs + _unseen(folded) == network.macs
    again = stacked(folded, stack)  # may fold more: whole kernels hide who reads which part
    assert again.macs + _unseen(again) == network.macs
    held = [name for names in folded.holds for name in names]
    assert len(set(held)) == len(held)
    assert set(names(network)) <= set(held)
    assert stacked(folded, folded.stack).layers == folded.layers
    known = {"input"}
    for layer in folded.layers:  # in an order in which they can be run
        assert known.issuperset(layer.inputs)
        known.add(layer.name)
