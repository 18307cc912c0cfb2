"""Is each operator of a trace read as the product that it is?"""

from __future__ import annotations

from pathlib import Path

import pytest
from traces import CONVOLUTION, Read, event, reader

from simulator.workload import Attention, Conv, Gemm, Matmul, Stream
from tests.bare import bare


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return reader(tmp_path)


def test_each_operator_becomes_its_layer(read: Read) -> None:
    imported = read(
        event("linear", 0, 5, [2, 16, 64], [128, 64], [128]),
        event("addmm", 10, 5, [32], [8, 16], [16, 32]),
        event("mm", 20, 5, [8, 16], [16, 32]),
        event("bmm", 30, 5, [12, 8, 64], [12, 64, 10]),
        event("conv2d", 40, 5, [4, 3, 224, 224], [64, 3, 7, 7], [64], values=CONVOLUTION),
        event("conv1d", 50, 5, [4, 8, 30], [16, 4, 3], [16],
              values=["", "", "", "[1]", "[1]", "[1]", "2"]),
        event("gelu", 60, 5, [2, 16, 128]),
    )  # fmt: skip
    assert imported.workload.name == "step"
    assert bare(imported.workload.layers) == (
        Gemm("linear", m=128, n=32, k=64),
        Gemm("addmm", m=32, n=8, k=16),
        Gemm("mm", m=32, n=8, k=16),
        Matmul("bmm", m=10, n=8, k=64, batch=12),
        Conv("conv2d", 3, 64, 224, 224, kernel=7, stride=2, padding=3, batch=4),
        Conv("conv1d", 8, 16, 1, 30, kernel=(1, 3), padding=(0, 1), groups=2, batch=4),
        Stream("gelu", 4096, 4096, op="gelu"),
    )
    assert imported.summary == "6 of 6 MAC-bearing operators imported"


def test_attention_is_one_kernel_of_two_products(read: Read) -> None:
    query, key = [2, 12, 10, 64], [2, 12, 20, 64]
    imported = read(
        event("scaled_dot_product_attention", 0, 10, query, key, key),
        event("_scaled_dot_product_flash_attention", 1, 8, query, key, key),
    )
    assert imported.workload.layers == (
        Attention("_scaled_dot_product_flash_attention", 12, 12, 10, 20, 64, batch=2),
    )
    assert (imported.imported, imported.macs_bearing) == (1, 1)


def test_operands_without_elements_are_no_macs(read: Read) -> None:
    imported = read(
        event("mm", 0, 1, [16, 64], [64, 8]),
        event("linear", 2, 5, [0, 64], [128, 64], [128]),
        event("mm", 3, 1, [0, 64], [64, 128]),
        event("bmm", 10, 1, [0, 4, 8], [0, 8, 4]),
        event("scaled_dot_product_attention", 12, 1, *[[2, 4, 0, 16]] * 3),
        event("conv2d", 14, 1, [0, 3, 8, 8], [4, 3, 3, 3], [4], values=CONVOLUTION),
        event("gelu", 16, 1, [0, 64]),
        event("add", 18, 1, [], []),
    )
    assert [layer.name for layer in imported.workload.layers] == ["mm"]
    assert imported.summary == "1 of 1 MAC-bearing operators imported"
    assert len(imported.workload.notes) == 1


def test_sparse_linears_are_two_to_four(read: Read) -> None:
    eight = ["signed char"] * 2
    imported = read(
        event("_cslt_sparse_mm", 0, 1, [256 * 64 * 9 // 16], [64, 16]),
        event("_cslt_sparse_mm", 2, 1, [256 * 64 * 10 // 16], [64, 16], types=eight),
        event("_sparse_semi_structured_linear", 4, 1, [2, 8, 64], [256, 32], [256, 4], []),
        event("_sparse_semi_structured_mm", 6, 1, [256, 32], [256, 4], [64, 16]),
        event("_sparse_semi_structured_addmm", 8, 1, [256], [256, 32], [256, 4], [64, 16]),
    )
    assert all(str(layer.pattern) == "2:4" for layer in imported.workload.layers)
    sizes = {(layer.m, layer.n, layer.k) for layer in imported.workload.layers}
    assert sizes == {(256, 16, 64)}
    assert [layer.dtype for layer in imported.workload.layers][:2] == ["fp16", "int8"]


def test_query_heads_of_a_group_share_keys_and_values(read: Read) -> None:
    imported = read(
        event("scaled_dot_product_attention", 0, 9, [2, 32, 5, 64], [2, 8, 20, 64], [2, 8, 20, 48]),
        event("_flash_attention_forward", 10, 9, [2, 5, 32, 64], [2, 20, 8, 64], [2, 20, 8, 48]),
        event("scaled_dot_product_attention", 20, 9, [2, 32, 5, 64], *[[2, 1, 20, 64]] * 2),
    )
    grouped = [(20, 20, 64, 16), (48, 20, 20, 16)]
    *products, shared = imported.workload.layers
    assert [(x.m, x.n, x.k, x.batch) for x in products if isinstance(x, Matmul)] == [
        *grouped, *grouped
    ]  # fmt: skip
    assert shared == Attention("scaled_dot_product_attention.3", 32, 1, 5, 20, 64, batch=2)


def test_an_attention_runs_as_what_it_calls(read: Read) -> None:
    heads = [1, 2, 8, 16]
    causal = ["", "", "", "", "0.", "True"]
    wrapper = event("scaled_dot_product_attention", 0, 9, *[heads] * 3, values=causal)
    one = Attention("scaled_dot_product_attention", 2, 2, 8, 8, 16, causal=True)
    assert read(wrapper).workload.layers == (one,)
    math = event("_scaled_dot_product_attention_math", 1, 7, *[heads] * 3)
    assert [type(x) for x in read(wrapper, math).workload.layers] == [Matmul, Matmul]
    long = event("scaled_dot_product_attention", 0, 9, heads, *[[1, 2, 9, 16]] * 2, values=causal)
    (layer,) = read(long).workload.layers
    assert isinstance(layer, Attention)
    assert not layer.causal


@pytest.mark.parametrize(
    ("name", "keys", "more", "what"),
    [
        ("scaled_dot_product_attention", [2, 3, 20, 64], [], "heads that do not divide"),
        ("scaled_dot_product_attention", [2, 4, 20, 32], [], "shapes do not meet"),
        ("scaled_dot_product_attention", [2, 4, 20, 64], [[7, 7]], "arguments of another call"),
        ("_efficient_attention_forward", [2, 5, 4, 64], [[], [3], [3]], "lengths of packed"),
        ("_flash_attention_forward", [2, 5, 4, 64], [[3], [3]], "lengths of packed"),
        ("_flash_attention_forward", [5, 4, 64], [], "3 dimensions"),
    ],
)
def test_attention_that_cannot_be_read_says_why(
    read: Read, name: str, keys: list[int], more: list[list[int]], what: str
) -> None:
    bad = event(name, 10, 9, [2, 4, 5, 64], keys, keys, *more)
    (text,) = read(event("mm", 0, 1, [16, 64], [64, 8]), bad).skipped
    assert what in text


ATTENTION = (
    "_scaled_dot_product_flash_attention", "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention", "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_attention_math",
)  # fmt: skip


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_without_its_wrapper_is_read(read: Read, name: str) -> None:
    query, keys = [1, 16, 12, 64], [1, 16, 24, 64]
    imported = read(event(name, 0, 5, query, keys, keys, [12, 24]))
    assert imported.workload.macs == 2 * 16 * 12 * 24 * 64
    assert (imported.imported, imported.macs_bearing) == (1, 1)


def test_einsum_is_what_it_called_or_its_equation(read: Read) -> None:
    dims = [[4, 64, 32], [4, 32, 16]]
    imported = read(
        event("einsum", 0, 9, [], dims, []),
        event("bmm", 1, 5, *dims, types=["c10::BFloat16"] * 2),
        event("einsum", 10, 9, [], dims, [], values=["bij,bjk->bik", "", ""]),
        event("einsum", 20, 9, [], [[3, 4], [3, 4]], []),
        event("mul", 21, 5, [3, 4], [3, 4]),
        event("einsum", 30, 9, [], [[3, 4]], []),
        event("einsum", 40, 9, [], dims, []),
    )
    assert bare(imported.workload.layers) == (
        Matmul("bmm", m=16, n=64, k=32, batch=4, dtype="bf16"),
        Matmul("einsum", m=16, n=64, k=32, batch=4),
        Stream("mul", 24, 12, op="scale"),
    )
    assert imported.skipped == {"aten::einsum (equation not recorded)": 1}


def test_convolutions_of_three_dimensions_and_transposed_ones(read: Read) -> None:
    cube = ["", "", "", "[2, 1, 1]", "[1, 1, 1]", "[1, 1, 1]", "1"]
    turned = ["", "", "", "[2, 2]", "[0, 0]", "[1, 1]", "True", "[0, 0]", "2"]
    imported = read(
        event("conv3d", 0, 9, [2, 3, 8, 16, 16], [8, 3, 3, 3, 3], [8], values=cube),
        event("conv_transpose2d", 10, 9, [2, 8, 5, 5], [8, 3, 2, 2], [6]),
        event("convolution", 11, 7, [2, 8, 5, 5], [8, 3, 2, 2], [6], values=turned),
    )
    conv, columns = imported.workload.layers
    assert conv.macs == 8 * (2 * 4 * 16 * 16) * (3 * 27)
    assert columns == Gemm("convolution", m=12, n=50, k=4, batch=2)
    assert any("3-D convolutions" in note for note in imported.workload.notes)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mkldnn_convolution", ("bias", "padding", "stride", "dilation")),
        ("cudnn_convolution", ("padding", "stride", "dilation")),
        ("_slow_conv2d_forward", ("kernel", "bias", "stride", "padding")),
        ("_conv_depthwise2d", ("kernel", "bias", "stride", "padding", "dilation")),
    ],
)
def test_inner_convolutions_have_an_order_of_their_own(
    read: Read, name: str, arguments: tuple[str, ...]
) -> None:
    given = {"stride": "[2, 2]", "padding": "[3, 3]", "dilation": "[1, 1]", "kernel": "[7, 7]"}
    values = ["", "", *(given.get(what, "") for what in arguments)]
    imported = read(event(name, 0, 5, [4, 3, 224, 224], [64, 3, 7, 7], values=values))
    assert bare(imported.workload.layers) == (
        Conv(name, 3, 64, 224, 224, kernel=7, stride=2, padding=3, batch=4),
    )


def test_quantised_and_grouped_products(read: Read) -> None:
    half = ["c10::BFloat16"] * 4
    imported = read(
        event("_scaled_mm", 0, 1, [16, 64], [64, 8], [], [], types=["c10::Float8_e5m2"] * 2),
        event("_weight_int8pack_mm", 2, 1, [16, 64], [8, 64], [8], types=half),
        event("_weight_int4pack_mm", 4, 1, [16, 64], [1, 4, 32, 4], [], [2, 8, 2], types=half),
        event("_grouped_mm", 6, 1, [10, 64], [4, 64, 8], [4], types=half),
        event("_grouped_mm", 8, 1, [4, 5, 64], [4, 64, 8], types=half),
        event("mv", 10, 1, [16, 64], [64], types=half),
        event("mm", 12, 1, [16, 64], [64, 8], types=["long int"] * 2),
        event("_scaled_mm", 14, 1, [16, 32], [32, 8], types=["c10::Float4_e2m1fn_x2"] * 2),
    )
    macs = 16 * 64 * 8
    totals = [macs, macs, macs, 2 * 3 * 64 * 8, 2 * 2 * 64 * 8, 4 * 5 * 64 * 8, 16 * 64]
    assert [layer.macs for layer in imported.workload.layers] == totals
    assert imported.skipped == {
        "aten::_scaled_mm (c10::Float4_e2m1fn_x2 operands)": 1,
        "aten::mm (long int operands)": 1,
    }
    assert imported.imported == 6
