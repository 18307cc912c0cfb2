"""Which of the calls in a trace count: as products, by name, or not at all?"""

from __future__ import annotations

from pathlib import Path

import pytest
from traces import CONVOLUTION, Read, event, reader

from simulator.workload import Conv, Gemm, Stream
from tests.bare import bare


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return reader(tmp_path)


def test_nested_operators_count_once(read: Read) -> None:
    imported = read(
        event("linear", 0, 10, [16, 64], [128, 64], [128]),
        event("addmm", 2, 5, [128], [16, 64], [64, 128]),
        event("conv2d", 20, 10, [1, 3, 8, 8], [4, 3, 3, 3], [], values=CONVOLUTION),
        event("convolution", 21, 8, [1, 3, 8, 8], [4, 3, 3, 3], [], values=CONVOLUTION),
        event("_convolution", 22, 6, [1, 3, 8, 8], [4, 3, 3, 3], [], values=CONVOLUTION),
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
        "triton_red_fused_mv_3": [[64, 128], [128, 32]],
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
    "c10d::allreduce_", "record_param_comms", "torchvision::nms", "_C::gelu_fast",
    "triton_red_fused_addmm_native_layer_norm_0", "triton_poi_fused_addmm_relu_0",
    "ConvolutionBackward0",
    "autograd::engine::evaluate_function: MmBackward0", "## Call CompiledFxGraph fgemmq ##",
)  # fmt: skip


@pytest.mark.parametrize("name", [*(f"aten::{name}" for name in HARMLESS), *FOREIGN])
def test_what_multiplies_no_matrices_is_not_named(read: Read, name: str) -> None:
    other = event(name, 10, 5, [64, 128], [64, 128], bare=True)
    assert read(event("mm", 0, 2, [64, 128], [128, 32]), other).skipped == {}


def test_what_another_library_ran_is_noted(read: Read) -> None:
    """A linear layer that hides weights of few bits or 2:4 does not pass for a dense one."""
    linear = event("linear", 0, 10, [16, 64], [128, 64], [128])
    inner = event("matmul", 1, 8, [16, 64], [64, 128])
    sparse = event("xformers::_sparse24_gemm", 2, 5, [128, 32], [128, 4], [64, 16])
    imported = read(linear, inner, sparse)
    assert imported.summary == "1 of 1 MAC-bearing operators imported"
    assert any("xformers::_sparse24_gemm ran it" in note for note in imported.workload.notes)
    dense = event("mkldnn::_linear_pointwise", 2, 5, [16, 64], [128, 64], [128])
    assert len(read(linear, inner, dense).workload.notes) == 1


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
        event("conv2d", 10, 9, [1, 3, 8, 8], [4, 3, 3, 3], [4, 3, 3, 3], values=CONVOLUTION),
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
    assert bare(imported.workload.layers) == (
        Conv("convolution", 3, 8, 32, 32, kernel=3, padding=1),
        Gemm("mm", m=32, n=64, k=128),
        Stream("gelu", 8192, 8192, op="gelu"),
    )
    assert imported.skipped == {"own::fused_gemm": 1}


def test_of_nested_unknown_calls_the_innermost_is_named(read: Read) -> None:
    dims = [64, 128], [128, 32]
    imported = read(
        event("mm", 0, 1, *dims),
        event("FlashAttnFunc", 10, 9, *dims, bare=True),
        event("flash_attn::_flash_attn_forward", 11, 5, *dims),
        event("PythonDispatchMode", 30, 20, *dims, bare=True),
        event("vllm::attention_a", 31, 5, *dims),
        event("vllm::attention_b", 41, 5, *dims),
    )
    assert set(imported.skipped) == {
        "flash_attn::_flash_attn_forward", "vllm::attention_a", "vllm::attention_b"
    }  # fmt: skip


def test_experts_are_more_than_their_router(read: Read) -> None:
    router = event("mm", 1, 2, [64, 128], [128, 8])
    experts = [event("mm", at, 2, [64, 128], [128, 32]) for at in (4, 7)]
    outer = event("vllm::moe_forward", 0, 10, [64, 128])
    assert read(outer, router).skipped == {"vllm::moe_forward": 1}
    assert read(outer, router, *experts).skipped == {}
    cache = event("own::write_slots", 1, 2, [64, 128], [64, 128])
    mm = event("mm", 20, 2, [64, 128], [128, 8])
    assert read(mm, event("own::attention", 0, 10, [64, 128]), cache).skipped == {
        "own::attention": 1
    }


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
    assert bare(imported.workload.layers) == (
        Gemm("_cslt_sparse_mm", m=256, n=16, k=64, pattern="2:4"),
        Gemm("linear", m=256, n=16, k=64, dtype="bf16"),
        Gemm("_scaled_mm", m=32, n=16, k=64, dtype="fp8"),
    )
    assert len(imported.workload.notes) == 1


def test_ends_that_lie_a_little_behind_are_nested_all_the_same(read: Read) -> None:
    dims = [16, 64], [64, 8]
    linear = event("linear", 1.7e15, 5, [16, 64], [8, 64])
    imported = read(linear, event("mm", 1.7e15 + 1, 4.25, *dims), event("mm", 1.7e15 + 5, 3, *dims))
    assert [layer.name for layer in imported.workload.layers] == ["linear", "mm"]


def test_products_with_sparse_tensors_are_not_read_as_dense_ones(read: Read) -> None:
    dims = [16, 64], [64, 8]
    imported = read(
        event("mm", 0, 1, *dims),
        event("_sparse_mm", 10, 9, *dims),
        event("_sparse_addmm", 11, 7, [16, 8], *dims),
        event("addmm", 12, 5, [16, 8], *dims),
    )
    assert imported.skipped == {"aten::_sparse_mm": 1}
    assert len(imported.workload.layers) == 1


def test_half_of_an_attention_does_not_stand_for_it(read: Read) -> None:
    heads = [1, 2, 8, 16]
    imported = read(
        event("scaled_dot_product_attention", 0, 9, heads, heads, heads, types=["float"] * 3),
        event("bmm", 1, 2, [2, 8, 16], [2, 16, 8]),
    )
    assert imported.summary == "1 of 1 MAC-bearing operators imported"
    assert imported.workload.macs == 2 * 2 * 8 * 8 * 16
