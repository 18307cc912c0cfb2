"""Are profiler traces read as the operators that ran, each once?"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.errors import WorkloadError
from simulator.importers import Imported, import_workload, load_workload
from simulator.workload import Conv, Gemm, Matmul, Stream

Event = dict[str, Any]
Read = Callable[..., Imported]


def event(name: str, start: float, length: float, *dims: list[int], **more: Any) -> Event:
    """A complete event as PyTorch's profiler writes it, on one thread unless told."""
    args = {"Input Dims": list(dims), "Input type": more.pop("types", ["c10::Half"] * len(dims))}
    if "values" in more:
        args["Concrete Inputs"] = more.pop("values")
    name = name if more.pop("bare", "::" in name) else f"aten::{name}"
    return {"ph": "X", "cat": "cpu_op", "name": name, "pid": 1, "tid": 7, "ts": start,
            "dur": length, "args": args, **more}  # fmt: skip


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def of_events(*events: Event) -> Imported:
        path = tmp_path / "step.pt.trace.json"
        path.write_text(json.dumps({"schemaVersion": 1, "traceEvents": list(events)}))
        return import_workload(path, {})

    return of_events


CONV = ["", "", "", "[2, 2]", "[3, 3]", "[1, 1]", "1"]


def test_each_operator_becomes_its_layer(read: Read) -> None:
    imported = read(
        event("linear", 0, 5, [2, 16, 64], [128, 64], [128]),
        event("addmm", 10, 5, [32], [8, 16], [16, 32]),
        event("mm", 20, 5, [8, 16], [16, 32]),
        event("bmm", 30, 5, [12, 8, 64], [12, 64, 10]),
        event("conv2d", 40, 5, [4, 3, 224, 224], [64, 3, 7, 7], [64], values=CONV),
        event("conv1d", 50, 5, [4, 8, 30], [16, 4, 3], [16],
              values=["", "", "", "[1]", "[1]", "[1]", "2"]),
        event("gelu", 60, 5, [2, 16, 128]),
    )  # fmt: skip
    assert imported.workload.name == "step"
    assert imported.workload.layers == (
        Gemm("linear", m=128, n=32, k=64),
        Gemm("addmm", m=32, n=8, k=16),
        Gemm("mm", m=32, n=8, k=16),
        Matmul("bmm", m=10, n=8, k=64, batch=12),
        Conv("conv2d", 3, 64, 224, 224, kernel=7, stride=2, padding=3, batch=4),
        Conv("conv1d", 8, 16, 1, 30, kernel=(1, 3), padding=(0, 1), groups=2, batch=4),
        Stream("gelu", 4096, 4096),
    )
    assert imported.summary == "6 of 6 MAC-bearing operators imported"


def test_nested_operators_count_once(read: Read) -> None:
    imported = read(
        event("linear", 0, 10, [16, 64], [128, 64], [128]),
        event("addmm", 2, 5, [128], [16, 64], [64, 128]),
        event("conv2d", 20, 10, [1, 3, 8, 8], [4, 3, 3, 3], [], values=CONV),
        event("convolution", 21, 8, [1, 3, 8, 8], [4, 3, 3, 3], [], values=CONV),
        event("_convolution", 22, 6, [1, 3, 8, 8], [4, 3, 3, 3], [], values=CONV),
        event("mkldnn_convolution", 23, 4, [1, 3, 8, 8], [4, 3, 3, 3], []),
        event("matmul", 40, 10, [16, 64], [64, 8]),
        event("mm", 41, 8, [16, 64], [64, 8]),
    )
    assert [layer.name for layer in imported.workload.layers] == ["linear", "conv2d", "mm"]
    assert imported.skipped == {}


def test_nesting_is_per_thread_and_siblings_are_no_children(read: Read) -> None:
    dims = [16, 64], [64, 8]
    imported = read(
        event("mm", 0, 10, *dims),
        event("mm", 2, 3, *dims, tid=8),
        event("mm", 10, 3, *dims),
    )
    assert [layer.name for layer in imported.workload.layers] == ["mm", "mm.2", "mm.3"]


def test_attention_is_two_products_and_one_operator(read: Read) -> None:
    query, key = [2, 12, 10, 64], [2, 12, 20, 64]
    imported = read(
        event("scaled_dot_product_attention", 0, 10, query, key, key),
        event("_scaled_dot_product_flash_attention", 1, 8, query, key, key),
    )
    assert imported.workload.macs == 2 * 24 * 10 * 20 * 64
    assert (imported.imported, imported.macs_bearing) == (1, 1)


def test_what_is_not_read_is_counted(read: Read) -> None:
    imported = read(
        event("mm", 0, 10, [16, 64], [64, 8]),
        event("_cudnn_rnn", 20, 10, [5, 1, 4]),
        event("conv2d", 40, 5, [4, 3, 224, 224], [64, 3, 7, 7], [64]),
        event("conv_tbc", 50, 5, [9, 4, 3], [3, 3, 8], [8]),
        event("convolution_backward", 60, 5, [4, 3, 8, 8], [64, 3, 7, 7]),
        event("mm", 70, 10),
    )
    assert imported.skipped == {
        "aten::_cudnn_rnn": 1,
        "aten::conv2d (strides not recorded)": 1,
        "aten::conv_tbc": 1,
        "aten::convolution_backward": 1,
        "aten::mm (no shapes)": 1,
    }
    assert imported.summary.startswith("1 of 6 MAC-bearing operators imported; skipped: aten::_c")
    assert imported.summary in imported.workload.notes[0]


def test_formats_follow_the_tensors(read: Read) -> None:
    imported = read(
        event("mm", 0, 1, [16, 64], [64, 8], types=["c10::BFloat16"] * 2),
        event("_int_mm", 2, 1, [16, 64], [64, 8], types=["signed char"] * 2),
        event("mm", 4, 1, [16, 64], [64, 8], types=["float"] * 2),
    )
    assert [layer.dtype for layer in imported.workload.layers] == ["bf16", "int8", "fp16"]
    assert "fp32 tensors read as fp16" in imported.workload.notes


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"traceEvents": []}', "no CPU operators"),
        ('{"traceEvents": 3}', "not a profiler trace"),
        ('[{"ph": "X", "name": 3}, 4]', "no CPU operators"),
        ('{"traceEvents": [', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"traceEvents": [' + "9" * 5000 + "]}", "not JSON"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "trace.json"
    path.write_text(text)
    with pytest.raises(WorkloadError, match=what) as caught:
        load_workload(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (event("mm", 0, 1, [16, 64], [63, 8]), "shapes do not meet"),
        (event("bmm", 0, 1, [2, 16, 64], [3, 64, 8]), "do not meet"),
        (event("mm", 0, 1), "skipped: aten::mm .no shapes. x1"),
        (event("mm", 0, 1, [2**50, 64], [64, 8]), "out of range"),
        (event("mm", "0", "1", [16, 64], [64, 8]), "no CPU operators"),  # type: ignore[arg-type]
    ],
)
def test_operators_that_cannot_be_are_refused(read: Read, bad: Event, what: str) -> None:
    with pytest.raises(WorkloadError, match=what):
        read(bad)


def test_a_trace_takes_no_parameters(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps([event("mm", 0, 1, [16, 64], [64, 8])]))
    assert load_workload(path).macs == 16 * 64 * 8
    with pytest.raises(WorkloadError, match="recorded with its sizes"):
        load_workload(path, batch=2)


def test_times_that_are_none_are_left_out(read: Read) -> None:
    mm = event("mm", 0, 10, [16, 64], [64, 8])
    times = (10**400, float("nan"), float("-inf"), None)
    bad = [event("mm", 0, 1.5, [16, 64], [64, 8]) | {"ts": time} for time in times]
    assert len(read(mm, *bad).workload.layers) == 1


def test_a_stream_out_of_range_is_left_out_and_said(read: Read) -> None:
    imported = read(event("mm", 0, 1, [16, 64], [64, 8]), event("gelu", 2, 1, [2**30, 2**30]))
    assert len(imported.workload.layers) == 1
    assert imported.workload.notes[1] == "streaming operators (out of range) left out: 1"


# What cannot be read


def test_whatever_may_be_a_product_is_named(read: Read) -> None:
    packed, grouped = [512, 16, 64], [1, 512, 16, 64]
    names = {
        "flash_attn::_flash_attn_forward": [grouped] * 3,
        "aiter::mha_fwd": [grouped] * 3,
        "_vllm_fa2_C::varlen_fwd": [packed] * 3,
        "aten::_flash_attention_forward": [packed] * 3,
        "_C::cutlass_scaled_mm": [[64, 32], [64, 128], [128, 32]],
        "vllm::moe_forward": [[64, 128]],
        "FlashAttnFunc": [grouped] * 3,
        "my_kernel": [[64, 128], [128, 32]],
        "quantized::linear_dynamic": [[64, 128]],
        "fbgemm::f8f8bf16_rowwise": [[64, 128], [32, 128], [64], [32]],
        "own::listed": [[[64, 128], [128, 32]]],  # operands in a list of tensors
    }
    named = [
        event(name, 10 * at, 5, *dims, bare=True) for at, (name, dims) in enumerate(names.items())
    ]
    imported = read(event("mm", 900, 2, [64, 128], [128, 32]), *named)
    assert {text.partition(" (")[0] for text in imported.skipped} == set(names)
    assert (imported.imported, imported.macs_bearing) == (1, 1 + len(names))


HARMLESS = (
    "add", "add_", "mul", "where", "cat", "stack", "copy_", "index", "index_put_", "index_select",
    "gather", "scatter_", "masked_fill", "layer_norm", "native_layer_norm", "native_batch_norm",
    "batch_norm", "_softmax", "_log_softmax_backward_data", "native_layer_norm_backward",
    "threshold_backward", "gelu_backward", "embedding_dense_backward", "max_pool2d_with_indices",
    "max_pool2d_with_indices_backward", "nll_loss_backward", "mse_loss", "_foreach_addcdiv_",
    "_fused_adamw_", "lerp_", "addcmul_", "type_as", "expand_as", "upsample_bilinear2d", "outer",
    "_fused_sdp_choice", "resolve_conj", "sum", "grid_sampler", "eq", "clamp", "tril",
    "_convert_weight_to_int4pack", "_cudnn_rnn_flatten_weight", "_thnn_fused_gru_cell",
)  # fmt: skip
FOREIGN = (
    "fbgemm::permute_sparse_features", "fbgemm::split_embedding_codegen_lookup_sgd_function",
    "_C::rms_norm", "_C::fused_add_rms_norm", "_C::silu_and_mul", "_C::rotary_embedding",
    "_C_cache_ops::reshape_and_cache_flash", "_moe_C::topk_softmax", "_moe_C::moe_sum",
    "c10d::allreduce_", "torchvision::nms", "triton_poi_fused_addmm_relu_0", "ConvolutionBackward0",
    "autograd::engine::evaluate_function: MmBackward0", "## Call CompiledFxGraph fgemmq ##",
)  # fmt: skip


@pytest.mark.parametrize("name", [*(f"aten::{name}" for name in HARMLESS), *FOREIGN])
def test_what_multiplies_no_matrices_is_not_named(read: Read, name: str) -> None:
    other = event(name, 10, 5, [64, 128], [64, 128], bare=True)
    assert read(event("mm", 0, 2, [64, 128], [128, 32]), other).skipped == {}


def test_one_bad_call_gives_way_to_what_it_called(read: Read) -> None:
    mm = event("mm", 90, 2, [64, 128], [128, 32])
    bad = event("linear", 0, 9, [8, 160, 72], [8, 256], [504, 256], [504])
    inner = event("addmm", 1, 5, [504], [8, 256], [256, 504])
    imported = read(bad, inner, mm)
    assert imported.workload.layers[0] == Gemm("addmm", m=504, n=8, k=256)
    assert imported.summary == "2 of 2 MAC-bearing operators imported"
    alone = read(bad, mm, event("mm", 40, 1, [2**50, 64], [64, 8]))
    assert alone.skipped == {"aten::linear (shapes do not meet)": 1, "aten::mm (out of range)": 1}
    assert len(alone.workload.layers) == 1


def test_a_call_is_judged_by_all_its_arguments(read: Read) -> None:
    imported = read(
        event("linear", 0, 9, [128, 96], [128, 96], [128, 64], [32, 64], [32]),
        event("addmm", 1, 5, [32], [128, 64], [64, 32]),
        event("conv2d", 10, 9, [1, 3, 8, 8], [4, 3, 3, 3], [4, 3, 3, 3], values=CONV),
        event("bmm", 20, 5, [12, 8, 64], [12, 64, 10], [12, 64, 10]),
        event("mm", 30, 5, [8, 16], [16, 32], [8, 32]),  # out=
        event("addmm", 40, 5, [8, 1], [8, 16], [16, 32], [0, 0]),  # out= before it is resized
    )
    assert [(layer.name, layer.macs) for layer in imported.workload.layers] == [
        ("addmm", 32 * 128 * 64), ("mm", 4096), ("addmm.2", 4096)
    ]  # fmt: skip
    what = "(arguments of another call)"
    assert imported.skipped == {f"aten::conv2d {what}": 1, f"aten::bmm {what}": 1}


def test_outer_calls_give_way_level_by_level(read: Read) -> None:
    same = ["", "", "", "[1, 1]", "same", "[1, 1]", "1"]
    dims = [1, 3, 32, 32], [8, 3, 3, 3], [8]
    imported = read(
        event("conv2d", 0, 9, *dims, values=same),
        event("_convolution_mode", 1, 7, *dims, values=same),
        event("convolution", 2, 5, *dims, values=["", "", "", "[1, 1]", "[1, 1]", "[1, 1]"]),
        event("Block", 20, 20, [64, 128], [128, 32], bare=True),
        event("mm", 21, 2, [64, 128], [128, 32]),
        event("own::fused_gemm", 25, 5, [64, 128]),
        event("gelu", 26, 1, [64, 128]),
    )
    assert imported.workload.layers == (
        Conv("convolution", 3, 8, 32, 32, kernel=3, padding=1),
        Gemm("mm", m=32, n=64, k=128),
        Stream("gelu", 8192, 8192),
    )
    assert imported.skipped == {"own::fused_gemm": 1}


def test_of_nested_unknown_calls_one_is_named(read: Read) -> None:
    dims = [64, 128], [128, 32]
    imported = read(
        event("mm", 0, 1, *dims),
        event("FlashAttnFunc", 10, 9, *dims, bare=True),
        event("flash_attn::_flash_attn_forward", 11, 5, *dims),
        event("PythonDispatchMode", 30, 20, *dims, bare=True),
        event("vllm::attention_a", 31, 5, *dims),
        event("vllm::attention_b", 41, 5, *dims),
    )
    assert set(imported.skipped) == {"FlashAttnFunc", "vllm::attention_a", "vllm::attention_b"}


def test_experts_are_more_than_their_router(read: Read) -> None:
    router = event("mm", 1, 2, [64, 128], [128, 8])
    experts = [event("mm", at, 2, [64, 128], [128, 32]) for at in (4, 7)]
    outer = event("vllm::moe_forward", 0, 10, [64, 128])
    assert read(outer, router).skipped == {"vllm::moe_forward": 1}
    assert read(outer, router, *experts).skipped == {}


def test_operands_without_elements_are_no_macs(read: Read) -> None:
    imported = read(
        event("mm", 0, 1, [16, 64], [64, 8]),
        event("linear", 2, 5, [0, 64], [128, 64], [128]),
        event("mm", 3, 1, [0, 64], [64, 128]),
        event("bmm", 10, 1, [0, 4, 8], [0, 8, 4]),
        event("scaled_dot_product_attention", 12, 1, *[[2, 4, 0, 16]] * 3),
        event("conv2d", 14, 1, [0, 3, 8, 8], [4, 3, 3, 3], [4], values=CONV),
        event("gelu", 16, 1, [0, 64]),
        event("add", 18, 1, [], []),
    )
    assert [layer.name for layer in imported.workload.layers] == ["mm"]
    assert imported.summary == "1 of 1 MAC-bearing operators imported"
    assert len(imported.workload.notes) == 1


# What is read


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


def test_a_narrower_or_sparser_product_inside_says_more(read: Read) -> None:
    half, floats = ["c10::Half"] * 3, ["float"] * 3
    dims = [16, 64], [256, 64], [256]
    imported = read(
        event("linear", 0, 9, *dims, types=half),
        event("_cslt_sparse_mm", 1, 5, [256 * 64 * 9 // 16], [64, 16]),
        event("linear", 10, 9, *dims, types=floats),  # autocast
        event("linear", 11, 7, *dims, types=["c10::BFloat16"] * 3),
        event("_scaled_mm", 20, 9, [16, 64], [64, 32], types=["c10::Float8_e4m3fn"] * 2),
        event("mm", 21, 5, [16, 64], [64, 32], types=floats),  # emulated
    )
    assert imported.workload.layers == (
        Gemm("_cslt_sparse_mm", m=256, n=16, k=64, pattern="2:4"),
        Gemm("linear", m=256, n=16, k=64, dtype="bf16"),
        Gemm("_scaled_mm", m=32, n=16, k=64, dtype="fp8"),
    )
    assert len(imported.workload.notes) == 1


def test_query_heads_of_a_group_share_keys_and_values(read: Read) -> None:
    imported = read(
        event("scaled_dot_product_attention", 0, 9, [2, 32, 5, 64], [2, 8, 20, 64], [2, 8, 20, 48]),
        event("_flash_attention_forward", 10, 9, [2, 5, 32, 64], [2, 20, 8, 64], [2, 20, 8, 48]),
        event("scaled_dot_product_attention", 20, 9, [2, 32, 5, 64], *[[2, 1, 20, 64]] * 2),
    )
    grouped = [(20, 20, 64, 16), (48, 20, 20, 16)]
    shared = [(20, 160, 64, 2), (64, 160, 20, 2)]
    assert [(layer.m, layer.n, layer.k, layer.batch) for layer in imported.workload.layers] == [
        *grouped, *grouped, *shared
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "keys", "what"),
    [
        ("scaled_dot_product_attention", [2, 3, 20, 64], "heads that do not divide"),
        ("scaled_dot_product_attention", [2, 4, 20, 32], "shapes do not meet"),
        ("_efficient_attention_forward", [2, 5, 4, 64], "lengths of packed sequences"),
    ],
)
def test_attention_that_cannot_be_read_says_why(
    read: Read, name: str, keys: list[int], what: str
) -> None:
    bad = event(name, 10, 9, [2, 4, 5, 64], keys, keys, [], [3], [3])
    (text,) = read(event("mm", 0, 1, [16, 64], [64, 8]), bad).skipped
    assert what in text or "arguments of another call" in text


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
    assert imported.workload.layers == (
        Matmul("bmm", m=16, n=64, k=32, batch=4, dtype="bf16"),
        Matmul("einsum", m=16, n=64, k=32, batch=4),
        Stream("mul", 24, 12),
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
    assert imported.workload.layers == (
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


def test_only_a_layer_of_floats_is_noted(read: Read) -> None:
    floats = ["float"] * 2
    mm = event("mm", 0, 9, [16, 64], [64, 8])
    imported = read(
        mm,
        event("mm", 1, 5, [16, 64], [64, 8], types=floats),  # inside of one that counts
        event("own::matmul", 20, 5, [16, 64], [64, 8], types=floats),
        event("linear", 30, 5, [16, 64], [8, 64], [8], types=["c10::Half"] * 2 + ["float"]),
    )
    assert [note for note in imported.workload.notes if "fp32" in note] == []
    assert (
        "fp64 tensors read as fp16"
        in read(event("mm", 0, 9, [16, 64], [64, 8], types=["double"] * 2)).workload.notes
    )


# The file


def test_several_steps_are_noticed(read: Read) -> None:
    steps = [
        event(f"ProfilerStep#{number}", 10 * number, 9, bare=True) | {"cat": "user_annotation"}
        for number in (2, 3, 4)
    ]
    products = [event("mm", 10 * at + 1, 2, [16, 64], [64, 8]) for at in (2, 3, 4)]
    note = "layers are the sum of 3 profiler steps, #2 to #4"
    assert note in read(*steps, *products).workload.notes
    assert len(read(steps[0], products[0]).workload.notes) == 1


@pytest.mark.parametrize(
    ("events", "hint"),
    [
        ([event("mm", 0, 2) | {"args": {"External id": 1}}], "record_shapes=True"),
        ([event("relu", 0, 2) | {"args": {}}], "record_shapes=True"),
        ([event("relu_backward", 0, 2, [4, 4], [4, 4])], ""),
        ([event("own::matmul", 0, 2, [4, 4], [4, 4])], ""),
        ([event("volta_sgemm", 0, 2, bare=True) | {"cat": "kernel"}], "ProfilerActivity.CPU"),
    ],
)
def test_hints_stand_where_they_help(read: Read, events: list[Event], hint: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        read(*events)
    assert caught.value.hint is None if not hint else hint in str(caught.value)
    assert ("record_shapes" in str(caught.value)) == (hint == "record_shapes=True")


TRACE = json.dumps({"traceEvents": [event("mm", 0, 1, [16, 64], [64, 8])]}).encode()


@pytest.mark.parametrize("name", ["step.pt.trace.json.gz", "step.json.GZ", "step.json"])
def test_a_compressed_trace_opens(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(TRACE))
    assert load_workload(path).macs == 16 * 64 * 8


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (gzip.compress(TRACE)[:-9], "not gzip that can be read"),
        (gzip.compress(TRACE)[:10] + b"\xff" * 40, "not gzip that can be read"),
        (gzip.compress(b"[" + b" " * 2**25), "expands to too much, want at most 16 MiB"),
        (gzip.compress(b"\xff\xfe"), "not UTF-8 text: byte 0"),
    ],
)
def test_what_is_no_compressed_trace_is_one_line(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "trace.json.gz"
    path.write_bytes(data)
    with pytest.raises(WorkloadError, match=what) as caught:
        load_workload(path)
    assert str(path) in str(caught.value)


def test_ends_that_lie_a_little_behind_are_nested_all_the_same(read: Read) -> None:
    dims = [16, 64], [64, 8]
    linear = event("linear", 1.7e15, 5, [16, 64], [8, 64])
    imported = read(linear, event("mm", 1.7e15 + 1, 4.25, *dims), event("mm", 1.7e15 + 5, 3, *dims))
    assert [layer.name for layer in imported.workload.layers] == ["linear", "mm"]
