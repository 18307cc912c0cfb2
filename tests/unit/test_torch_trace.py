"""Are profiler traces read, and is what is assumed of them said?"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from traces import Event, Read, event, reader

from simulator.errors import WorkloadError
from simulator.importers import load_workload


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return reader(tmp_path)


def test_what_is_not_read_is_counted(read: Read) -> None:
    imported = read(
        event("mm", 0, 10, [16, 64], [64, 8]),
        event("_cudnn_rnn", 20, 10, [5, 1, 4]),
        event("conv2d", 40, 5, [4, 3, 224, 224], [64, 3, 7, 7], [64]),
        event("conv_tbc", 50, 5, [9, 4, 3], [3, 3, 8], [8]),
        event("convolution_backward", 60, 5, [4, 3, 8, 8], [64, 3, 7, 7]),
        event("mm", 70, 10),
    )
    assert imported.skipped == {
        "aten::_cudnn_rnn": 1,
        "aten::conv2d (strides not recorded)": 1,
        "aten::conv_tbc": 1,
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
        ('{"traceEvents": []}', "nor any CPU operators"),
        ('{"traceEvents": 3}', "not a profiler trace"),
        ('[{"ph": "X", "name": 3}, 4]', "nor any CPU operators"),
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
        (event("mm", 0, 1, [16, 64], [63, 8]), "shapes do not meet"),
        (event("bmm", 0, 1, [2, 16, 64], [3, 64, 8]), "do not meet"),
        (event("mm", 0, 1), "skipped: aten::mm .no shapes. x1"),
        (event("mm", 0, 1, [2**50, 64], [64, 8]), "out of range"),
        (event("mm", "0", "1", [16, 64], [64, 8]), "time not recorded"),  # type: ignore[arg-type]
    ],
)
def test_operators_that_cannot_be_are_refused(read: Read, bad: Event, what: str) -> None:
    with pytest.raises(WorkloadError, match=what):
        read(bad)


def test_a_long_name_is_cut_in_its_middle(read: Read) -> None:
    longest = event(f"own::conv_{'x' * 10**5}_end", 2, 1, [16, 64])
    (name,) = read(event("mm", 0, 1, [16, 64], [64, 8]), longest).skipped
    assert len(name) < 250
    assert name.startswith("own::conv_x")
    assert name.endswith("x_end")


def test_a_trace_takes_no_parameters(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps([event("mm", 0, 1, [16, 64], [64, 8])]))
    assert load_workload(path).macs == 16 * 64 * 8
    with pytest.raises(WorkloadError, match="recorded with its sizes"):
        load_workload(path, batch=2)


def test_calls_at_no_known_time_are_named(read: Read) -> None:
    mm = event("mm", 0, 10, [16, 64], [64, 8])
    times = (10**400, float("nan"), float("-inf"), None, "2.5")
    bad = [event("mm", 0, 1.5, [16, 64], [64, 8]) | {"ts": time} for time in times]
    begun = event("bmm", 2, 1, [4, 16, 64], [4, 64, 8]) | {"ph": "B", "dur": None}
    copy = event("copy_", 2, 1, [16, 64], [16, 64]) | {"ts": None}
    imported = read(mm, *bad, begun, begun | {"ph": "E"}, copy)
    assert len(imported.workload.layers) == 1
    reason = "(time not recorded)"
    assert imported.skipped == {f"aten::bmm {reason}": 1, f"aten::mm {reason}": len(bad)}


def test_a_stream_out_of_range_is_left_out_and_said(read: Read) -> None:
    imported = read(event("mm", 0, 1, [16, 64], [64, 8]), event("gelu", 2, 1, [2**30, 2**30]))
    assert len(imported.workload.layers) == 1
    assert imported.workload.notes[1] == "streaming operators (out of range) left out: 1"


def test_only_a_layer_of_floats_is_noted(read: Read) -> None:
    floats = ["float"] * 2
    mm = event("mm", 0, 9, [16, 64], [64, 8])
    imported = read(
        mm,
        event("mm", 1, 5, [16, 64], [64, 8], types=floats),  # inside of one that counts
        event("own::matmul", 20, 5, [16, 64], [64, 8], types=floats),
        event("linear", 30, 5, [16, 64], [8, 64], [8], types=["c10::Half"] * 2 + ["float"]),
    )
    assert [note for note in imported.workload.notes if "fp32" in note] == []
    assert (
        "fp64 tensors read as fp16"
        in read(event("mm", 0, 9, [16, 64], [64, 8], types=["double"] * 2)).workload.notes
    )


def test_several_steps_are_noticed(read: Read) -> None:
    steps = [
        event(f"ProfilerStep#{number}", 10 * number, 9, bare=True) | {"cat": "user_annotation"}
        for number in (2, 3, 4)
    ]
    products = [event("mm", 10 * at + 1, 2, [16, 64], [64, 8]) for at in (2, 3, 4)]
    note = "layers are the sum of 3 profiler steps, #2 to #4"
    assert note in read(*steps, *products).workload.notes
    assert len(read(steps[0], products[0]).workload.notes) == 1


@pytest.mark.parametrize(
    ("events", "hint"),
    [
        ([event("mm", 0, 2) | {"args": {"External id": 1}}], "record_shapes=True"),
        ([event("relu", 0, 2) | {"args": {}}], "record_shapes=True"),
        ([event("relu_backward", 0, 2, [4, 4], [4, 4])], ""),
        ([event("own::matmul", 0, 2, [4, 4], [4, 4])], ""),
        ([event("volta_sgemm", 0, 2, bare=True) | {"cat": "kernel"}], "ProfilerActivity.CPU"),
    ],
)
def test_hints_stand_where_they_help(read: Read, events: list[Event], hint: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        read(*events)
    assert caught.value.hint is None if not hint else hint in str(caught.value)
    assert ("record_shapes" in str(caught.value)) == (hint == "record_shapes=True")


TRACE = json.dumps({"traceEvents": [event("mm", 0, 1, [16, 64], [64, 8])]}).encode()


@pytest.mark.parametrize("name", ["step.pt.trace.json.gz", "step.json.GZ", "step.json"])
def test_a_compressed_trace_opens(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(TRACE))
    assert load_workload(path).macs == 16 * 64 * 8


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (gzip.compress(TRACE)[:-9], "not gzip that can be read"),
        (gzip.compress(TRACE)[:10] + b"\xff" * 40, "not gzip that can be read"),
        (gzip.compress(b"[" + b" " * 2**25), "expands to too much, want at most 16 MiB"),
        (gzip.compress(b"\xff\xfe"), "not UTF-8 text: byte 0"),
    ],
    ids=["cut off", "noise", "too large", "no text"],
)
def test_what_is_no_compressed_trace_is_one_line(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "trace.json.gz"
    path.write_bytes(data)
    with pytest.raises(WorkloadError, match=what) as caught:
        load_workload(path)
    assert str(path) in str(caught.value)
