"""Which of the calls that lie in each other count: as a product, a stream, or by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from simulator.importers.torch_calls import Call, Product, UnreadableError, callers, order
from simulator.importers.torch_names import STREAMS, is_harmless, is_named_like_product
from simulator.importers.torch_products import MADE_OF_PRODUCTS, read_product, reader_of

SEVERAL = re.compile(r"attention|attn|moe|expert", re.IGNORECASE)
"""Names of what is at least two products."""


@dataclass(frozen=True)
class Seen:
    """A call that bears on the account.

    Attributes
    ----------
    call : Call
    product : Product or None
        What it multiplies, if that can be read.
    reason : str
        Why it cannot be read, of a known operator.
    named : bool
        Whether its name is one of a product. Where not, and it is no stream, its operands say that
        it may be one.
    """

    call: Call
    product: Product | None
    reason: str
    named: bool

    @property
    def is_stream(self) -> bool:
        return self.call.operator in STREAMS


@dataclass(frozen=True)
class _Inside:
    """What was found in the calls that one call made."""

    read: bool = False
    layers: int = 0
    rank: int = 1 << 30
    named: bool = False
    streams: bool = False

    def __or__(self, other: _Inside) -> _Inside:
        return _Inside(
            self.read or other.read,
            self.layers + other.layers,
            min(self.rank, other.rank),
            self.named or other.named,
            self.streams or other.streams,
        )


@dataclass(frozen=True)
class _Open:
    """What still counts among the calls that one call made, besides products that can be read."""

    names: bool = True
    streams: bool = True


def counted(calls: Iterable[Call]) -> list[Seen]:
    """The calls that count, in the order of their time.

    A call that can be read stands for all that it called, unless a product in it is narrower or
    sparser: a tensor of 2:4 weights is an operand of ``linear`` as a dense one is. One that cannot
    be read gives way to those in it that can, and stands for them by its name where none can.
    """
    found = (_seen(call) for call in sorted(calls, key=order))
    seen = [one for one in found if one is not None]
    above = callers([one.call for one in seen])
    inside = [_Inside()] * len(seen)
    for number in range(len(seen) - 1, -1, -1):
        if above[number] >= 0:
            inside[above[number]] |= _told(seen[number], inside[number])
    kept: list[Seen] = []
    states: list[_Open | None] = []
    for number, one in enumerate(seen):
        state = states[above[number]] if above[number] >= 0 else _Open()
        keeps, state = (False, None) if state is None else _judged(one, inside[number], state)
        states.append(state)
        if keeps:
            kept.append(one)
    return sorted(kept, key=lambda one: one.call.start_ns)


def _seen(call: Call) -> Seen | None:
    """None of a call that multiplies nothing and moves nothing that layers could say."""
    known = reader_of(call.operator) is not None
    named = known or is_named_like_product(call.operator)
    if not named and call.operator not in STREAMS:
        matrices = sum(len(shape) > 1 for shape in call.operands)
        if matrices < 2 or is_harmless(call.operator):
            return None
    if not known:
        return Seen(call, None, "", named)
    try:
        return Seen(call, read_product(call), "", named)
    except UnreadableError as reason:
        return Seen(call, None, str(reason), named)


def _told(one: Seen, inside: _Inside) -> _Inside:
    """What a call tells its caller of."""
    if one.product is None or _gives_way(one, one.product, inside):
        named = one.named or inside.named
        return inside | _Inside(named=named, streams=one.is_stream)
    layers = len(one.product.layers)
    return _Inside(True, layers, one.product.rank if layers else _Inside.rank)


def _gives_way(one: Seen, product: Product, inside: _Inside) -> bool:
    if one.call.operator in MADE_OF_PRODUCTS:
        return inside.read
    return bool(product.layers) and inside.rank < product.rank


def _judged(one: Seen, inside: _Inside, state: _Open) -> tuple[bool, _Open | None]:
    """Whether a call counts, and what still counts inside it; None is nothing."""
    if one.product is not None and not _gives_way(one, one.product, inside):
        return bool(one.product.layers), None
    if one.is_stream:
        return state.streams, _Open(state.names, streams=False)
    if inside.read:
        hides = inside.layers < 2 and not inside.named and SEVERAL.search(one.call.operator)
        return state.names and bool(hides), state
    elementwise = one.call.operator in MADE_OF_PRODUCTS and inside.streams
    by_others = not one.named and inside.named
    if not state.names or elementwise or by_others:
        return False, state
    return True, _Open(names=False, streams=state.streams)
