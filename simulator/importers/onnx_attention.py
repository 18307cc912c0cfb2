"""Attention operators, ONNX's own and onnxruntime's: what their inputs say of heads and lengths.

Source: ONNX, Attention-23; onnxruntime, docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from simulator.importers.onnx_graph import (
    Call,
    Shape,
    UnknownShapeError,
    UnsupportedError,
    attributes,
)


@dataclass(frozen=True)
class Heads:
    """An attention: ``queries`` rows of each of ``heads`` heads meet ``keys`` rows.

    Attributes
    ----------
    keys : int
        Rows of K and V, those kept from before included.
    head, value : int
        Width of a head of Q and K, and of V.
    is_causal : bool
        Whether a query sees no keys behind its own.
    """

    batch: int
    heads: int
    kv_heads: int
    queries: int
    keys: int
    head: int
    value: int
    is_causal: bool = False


def standard(call: Call) -> Heads:
    """Attention of ONNX itself: Q, K, V of three or four dimensions, and past keys."""
    q, k, v = (call.shape(index) for index in range(3))
    if not len(q) == len(k) == len(v) or len(q) not in (3, 4):
        raise UnsupportedError(f"{len(q)}, {len(k)} and {len(v)} dimensions")
    if len(q) == 4:
        heads, kv_heads = q[1], k[1]
        queries, keys, head, value = q[2], k[2], q[3], v[3]
    else:
        heads, kv_heads = call.integer("q_num_heads"), call.integer("kv_num_heads")
        queries, keys = q[1], k[1]
        head, value = q[2] // max(heads, 1), v[2] // max(kv_heads, 1)
    _check(call, heads, kv_heads)
    past = call.shape(4)[2] if call.has(4) else 0
    is_causal = bool(call.integer("is_causal"))
    return Heads(q[0], heads, kv_heads, queries, keys + past, head, value, is_causal)


def grouped_query(call: Call) -> Heads:
    """GroupQueryAttention, of decoders: K and V may be packed behind Q in one tensor."""
    batch, queries, width = _three(call, 0)
    heads, kv_heads = call.integer("num_heads"), call.integer("kv_num_heads")
    _check(call, heads, kv_heads)
    is_packed = not call.has(1)
    head = width // (heads + 2 * kv_heads if is_packed else heads)
    past = call.shape(3)[2] if call.has(3) else 0
    given = call.values.get(call.node.input[6]) if call.has(6) else None
    # Model: as long as was asked for; else all that the cache can hold, and the new rows.
    keys = int(given.ravel()[0]) if given is not None and given.size else past + queries
    return Heads(batch, heads, kv_heads, queries, max(keys, 1), head, head, is_causal=True)


def multi_head(call: Call) -> Heads:
    """MultiHeadAttention: Q, K, V apart, K and V packed, or all three."""
    heads, is_causal = call.integer("num_heads"), bool(call.integer("unidirectional"))
    _check(call, heads, heads)
    q = call.shape(0)
    if len(q) == 5:  # batch, rows, heads, 3, head
        return Heads(q[0], heads, heads, q[1], q[1], q[4], q[4], is_causal)
    batch, queries, width = _three(call, 0)
    head = width // heads
    key = call.shape(1)
    keys = key[2] if len(key) == 4 else key[1]
    value = head
    if call.has(2):
        v = call.shape(2)
        value = v[3] if len(v) == 4 else v[2] // heads
    past = call.shape(6)[2] if call.has(6) and len(key) != 4 else 0
    return Heads(batch, heads, heads, queries, keys + past, head, value, is_causal)


def projecting(call: Call) -> Heads:
    """Attention and QAttention of onnxruntime, which multiply by the weights of Q, K, V first."""
    batch, queries, _ = _three(call, 0)
    heads = call.integer("num_heads")
    _check(call, heads, heads)
    total = call.shape(1)[-1]
    parts = attributes(call.node).get("qkv_hidden_sizes", (total // 3,) * 3)
    if not isinstance(parts, tuple) or len(parts) != 3 or sum(parts) != total:
        raise UnsupportedError(f"weights of {total} columns")
    past_at = 8 if call.node.op_type == "QAttention" else 4
    past = call.shape(past_at)[3] if call.has(past_at) else 0
    head, value = parts[0] // heads, parts[2] // heads
    is_causal = bool(call.integer("unidirectional"))
    return Heads(batch, heads, heads, queries, queries + past, head, value, is_causal)


CONTRIB: dict[str, Callable[[Call], Heads]] = {
    "Attention": projecting,
    "QAttention": projecting,
    "MultiHeadAttention": multi_head,
    "GroupQueryAttention": grouped_query,
}
"""onnxruntime's; `standard` is ONNX's own operator of the first name."""


def output_shapes(call: Call) -> list[Shape | None]:
    """What an attention of onnxruntime writes: the sum of values, present keys and values."""
    heads = CONTRIB[call.node.op_type](call)
    written = (heads.batch, heads.queries, heads.heads * heads.value)
    cache = (heads.batch, heads.kv_heads, heads.keys)
    if CONTRIB[call.node.op_type] is projecting:
        return [written, (2, *cache, heads.head)]
    return [written, (*cache, heads.head), (*cache, heads.value)]


def projection(call: Call) -> tuple[int, int, int]:
    """``m, n, k`` of the product with the weights of Q, K, V."""
    data, weights = call.shape(0), call.shape(1)
    if data[-1] != weights[0]:
        raise UnsupportedError(f"{data[-1]} inputs meet weights of {weights[0]}")
    return weights[-1], prod(data[:-1]), data[-1]


def _three(call: Call, index: int) -> tuple[int, int, int]:
    shape = call.shape(index)
    if len(shape) != 3:
        raise UnsupportedError(f"{len(shape)} dimensions")
    return shape[0], shape[1], shape[2]


def _check(call: Call, heads: int, kv_heads: int) -> None:
    if heads < 1 or kv_heads < 1 or heads % kv_heads:
        raise UnsupportedError(f"{heads} heads of queries and {kv_heads} of keys")
    if not call.node.input:
        raise UnknownShapeError("")
