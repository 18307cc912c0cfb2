"""Which of the calls that lie in each other count: as a product, a stream, or by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from simulator.importers.torch_calls import (
    Arguments,
    Call,
    Product,
    UnreadableError,
    callers,
    order,
)
from simulator.importers.torch_names import STREAMS, is_harmless, is_named_like_product
from simulator.importers.torch_products import MADE_OF_PRODUCTS, read_product, reader_of

SEVERAL = re.compile(r"attention|attn|moe|expert", re.IGNORECASE)
"""Names of what is at least two products."""

UNSTRUCTURED = frozenset(
    f"aten::{name}" for name in ("_sparse_mm", "_sparse_addmm", "sparse_sampled_addmm", "smm")
)
"""Products with a tensor whose zeros lie anywhere: what they call is no product of dense ones,
though it has their names and sizes."""

FOREIGN = re.compile(r"(?!aten::|mkldnn::|onednn::|mkl::)\w+::")
"""Namespaces of libraries that may multiply in formats of their own; PyTorch's say which."""


class Seen(NamedTuple):
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
    ran : str
        The operator of another library that it called for the product, if that cannot be read: it
        may work on narrower or sparser weights than the call says.
    """

    call: Call
    product: Product | None
    reason: str
    named: bool
    ran: str = ""

    @property
    def is_stream(self) -> bool:
        return self.call.operator in STREAMS


@dataclass(frozen=True)
class _Inside:
    """What was found in the calls that one call made.

    Attributes
    ----------
    read, named, suspect : bool
        Whether some of it can be read, is named like a product, or may be one at all.
    products : int
        How many there are; an attention that cannot be read is two.
    rank : int
        The least `Product.rank`.
    """

    read: bool = False
    named: bool = False
    suspect: bool = False
    streams: bool = False
    products: int = 0
    rank: int = 1 << 30

    def __or__(self, other: _Inside) -> _Inside:
        return _Inside(
            self.read or other.read,
            self.named or other.named,
            self.suspect or other.suspect,
            self.streams or other.streams,
            self.products + other.products,
            min(self.rank, other.rank),
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
    be read gives way to those in it that can, or that are as surely products by their names. Calls
    at no known time count by name.
    """
    calls = sorted(calls, key=order)
    seen_as = _Readings()
    all_seen = (seen_as(call) for call in calls if call.is_timed)
    seen = [one for one in all_seen if one is not None]
    above = callers([one.call for one in seen])
    inside = [_Inside()] * len(seen)
    for number in range(len(seen) - 1, -1, -1):
        if above[number] >= 0:
            inside[above[number]] |= _told(seen[number], inside[number])
    kept: dict[int, Seen] = {}
    keepers: list[int] = []  # what stands for a call: itself, or one that it lies in
    states: list[_Open | None] = []
    for number, one in enumerate(seen):
        caller = above[number]
        state = states[caller] if caller >= 0 else _Open()
        keeps, state = (False, None) if state is None else _judged(one, inside[number], state)
        states.append(state)
        keepers.append(number if keeps or caller < 0 else keepers[caller])
        if keeps:
            kept[number] = one
        elif _is_foreign(one) and (by := kept.get(keepers[number])) and by.product is not None:
            kept[keepers[number]] = by._replace(ran=one.call.operator)
    found = [*kept.values(), *_untimed(calls)]
    return sorted(found, key=lambda one: one.call.start_ns)


def _is_foreign(one: Seen) -> bool:
    return one.named and one.product is None and FOREIGN.match(one.call.operator) is not None


def _untimed(calls: Iterable[Call]) -> Iterator[Seen]:
    """Calls that may be products, and of which nobody knows what they lie in."""
    for one in (_seen(call) for call in calls if not call.is_timed):
        if one is not None and not one.is_stream:
            yield Seen(one.call, None, "time not recorded", one.named)


class _Readings:
    """`_seen` of many calls: an operator that is given the same again is not read again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Arguments], Seen | None] = {}

    def __call__(self, call: Call) -> Seen | None:
        key = call.operator, call.given
        if key not in self._known:
            self._known[key] = _seen(call)
        known = self._known[key]
        return known and known._replace(call=call)


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
    if one.product is not None and not _gives_way(one, one.product, inside):
        count = one.product.count
        rank = one.product.rank if count else _Inside.rank
        return _Inside(read=True, products=count, rank=rank)
    if one.is_stream:
        return inside | _Inside(streams=True)
    if one.call.operator in UNSTRUCTURED:
        return _Inside(named=True, suspect=True, products=1)
    least = _least(one)
    own = _Inside(named=one.named, suspect=True, products=max(0, least - inside.products))
    return inside | own


def _least(one: Seen) -> int:
    """How many products a call is at least, by its name."""
    return 2 if one.named and SEVERAL.search(one.call.operator) else 1


def _gives_way(one: Seen, product: Product, inside: _Inside) -> bool:
    if one.call.operator in MADE_OF_PRODUCTS:
        return inside.read
    return inside.rank < product.rank and inside.products >= product.count > 0


def _judged(one: Seen, inside: _Inside, state: _Open) -> tuple[bool, _Open | None]:
    """Whether a call counts, and what still counts inside it; None is nothing."""
    if one.product is not None and not _gives_way(one, one.product, inside):
        return bool(one.product.layers), None
    if one.is_stream:
        return state.streams, _Open(state.names, streams=False)
    if one.call.operator in UNSTRUCTURED:
        return state.names, None
    named_inside = inside.named or (inside.suspect and not one.named)
    elementwise = one.call.operator == "aten::einsum" and inside.streams
    whole = inside.products >= _least(one) or not inside.products
    if not state.names or elementwise or ((inside.read or named_inside) and whole):
        return False, state
    return True, _Open(names=False, streams=state.streams)
