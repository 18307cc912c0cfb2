"""``PyTorch profiler trace -> Imported``: what a model's operators were called with.

The trace is Chrome's JSON, as ``profile.export_chrome_trace`` writes it with
``record_shapes=True``. ``OPERATORS`` lists the operators that bear MACs. They call each other, as
``conv2d`` calls ``convolution``; of nested ones the outermost counts, by the times on its thread.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

from simulator.errors import SimulatorError, WorkloadError
from simulator.importers.imported import Imported, Tally, located
from simulator.importers.json_file import read_json
from simulator.workload.layer import Conv, Gemm, Layer, Matmul, Stream

MAX_FILE_BYTES = 2**30

Shape = tuple[int, ...]

DTYPES = {
    "float": "fp16",
    "double": "fp16",
    "c10::Half": "fp16",
    "c10::BFloat16": "bf16",
    "signed char": "int8",
    "unsigned char": "int8",
    "c10::Float8_e4m3fn": "fp8",
    "c10::Float8_e5m2": "fp8",
}
"""``Input type`` and the format that the layer is computed in; float as the presets are."""

SUSPECTS = re.compile(
    r"gemm|conv(?!ert)|matmul|attention|rnn|lstm|gru(?:_|$)|einsum|"
    r"(?:_|::)(?:add|badd|b)?m[mv](?:_|$)"
)
"""Names that bear MACs for all that is known; those that call nothing known are reported."""

HINT = "profile with record_shapes=True"


def read_torch_trace(path: Path, parameters: Mapping[str, int]) -> Imported:
    """Read the layers that a profiler saw, in the order of their time.

    Raises
    ------
    WorkloadError
        If the file is not such a trace, holds no operators that bear MACs, or no shapes.
    """
    for name in parameters:
        raise WorkloadError(f"{path} {name}", "a trace was recorded with its sizes")
    calls = _calls(path, read_json(path, MAX_FILE_BYTES))
    tally = Tally(path)
    pooled: Counter[str] = Counter()
    for call in _outermost(calls):
        if call.operator in OPERATORS:
            _add(call, tally)
        elif call.operator in STREAMS:
            _add_stream(call, tally, pooled)
        else:
            tally.skip(call.operator)
    if any(call.types[:1] in (("float",), ("double",)) for call in calls):
        tally.notes.append("fp32 tensors read as fp16")
    tally.notes += [f"{text}: {count}" for text, count in sorted(pooled.items())]
    if not tally.layers and not tally.skipped:
        raise WorkloadError(str(path), "holds no operators that bear MACs", hint=HINT)
    return tally.result(path.name.removesuffix(".json").removesuffix(".pt.trace"))


@dataclass
class _Call:
    """One operator as it was called.

    Attributes
    ----------
    shapes : tuple of tuple of int
        Of every argument; () of one that is no tensor.
    values : tuple of str
        Arguments that are no tensors, as text, where the profiler noted them.
    """

    operator: str
    thread: tuple[str, str]
    start_us: float
    end_us: float
    shapes: tuple[Shape, ...]
    types: tuple[str, ...]
    values: tuple[str, ...]
    covers: bool = field(default=False)

    def shape(self, index: int, *lengths: int) -> Shape:
        """The shape of one argument, which has as many dimensions as asked for."""
        shape = self.shapes[index] if index < len(self.shapes) else ()
        if not shape:
            raise _UnsupportedError("no shapes")
        if lengths and len(shape) not in lengths:
            raise _UnsupportedError(f"{len(shape)} dimensions")
        return shape

    def integers(self, index: int, count: int) -> Shape:
        """``count`` integers of one argument, such as strides."""
        try:
            found = json.loads(self.values[index])
        except (IndexError, ValueError, RecursionError):
            raise _UnsupportedError("strides not recorded") from None
        numbers = found if isinstance(found, list) else [found]
        if not numbers or any(isinstance(n, bool) or not isinstance(n, int) for n in numbers):
            raise _UnsupportedError("strides not recorded")
        return tuple(numbers * count if len(numbers) == 1 else numbers)

    @property
    def dtype(self) -> str:
        known = [DTYPES[name] for name in self.types if name in DTYPES]
        return known[0] if known else "fp16"


class _UnsupportedError(Exception):
    """A call of which no layer can be made; the message says why."""


def _calls(path: Path, document: Any) -> list[_Call]:
    """The operators of a trace, sorted by thread and time, callers before those they call."""
    events = document.get("traceEvents") if isinstance(document, dict) else document
    if not isinstance(events, list):
        raise WorkloadError(str(path), "not a profiler trace", want="a list 'traceEvents'")
    calls = []
    for event in events:
        if isinstance(event, dict) and event.get("ph") == "X":
            call = _call(event)
            if call is not None:
                calls.append(call)
    return sorted(calls, key=lambda call: (call.thread, call.start_us, -call.end_us))


def _call(event: Mapping[str, Any]) -> _Call | None:
    name, arguments = event.get("name"), event.get("args")
    start, length = event.get("ts"), event.get("dur")
    if not isinstance(name, str) or "::" not in name or event.get("cat", "cpu_op") == "kernel":
        return None
    if not (name in OPERATORS or name in STREAMS or SUSPECTS.search(name)):
        return None
    if not _is_time(start) or not _is_time(length):
        return None
    given = arguments if isinstance(arguments, dict) else {}
    if event.get("cat", "cpu_op") not in ("cpu_op", "Operator"):
        return None
    return _Call(
        operator=name,
        thread=(str(event.get("pid")), str(event.get("tid"))),
        start_us=start,
        end_us=start + length,
        shapes=tuple(_shape(dims) for dims in _list(given.get("Input Dims"))),
        types=tuple(map(str, _list(given.get("Input type") or given.get("Input Types")))),
        values=tuple(map(str, _list(given.get("Concrete Inputs")))),
    )


def _is_time(value: object) -> TypeGuard[float]:
    """Microseconds in a range where sums and differences are finite."""
    return isinstance(value, int | float) and -1e18 < value < 1e18


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _shape(dims: object) -> Shape:
    """Dimensions of a tensor; of a list of tensors, or of no tensor, none."""
    sizes = _list(dims)
    if all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
        return tuple(sizes)
    return ()


def _outermost(calls: Iterable[_Call]) -> list[_Call]:
    """Calls that no other one stands for, by time.

    A known operator stands for what it calls; an unknown one that calls a known one stands for
    nothing.
    """
    stack: list[_Call] = []
    counted: list[_Call] = []
    for call in calls:
        while stack and (stack[-1].thread != call.thread or stack[-1].end_us <= call.start_us):
            stack.pop()
        if any(above.operator in KNOWN for above in stack):
            continue
        if call.operator in OPERATORS:
            for above in stack:
                above.covers = True
        elif call.operator not in STREAMS and any(above.operator not in KNOWN for above in stack):
            continue
        stack.append(call)
        counted.append(call)
    return sorted((c for c in counted if not c.covers), key=lambda call: call.start_us)


def _add(call: _Call, tally: Tally) -> None:
    """The layers of one operator, or a count of it with the reason."""
    short = call.operator.partition("::")[2]
    try:
        layers = OPERATORS[call.operator](call)
    except _UnsupportedError as reason:
        tally.skip(f"{call.operator} ({reason})")
        return
    except SimulatorError as error:
        raise located(tally.path, short, error) from None
    for number, make in enumerate(layers):
        try:
            layer = make(tally.name(short))
        except SimulatorError as error:
            raise located(tally.path, short, error) from None
        tally.add(layer, counts=number == 0)


def _add_stream(call: _Call, tally: Tally, left_out: Counter[str]) -> None:
    """What works element by element writes its largest input's size."""
    sizes = [prod(shape) for shape in call.shapes if shape]
    if not sizes:
        left_out["streaming operators without shapes left out"] += 1
        return
    name = tally.name(call.operator.partition("::")[2])
    kind = STREAMS[call.operator]
    try:
        tally.add(Stream(name, sum(sizes), max(sizes), op=kind, dtype=call.dtype))
    except SimulatorError as error:
        raise located(tally.path, name, error) from None


Make = Callable[[str], Layer]


def _linear(call: _Call) -> list[Make]:
    """linear(x[..., k], w[m, k])"""
    data, weights = call.shape(0), call.shape(1, 2)
    return _weighted(call, weights[0], data[:-1], data[-1], weights[1])


def _mm(call: _Call, first: int = 0) -> list[Make]:
    """mm(x[n, k], w[k, m])"""
    data, weights = call.shape(first, 2), call.shape(first + 1, 2)
    return _weighted(call, weights[1], data[:-1], data[-1], weights[0])


def _addmm(call: _Call) -> list[Make]:
    """addmm(bias, x[n, k], w[k, m])"""
    return _mm(call, 1)


def _weighted(call: _Call, m: int, rows: Shape, k: int, weights_k: int) -> list[Make]:
    if k != weights_k:
        raise WorkloadError(call.operator, f"reductions of {k} and {weights_k} meet")
    dtype = "int8" if call.operator == "aten::_int_mm" else call.dtype
    return [lambda name: Gemm(name, m=m, n=prod(rows), k=k, dtype=dtype)]


def _bmm(call: _Call, first: int = 0) -> list[Make]:
    """bmm(a[b, n, k], b[b, k, m])"""
    a, b = call.shape(first, 3), call.shape(first + 1, 3)
    if a[0] != b[0] or a[2] != b[1]:
        raise WorkloadError(call.operator, f"operands {list(a)} and {list(b)} do not meet")
    return [
        lambda name: Matmul(name, m=b[2], n=a[1], k=a[2], batch=a[0], dtype=call.dtype),
    ]


def _baddbmm(call: _Call) -> list[Make]:
    return _bmm(call, 1)


def _attention(call: _Call) -> list[Make]:
    """scaled_dot_product_attention(q[..., seq, d], k[..., context, d], v[..., context, e])"""
    q, k, v = (call.shape(index, 3, 4) for index in range(3))
    batch = prod(q[:-2])
    return [
        lambda name: Matmul(name, m=k[-2], n=q[-2], k=q[-1], batch=batch, dtype=call.dtype),
        lambda name: Matmul(name, m=v[-1], n=q[-2], k=k[-2], batch=batch, dtype=call.dtype),
    ]


def _conv(call: _Call) -> list[Make]:
    """conv1d, conv2d, convolution(x, w, bias, stride, padding, dilation, ...)"""
    weights = call.shape(1, 3, 4)
    flat = len(weights) - 2
    data = call.shape(0, flat + 1, flat + 2)
    data = (1, *data) if len(data) == flat + 1 else data
    if "convolution" in call.operator and call.values[6:7] == ("True",):
        raise _UnsupportedError("transposed")
    stride, padding, dilation = (call.integers(index, flat) for index in (3, 4, 5))
    lengths = {len(sizes) for sizes in (stride, padding, dilation)}
    if lengths != {flat} or data[1] % weights[1]:
        raise WorkloadError(call.operator, f"operands {list(data)} and {list(weights)} do not meet")

    def plane(sizes: Shape, missing: int) -> tuple[int, int]:
        return (sizes[0], sizes[1]) if flat == 2 else (missing, sizes[0])

    in_h, in_w = plane(data[2:], 1)
    return [
        lambda name: Conv(
            name,
            in_channels=data[1],
            out_channels=weights[0],
            in_h=in_h,
            in_w=in_w,
            kernel=plane(weights[2:], 1),
            stride=plane(stride, 1),
            padding=plane(padding, 0),
            dilation=plane(dilation, 1),
            groups=data[1] // weights[1],
            batch=data[0],
            dtype=call.dtype,
        )
    ]


OPERATORS: dict[str, Callable[[_Call], list[Make]]] = {
    "aten::linear": _linear,
    "aten::addmm": _addmm,
    "aten::mm": _mm,
    "aten::_int_mm": _mm,
    "aten::bmm": _bmm,
    "aten::baddbmm": _baddbmm,
    "aten::scaled_dot_product_attention": _attention,
    **dict.fromkeys(("aten::conv1d", "aten::conv2d"), _conv),
    **dict.fromkeys(("aten::convolution", "aten::_convolution"), _conv),
}

ELEMENTWISE = ("relu", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "hardtanh",
               "leaky_relu", "add", "sub", "mul", "div")  # fmt: skip

STREAMS: dict[str, str] = {
    **dict.fromkeys(("aten::softmax", "aten::_softmax", "aten::log_softmax"), "softmax"),
    **dict.fromkeys(("aten::layer_norm", "aten::native_layer_norm"), "normalization"),
    **dict.fromkeys(("aten::batch_norm", "aten::group_norm", "aten::rms_norm"), "normalization"),
    **{f"aten::{name}": "elementwise" for name in ELEMENTWISE},
    **{f"aten::{name}_": "elementwise" for name in ELEMENTWISE},
}
"""Operators whose output is as large as their largest input. Others are left out, since a trace
does not hold output sizes."""

KNOWN = OPERATORS.keys() | STREAMS.keys()
