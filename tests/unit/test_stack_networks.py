"""What stacks make of random networks: masks, shared products, loops, and whoever reads what."""

from __future__ import annotations

import random

import pytest

from simulator.workload import Gemm, Layer, Matmul, Stream, Workload
from simulator.workload.graph import outputs_of
from simulator.workload.stack import STACKS, stacked

WIDTH, TOKENS, HEADS = 16, 8, 2
SCORES = HEADS * TOKENS * TOKENS


def _attention(tag: str, source: str, mask: str, repeat: int) -> list[Layer]:
    """Self-attention; ``mask`` is added to the scores as a tensor: before them or behind."""
    names = {part: f"{part}{tag}" for part in ("q", "k", "v", "s", "mask", "masked", "p", "c", "o")}
    linear = [
        Gemm(names[part], WIDTH, TOKENS, WIDTH, inputs=(source,), repeat=repeat) for part in "qkv"
    ]
    head = WIDTH // HEADS
    scores: list[Layer] = [
        Matmul(names["s"], TOKENS, TOKENS, head, batch=HEADS, inputs=(names["k"], names["q"]),
               repeat=repeat)
    ]  # fmt: skip
    last = names["s"]
    if mask:
        order = (names["mask"], last) if mask == "before" else (last, names["mask"])
        scores += [
            Stream(names["mask"], TOKENS, SCORES, "mask", inputs=("input",), repeat=repeat),
            Stream(names["masked"], 2 * SCORES, SCORES, "add", inputs=order, repeat=repeat),
        ]
        last = names["masked"]
    return [
        *linear,
        *scores,
        Stream(names["p"], SCORES, SCORES, "softmax", inputs=(last,), repeat=repeat),
        Matmul(names["c"], head, TOKENS, TOKENS, batch=HEADS, inputs=(names["v"], names["p"]),
               repeat=repeat),
        Gemm(names["o"], WIDTH, TOKENS, WIDTH, inputs=(names["c"],), repeat=repeat),
    ]  # fmt: skip


def _network(seed: int) -> Workload:
    """Attention, products with epilogues, and streams that read whatever is of their size."""
    rng = random.Random(seed)
    size, repeat, layers = WIDTH * TOKENS, rng.choice([1, 1, 3]), list[Layer]()
    for number in range(rng.randint(2, 6)):
        same = ["input", *(layer.name for layer in layers if outputs_of(layer) == size)]
        source, other = rng.choice(same[-3:]), rng.choice(same)
        kind = rng.choice(["attention", "linear", "normalization", "add", "gelu"])
        if kind == "attention":
            mask = rng.choice(["", "before", "behind"])
            layers += _attention(str(number), source, mask, repeat)
        elif kind == "linear":
            epilogue = rng.choice([(), ("bias",), ("bias", "gelu"), ("scale", "tanh")])
            layers.append(
                Gemm(f"l{number}", WIDTH, TOKENS, WIDTH, epilogue=epilogue, inputs=(source,),
                     repeat=repeat)
            )  # fmt: skip
        elif kind == "add":
            layers.append(
                Stream(f"l{number}", 2 * size, size, "add", inputs=(source, other), repeat=repeat)
            )
        else:
            layers.append(Stream(f"l{number}", size, size, kind, inputs=(source,), repeat=repeat))
        repeat = repeat if rng.random() < 0.7 else rng.choice([1, 2, 3])
    return Workload("random", layers, blocks=rng.choice([1, 4]))


@pytest.mark.parametrize("stack", STACKS)
def test_random_networks_keep_their_products_and_name_what_is_there(stack: str) -> None:
    for seed in range(200):
        network = _network(seed)
        made = stacked(network, stack)
        assert made.macs == network.macs, seed
        names = {"input"}
        for layer in made.layers:
            assert names.issuperset(layer.inputs), (seed, layer)
            names.add(layer.name)
        held = [name for names in made.holds for name in names]
        assert len(set(held)) == len(held), seed
        assert set(held).issuperset(layer.name for layer in network.layers), seed


@pytest.mark.parametrize("mask", ["before", "behind"])
def test_attention_is_found_whichever_operand_its_mask_is(mask: str) -> None:
    made = stacked(Workload("masked", _attention("", "input", mask, 1)), "compiled")
    assert [layer.name for layer in made.layers] == ["q", "k", "v", "mask", "s+p+c", "o"]


def test_a_product_is_part_of_one_attention_alone() -> None:
    side = WIDTH * WIDTH
    products = [Matmul(name, WIDTH, WIDTH, WIDTH, inputs=("input", read))
                for name, read in (("a", "input"), ("b", "p"), ("c", "r"))]  # fmt: skip
    softmaxes = [Stream(name, side, side, "softmax", inputs=(read,))
                 for name, read in (("p", "a"), ("r", "b"))]  # fmt: skip
    a, b, c = products
    network = Workload("chained", [a, softmaxes[0], b, softmaxes[1], c])
    made = stacked(network, "fused")
    assert [layer.name for layer in made.layers] == ["a+p+b", "r", "c"]
    assert made.macs == network.macs


def test_what_reads_a_loops_first_normalization_reads_the_kernel_that_ends_it() -> None:
    size = WIDTH * TOKENS
    made = stacked(
        Workload("loop", [
            Stream("norm", size, size, "normalization", inputs=("input",), repeat=3),
            Gemm("fc", WIDTH, TOKENS, WIDTH, inputs=("norm",), repeat=3),
            Stream("add", 2 * size, size, "add", inputs=("fc", "input"), repeat=3),
            Gemm("head", WIDTH, TOKENS, WIDTH, inputs=("norm",)),
        ]),
        "fused",
    )  # fmt: skip
    assert [(layer.name, layer.inputs) for layer in made.layers] == [
        ("fc", ("input",)), ("add+norm", ("fc", "input")), ("head", ("add+norm",)),
    ]  # fmt: skip
