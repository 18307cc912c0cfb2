"""Whole transformers: what stacks launch, and how runs add up to what was measured."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.validation import networks, tables, validate
from simulator.validation.decoders import DECODERS, GPT_6_7B
from simulator.validation.gemms import Row
from simulator.validation.networks import Request, Run
from simulator.workload import Attention, Gemm, Stream
from simulator.workload.stack import stacked

ROWS = tables.read(networks.TABLE)


def _row(**wanted: str) -> Row:
    return next(row for row in ROWS if wanted.items() <= row.items())


def test_a_loop_leaves_tensor_cores_only_so_busy() -> None:
    assert Run(alone_ms=2.0, busy_ms=1.0).within(0.6) == 2.0
    assert Run(alone_ms=2.0, busy_ms=1.8).within(0.6) == pytest.approx(3.0)


def test_a_request_is_its_prompt_and_a_run_a_token_more() -> None:
    first, second, last = Run(10.0, 0.0), Run(2.0, 0.0), Run(4.0, 0.0)
    assert Request(first, (), 0).time_ms(1.0, 9.0) == 10.0
    assert Request(first, (), 1).time_ms(1.0, 0.5) == 10.5
    assert Request(first, (second, last), 3).time_ms(1.0, 0.5) == 10 + 2 * 3 + 3 * 0.5


def test_runs_of_a_request_lie_on_a_line_over_the_context() -> None:
    """Of a decoder that reads its cache: the middle is the mean of the ends."""
    row = _row(network="gpt-6.7b", batch="8", seq="128")
    ends = networks.request_of({**row, "generated": "129"}).others
    middle = networks.request_of({**row, "generated": "65"}).others[-1]
    assert middle.alone_ms == pytest.approx(sum(run.alone_ms for run in ends) / 2, rel=0.01)


@pytest.mark.parametrize(
    ("software", "preset", "kernels"),
    [
        # Products of queries, keys and values; of the output; and two: four. Attention, and:
        ("TensorRT", "a100-sxm4-40gb", 7),  # two skip layer norms
        ("FasterTransformer", "a100-sxm4-80gb", 9),  # a bias, with a GELU, and two layer norms
        ("FasterTransformer", "v100-sxm2", 10),  # three products instead of one, and no bias
    ],
)
def test_a_block_of_bert_is_so_many_kernels(software: str, preset: str, kernels: int) -> None:
    row = _row(software=software, preset=preset, network="bert-base")
    stack = networks.stack_of(row, is_prompt=False)
    layers = stacked(networks.network(row, 128, 128), stack).layers
    assert len(layers) == kernels
    assert Counter(type(layer) for layer in layers)[Attention] == 1


def test_decoders_have_the_weights_that_their_names_say() -> None:
    for name, billions in (("gpt-6.7b", 6.65), ("gpt-j-6b", 5.85)):
        layers = DECODERS[name].workload(1, 1, 128).layers
        weights = sum(one.m * one.k * one.repeat for one in layers if isinstance(one, Gemm))
        assert weights / 1e9 == pytest.approx(billions, rel=0.01)


def test_prompts_of_faster_transformer_take_products_and_tokens_after_them_attention() -> None:
    row = _row(software="FasterTransformer", network="gpt-6.7b")
    for is_prompt, seq in ((True, 128), (False, 1)):
        stack = networks.stack_of(row, is_prompt)
        layers = stacked(GPT_6_7B.workload(1, seq, 128), stack).layers
        assert any(isinstance(layer, Attention) for layer in layers) is not is_prompt


def test_of_a_vocabulary_only_the_next_token_is_looked_up() -> None:
    head = GPT_6_7B.workload(4, 128, 128, "fp8").layers[-1]
    assert isinstance(head, Gemm)
    assert (head.m, head.n, head.dtype) == (50257, 4, "fp16")
    assert not isinstance(head, Stream)


def test_throughputs_are_times_of_all_tokens() -> None:
    row = _row(unit="out tok/s", batch="512")
    assert networks.measured_ms(row) == pytest.approx(1e3 * 512 * 128 / 6374)


def test_every_row_belongs_to_one_regime() -> None:
    regimes = Counter(networks.regime(row) for row in ROWS)
    names = {data_set.name for data_set in networks.DATA_SETS if data_set.table == networks.TABLE}
    assert set(regimes) == names
    assert regimes[networks.BERT_SMALL] == 14


def test_what_several_names_begin_with_stands_for_all_of_them() -> None:
    begin = {"networks-bert-small", "networks-bert-large"}
    assert {result.dataset.name for result in validate(["networks-bert"])} == begin
