"""Are profiler traces read as the operators that ran, each once?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.errors import WorkloadError
from simulator.importers import Imported, import_workload, load_workload
from simulator.workload import Conv, Gemm, Matmul, Stream

Event = dict[str, Any]
Read = Callable[..., Imported]


def event(name: str, start: float, length: float, *dims: list[int], **more: Any) -> Event:
    """A complete event as PyTorch's profiler writes it, on one thread unless told."""
    args = {"Input Dims": list(dims), "Input type": more.pop("types", ["c10::Half"] * len(dims))}
    if "values" in more:
        args["Concrete Inputs"] = more.pop("values")
    return {"ph": "X", "cat": "cpu_op", "name": f"aten::{name}", "pid": 1, "tid": 7, "ts": start,
            "dur": length, "args": args, **more}  # fmt: skip


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def of_events(*events: Event) -> Imported:
        path = tmp_path / "step.pt.trace.json"
        path.write_text(json.dumps({"schemaVersion": 1, "traceEvents": list(events)}))
        return import_workload(path, {})

    return of_events


CONV = ["", "", "", "[2, 2]", "[3, 3]", "[1, 1]", "1"]


def test_each_operator_becomes_its_layer(read: Read) -> None:
    imported = read(
        event("linear", 0, 5, [2, 16, 64], [128, 64], [128]),
        event("addmm", 10, 5, [32], [8, 16], [16, 32]),
        event("mm", 20, 5, [8, 16], [16, 32]),
        event("bmm", 30, 5, [12, 8, 64], [12, 64, 10]),
        event("conv2d", 40, 5, [4, 3, 224, 224], [64, 3, 7, 7], [64], values=CONV),
        event("conv1d", 50, 5, [4, 8, 30], [16, 4, 3], [16],
              values=["", "", "", "[1]", "[1]", "[1]", "2"]),
        event("gelu", 60, 5, [2, 16, 128]),
    )  # fmt: skip
    assert imported.workload.name == "step"
    assert imported.workload.layers == (
        Gemm("linear", m=128, n=32, k=64),
        Gemm("addmm", m=32, n=8, k=16),
        Gemm("mm", m=32, n=8, k=16),
        Matmul("bmm", m=10, n=8, k=64, batch=12),
        Conv("conv2d", 3, 64, 224, 224, kernel=7, stride=2, padding=3, batch=4),
        Conv("conv1d", 8, 16, 1, 30, kernel=(1, 3), padding=(0, 1), groups=2, batch=4),
        Stream("gelu", 4096, 4096),
    )
    assert imported.summary == "6 of 6 MAC-bearing operators imported"


def test_nested_operators_count_once(read: Read) -> None:
    imported = read(
        event("linear", 0, 10, [16, 64], [128, 64], [128]),
        event("addmm", 2, 5, [128], [16, 64], [64, 128]),
        event("conv2d", 20, 10, [1, 3, 8, 8], [4, 3, 3, 3], [], values=CONV),
        event("convolution", 21, 8, [1, 3, 8, 8], [4, 3, 3, 3], [], values=CONV),
        event("_convolution", 22, 6, [1, 3, 8, 8], [4, 3, 3, 3], [], values=CONV),
        event("mkldnn_convolution", 23, 4, [1, 3, 8, 8], [4, 3, 3, 3], []),
        event("matmul", 40, 10, [16, 64], [64, 8]),
        event("mm", 41, 8, [16, 64], [64, 8]),
    )
    assert [layer.name for layer in imported.workload.layers] == ["linear", "conv2d", "mm"]
    assert imported.skipped == {}


def test_nesting_is_per_thread_and_siblings_are_no_children(read: Read) -> None:
    dims = [16, 64], [64, 8]
    imported = read(
        event("mm", 0, 10, *dims),
        event("mm", 2, 3, *dims, tid=8),
        event("mm", 10, 3, *dims),
    )
    assert [layer.name for layer in imported.workload.layers] == ["mm", "mm.2", "mm.3"]


def test_attention_is_two_products_and_one_operator(read: Read) -> None:
    query, key = [2, 12, 10, 64], [2, 12, 20, 64]
    imported = read(
        event("scaled_dot_product_attention", 0, 10, query, key, key),
        event("_scaled_dot_product_flash_attention", 1, 8, query, key, key),
    )
    assert imported.workload.macs == 2 * 24 * 10 * 20 * 64
    assert (imported.imported, imported.macs_bearing) == (1, 1)


def test_what_is_not_read_is_counted(read: Read) -> None:
    imported = read(
        event("mm", 0, 10, [16, 64], [64, 8]),
        event("_cudnn_rnn", 20, 10, [5, 1, 4]),
        event("conv2d", 40, 5, [4, 3, 224, 224], [64, 3, 7, 7], [64]),
        event("conv3d", 50, 5, [4, 3, 8, 8, 8], [64, 3, 7, 7, 7], [64]),
        event("convolution_backward", 60, 5, [4, 3, 8, 8], [64, 3, 7, 7]),
        event("mm", 70, 10),
    )
    assert imported.skipped == {
        "aten::_cudnn_rnn": 1,
        "aten::conv2d (strides not recorded)": 1,
        "aten::conv3d": 1,
        "aten::convolution_backward": 1,
        "aten::mm (no shapes)": 1,
    }
    assert imported.summary.startswith("1 of 6 MAC-bearing operators imported; skipped: aten::_c")
    assert imported.summary in imported.workload.notes[0]


def test_formats_follow_the_tensors(read: Read) -> None:
    imported = read(
        event("mm", 0, 1, [16, 64], [64, 8], types=["c10::BFloat16"] * 2),
        event("_int_mm", 2, 1, [16, 64], [64, 8], types=["signed char"] * 2),
        event("mm", 4, 1, [16, 64], [64, 8], types=["float"] * 2),
    )
    assert [layer.dtype for layer in imported.workload.layers] == ["bf16", "int8", "fp16"]
    assert "fp32 tensors read as fp16" in imported.workload.notes


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"traceEvents": []}', "no operators that bear MACs"),
        ('{"traceEvents": 3}', "not a profiler trace"),
        ('[{"ph": "X", "name": 3}, 4]', "no operators that bear MACs"),
        ('{"traceEvents": [', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"traceEvents": [' + "9" * 5000 + "]}", "not JSON"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "trace.json"
    path.write_text(text)
    with pytest.raises(WorkloadError, match=what) as caught:
        load_workload(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (event("mm", 0, 1, [16, 64], [63, 8]), "reductions of 64 and 63 meet"),
        (event("bmm", 0, 1, [2, 16, 64], [3, 64, 8]), "do not meet"),
        (event("mm", 0, 1), "skipped: aten::mm .no shapes. x1"),
        (event("mm", 0, 1, [2**50, 64], [64, 8]), "out of range"),
        (event("mm", "0", "1", [16, 64], [64, 8]), "no operators"),  # type: ignore[arg-type]
    ],
)
def test_operators_that_cannot_be_are_refused(read: Read, bad: Event, what: str) -> None:
    with pytest.raises(WorkloadError, match=what):
        read(bad)


def test_a_trace_takes_no_parameters(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps([event("mm", 0, 1, [16, 64], [64, 8])]))
    assert load_workload(path).macs == 16 * 64 * 8
    with pytest.raises(WorkloadError, match="recorded with its sizes"):
        load_workload(path, batch=2)


def test_times_that_are_none_are_left_out(read: Read) -> None:
    mm = event("mm", 0, 10, [16, 64], [64, 8])
    times = (10**400, float("nan"), float("-inf"), None)
    bad = [event("mm", 0, 1.5, [16, 64], [64, 8]) | {"ts": time} for time in times]
    assert len(read(mm, *bad).workload.layers) == 1


def test_a_stream_out_of_range_names_the_file(read: Read) -> None:
    with pytest.raises(WorkloadError, match=r"step\.pt\.trace\.json gelu\.reads: out of range"):
        read(event("mm", 0, 1, [16, 64], [64, 8]), event("gelu", 2, 1, [2**30, 2**30]))
