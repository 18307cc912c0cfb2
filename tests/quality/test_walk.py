"""Does a model run in parts give what it gives when it is run at once?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from simulator.errors import WeightsError
from simulator.quality.walk import Batch, Walk
from tests.onnx_models import node
from tests.quality.pruned_models import outputs_of, random, written


def branching(folder: Path) -> Path:
    """An If whose branches read a tensor from outside, an LSTM that writes only its state, and a
    weight that is transposed long before it is read."""
    branches = {
        f"{name}_branch": helper.make_graph(
            [node(kind, ["early"], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )
        for name, kind in (("then", "Neg"), ("else", "Exp"))
    }
    nodes = [
        node("Transpose", ["w"], ["turned"]),
        node("Relu", ["x"], ["early"]),
        node("ReduceMax", ["x"], ["largest"], keepdims=0),
        node("Less", ["largest", "limit"], ["small"]),
        node("MatMul", ["early", "w"], ["middle"]),
        node("If", ["small"], ["chosen"], **branches),
        node("Unsqueeze", ["middle", "axis"], ["steps"]),
        node("LSTM", ["steps", "wl", "rl"], ["", "state"], hidden_size=4),
        node("Squeeze", ["state", "axis"], ["flat"]),
        node("MatMul", ["chosen", "turned"], ["late"]),
        node("Concat", ["late", "flat"], ["y"], axis=1),
    ]
    tensors = {
        "w": random(8, 8),
        "limit": np.array(3, np.float32),
        "axis": np.array([0]),
        "wl": random(1, 16, 8),
        "rl": random(1, 16, 4),
    }
    return written(folder, nodes, {"x": ["n", 8]}, tensors)


def test_parts_make_the_whole(tmp_path: Path) -> None:
    path = branching(tmp_path)
    model = onnx.load(path)
    batches = [{"x": random(n, 8, seed=n) * n} for n in (2, 3, 5)]
    expected = [outputs_of(path, batch)[0] for batch in batches]
    for cuts in ([], [3], [1, 5, 8], list(range(1, 11))):
        walk = Walk(path, model, lambda: iter(batches))
        for cut in cuts:
            walk.advance(cut)
        found = [one["y"] for one in walk.tensors(["y"], 11)]
        for out, real in zip(found, expected, strict=True):
            np.testing.assert_allclose(out, real, rtol=1e-5, atol=1e-6)
        again = [one["late"] for one in walk.tensors(["late"], 10)]
        assert [len(one) for one in again] == [2, 3, 5]


def test_what_follows_from_weights_is_never_kept(tmp_path: Path) -> None:
    """A weight is transposed before a cut and read behind it: pruning between must be seen."""
    path = branching(tmp_path)
    model = onnx.load(path)
    x = random(4, 8)
    walk = Walk(path, model, lambda: iter([{"x": x}]))
    walk.advance(9)
    weights = next(one for one in model.graph.initializer if one.name == "w")
    weights.CopyFrom(numpy_helper.from_array(np.zeros((8, 8), np.float32), "w"))
    assert not next(walk.tensors(["late"], 10))["late"].any()


def test_batches_are_asked_for_again_only_before_the_first_cut(tmp_path: Path) -> None:
    path, asked = branching(tmp_path), 0

    def feeds() -> Iterator[Batch]:
        nonlocal asked
        asked += 1
        yield {"x": random(4, 8)}

    walk = Walk(path, onnx.load(path), feeds)
    for _ in range(2):
        list(walk.tensors(["early"], 2))
    assert (asked, walk.kept_bytes) == (2, 0)
    walk.advance(2)
    assert walk.kept_bytes == 2 * 4 * 8 * 4
    list(walk.tensors(["middle"], 5))
    assert asked == 3


def test_what_onnxruntime_raises_is_one_line(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["h"]), node("MatMul", ["h", "h"], ["y"])]
    path = written(tmp_path, nodes, {"x": ["n", 8]}, {"w": random(8, 8)})
    walk = Walk(path, onnx.load(path), lambda: iter([{"x": random(3, 8)}]))
    with pytest.raises(WeightsError, match=r"made\.onnx: onnxruntime cannot run it on these"):
        list(walk.tensors(["y"], 2))
    model = onnx.load(path)
    model.graph.node[0].op_type = "NoSuchOperator"
    walk = Walk(path, model, lambda: iter([{"x": random(3, 8)}]))
    with pytest.raises(WeightsError, match=r"made\.onnx: onnxruntime cannot run it: "):
        list(walk.tensors(["y"], 2))
