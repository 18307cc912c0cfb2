"""ONNX operators that multiply and accumulate, and the layers that they are.

``OPERATORS`` is the table: operator, and the function that reads one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from simulator.errors import WorkloadError
from simulator.importers.onnx_graph import OnnxGraph, Operand, Shape, UnsupportedError
from simulator.workload.layer import Conv, Gemm, Layer, Matmul

if TYPE_CHECKING:
    import onnx

_Window = tuple[Shape, Shape, Shape, Shape]
_Read = tuple[Layer, Operand | None]
Operator = Callable[[OnnxGraph, Any, str], _Read]
"""A graph, one of its nodes and a name become a layer and the operand that holds its weights."""


def _conv(graph: OnnxGraph, node: onnx.NodeProto, name: str, weight_at: int = 1) -> _Read:
    """Conv, ConvInteger, QLinearConv, of one or two dimensions."""
    data, weights = node.input[0], node.input[weight_at]
    shape, kernel = graph.shape(data), graph.shape(weights)
    if len(shape) not in (3, 4) or len(kernel) != len(shape):
        raise UnsupportedError(f"{len(shape) - 2}-D")
    groups = _groups(name, node)
    if kernel[1] * groups != shape[1]:
        raise _mismatch(name, f"{shape[1]} channels meet weights of {kernel[1] * groups}")
    strides, dilations, before, after = _window(name, node, shape[2:], kernel[2:])
    in_h, in_w = _pair(shape[2:], 1)
    layer = Conv(
        name,
        in_channels=shape[1],
        out_channels=kernel[0],
        in_h=in_h,
        in_w=in_w,
        kernel=_pair(kernel[2:], 1),
        stride=_pair(strides, 1),
        padding=_pair(before, 0) + _pair(after, 0),
        dilation=_pair(dilations, 1),
        groups=groups,
        batch=shape[0],
        dtype=graph.dtype(node, data, weights),
    )
    return layer, graph.operand(weights)


def _conv_transpose(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> _Read:
    """The GEMM of its column form: every input pixel times the whole kernel.

    Model: adding the columns where they overlap is part of the epilogue, as in implicit GEMMs.
    Source of the form: Dumoulin and Visin, arXiv:1603.07285, section 4.
    """
    data, weights = node.input[0], node.input[1]
    shape, kernel = graph.shape(data), graph.shape(weights)
    groups = _groups(name, node)
    if kernel[0] != shape[1] or shape[1] % groups:
        raise _mismatch(name, f"{shape[1]} channels meet weights of {kernel[0]}")
    layer = Gemm(
        name,
        m=kernel[1] * prod(kernel[2:]),
        n=shape[0] * prod(shape[2:]),
        k=shape[1] // groups,
        batch=groups,
        dtype=graph.dtype(node, data, weights),
    )
    return layer, graph.operand(weights, inputs_first=True)


def _gemm(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> _Read:
    given = _attributes(node)
    left, right = graph.shape(node.input[0]), graph.shape(node.input[1])
    if len(left) != 2 or len(right) != 2:
        raise _mismatch(name, f"operands of {len(left)} and {len(right)} dimensions")
    turned = [bool(given.get(flag, 0)) for flag in ("transA", "transB")]
    left, right = (x[::-1] if t else x for x, t in zip((left, right), turned, strict=True))
    return _product(graph, node, name, (node.input[0], left), (node.input[1], right), turned)


def _matmul(graph: OnnxGraph, node: onnx.NodeProto, name: str, right_at: int = 1) -> _Read:
    """MatMul, MatMulInteger, QLinearMatMul, with numpy's rules for other than two dimensions."""
    left, right = node.input[0], node.input[right_at]
    a, b = graph.shape(left), graph.shape(right)
    if not a or not b:
        raise _mismatch(name, "a scalar operand")
    a = (1, *a) if len(a) == 1 else a
    b = (*b, 1) if len(b) == 1 else b
    return _product(graph, node, name, (left, a), (right, b))


def _product(
    graph: OnnxGraph,
    node: onnx.NodeProto,
    name: str,
    left: tuple[str, Shape],
    right: tuple[str, Shape],
    turned: Sequence[bool] = (False, False),
) -> _Read:
    """``left[..., rows, k] . right[..., k, columns]``; a constant operand holds weights.

    ``turned`` says which of the two are stored the other way round.
    """
    (left_name, a), (right_name, b) = left, right
    if a[-1] != b[-2]:
        raise _mismatch(name, f"reductions of {a[-1]} and {b[-2]} meet")
    rows, k, columns = a[-2], a[-1], b[-1]
    if 0 in a or 0 in b:
        raise _mismatch(name, "an operand without elements")
    stacked = _broadcast(name, a[:-2], b[:-2])
    dtype = graph.dtype(node, left_name, right_name)
    if right_name in graph.constants:
        # Rows that meet the same weights are one GEMM.
        own = prod(b[:-2])
        layer = Gemm(name, m=columns, n=rows * (stacked // own), k=k, batch=own, dtype=dtype)
        return layer, graph.operand(right_name, inputs_first=not turned[1])
    if left_name in graph.constants:
        own = prod(a[:-2])
        layer = Gemm(name, m=rows, n=columns * (stacked // own), k=k, batch=own, dtype=dtype)
        return layer, graph.operand(left_name, inputs_first=turned[0])
    return Matmul(name, m=columns, n=rows, k=k, batch=stacked, dtype=dtype), None


def _broadcast(name: str, left: Shape, right: Shape) -> int:
    """How many matrices two stacks make together."""
    size = max(len(left), len(right))
    pairs = zip((1,) * (size - len(left)) + left, (1,) * (size - len(right)) + right, strict=True)
    total = 1
    for a, b in pairs:
        if a != b and 1 not in (a, b):
            raise _mismatch(name, f"stacks of {left} and {right} matrices")
        total *= max(a, b)
    return total


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Integers, lists of them, and text; tensors and bodies are of no use here."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type == attribute.INT:
            found[attribute.name] = attribute.i
        elif attribute.type == attribute.INTS:
            found[attribute.name] = tuple(attribute.ints)
        elif attribute.type == attribute.STRING:
            found[attribute.name] = attribute.s.decode(errors="replace")
    return found


def _groups(name: str, node: onnx.NodeProto) -> int:
    groups = _attributes(node).get("group", 1)
    if not isinstance(groups, int) or groups < 1:
        raise WorkloadError(f"{name}.group", "must be 1 or more", got=groups)
    return groups


def _window(name: str, node: onnx.NodeProto, sizes: Shape, taps: Shape) -> _Window:
    """Strides, dilations and pads of a convolution, checked for their number."""
    given, flat = _attributes(node), len(sizes)
    ones, zeros = (1,) * flat, (0,) * 2 * flat
    strides, dilations = given.get("strides", ones), given.get("dilations", ones)
    pads = given.get("pads", zeros)
    if not all(isinstance(sizes, tuple) for sizes in (strides, dilations, pads)):
        raise _mismatch(name, "strides, dilations or pads are no lists")
    if len(strides) != flat or len(dilations) != flat or min(*strides, *dilations) < 1:
        raise _mismatch(name, f"strides {strides} and dilations {dilations} of {flat} dimensions")
    auto = given.get("auto_pad", "NOTSET")
    if auto == "VALID":
        pads = zeros
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        sides = zip(sizes, taps, strides, dilations, strict=True)
        totals = [max(0, (-(-x // s) - 1) * s + d * (t - 1) + 1 - x) for x, t, s, d in sides]
        less, more = [t // 2 for t in totals], [t - t // 2 for t in totals]
        pads = (*less, *more) if auto == "SAME_UPPER" else (*more, *less)
    if len(pads) != 2 * flat:
        raise _mismatch(name, f"pads {pads} of {flat} dimensions")
    return strides, dilations, pads[:flat], pads[flat:]


def _pair(sizes: Shape, missing: int) -> tuple[int, int]:
    """Height and width; a one-dimensional operator is one row."""
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (missing, sizes[0])


def _mismatch(name: str, what: str) -> WorkloadError:
    return WorkloadError(name, what)


def _qlinear_conv(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> _Read:
    return _conv(graph, node, name, weight_at=3)


def _qlinear_matmul(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> _Read:
    return _matmul(graph, node, name, right_at=3)


OPERATORS: dict[str, Operator] = {
    "Conv": _conv,
    "ConvInteger": _conv,
    "QLinearConv": _qlinear_conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _qlinear_matmul,
}
