"""Is every product of a profiler trace a layer or named as missing, and each once?

The oracle reads the raw JSON, event against event, and knows nothing of the importer's tables.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.importers import import_workload

Event = dict[str, Any]
Call = tuple[str, list[Any], list["Call"]]  # name, operands' shapes, calls that it makes

SIZES = st.integers(1, 9).map(lambda size: 8 * size)
WINDOW = ["", "", "", "[1, 1]", "[1, 1]", "[1, 1]", "False", "[0, 0]", "1"]
SAME = ["", "", "", "[1, 1]", "", "[1, 1]", "1"]

MOVERS = ("aten::add", "aten::copy_", "aten::where", "aten::native_layer_norm", "aten::cat",
          "aten::_foreach_mul_", "fbgemm::permute_sparse_features", "aten::index")  # fmt: skip
UNREADABLE = ("flash_attn::_flash_attn_forward", "_C::machete_mm", "own_kernel", "FlashAttnFunc",
              "own::kernel", "aten::_cudnn_rnn", "aten::convolution_backward")  # fmt: skip
ONE_OPERAND = ("vllm::moe_forward", "quantized::linear", "vllm::unified_attention")
WRAPPERS = ("Block", "own::block", "aten::inner", "aten::_transformer_encoder_layer_fwd")


@st.composite
def products(draw: st.DrawFn) -> Call:
    """A product that can be read, with what it calls."""
    n, m, k, batch = (draw(SIZES) for _ in range(4))
    mm: Call = ("aten::mm", [[n, k], [k, m]], [])
    addmm: Call = ("aten::addmm", [[m], [n, k], [k, m]], [])
    bmm: Call = ("aten::bmm", [[batch, n, k], [batch, k, m]], [])
    images: list[Any] = [[batch, k, n, n], [m, k, 3, 3], [m]]
    conv: Call = ("aten::convolution", images, [("aten::mkldnn_convolution", images, [])])
    return draw(
        st.sampled_from(
            [
                mm,
                addmm,
                bmm,
                ("aten::linear", [[n, k], [m, k], [m]], [addmm]),
                ("aten::linear", [[7, n, k], [2, k], [m, k]], [mm]),  # arguments of a subclass
                ("aten::addmm", [[m], [n, k + 1], [k, m]], []),  # does not meet
                ("aten::matmul", [[n, k], [k, m]], [mm]),
                ("aten::einsum", [[[batch, n, k], [batch, k, m]]], [bmm]),
                ("aten::conv2d", images, [("aten::_convolution_mode", images, [conv])]),
                ("aten::mm", [[0, k], [k, m]], []),
            ]
        )
    )


@st.composite
def others(draw: st.DrawFn) -> Call:
    """A call that moves data, or multiplies in a way that nobody can read."""
    rows, columns = draw(SIZES), draw(SIZES)
    if draw(st.booleans()):
        return draw(st.sampled_from(MOVERS)), [[rows, columns], [rows, columns]], []
    if draw(st.booleans()):
        return draw(st.sampled_from(ONE_OPERAND)), [[rows, columns]], []
    return draw(st.sampled_from(UNREADABLE)), [[rows, columns], [columns, rows]], []


def wrapped(inner: st.SearchStrategy[Call]) -> st.SearchStrategy[Call]:
    operands = st.just([[8, 8], [8, 8]])
    return st.tuples(st.sampled_from(WRAPPERS), operands, st.lists(inner, min_size=1, max_size=4))


CALLS = st.recursive(products() | others(), wrapped, max_leaves=6)


def write(calls: list[Call], start: int, thread: int, events: list[Event]) -> int:
    """Append the events of calls one after the other; returns when the last ends."""
    for name, dims, inner in calls:
        end = write(inner, start + 1, thread, events) + 1
        values = WINDOW if name.endswith("convolution") else SAME if "conv" in name else []
        args = {"Input Dims": [*dims, *[[]] * (len(values) - len(dims))], "Concrete Inputs": values,
                "Input type": ["c10::Half"] * len(dims)}  # fmt: skip
        events.append({"ph": "X", "cat": "cpu_op", "name": name, "pid": 1, "tid": thread,
                       "ts": start, "dur": end - start, "args": args})  # fmt: skip
        start = end
    return start


# The oracle


def matrices(dims: list[Any]) -> list[list[int]]:
    """Operands of two or more dimensions, those in lists too."""
    found = []
    for entry in dims:
        if entry and isinstance(entry[0], list):
            found += matrices(entry)
        elif len(entry) > 1:
            found.append(entry)
    return found


def inner_events(event: Event, events: list[Event]) -> list[Event]:
    """Events of its thread that lie in it, but in no other event that does."""
    first, last = event["ts"], event["ts"] + event["dur"]
    inside = [
        other
        for other in events
        if other["tid"] == event["tid"] and first < other["ts"] and other["ts"] < last
    ]
    return [
        one
        for one in inside
        if not any(other["ts"] < one["ts"] < other["ts"] + other["dur"] for other in inside)
    ]


def innermost(event: Event, events: list[Event]) -> list[Event]:
    """The products that an event stands for: those it calls, or else itself, if it may be one."""
    if event["name"] in MOVERS:
        return []
    below = [one for inner in inner_events(event, events) for one in innermost(inner, events)]
    several = len(matrices(event["args"]["Input Dims"])) > 1
    return below or [event] * (several or event["name"] in ONE_OPERAND)


def counted(event: Event, events: list[Event]) -> int:
    """How many of them multiply anything."""
    found = innermost(event, events)
    return sum(all(map(all, matrices(one["args"]["Input Dims"]))) for one in found)


def readable_macs(event: Event, events: list[Event]) -> int:
    """MACs of the innermost products whose operands meet."""
    below = inner_events(event, events)
    if below and event["name"] != "aten::convolution":
        return sum(readable_macs(inner, events) for inner in below)
    shapes = matrices(event["args"]["Input Dims"])
    if event["name"] in ("aten::mm", "aten::addmm", "aten::bmm"):
        (*batch, n, k), (*_, other_k, m) = shapes
        return n * m * k * (batch[0] if batch else 1) if k == other_k else 0
    if event["name"] == "aten::convolution":
        (batch_size, channels, height, width), (outputs, *_) = shapes
        return batch_size * channels * height * width * outputs * 9
    return 0


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(CALLS, min_size=1, max_size=6), st.lists(CALLS, max_size=3))
def test_imported_and_named_are_all_products(
    tmp_path_factory: Any, calls: list[Call], others: list[Call]
) -> None:
    anchor: Call = ("aten::mm", [[8, 8], [8, 8]], [])
    events: list[Event] = []
    write([anchor, *calls], 0, 1, events)
    write(others, 3, 2, events)
    path: Path = tmp_path_factory.getbasetemp() / "trace.json"
    path.write_text(json.dumps({"traceEvents": events}))
    imported = import_workload(path, {})
    outermost = inner_events({"ts": -1, "dur": 10**9, "tid": 1}, events)
    outermost += inner_events({"ts": -1, "dur": 10**9, "tid": 2}, events)
    assert imported.imported + sum(imported.skipped.values()) == imported.macs_bearing
    assert imported.macs_bearing == sum(counted(event, events) for event in outermost)
    assert imported.workload.macs == sum(readable_macs(event, events) for event in outermost)
