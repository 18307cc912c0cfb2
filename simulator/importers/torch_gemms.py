"""Matrix products of a trace: dense, sparse, batched, grouped, and written as an equation."""

from __future__ import annotations

from collections import Counter
from math import prod

from simulator.importers.torch_calls import Call, Product, Shape, UnreadableError
from simulator.workload.layer import Gemm, Matmul

MEETING = "shapes do not meet"

COMPRESSED = {8: 10, 16: 9, 32: 9}
"""Sixteenths of a dense weight's elements that cuSPARSELt's compressed one has, by bits: half of
the values, and two bits of metadata for each of them."""


def linear(call: Call, weights_at: int = 1) -> Product:
    """linear(x[..., k], w[m, k], bias[m])"""
    data, weights = call.shape(0), call.shape(weights_at, 2)
    _meet(data[-1], weights[1])
    call.rest_fits((0, weights_at), (*data[:-1], weights[0]))
    return _gemm(call, weights[0], prod(data[:-1]), data[-1])


def mm(call: Call, first: int = 0) -> Product:
    """mm(x[n, k], w[k, m])"""
    data, weights = call.shape(first, 2), call.shape(first + 1, 2)
    _meet(data[1], weights[0])
    call.rest_fits((first, first + 1), (data[0], weights[1]))
    return _gemm(call, weights[1], data[0], data[1], at=first)


def addmm(call: Call) -> Product:
    """addmm(bias, x[n, k], w[k, m])"""
    return mm(call, 1)


def scaled_mm(call: Call) -> Product:
    """_scaled_mm(x[n, k], w[k, m], scales...)"""
    data, weights = call.shape(0, 2), call.shape(1, 2)
    _meet(data[1], weights[0])
    return _gemm(call, weights[1], data[0], data[1])


def mv(call: Call, first: int = 0) -> Product:
    """mv(w[m, k], x[k])"""
    weights, data = call.shape(first, 2), call.shape(first + 1, 1)
    _meet(weights[1], data[0])
    call.rest_fits((first, first + 1), (weights[0],))
    return _gemm(call, weights[0], 1, data[0], at=first)


def addmv(call: Call) -> Product:
    """addmv(bias, w[m, k], x[k])"""
    return mv(call, 1)


def dot(call: Call) -> Product:
    """dot(a[k], b[k])"""
    (length,) = call.shape(0, 1)
    _meet(length, *call.shape(1, 1))
    return _matmul(call, 1, 1, length, 1)


def bmm(call: Call, first: int = 0) -> Product:
    """bmm(a[b, n, k], b[b, k, m])"""
    a, b = call.shape(first, 3), call.shape(first + 1, 3)
    _meet(a[0], b[0])
    _meet(a[2], b[1])
    call.rest_fits((first, first + 1), (a[0], a[1], b[2]))
    return _matmul(call, b[2], a[1], a[2], a[0], at=first)


def baddbmm(call: Call) -> Product:
    """baddbmm(bias, a[b, n, k], b[b, k, m])"""
    return bmm(call, 1)


def matmul(call: Call) -> Product:
    """matmul(a[..., n, k], b[..., k, m]), either of which may be a vector."""
    a, b = call.shape(0), call.shape(1)
    a = (1, *a) if len(a) == 1 else a
    b = (*b, 1) if len(b) == 1 else b
    _meet(a[-1], b[-2])
    if len(b) == 2:
        return _gemm(call, b[1], prod(a[:-1]), a[-1])
    batch = _broadcast(a[:-2], b[:-2])
    return _matmul(call, b[-1], a[-2], a[-1], prod(batch))


def grouped_mm(call: Call) -> Product:
    """_grouped_mm(x[n, k], w[g, k, m], ends[g]), or both with a dimension of groups.

    How many rows go to which group is in the tensor of ends, which a trace does not hold.
    """
    data, weights = call.shape(0, 2, 3), call.shape(1, 3)
    _meet(data[-1], weights[1])
    groups, k, m = weights
    if len(data) == 3:
        _meet(data[0], groups)
        return _gemm(call, m, data[1], k, batch=groups)
    if not groups:
        return Product(())
    rows, longer = divmod(data[0], groups)
    shorter = _gemm(call, m, rows, k, batch=groups - longer)
    parts = (*_gemm(call, m, rows + 1, k, batch=longer).layers, *shorter.layers)
    return Product(parts, shorter.bits, "rows of grouped products dealt evenly to the groups")


def weight_only(call: Call) -> Product:
    """_weight_int8pack_mm(x[n, k], w[m, k], scales[m]) and _weight_int4pack_mm(x, packed, group,
    scales[k / group, m, 2])"""
    data = call.shape(0, 2)
    four_bits = "int4pack" in call.operator
    outputs = call.shape(3, 3)[1] if four_bits else call.shape(1, 2)[0]
    if not four_bits:
        _meet(data[1], call.shape(1)[1])
    note = "weights of 4 or 8 bits that are widened before they meet read as wide as activations"
    product = _gemm(call, outputs, data[0], data[1])
    return Product(product.layers, product.bits, note)


def compressed_mm(call: Call) -> Product:
    """_cslt_sparse_mm(compressed w, x[k, n], bias[m]): cuSPARSELt, 2:4"""
    packed, (k, n) = call.shape(0, 1, 2), call.shape(1, 2)
    bits = call.format(1)[1]
    if bits not in COMPRESSED:
        raise UnreadableError("a format that cuSPARSELt does not compress")
    if not k or not n or not prod(packed):
        return Product(())
    m, rest = divmod(16 * prod(packed), COMPRESSED[bits] * k)
    if rest or (call.has_tensor(2) and prod(call.shape(2)) != m):
        raise UnreadableError(MEETING)
    return _gemm(call, m, n, k, at=1, pattern="2:4")


def sparse_linear(call: Call) -> Product:
    """_sparse_semi_structured_linear(x[..., k], w[m, k / 2], metadata, bias[m]): 2:4"""
    data, weights = call.shape(0), call.shape(1, 2)
    _meet(data[-1], 2 * weights[1])
    return _gemm(call, weights[0], prod(data[:-1]), data[-1], pattern="2:4")


def sparse_mm(call: Call, first: int = 0) -> Product:
    """_sparse_semi_structured_mm(w[m, k / 2], metadata, x[k, n]): 2:4"""
    weights, data = call.shape(first, 2), call.shape(first + 2, 2)
    _meet(2 * weights[1], data[0])
    return _gemm(call, weights[0], data[1], data[0], at=first, pattern="2:4")


def sparse_addmm(call: Call) -> Product:
    """_sparse_semi_structured_addmm(bias, w[m, k / 2], metadata, x[k, n]): 2:4"""
    return sparse_mm(call, 1)


def einsum(call: Call) -> Product:
    """einsum(equation, [a, b]), of two operands.

    The format of a list's tensors is not recorded, nor, mostly, the equation: the products that it
    is made of say both.
    """
    if len(call.operands) == 1:
        return Product(())
    left, right, output = _equation(call)
    sizes = dict(zip(left + right, call.operands[0] + call.operands[1], strict=True))
    for letter, size in zip(left, call.operands[0], strict=True):
        _meet(size, sizes[letter])
    summed = (set(left) & set(right)) - set(output)
    if not summed:
        return Product(())  # element by element

    def size_of(letters: set[str]) -> int:
        return prod(sizes[letter] for letter in letters & set(output))

    m, n = size_of(set(right) - set(left)), size_of(set(left) - set(right))
    k = prod(sizes[letter] for letter in summed)
    return _matmul(call, m, n, k, size_of(set(left) & set(right)), at=1)


def _equation(call: Call) -> tuple[str, str, str]:
    """The letters of two operands and of the output."""
    equation = (call.values or ("",))[0].replace(" ", "")
    inputs, arrow, output = equation.partition("->")
    left, comma, right = inputs.partition(",")
    if not comma:
        raise UnreadableError("equation not recorded")
    distinct = len(set(left)) == len(left) and len(set(right)) == len(right)
    ranks = tuple(map(len, call.operands))
    if not distinct or not (left + right).isalpha() or (len(left), len(right)) != ranks:
        raise UnreadableError("an equation that does not fit")
    if not arrow:
        output = "".join(c for c, count in Counter(left + right).items() if count == 1)
    return left, right, output


def _gemm(
    call: Call, m: int, n: int, k: int, *, batch: int = 1, at: int = 0, pattern: str | None = None
) -> Product:
    """A product with weights, in the format of the operand ``at``."""
    dtype, bits = call.format(at)
    if not m * n * k * batch:
        return Product((), bits)
    gemm = Gemm(call.short, m=m, n=n, k=k, batch=batch, dtype=dtype, pattern=pattern)
    return Product((gemm,), bits)


def _matmul(call: Call, m: int, n: int, k: int, batch: int, *, at: int = 0) -> Product:
    """A product of activations, in the format of the operand ``at``."""
    name = call.short
    kinds = call.given.kinds
    listed = at < len(kinds) and kinds[at] == "TensorList"
    dtype, bits = ("fp16", 16) if listed else call.format(at)
    if not m * n * k * batch:
        return Product((), bits)
    return Product((Matmul(name, m=m, n=n, k=k, batch=batch, dtype=dtype),), bits)


def _meet(one: int, other: int) -> None:
    if one != other:
        raise UnreadableError(MEETING)


def _broadcast(one: Shape, other: Shape) -> Shape:
    """The shape that two batches have together."""
    length = max(len(one), len(other))
    pairs = zip((1,) * (length - len(one)) + one, (1,) * (length - len(other)) + other, strict=True)
    merged = []
    for a, b in pairs:
        if a != b and 1 not in (a, b):
            raise UnreadableError(MEETING)
        merged.append(b if a == 1 else a)
    return tuple(merged)
