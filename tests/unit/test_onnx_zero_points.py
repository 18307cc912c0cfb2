"""Do integer weights count from their zero point, whichever operator multiplies them?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, numpy_helper

from simulator import load_model, simulate
from simulator.errors import WeightsError
from tests.onnx_models import graph_of, node

Array = npt.NDArray[Any]
RANDOM = np.random.default_rng(7)
CONTRIB = "com.microsoft"
OUTPUTS, INPUTS = 32, 64

ZERO_POINTS = {
    "of all, uint8": np.array(128, np.uint8),
    "of all, int8": np.array(-7, np.int8),
    "of all in a list": np.array([131], np.uint8),
    "of each output, uint8": RANDOM.integers(1, 255, OUTPUTS).astype(np.uint8),
    "of each output, int8": RANDOM.integers(-128, 128, OUTPUTS).astype(np.int8),
}


def pruned_to(zero: Array, outputs_axis: int, shape: tuple[int, ...], reduced_axis: int) -> Array:
    """Integers of which two in four along the reduced axis are the zero point of their output."""
    low, high = np.iinfo(zero.dtype).min, np.iinfo(zero.dtype).max
    values = RANDOM.integers(low, high + 1, shape).astype(zero.dtype)
    along = np.arange(shape[reduced_axis]) % 4 < 2
    mask = along.reshape([-1 if axis == reduced_axis else 1 for axis in range(len(shape))])
    spread = zero.reshape([-1 if axis == outputs_axis else 1 for axis in range(len(shape))])
    return np.where(mask, values, spread).astype(zero.dtype)


def products(zero: Array) -> dict[str, tuple[Any, dict[str, list[int]], Array]]:
    """By operator: it, its inputs and its weights; scales and other zero points are s and z."""
    matrix = pruned_to(zero, 1, (INPUTS, OUTPUTS), 0)
    turned = np.ascontiguousarray(matrix.T)
    taps = pruned_to(zero, 0, (OUTPUTS, INPUTS, 3, 3), 1)
    rows, image = {"x": [16, INPUTS]}, {"x": [1, INPUTS, 8, 8]}

    def contrib(op: str, *inputs: str, **attributes: Any) -> Any:
        return node(op, inputs, ["y"], name="y", domain=CONTRIB, **attributes)

    return {
        "MatMulInteger": (node("MatMulInteger", ["x", "w", "z", "o"], ["y"]), rows, matrix),
        "QLinearMatMul": (
            node("QLinearMatMul", ["x", "s", "z", "w", "s", "o", "s", "z"], ["y"]), rows, matrix),
        "ConvInteger": (node("ConvInteger", ["x", "w", "z", "o"], ["y"]), image, taps),
        "QLinearConv": (
            node("QLinearConv", ["x", "s", "z", "w", "s", "o", "s", "z"], ["y"]), image, taps),
        "QGemm": (contrib("QGemm", "x", "s", "z", "w", "s", "o"), rows, matrix),
        "QGemm transB": (contrib("QGemm", "x", "s", "z", "w", "s", "o", transB=1), rows, turned),
        "MatMulIntegerToFloat": (
            contrib("MatMulIntegerToFloat", "x", "w", "s", "s", "z", "o"), rows, matrix),
        "DynamicQuantizeMatMul": (
            contrib("DynamicQuantizeMatMul", "x", "w", "s", "o"), rows, matrix),
    }  # fmt: skip


def saved(path: Path, operator: Any, inputs: dict[str, list[int]], **tensors: Array) -> Path:
    """A model of one operator, with scales and zero points of activations."""
    stored = {"s": np.array(0.1, np.float32), "z": np.array(0, np.uint8), **tensors}
    kept = [numpy_helper.from_array(value, name) for name, value in stored.items()]
    model = graph_of([operator], inputs, kept, kind=TensorProto.UINT8, domains=[CONTRIB])
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("zero", ZERO_POINTS.values(), ids=list(ZERO_POINTS))
@pytest.mark.parametrize("name", list(products(np.array(1, np.uint8))))
def test_weights_pruned_to_their_zero_point_comply(tmp_path: Path, name: str, zero: Array) -> None:
    operator, inputs, stored = products(zero)[name]
    path = saved(tmp_path / "m.onnx", operator, inputs, w=stored, o=zero)
    workload, weights = load_model(path, path)
    assert np.count_nonzero(weights["y"]) <= weights["y"].size // 2
    assert simulate("nm-flex", workload, "2:4", weights=weights).total.time_ps > 0
    wide = stored.astype(np.float32)
    if wide.ndim == 4:
        right = wide - zero.astype(np.float32).reshape(-1, 1, 1, 1)
    else:
        right = (wide if name.endswith("transB") else wide.T) - zero.astype(np.float32).reshape(
            -1, 1
        )
    np.testing.assert_array_equal(weights["y"], right)


def test_weights_on_the_left_have_a_zero_point_a_row(tmp_path: Path) -> None:
    zero = RANDOM.integers(1, 255, OUTPUTS).astype(np.uint8)
    stored = pruned_to(zero, 0, (OUTPUTS, INPUTS), 1)
    operator = node("MatMulInteger", ["w", "x", "o", "z"], ["y"])
    path = saved(tmp_path / "m.onnx", operator, {"x": [INPUTS, 8]}, w=stored, o=zero)
    workload, weights = load_model(path, path)
    np.testing.assert_array_equal(weights["y"], stored.astype(np.float32) - zero[:, None])
    assert simulate("nm-flex", workload, "2:4", weights=weights).total.time_ps > 0


@pytest.mark.parametrize("spread", [True, False])
def test_a_stack_of_weights_has_zero_points_of_each_or_of_all(tmp_path: Path, spread: bool) -> None:
    zero = RANDOM.integers(1, 255, (3, 1, OUTPUTS) if spread else OUTPUTS).astype(np.uint8)
    stored = RANDOM.integers(0, 256, (3, INPUTS, OUTPUTS)).astype(np.uint8)
    operator = node("MatMulInteger", ["x", "w", "z", "o"], ["y"])
    path = saved(tmp_path / "m.onnx", operator, {"x": [3, 8, INPUTS]}, w=stored, o=zero)
    right = (stored.astype(np.float32) - zero).swapaxes(1, 2).reshape(-1, INPUTS)
    np.testing.assert_array_equal(load_model(path, path)[1]["y"], right)


def test_without_a_zero_point_zero_is_zero(tmp_path: Path) -> None:
    stored = pruned_to(np.array(0, np.int8), 1, (INPUTS, OUTPUTS), 0)
    operator = node("MatMulInteger", ["x", "w"], ["y"])
    path = saved(tmp_path / "m.onnx", operator, {"x": [16, INPUTS]}, w=stored)
    workload, weights = load_model(path, path)
    np.testing.assert_array_equal(weights["y"], stored.T)
    assert simulate("nm-flex", workload, "2:4", weights=weights).total.time_ps > 0


def test_weights_off_their_zero_point_break_the_pattern(tmp_path: Path) -> None:
    stored = pruned_to(np.array(128, np.uint8), 1, (INPUTS, OUTPUTS), 0)
    operator = node("MatMulInteger", ["x", "w", "z", "o"], ["y"])
    path = saved(tmp_path / "m.onnx", operator, {"x": [16, INPUTS]}, w=stored,
                 o=np.array(127, np.uint8))  # fmt: skip
    workload, weights = load_model(path, path)
    with pytest.raises(WeightsError, match="2:4"):
        simulate("nm-flex", workload, "2:4", weights=weights)


def test_a_zero_point_that_is_computed_later_leaves_weights_out(tmp_path: Path) -> None:
    stored = pruned_to(np.array(128, np.uint8), 1, (INPUTS, OUTPUTS), 0)
    operator = node("MatMulInteger", ["x", "w", "z", "late"], ["y"])
    inputs = {"x": [16, INPUTS], "late": [1]}
    path = saved(tmp_path / "m.onnx", operator, inputs, w=stored)
    with pytest.raises(WeightsError, match="no weights that can be read"):
        load_model(path, path)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_weights_are_scaled_back_in_blocks(tmp_path: Path, axis: int) -> None:
    """A scale and a zero point for 16 numbers along an axis."""
    stored = RANDOM.integers(0, 256, (INPUTS, OUTPUTS)).astype(np.uint8)
    blocks = [INPUTS, OUTPUTS]
    blocks[axis] //= 16
    scale = RANDOM.random(blocks).astype(np.float32)
    zero = RANDOM.integers(0, 256, blocks).astype(np.uint8)
    nodes = [
        node("DequantizeLinear", ["w", "scale", "o"], ["wd"], axis=axis, block_size=16),
        node("MatMul", ["x", "wd"], ["y"]),
    ]
    tensors = {"w": stored, "scale": scale, "o": zero}
    kept = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    model = graph_of(nodes, {"x": [16, INPUTS]}, kept)
    model.opset_import[0].version = 21
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    wide = [np.repeat(part.astype(np.float32), 16, axis) for part in (zero, scale)]
    right = (stored.astype(np.float32) - wide[0]) * wide[1]
    np.testing.assert_array_equal(load_model(path, path)[1]["y"], right.T)
