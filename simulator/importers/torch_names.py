"""What an operator's name says: it streams elements, is harmless, or is named like a product."""

from __future__ import annotations

import re
from functools import lru_cache

ELEMENTWISE = {
    **dict.fromkeys(("relu", "leaky_relu", "hardtanh"), "relu"),
    **{name: name for name in ("gelu", "silu", "sigmoid", "tanh", "hardswish", "add")},
    **{"hardsigmoid": "hardswish", "sub": "add", "mul": "scale", "div": "scale"},
}
"""Operators that work element by element, and what they are."""

STREAMS: dict[str, str] = {
    **dict.fromkeys(("aten::softmax", "aten::_softmax", "aten::log_softmax"), "softmax"),
    **dict.fromkeys(("aten::layer_norm", "aten::native_layer_norm"), "normalization"),
    **dict.fromkeys(("aten::batch_norm", "aten::group_norm", "aten::rms_norm"), "normalization"),
    **{f"aten::{name}{end}": kind for name, kind in ELEMENTWISE.items() for end in ("", "_")},
}
"""Operators whose output is as large as their largest input. Others are left out, since a trace
does not hold output sizes."""

_ARITHMETIC = """
    add add_relu add_scalar sub subtract rsub mul multiply div divide true_divide floor_divide
    remainder fmod pow float_power addcmul addcdiv lerp maximum minimum max min fmax fmin clamp
    clamp_max clamp_min clip where atan2 arctan2 hypot heaviside copysign nextafter ldexp
    logaddexp logaddexp2 xlogy xlog1py gcd lcm igamma igammac zeta complex polar masked_scale
    cross linalg_cross arccos arccosh arcsin arcsinh arctan arctanh conj_physical frexp i0
    polygamma mvlgamma affine_grid_generator fix vecdot linalg_vecdot outer ger addr kron
    cosine_similarity pairwise_distance dist abs absolute acos acosh angle asin asinh atan atanh
    ceil conj cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac lgamma log
    log10 log1p log2 nan_to_num neg negative positive rad2deg reciprocal round rsqrt sgn sign
    signbit sin sinc sinh sqrt square tan trunc real imag relu relu6 prelu prelu_kernel
    rrelu_with_noise leaky_relu gelu infinitely_differentiable_gelu silu mish elu selu celu glu
    sigmoid log_sigmoid logit tanh hardtanh hardswish hardsigmoid hardshrink softplus softshrink
    threshold swiglu silu_and_mul mul_and_silu gelu_and_mul gelu_tanh_and_mul fatrelu_and_mul
    gelu_fast gelu_new gelu_quick transform_bias_rescale_qkv
    thnn_fused_lstm_cell thnn_fused_gru_cell thnn_differentiable_lstm_cell
    thnn_differentiable_gru_cell merge_attn_states
"""
_COMPARISON = """
    eq ne lt le gt ge equal not_equal less less_equal greater greater_equal isclose allclose
    isin isnan isinf isfinite isneginf isposinf is_same_size is_set_to result_type logical_and
    logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not
    bitwise_left_shift bitwise_right_shift and or xor iand ior ixor lshift rshift ilshift
    irshift has_compatible_shallow_copy_type has_same_storage_numel functional_assert_async
"""
_REDUCTION = """
    sum mean prod amax amin aminmax all any argmax argmin cumsum cumprod cummax cummin
    cummax_helper cummin_helper cummaxmin logcumsumexp logsumexp median mode nansum nanmean
    nanmedian norm std var std_mean var_mean quantile nanquantile bincount histc histogram
    histogramdd bucketize searchsorted topk kthvalue sort argsort msort unique unique2 diff
    gradient trapezoid trapz cumulative_trapezoid cov corrcoef value_selecting_reduction
    segment_reduce is_nonzero count_nonzero linalg_norm frobenius_norm renorm unique_dim
    unique_consecutive unique_dim_consecutive
"""
_COPIES = """
    copy copy_from copy_from_and_resize copy_sparse_to_sparse to to_copy to_cpu to_dense
    to_mkldnn to_sparse type_as clone contiguous detach alias expand expand_as view view_as
    reshape reshape_as reshape_from_tensor resize resize_as resize_as_sparse set set_data fill
    zero narrow slice select squeeze unsqueeze t transpose permute flatten unflatten unfold fold
    im2col col2im tril triu diag diagonal diag_embed trace roll flip rot90 pad constant_pad_nd
    broadcast_to broadcast_tensors atleast_1d atleast_2d atleast_3d as_strided
    as_strided_scatter diagonal_scatter select_scatter slice_scatter slice_inverse stack cat
    concat concatenate hstack vstack dstack column_stack row_stack block_diag chunk_cat
    cartesian_prod meshgrid tensor_split split split_with_sizes chunk unbind repeat
    repeat_interleave pad_sequence pack_sequence pack_padded_sequence pad_packed_sequence
    flatten_dense_tensors unflatten_dense_tensors make_dual make_dual_copy
    new_zeros_with_same_feature_meta view_as_real view_as_complex unsafe_view reshape_alias
    unsafe_split unsafe_split_with_sizes indices values row_indices col_indices crow_indices
    ccol_indices coalesce to_padded_tensor pin_memory pixel_shuffle pixel_unshuffle
    channel_shuffle cudnn_rnn_flatten_weight reorder_mkldnn_rnn_layer_weight accumulate_grad
    copy_blocks swap_blocks reshape_and_cache reshape_and_cache_flash concat_and_cache_mla
    sparse_semi_structured_apply sparse_semi_structured_apply_dense sparse_semi_structured_tile
"""
_INDEXING = """
    index index_add index_copy index_fill index_put index_put_impl index_reduce index_select
    gather gather_sparse scatter scatter_add scatter_reduce masked_fill masked_scatter
    masked_select unsafe_index unsafe_index_put unsafe_masked_index
    unsafe_masked_index_put_accumulate take take_along_dim put nonzero one_hot lu_unpack nms
    roi_align roi_pool ps_roi_align ps_roi_pool grouped_topk topk_softmax moe_align_block_size
    batched_moe_align_block_size moe_sum moe_permute moe_unpermute shuffle_rows
    permute_sparse_features permute_2d_sparse_data permute_1d_sparse_data
"""
_OTHERS = """
    bernoulli binomial normal uniform random multinomial dirichlet_grad standard_gamma
    standard_gamma_grad fused_sdp_choice amp_update_scale rowwise_prune lift_fresh resolve_conj
    resolve_neg stft istft linspace logspace randint_like rand_like randn_like zeros_like
    ones_like empty_like full_like new_empty new_empty_strided new_full new_ones new_zeros
    poisson exponential geometric cauchy log_normal int_repr record_param_comms
"""

HARMLESS = frozenset(
    " ".join((_ARITHMETIC, _COMPARISON, _REDUCTION, _COPIES, _INDEXING, _OTHERS)).split()
)
"""Operators that take several tensors and multiply no matrices, without namespace and affixes."""

HARMLESS_FAMILIES = re.compile(
    # torch.compile's kernels of fused elements; a reduction of nothing but products is a product
    r"triton_(poi|for)_\w+|triton_(red|per)_(?!fused(_(mm|bmm|addmm|baddbmm|mv|addmv|dot))+_\d+$)\w+"
    r"|cpp_fused_\w+"
    r"|\w*(un)?prepack\w*|\w*unpack|convert_\w+"  # packing of weights
    r"|(amp_)?foreach_(?!mm)\w+|fused_(adam|adamw|sgd|adagrad)"  # optimizers
    r"|(native_)?dropout\w*|upsample_\w+|(\w+_)?grid_sampler\w*|(\w+_)?pool[123]?d?(_\w+)?"
    r"|max_unpool[123]d|(reflection|replication)_pad[123]d|fft_\w+|special_\w+|philox_\w+"
    r"|sobol_engine_\w+|nested_\w+|\w*jagged_to_\w+|\w+_to_jagged\w*|validate_\w+"
    r"|sparse_\w*tensor\w*|sparse_mask\w*|sparse_sum|spdiags"
)

HARMLESS_ENDS = re.compile(
    r"\w*(batch|layer|group|instance|rms|weight|vector|matrix|response)_?norm\w*|\w*softmax\w*"
    r"|\w*_loss\w*|kl_div|\w*cross_entropy\w*|\w*embedding\w*|\w*rotary\w*|\w*rope(_\w+)?"
    r"|\w*quant(ize)?(_\w+)?|q(add|mul|cat)\w*|jagged_\w+"
    r"|make_per_\w+|fused_moving_avg_obs_\w+|histogramdd_\w+"
    r"|\w*(all_to_all|all_reduce|all_gather|reduce_scatter|broadcast|tile_reduce)\w*"
)
"""Families, where the name is not that of a product too: a fused ``layernorm_gemm`` is one."""

HARMLESS_NAMESPACES = re.compile(r"(c10d|_c10d_functional(_autograd)?|fsdp|profiler|rngprims)::")

TRANSPARENT = re.compile(
    r"autograd::engine::evaluate_function: .*|torch::autograd::.*|\w+Backward\d+"
    r"|ProfilerStep#\d+|## Call .*|Torch-Compiled Region.*|Optimizer\.\w+#.*|nccl:.*"
)
"""What only says where a call came from: its operators are in the trace themselves."""

PRODUCTS = re.compile(
    r"gemm|gemv|matmul|einsum|(?<!bi)(?<!tri)linear|conv(?!ert)|deconv|attention|attn|rnn|lstm"
    r"|(?:^|_)gru(?:_|$)|(?:^|_)(?:bi|tri)linear(?:_|$)|moe|expert|mlp(?:_|$)|multi_dot"
    r"|(?:^|_)(?:mha|mqa|gqa|mla|sdpa|ffn|dot|vdot|tensordot|smm|hspmm)(?:_|$)"
    r"|(?:^|_)(?:add|badd|addb|b|int4|int8)?m[mv](?:_|\d|$)|(?:f|bf|i|fp|int)\d+\w*bf16"
    r"|matrix_(?:power|exp)|mha_|flash_fwd|varlen_fwd"
)
"""Names of products, attention and experts. Namespaces do not count: ``fbgemm`` is one."""

_AFFIXES = re.compile(
    r"_(backward|relu|scalar|copy|ex|forward|out|jvp|double|dense|data|elemt|impl|functional)$"
)


@lru_cache(maxsize=4096)
def is_harmless(operator: str) -> bool:
    """Whether a name is known for an operator that multiplies no matrices."""
    if TRANSPARENT.fullmatch(operator) or HARMLESS_NAMESPACES.match(operator):
        return True
    bare = _bare(operator)
    if any(name in HARMLESS or HARMLESS_FAMILIES.fullmatch(name) for name in _stems(bare)):
        return True
    return HARMLESS_ENDS.fullmatch(bare) is not None and not PRODUCTS.search(bare)


@lru_cache(maxsize=4096)
def is_named_like_product(operator: str) -> bool:
    """Whether a name is one of a product, an attention or an expert."""
    return not is_harmless(operator) and PRODUCTS.search(_bare(operator)) is not None


def _bare(operator: str) -> str:
    return operator.rpartition("::")[2].strip("_").lower()


def _stems(bare: str) -> set[str]:
    """A name, and what is left of it without one affix after the other."""
    stems = {bare, bare.removeprefix("native_")}
    while _AFFIXES.search(bare):
        bare = _AFFIXES.sub("", bare).rstrip("_")
        stems |= {bare, bare.removeprefix("native_")}
    return stems
