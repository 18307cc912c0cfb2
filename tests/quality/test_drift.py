"""Does drift measure what it says, by hand?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from simulator.errors import WeightsError, WorkloadError
from simulator.quality.drift import drift, mean_figure
from simulator.quality.measured import Figure

Array = npt.NDArray[np.float32]


def product(path: Path, weights: Array, kind: int = TensorProto.FLOAT) -> Path:
    """``y = x weights``, as another type if one is named, beside the numbers of its columns."""
    tensor = numpy_helper.from_array(weights, "weights")
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["floats"]),
        helper.make_node("Cast", ["floats"], ["y"], to=kind),
        helper.make_node("ArgMax", ["floats"], ["best"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", len(weights)])],
        [helper.make_empty_tensor_value_info(name) for name in ("best", "y")],
        [tensor],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def drifted(folder: Path, before: Array, after: Array, x: Array, batch: int) -> dict[str, Figure]:
    def feeds() -> Iterator[dict[str, Array]]:
        for start in range(0, len(x), batch):
            yield {"x": x[start : start + batch]}

    dense, pruned = product(folder / "dense.onnx", before), product(folder / "pruned.onnx", after)
    return drift(dense, pruned, feeds())


@pytest.mark.parametrize("batch", [1, 4, 7])
def test_each_figure_is_a_mean_over_samples(tmp_path: Path, batch: int) -> None:
    random = np.random.default_rng(0)
    x, before = (random.normal(size=size).astype("f") for size in ((10, 6), (6, 5)))
    after = before * (np.abs(before) > 0.5)
    figures = drifted(tmp_path, before, after, x, batch)
    one, other = x @ before, x @ after
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(one, other, strict=True)
    ]
    errors = np.linalg.norm(other - one, axis=1) / np.linalg.norm(one, axis=1)
    agree = one.argmax(axis=1) == other.argmax(axis=1)
    assert list(figures) == ["cosine", "relative_error", "top1_agreement"]
    for figure, values in zip(figures.values(), (cosines, errors, agree), strict=True):
        assert figure.value == pytest.approx(np.mean(values), rel=1e-5)
        assert figure.error == pytest.approx(np.std(values, ddof=1) / math.sqrt(10), rel=1e-4)
    assert [figure.higher_is_better for figure in figures.values()] == [True, False, True]


def test_nothing_drifts_from_itself_and_zeros_are_the_same_as_zeros(tmp_path: Path) -> None:
    same = np.eye(3, dtype="f")
    for x in (np.array([[1, 2, 3], [3, 5, 7]], "f"), np.zeros((2, 3), "f")):
        figures = drifted(tmp_path, same, same, x, 2)
        assert figures["cosine"] == Figure(1.0, 0.0)
        assert figures["relative_error"].value == 0


def test_one_column_has_no_top1(tmp_path: Path) -> None:
    one = np.ones((3, 1), "f")
    assert set(drifted(tmp_path, one, one, np.ones((2, 3), "f"), 2)) == {"cosine", "relative_error"}


def test_outputs_of_integers_cannot_drift(tmp_path: Path) -> None:
    path = product(tmp_path / "made.onnx", np.eye(3, dtype="f"), TensorProto.INT32)
    with pytest.raises(WorkloadError, match="no output of floating point"):
        drift(path, path, [{"x": np.ones((2, 3), "f")}])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_no_numbers_cannot_drift(tmp_path: Path, value: float) -> None:
    path = product(tmp_path / "made.onnx", np.eye(3, dtype="f"))
    with pytest.raises(WorkloadError, match=r"made\.onnx: gives outputs that are NaN or infinite"):
        drift(path, path, [{"x": np.full((2, 3), value, "f")}])


def test_a_model_that_cannot_run_says_so_in_one_line(tmp_path: Path) -> None:
    path = product(tmp_path / "made.onnx", np.eye(3, dtype="f"))
    with pytest.raises(WeightsError, match=r"made\.onnx: ONNX Runtime cannot run it"):
        drift(path, path, [{"x": np.ones((2, 4), "f")}])


def test_one_value_has_no_error() -> None:
    assert mean_figure([2.5]) == Figure(2.5, 0.0)
