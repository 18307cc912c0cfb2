"""Do sizes reach the dimensions that they mean, and is one that nobody gave loud?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest

from simulator import load_workload, simulate
from simulator.cli.importing import parameters_of
from simulator.errors import WorkloadError
from simulator.importers.onnx_expressions import free_names, size_of
from simulator.workload import Conv, Gemm, Workload
from simulator.workload.trace_writer import write_trace
from tests.bare import bare
from tests.onnx_models import Dims, graph_of, imported_from, node, weights


@pytest.fixture
def read(tmp_path: Path) -> Any:
    return partial(imported_from, tmp_path)


def picture(*dims: int | str, turned: bool = False) -> onnx.ModelProto:
    """A convolution of three channels; ``turned`` puts channels first before it."""
    nodes = [node("Conv", ["t" if turned else "x", "w"], ["y"], name="c", pads=[1, 1, 1, 1])]
    if turned:
        nodes.insert(0, node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]))
    return graph_of(nodes, {"x": dims}, [weights("w", 4, 3, 3, 3)])


def text(*dims: int | str) -> onnx.ModelProto:
    return graph_of([node("MatMul", ["x", "w"], ["y"])], {"x": dims}, [weights("w", 8, 4)])


def warnings(workload: Workload) -> list[str]:
    return [note for note in workload.notes if note.startswith("WARNING")]


# Expressions


@pytest.mark.parametrize(
    ("expression", "size"),
    [
        ("past + seq", 16), ("past+seq", 16), ("2*seq", 8), ("seq*2 - 1", 7), ("past*seq", 48),
        ("seq//3", 1), ("(past + seq)//2", 8), ("floor(past/5) + 1", 3), ("ceil(past/5)", 3),
        ("Max(past, seq)", 12), ("past % 5", 2), ("-seq + past", 8), ("a.b * seq", 20), ("7", 7),
    ],
)  # fmt: skip
def test_expressions_of_sizes(expression: str, size: int) -> None:
    assert size_of(expression, {"past": 12, "seq": 4, "a.b": 5}) == size


@pytest.mark.parametrize(
    "expression",
    ["seq/3", "seq - past", "past//(seq-4)", "past + other", "seq**9", "__import__('os')", "seq()",
     "seq[0]", "seq if past else 1", "[seq]", "seq,past", "2if seq else 3", "lambda: 1", "", "\x00",
     "1" * 5000, "(" * 150, "floor(seq, past)", "seq.__class__", "past and seq"],
)  # fmt: skip
def test_what_is_no_size_is_none(expression: str) -> None:
    assert size_of(expression, {"past": 12, "seq": 4}) is None


def test_names_of_expressions() -> None:
    assert free_names("Max(a, b.c) + 2*d") == {"a", "b.c", "d"}
    assert free_names("seq len") == {"seq len"}


@pytest.mark.parametrize(
    ("dims", "parameters", "rows"),
    [
        (("a", "a + b"), {"a": 3, "b": 4}, 21),
        (("a + b", "a"), {"a": 3, "b": 4}, 21),
        (("a", "2*a"), {"a": 3}, 18),
        (("a", "a - 1"), {"a": 3}, 6),
        (("batch_size", "past + seq_len"), {"batch": 2, "past": 3, "seq_len": 4}, 14),
        (("a", "a + b"), {"a": 3, "a + b": 5}, 15),
        (("batch-size", "my seq"), {"batch-size": 3, "my seq": 5}, 15),
        (("batch-size", 5), {"batch": 3}, 15),
    ],
)
def test_expressions_follow_from_what_is_given(
    read: Any, dims: tuple[int | str, ...], parameters: dict[str, int], rows: int
) -> None:
    imported = read(text(*dims, 8), **parameters)
    assert bare(imported.workload.layers) == (Gemm("y", m=4, n=rows, k=8),)
    assert warnings(imported.workload) == []


def test_an_expression_of_what_became_one_is_no_size_for_want_of_one(read: Any) -> None:
    imported = read(text("a", "a + past", 8), a=3)
    assert imported.workload.macs == 3 * (3 + 1) * 8 * 4
    (warning,) = warnings(imported.workload)
    assert "dimensions taken as 1: past; set with --dim past=128" in warning


# Habits


@pytest.mark.parametrize(
    "dims",
    [
        ("N", 3, "H", "W"), ("batch", 3, "height", "width"), ("B", 3, "image_height", "imageWidth"),
        (-1, 3, -1, -1), ("?", 3, "?", "?"), ("None", 3, "None", "None"), ("s0", 3, "s1", "s2"),
        ("unk__6", 3, "unk__7", "unk__8"), ("x_dynamic_axes_1", 3, "in_h", "in_w"),
        ("BatchSize", 3, "Height", "Width"), ("batch-size", 3, "height-px", "width-px"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_last", [False, True])
def test_pictures_in_any_style(read: Any, dims: tuple[int | str, ...], is_last: bool) -> None:
    n, c, h, w = dims
    model = picture(n, h, w, c, turned=True) if is_last else picture(*dims)
    workload = read(model, batch=2, height=20, width=30).workload
    assert bare(workload.layers) == (Conv("c", 3, 4, 20, 30, kernel=3, padding=1, batch=2),)
    assert warnings(workload) == []


def test_channels_last_is_seen_in_what_the_model_does_first(read: Any) -> None:
    model = picture(-1, -1, -1, -1, turned=True)
    sizes = {"batch": 2, "height": 20, "width": 30, "x.3": 3}
    workload = read(model, **sizes).workload
    assert bare(workload.layers) == (Conv("c", 3, 4, 20, 30, kernel=3, padding=1, batch=2),)
    with pytest.raises(WorkloadError, match=r"--dim x\.1=224 --dim x\.2=224 --dim x\.3=3"):
        read(model)
    with pytest.raises(WorkloadError, match="fixes this dimension at 20, got 21"):
        read(picture(1, 20, 30, 3, turned=True), height=21)


@pytest.mark.parametrize("name", ["seq_len", "SequenceLength", "tokens", "T", "whatever", "-1"])
def test_sequences_in_any_style(read: Any, name: str) -> None:
    assert bare(read(text(1, name, 8), seq=12).workload.layers) == (Gemm("y", m=4, n=12, k=8),)


def test_an_input_called_batch_is_not_a_batch(read: Any) -> None:
    model = graph_of([node("MatMul", ["batch", "w"], ["y"])], {"batch": [-1, -1, 8]},
                     [weights("w", 8, 4)])  # fmt: skip
    assert read(model, batch=3, seq=5).workload.macs == 3 * 5 * 8 * 4


# A dimension that became 1


@pytest.mark.parametrize(
    ("dims", "shape", "options"),
    [
        (("batch", 3, "height", "width"), "batch, 3, height, width",
         "--dim batch=8 --dim height=224 --dim width=224"),
        ((1, 3, -1, -1), "1, 3, ?, ?", "--dim x.2=224 --dim x.3=224"),
        ((1, 3, "H in", "W"), "1, 3, H in, W", "--dim 'H in=128' --dim W=224"),
    ],
)  # fmt: skip
def test_a_missing_size_is_loud(read: Any, dims: Dims, shape: str, options: str) -> None:
    (warning,) = warnings(read(picture(*dims)).workload)
    assert warning.startswith(f"WARNING: input x ({shape}): dimensions taken as 1: ")
    assert warning.endswith(f"; set with {options}")


def test_a_symbol_of_two_inputs_is_asked_for_once(read: Any) -> None:
    model = graph_of([node("MatMul", ["x", "z"], ["y"])],
                     {"x": ["batch", "seq", 8], "z": ["batch", 8, "seq"]})  # fmt: skip
    (warning,) = warnings(read(model).workload)
    assert "input x (batch, seq, 8)" in warning


def test_a_name_of_the_model_wins_over_a_usual_one(read: Any) -> None:
    model = graph_of([node("MatMul", ["x", "w"], ["y"]), node("MatMul", ["z", "w"], ["q"])],
                     {"x": [1, -1, 8], "z": [1, -1, 8]}, [weights("w", 8, 4)])  # fmt: skip
    for sizes in ({"seq": 5, "z.1": 7}, {"z.1": 7, "seq": 5}):
        layers = read(model, **sizes).workload.layers
        assert bare(layers) == (Gemm("y", m=4, n=5, k=8), Gemm("q", m=4, n=7, k=8))


def test_an_input_without_a_shape_is_loud(read: Any) -> None:
    nodes = [node("MatMul", ["x", "w"], ["y"]), node("MatMul", ["z", "w"], ["q"])]
    model = graph_of(nodes, {"x": [1, 8], "z": [1, 8]}, [weights("w", 8, 4)])
    model.graph.input[1].type.tensor_type.ClearField("shape")
    imported = read(model)
    assert imported.skipped == {"MatMul (shape unknown)": 1}
    assert warnings(imported.workload) == [
        "WARNING: input z has no shape in the model: export it with one"
    ]


def test_the_option_that_a_warning_names_is_taken(read: Any) -> None:
    for name in ("my dim", "a=b", "past + seq", "x.1", "größe"):
        given = parameters_of([f"{name}=6"], None)
        assert given == {name: 6}
        label = "?" if name == "x.1" else name
        assert bare(read(text(1, label, 8), **given).workload.layers) == (Gemm("y", m=4, n=6, k=8),)


def test_the_warning_stays_with_the_trace(read: Any, tmp_path: Path) -> None:
    imported = read(picture(1, 3, "height", "width"))
    path = tmp_path / "trace.csv"
    path.write_text(write_trace(imported.workload))
    again = load_workload(path)
    assert again.layers == imported.workload.layers
    assert again.notes == imported.workload.notes
    assert warnings(again)[0] in simulate("nm-edge", path).notes
    path.write_text(write_trace(again))
    assert load_workload(path).notes == again.notes
