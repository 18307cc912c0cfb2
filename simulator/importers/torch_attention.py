"""Attention of a trace: a kernel of its own, or two products with a softmax between them.

The queries of a group share keys and values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from simulator.importers.torch_calls import Call, Product, Shape, UnreadableError
from simulator.workload.attention import Attention
from simulator.workload.layer import Matmul

Read = Callable[[Call], Product]

NO_CAUSE = ("", "False", "0")
"""What a trace says of an attention that is not causal, or nothing."""


def in_products(call: Call) -> Product:
    """_scaled_dot_product_attention_math(q[..., seq, d], k[..., context, d], v[..., context, e])"""
    q, k, v = (call.shape(index) for index in range(3))
    call.rest_fits((0, 1, 2), (*q[:-1], k[-2] if len(k) > 1 else 1))
    return _products(call, q, k, v)


def attention(causal_at: int, *, is_wrapper: bool = False) -> Read:
    """scaled_dot_product_attention(q, k, v, ...), likewise

    Parameters
    ----------
    causal_at : int
        The argument that says whether queries see what comes behind them.
    is_wrapper : bool
        Whether it hands its arguments to one of several others.
    """

    def read(call: Call) -> Product:
        found = replace(in_products(call), is_wrapper=is_wrapper)
        q, k, v = (call.shape(index) for index in range(3))
        return _as_one(call, found, (q, k, v), causal_at)

    return read


def heads_last(lengths_at: tuple[int, int], causal_at: int) -> Read:
    """_flash_attention_forward(q[batch, seq, heads, d], k, v, ...), likewise

    Parameters
    ----------
    lengths_at : (int, int)
        The arguments that hold where each sequence ends, of sequences one behind the other; how
        long they are a trace does not hold.
    causal_at : int
        As in `attention`.
    """

    def read(call: Call) -> Product:
        _refuse_packed(call, lengths_at)
        q, k, v = (_exchanged(call.shape(index, 4)) for index in range(3))
        return _as_one(call, _products(call, q, k, v), (q, k, v), causal_at)

    return read


def with_lengths(lengths_at: tuple[int, int], causal_at: int) -> Read:
    """_cudnn_attention_forward(q[batch, heads, seq, d], k, v, ...), as `heads_last` else."""

    def read(call: Call) -> Product:
        _refuse_packed(call, lengths_at)
        q, k, v = (call.shape(index, 4) for index in range(3))
        return _as_one(call, _products(call, q, k, v), (q, k, v), causal_at)

    return read


def _refuse_packed(call: Call, lengths_at: tuple[int, int]) -> None:
    if any(call.has_tensor(index) for index in lengths_at) or len(call.shape(0)) == 3:
        raise UnreadableError("lengths of packed sequences not recorded")


def _exchanged(shape: Shape) -> Shape:
    batch, seq, heads, width = shape
    return batch, heads, seq, width


def _products(call: Call, q: Shape, k: Shape, v: Shape) -> Product:
    """Scores and context. A key head is read once, for all queries of its group."""
    if min(map(len, (q, k, v))) < 2:
        raise UnreadableError("vectors")
    if q[-1] != k[-1] or k[-2] != v[-2]:
        raise UnreadableError("shapes do not meet")
    dtype, bits = call.format(0)
    if not prod(q) or not prod(k) or not prod(v):
        return Product((), bits)
    scored, scores = _shared(q[:-2], k[:-2])
    mixed, contexts = _shared(q[:-2], v[:-2])
    name, seq, context = call.short, q[-2], k[-2]
    layers = (
        Matmul(name, m=context, n=scored * seq, k=q[-1], batch=scores, dtype=dtype),
        Matmul(name, m=v[-1], n=mixed * seq, k=context, batch=contexts, dtype=dtype),
    )
    return Product(layers, bits)


def _as_one(
    call: Call, found: Product, operands: tuple[Shape, Shape, Shape], causal_at: int
) -> Product:
    """Two products as the one kernel that they were; as they are, if it has no layer.

    Model: causal queries and keys end together, where there are as many.
    """
    q, k, v = operands
    is_layer = v == k and len(q) == len(k) > 2 and q[:-3] == k[:-3]
    if not found.layers or not is_layer:
        return found
    said = call.values[causal_at : causal_at + 1]
    layer = Attention(
        call.short, q[-3], k[-3], q[-2], k[-2], q[-1], batch=prod(q[:-3]),
        causal=q[-2] == k[-2] and any(value not in NO_CAUSE for value in said),
        dtype=found.layers[0].dtype,
    )  # fmt: skip
    return replace(found, layers=(layer,))


def _shared(queries: Shape, keys: Shape) -> tuple[int, int]:
    """How many of the queries share one of the keys, and how many keys there are.

    Leading dimensions are samples and, last, heads: a group of query heads may share a key head
    (Ainslie et al., arXiv:2305.13245), all of them may share one that is broadcast.
    """
    length = max(len(queries), len(keys))
    queries = (1,) * (length - len(queries)) + queries
    keys = (1,) * (length - len(keys)) + keys
    shared, count = 1, 1
    for place, (q, k) in enumerate(zip(queries, keys, strict=True)):
        grouped = place == length - 1 and q % k == 0
        if q != k and 1 not in (q, k) and not grouped:
            raise UnreadableError("heads that do not divide")
        shared *= max(1, q // k)
        count *= k
    return shared, count
