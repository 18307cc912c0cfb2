"""ONNX operators that multiply and accumulate, and the layers that they are.

``OPERATORS`` and ``CONTRIB`` are the tables: operator, and the function that reads one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from simulator.errors import WorkloadError
from simulator.importers import onnx_attention as attention
from simulator.importers.onnx_contrib import fused_operands
from simulator.importers.onnx_convolutions import conv, conv_integer, conv_transpose, qlinear_conv
from simulator.importers.onnx_graph import (
    Call,
    OnnxGraph,
    Read,
    Shape,
    UnsupportedError,
    attributes,
    is_contrib,
    is_standard,
    own,
)
from simulator.workload.attention import Attention
from simulator.workload.layer import Gemm, Layer, Matmul, Stream

if TYPE_CHECKING:
    import onnx

Operator = Callable[[OnnxGraph, Any, str], Read]
"""A graph, one of its nodes and a name become layers and the operands that hold their weights."""


def _gemm(
    graph: OnnxGraph, node: onnx.NodeProto, name: str, right_at: int = 1, zeros_at: Any = ()
) -> Read:
    given = attributes(node)
    left, right = graph.shape(node.input[0]), graph.shape(node.input[right_at])
    if len(left) != 2 or len(right) != 2:
        raise WorkloadError(name, f"operands of {len(left)} and {len(right)} dimensions")
    turned = [bool(given.get(flag, 0)) for flag in ("transA", "transB")]
    left, right = (x[::-1] if t else x for x, t in zip((left, right), turned, strict=True))
    pair = (node.input[0], left), (node.input[right_at], right)
    found = _product(graph, node, name, *pair, turned, zeros_at)
    added = graph.input_at(node, 2)
    if node.op_type == "QGemm" or not added or added in graph.constants:
        return found
    # A C that is no bias is read as by an Add.
    product = replace(found[0][0], inputs=(node.input[0], node.input[right_at]))
    size = graph.size(node.output[0])
    read = (own(name), added)
    return [
        (product, found[0][1]),
        (Stream(f"{name}.add", graph.size(added) + size, size, "add", inputs=read), None),
    ]


def _matmul(
    graph: OnnxGraph, node: onnx.NodeProto, name: str, right_at: int = 1, zeros_at: Any = ()
) -> Read:
    """MatMul, MatMulInteger, QLinearMatMul, with numpy's rules for other than two dimensions."""
    left, right = node.input[0], node.input[right_at]
    a, b = graph.shape(left), graph.shape(right)
    if not a or not b:
        raise WorkloadError(name, "a scalar operand")
    a = (1, *a) if len(a) == 1 else a
    b = (*b, 1) if len(b) == 1 else b
    return _product(graph, node, name, (left, a), (right, b), zeros_at=zeros_at)


def _fused_matmul(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> Read:
    a, b = fused_operands(Call(node, graph.shapes))
    given = attributes(node)
    if len(a) < 2 or len(b) < 2:
        return _matmul(graph, node, name)
    turned = [bool(given.get(flag, 0)) for flag in ("transA", "transB")]
    read = _product(graph, node, name, (node.input[0], a), (node.input[1], b), turned)
    if any(given.get(flag, 0) for flag in ("transBatchA", "transBatchB")):
        # Model: which rows of the stored tensor meet is not followed, so that it has no weights.
        return [(layer, None) for layer, _ in read]
    return read


def _product(
    graph: OnnxGraph,
    node: onnx.NodeProto,
    name: str,
    left: tuple[str, Shape],
    right: tuple[str, Shape],
    turned: Sequence[bool] = (False, False),
    zeros_at: Sequence[int] = (),
) -> Read:
    """``left[..., rows, k] . right[..., k, columns]``; a constant operand holds weights.

    ``turned`` says which of the two are stored the other way round, ``zeros_at`` where their zero
    points are.
    """
    (left_name, a), (right_name, b) = left, right
    if a[-1] != b[-2]:
        raise WorkloadError(name, f"reductions of {a[-1]} and {b[-2]} meet")
    rows, k, columns = a[-2], a[-1], b[-1]
    if 0 in a or 0 in b:
        raise WorkloadError(name, "an operand without elements")
    stacked = _broadcast(name, a[:-2], b[:-2])
    dtype = graph.dtype(node, left_name, right_name)
    left_zero, right_zero = (graph.input_at(node, index) for index in zeros_at or (-1, -1))
    if right_name in graph.constants:
        # Rows that meet the same weights are one GEMM.
        own = prod(b[:-2])
        layer = Gemm(name, m=columns, n=rows * (stacked // own), k=k, batch=own, dtype=dtype)
        return [(layer, graph.operand(right_name, not turned[1], right_zero))]
    if left_name in graph.constants:
        own = prod(a[:-2])
        layer = Gemm(name, m=rows, n=columns * (stacked // own), k=k, batch=own, dtype=dtype)
        return [(layer, graph.operand(left_name, turned[0], left_zero))]
    read = (right_name, left_name)
    return [(Matmul(name, columns, rows, k, stacked, dtype, inputs=read), None)]


def _broadcast(name: str, left: Shape, right: Shape) -> int:
    """How many matrices two stacks make together."""
    size = max(len(left), len(right))
    pairs = zip((1,) * (size - len(left)) + left, (1,) * (size - len(right)) + right, strict=True)
    total = 1
    for a, b in pairs:
        if a != b and 1 not in (a, b):
            raise WorkloadError(name, f"stacks of {left} and {right} matrices")
        total *= max(a, b)
    return total


def _packed(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> Read:
    """MatMulNBits and the like, whose weights are N rows of K packed numbers.

    Model: the operator scales them back and multiplies in the format of its activations.
    """
    call = Call(node, graph.shapes)
    data, m, k = call.shape(0), call.integer("N"), call.integer("K")
    if m < 1 or data[-1] != k:
        raise WorkloadError(name, f"reductions of {data[-1]} and {k} meet")
    dtype = graph.dtype(node, node.input[0], node.input[1])
    return [(Gemm(name, m=m, n=prod(data[:-1]), k=k, dtype=dtype), None)]


def _attention(graph: OnnxGraph, node: onnx.NodeProto, name: str, made: str = "") -> Read:
    """One kernel; two products where values have a width of their own.

    Of those, the query heads of a group are rows of one.

    ``made`` is what makes queries, keys and values, where those are not inputs.
    """
    call = Call(node, graph.shapes, graph.values)
    heads = (attention.CONTRIB[node.op_type] if is_contrib(node) else attention.standard)(call)
    # Model: of QAttention, only the product with the weights is one of integers.
    is_quantised = node.op_type == "QAttention"
    dtype = "fp16" if is_quantised else graph.dtype(node, node.input[0], "")
    n, batch = heads.queries * (heads.heads // heads.kv_heads), heads.batch * heads.kv_heads
    query, *others = [made] if made else [name for name in node.input[:3] if name]
    key, value = others[0] if others else query, others[-1] if others else query
    if heads.value == heads.head:
        one = Attention(
            name + ".attention" * bool(made), heads.heads, heads.kv_heads, heads.queries,
            heads.keys, heads.head, batch=heads.batch, dtype=dtype,
            causal=heads.is_causal and heads.keys >= heads.queries,
            inputs=(query, key, value),
        )  # fmt: skip
        return [(one, None)]
    scores = Matmul(f"{name}.scores", heads.keys, n, heads.head, batch, dtype, inputs=(key, query))
    read = (value, own(scores.name))
    values = Matmul(f"{name}.values", heads.value, n, heads.keys, batch, dtype, inputs=read)
    return [(scores, None), (values, None)]


def _projecting_attention(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> Read:
    """onnxruntime's Attention and QAttention: the weights of Q, K and V come first."""
    m, n, k = attention.projection(Call(node, graph.shapes))
    weights, zero_at = node.input[1], 7 if node.op_type == "QAttention" else -1
    dtype = graph.dtype(node, node.input[0], weights)
    layer: Layer = Gemm(f"{name}.qkv", m, n, k, dtype=dtype, inputs=(node.input[0],))
    operand = graph.operand(weights, inputs_first=True, zero_point=graph.input_at(node, zero_at))
    if operand is None:
        raise UnsupportedError("weights that are no constant")
    return [(layer, operand), *_attention(graph, node, name, own(layer.name))]


def _at(read: Callable[..., Read], right_at: int, *zeros_at: int) -> Operator:
    """A product whose right operand, and whose zero points, stand at these inputs."""

    def of(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> Read:
        return read(graph, node, name, right_at, zeros_at)

    return of


OPERATORS: dict[str, Operator] = {
    "Attention": _attention,
    "Conv": conv,
    "ConvInteger": conv_integer,
    "QLinearConv": qlinear_conv,
    "ConvTranspose": conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _at(_matmul, 1, 2, 3),
    "QLinearMatMul": _at(_matmul, 3, 2, 5),
}
"""ONNX's own."""

CONTRIB: dict[str, Operator] = {
    "Attention": _projecting_attention,
    "QAttention": _projecting_attention,
    "MultiHeadAttention": _attention,
    "GroupQueryAttention": _attention,
    "FusedConv": conv,
    "NhwcConv": conv,
    "NhwcFusedConv": conv,
    "QLinearConv": qlinear_conv,
    "FusedGemm": _gemm,
    "QGemm": _at(_gemm, 3, 2, 5),
    "GemmFastGelu": _matmul,
    "FusedMatMul": _fused_matmul,
    "FusedMatMulActivation": _fused_matmul,
    "TransposeMatMul": _fused_matmul,
    "DynamicQuantizeMatMul": _at(_matmul, 1, -1, 3),
    "MatMulIntegerToFloat": _at(_matmul, 1, 4, 5),
    "MatMulNBits": _packed,
    "MatMulBnb4": _packed,
    "MatMulFpQ4": _packed,
}
"""onnxruntime's. Source: onnxruntime, docs/ContribOperators.md."""


def operator_of(node: onnx.NodeProto) -> Operator | None:
    """What reads an operator's layers; None if nothing does."""
    if is_standard(node):
        return OPERATORS.get(node.op_type)
    return CONTRIB.get(node.op_type) if is_contrib(node) else None
