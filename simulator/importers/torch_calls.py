"""Calls of operators in a profiler trace: what each was given, and which of them called which.

The trace is Chrome's JSON, as ``profile.export_chrome_trace`` writes it. Calls of one thread lie
in each other by time; their arguments are there if it was recorded with ``record_shapes=True``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeGuard

from simulator.workload.attention import Attention
from simulator.workload.layer import Layer

CPU_OPERATORS = ("cpu_op", "Operator")
"""Categories of operators' events, now and in older releases; some exporters write none."""

CALLS = ("X", "B")
"""Phases of events that are calls: whole ones, and beginnings whose ends are other events."""

Shape = tuple[int, ...]

FORMATS = {
    "": ("fp16", 16),
    "float": ("fp16", 32),
    "double": ("fp16", 64),
    "c10::Half": ("fp16", 16),
    "c10::BFloat16": ("bf16", 16),
    **dict.fromkeys(("signed char", "unsigned char", "c10::qint8", "c10::quint8"), ("int8", 8)),
    **{f"c10::Float8_{kind}": ("fp8", 8) for kind in ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz")},
}
"""``Input type``, the format that its layer is computed in, and the bits it was stored in. Floats
are computed as the presets are; where no type was recorded, too."""


class UnreadableError(Exception):
    """A call of which no layer can be made; the message says why."""


@dataclass(frozen=True)
class Product:
    """What a call multiplies.

    Attributes
    ----------
    layers : tuple of Layer
        None where an operand has no elements.
    bits : int
        Of one stored element of its operands.
    note : str
        What was assumed, if anything.
    is_wrapper : bool
        Whether a call inside it says better how it ran.
    """

    layers: tuple[Layer, ...]
    bits: int = 16
    note: str = ""
    is_wrapper: bool = False

    @property
    def count(self) -> int:
        """Products, of which an attention is two."""
        return sum(1 + isinstance(layer, Attention) for layer in self.layers)

    @property
    def rank(self) -> int:
        """Orders products by how little they move: narrow before wide, sparse before dense."""
        sparse = any(getattr(layer, "pattern", None) for layer in self.layers)
        return 2 * self.bits - sparse + self.is_wrapper


@dataclass(frozen=True, eq=False)
class Arguments:
    """What a call was given, as the profiler noted it; of any type, since files may hold any.

    Calls that were given the same share one, so that it is read once: equal only to itself.
    """

    dims: object
    types: object
    concrete: object

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Arguments:
        """The ``args`` of an event."""
        args = event.get("args")
        given = args if isinstance(args, dict) else {}
        types = given.get("Input type") or given.get("Input Types")
        return cls(given.get("Input Dims"), types, given.get("Concrete Inputs"))

    @property
    def text(self) -> str:
        """Equal where all is equal; empty where it nests too deeply for that to be told."""
        try:
            return str((self.dims, self.types, self.concrete))
        except RecursionError:
            return ""

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Of every argument; () of one that is no tensor, or a list of tensors."""
        return tuple(_shape(dims) or () for dims in _list(self.dims))

    @cached_property
    def operands(self) -> tuple[Shape, ...]:
        """All tensors of one or more dimensions, those of lists included."""
        return tuple(_tensors(self.dims))

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Arguments that are no tensors, as text, where the profiler noted them."""
        return tuple(map(str, _list(self.concrete)))

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Types of arguments."""
        return tuple(map(str, _list(self.types)))


class Call(NamedTuple):
    """One operator as it was called.

    Attributes
    ----------
    start_ns, end_ns : int
        Whole nanoseconds, so that a sum of times is exact.
    is_timed : bool
        Whether the event says when it began and how long it took. Where not, nobody knows which
        call it lies in.
    """

    operator: str
    thread: tuple[str, str]
    start_ns: int
    end_ns: int
    given: Arguments
    is_timed: bool = True

    @property
    def short(self) -> str:
        """The name without its namespace."""
        return self.operator.rpartition("::")[2]

    @property
    def has_arguments(self) -> bool:
        """Whether the profiler recorded what the call was given."""
        return bool(_list(self.given.dims))

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """As `Arguments.shapes`."""
        return self.given.shapes

    @property
    def operands(self) -> tuple[Shape, ...]:
        """As `Arguments.operands`."""
        return self.given.operands

    @property
    def values(self) -> tuple[str, ...]:
        """As `Arguments.values`."""
        return self.given.values

    def shape(self, index: int, *lengths: int) -> Shape:
        """The shape of one argument, which has as many dimensions as asked for.

        Raises
        ------
        UnreadableError
            If it has not, or no shapes were recorded.
        """
        if not self.has_arguments:
            raise UnreadableError("no shapes")
        shape = self.shapes[index] if index < len(self.shapes) else ()
        if not shape:
            raise UnreadableError(f"argument {index + 1} is no tensor")
        if lengths and len(shape) not in lengths:
            raise UnreadableError(f"{len(shape)} dimensions")
        return shape

    def has_tensor(self, index: int) -> bool:
        """Whether an optional argument is a tensor of at least one dimension."""
        return index < len(self.shapes) and bool(self.shapes[index])

    def rest_fits(self, operands: tuple[int, ...], output: Shape) -> None:
        """Check that what else was given is a bias, a mask, or where the output goes.

        A subclass of tensors may hand arguments of its own to an operator of the same name.

        Raises
        ------
        UnreadableError
            If another tensor does not broadcast to the output.
        """
        for index, shape in enumerate(self.shapes):
            if index in operands or 0 in shape:
                continue
            ends = zip(reversed(shape), reversed(output), strict=False)
            if len(shape) > len(output) or any(size not in (1, out) for size, out in ends):
                raise UnreadableError("arguments of another call")

    def integers(self, index: int, count: int, what: str) -> Shape:
        """``count`` integers of one argument, such as strides.

        Raises
        ------
        UnreadableError
            If they were not recorded.
        """
        try:
            found = json.loads(self.values[index])
        except (IndexError, ValueError, RecursionError):
            raise UnreadableError(f"{what} not recorded") from None
        numbers = found if isinstance(found, list) else [found]
        if not numbers or any(isinstance(n, bool) or not isinstance(n, int) for n in numbers):
            raise UnreadableError(f"{what} not recorded")
        numbers = numbers * count if len(numbers) == 1 else numbers
        if len(numbers) != count:
            raise UnreadableError(f"{what} of {len(numbers)} dimensions")
        return tuple(numbers)

    def format(self, index: int) -> tuple[str, int]:
        """The format of one argument, and the bits of an element.

        Raises
        ------
        UnreadableError
            If layers know no such format.
        """
        kind = self.given.kinds[index] if index < len(self.given.kinds) else ""
        if kind not in FORMATS:
            raise UnreadableError(f"{kind} operands")
        return FORMATS[kind]


def events_of(document: Any) -> list[Any] | None:
    """The events of a trace: an object's ``traceEvents``, or a bare list of them."""
    events = document.get("traceEvents") if isinstance(document, dict) else document
    return events if isinstance(events, list) else None


def calls_of(events: Iterable[Any]) -> Iterator[Call]:
    """Every call of an operator, in the order of the file."""
    known: dict[str, Arguments] = {}
    threads: dict[tuple[str, str], tuple[str, str]] = {}
    for event in events:
        if not isinstance(event, dict) or event.get("ph") not in CALLS:
            continue
        name, start, length = event.get("name"), event.get("ts"), event.get("dur")
        if not isinstance(name, str) or event.get("cat", "cpu_op") not in CPU_OPERATORS:
            continue
        is_timed, start_ns, end_ns = False, 0, 0
        if _is_time(start) and _is_time(length):
            is_timed, start_ns = True, round(start * 1000)
            end_ns = start_ns + max(0, round(length * 1000))
        thread = str(event.get("pid")), str(event.get("tid"))
        given = Arguments.of(event)
        text = given.text
        given = known.setdefault(text, given) if text else given
        yield Call(name, threads.setdefault(thread, thread), start_ns, end_ns, given, is_timed)


def callers(calls: Sequence[Call]) -> list[int]:
    """The place of each call's caller, -1 of those that nothing called.

    ``calls`` are sorted by `order`. Clocks are read one after the other, so that an end may lie a
    little behind the caller's: what lies in it by more than half was called by it.
    """
    found: list[int] = []
    stack: list[int] = []
    for number, call in enumerate(calls):
        while stack and not _lies_in(call, calls[stack[-1]]):
            stack.pop()
        found.append(stack[-1] if stack else -1)
        stack.append(number)
    return found


def order(call: Call) -> tuple[tuple[str, str], int, int]:
    """A key that puts callers before what they call, thread by thread."""
    return call.thread, call.start_ns, -call.end_ns


def _lies_in(call: Call, other: Call) -> bool:
    if call.thread != other.thread or call.start_ns >= other.end_ns:
        return False
    return call.start_ns + call.end_ns < 2 * other.end_ns


def _is_time(value: object) -> TypeGuard[float]:
    """Microseconds in a range where sums and differences are finite."""
    return isinstance(value, int | float) and -1e18 < value < 1e18


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _shape(dims: object) -> Shape | None:
    """Dimensions of a tensor; None of a list of tensors, or of what is no shape."""
    sizes = _list(dims)
    if all(type(size) is int and size >= 0 for size in sizes):
        return tuple(sizes)
    return None


def _tensors(dims: object) -> Iterator[Shape]:
    """The shapes in a list of arguments, and in lists of tensors among them."""
    open_lists = [iter(_list(dims))]
    while open_lists:
        for entry in open_lists[-1]:
            shape = _shape(entry)
            if shape is None:
                open_lists.append(iter(entry))
                break
            if shape:
                yield shape
        else:
            open_lists.pop()
