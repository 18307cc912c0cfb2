"""Are Gram matrices those of what an operator multiplies its weights with?

The oracle computes the operator's output from the inputs that pruning sees, ``W X``, place by place
in plain loops: a layer's rows times its samples must be what onnxruntime gives.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.quality import inputs as module
from simulator.quality.inputs import INPUTS, add_inputs, empty_gram
from simulator.quality.model import PrunableModel
from tests.onnx_models import Dims, node
from tests.quality.pruned_models import Array, outputs_of, random, written


def read_one(path: Path) -> tuple[PrunableModel, Any]:
    model = PrunableModel.read(path)
    assert len(model.layers) == 1
    return model, model.layers[0]


def gram_of(path: Path, data: Array) -> Array:
    model, layer = read_one(path)
    gram = empty_gram(layer)
    add_inputs(gram, layer, model.node(layer), data)
    return gram


def naive_patches(
    data: Array, weights: Array, groups: int, stride: Any, dilation: Any, pads: Any
) -> list[list[Array]]:
    """For each group the patches of a convolution, channels fastest, by definition."""
    images, channels, *sizes = data.shape
    flat, inputs = len(sizes), weights.shape[1]
    taps = weights.shape[2:]
    outs = [
        (sizes[i] + pads[i] + pads[flat + i] - dilation[i] * (taps[i] - 1) - 1) // stride[i] + 1
        for i in range(flat)
    ]
    found: list[list[Array]] = [[] for _ in range(groups)]
    for image, *place in product(range(images), *map(range, outs)):
        for group in range(groups):
            patch = np.zeros((*taps, inputs))
            for tap in product(*map(range, taps)):
                at = [place[i] * stride[i] + tap[i] * dilation[i] - pads[i] for i in range(flat)]
                if all(0 <= at[i] < sizes[i] for i in range(flat)):
                    first = group * inputs
                    patch[tap] = data[(image, slice(first, first + inputs), *at)]
            found[group].append(patch.reshape(-1))
    assert channels == inputs * groups
    return found


CONVOLUTIONS = {
    "plain": ((16, 6, 5), (8, 16, 3, 3), {}, (0, 0, 0, 0)),
    "one by one": ((16, 6, 5), (8, 16, 1, 1), {"strides": [2, 1]}, (0, 0, 0, 0)),
    "padded": ((16, 6, 5), (8, 16, 3, 2), {"pads": [1, 0, 2, 1], "strides": [2, 1]}, (1, 0, 2, 1)),
    "dilated": ((16, 9, 8), (8, 16, 3, 2), {"dilations": [2, 3], "pads": [1] * 4}, (1, 1, 1, 1)),
    "grouped": ((48, 5, 4), (6, 16, 2, 2), {"group": 3}, (0, 0, 0, 0)),
    "same, upper": ((16, 6, 5), (8, 16, 2, 3), {"auto_pad": "SAME_UPPER"}, (0, 1, 1, 1)),
    "same, lower": ((16, 6, 5), (8, 16, 2, 3), {"auto_pad": "SAME_LOWER"}, (1, 1, 0, 1)),
    "valid": ((16, 6, 5), (8, 16, 2, 3), {"auto_pad": "VALID"}, (0, 0, 0, 0)),
    "of one dimension": ((16, 9), (8, 16, 3), {"pads": [2, 0], "strides": [2]}, (2, 0)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("slab_elements", [1, 200, 1 << 22])
def test_convolutions(
    name: str, slab_elements: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLAB_ELEMENTS", slab_elements)
    shape, kernel, given, pads = CONVOLUTIONS[name]
    flat = len(shape) - 1
    weights, data = random(*kernel), random(2, *shape, seed=1)
    made = [node("Conv", ["x", "w"], ["y"], **given)]
    path = written(tmp_path, made, {"x": [2, *shape]}, {"w": weights})
    groups = int(given.get("group", 1))
    strides, dilations = (given.get(key, [1] * flat) for key in ("strides", "dilations"))
    patches = naive_patches(data, weights, groups, strides, dilations, pads)
    gram = gram_of(path, data)
    for group in range(groups):
        samples = np.array(patches[group])
        np.testing.assert_allclose(gram[group], samples.T @ samples, rtol=1e-4, atol=1e-4)
    model, layer = read_one(path)
    rows = model.tensors.array("w").reshape(-1)[model.places(layer)]
    out = np.concatenate([rows[g] @ np.array(patches[g]).T for g in range(groups)])
    real = np.moveaxis(outputs_of(path, {"x": data})[0], 1, 0).reshape(out.shape)
    np.testing.assert_allclose(out, real, rtol=1e-4, atol=1e-4)


PRODUCTS: dict[str, tuple[str, Dims, Dims, bool, dict[str, int]]] = {
    "gemm": ("Gemm", [5, 16], [16, 4], False, {}),
    "gemm, weights turned": ("Gemm", [5, 16], [4, 16], False, {"transB": 1}),
    "gemm, data turned": ("Gemm", [16, 5], [16, 4], False, {"transA": 1}),
    "gemm, weights left": ("Gemm", [16, 5], [4, 16], True, {}),
    "gemm, weights left, all turned": ("Gemm", [5, 16], [16, 4], True, {"transA": 1, "transB": 1}),
    "matmul": ("MatMul", [5, 16], [16, 4], False, {}),
    "matmul of a batch": ("MatMul", [2, 3, 5, 16], [16, 4], False, {}),
    "matmul, weights left": ("MatMul", [2, 16, 5], [4, 16], True, {}),
    "matmul of a stack": ("MatMul", [2, 3, 5, 16], [3, 16, 4], False, {}),
    "matmul of a stack by one": ("MatMul", [5, 16], [3, 16, 4], False, {}),
    "matmul of a stack, weights left": ("MatMul", [2, 1, 16, 5], [3, 4, 16], True, {}),
    "matmul of a vector": ("MatMul", [5, 16], [16], False, {}),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str, tmp_path: Path) -> None:
    kind, dims, kernel, is_left, flags = PRODUCTS[name]
    weights, data = random(*map(int, kernel)), random(*map(int, dims), seed=1)
    read = ["w", "x"] if is_left else ["x", "w"]
    path = written(tmp_path, [node(kind, read, ["y"], **flags)], {"x": dims}, {"w": weights})
    model, layer = read_one(path)
    gram = gram_of(path, data)
    # |W X|^2 of all sections is that of the model's output, for these and any other weights.
    for seed in range(3):
        others = random(*weights.shape, seed=seed)
        rows = others.reshape(-1)[model.places(layer)]
        path = written(tmp_path, [node(kind, read, ["y"], **flags)], {"x": dims}, {"w": others})
        output = outputs_of(path, {"x": data})[0].astype(np.float64)
        energy = np.einsum("srk,skl,srl->", rows, gram, rows)
        np.testing.assert_allclose(energy, (output**2).sum(), rtol=1e-4)
    if layer.sections == 1:
        flat = data if data.shape[-1] == 16 else data.swapaxes(-1, -2)
        samples = flat.reshape(-1, 16).astype(np.float64)
        np.testing.assert_allclose(gram[0], sum(np.outer(x, x) for x in samples), atol=1e-4)


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions(groups: int, tmp_path: Path) -> None:
    data, weights = random(2, 32, 4, 3, seed=1), random(32, 5, 2, 2)
    made = [node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], group=groups)]
    path = written(tmp_path, made, {"x": [2, 32, 4, 3]}, {"w": weights})
    gram = gram_of(path, data)
    for group, part in enumerate(np.split(data, groups, axis=1)):
        pixels = part.transpose(0, 2, 3, 1).reshape(-1, 32 // groups)
        np.testing.assert_allclose(gram[group], pixels.T @ pixels, rtol=1e-4, atol=1e-4)
    model, layer = read_one(path)  # columns do not overlap here, so that energies add up
    rows = weights.reshape(-1)[model.places(layer)]
    output = outputs_of(path, {"x": data})[0].astype(np.float64)
    energy = np.einsum("srk,skl,srl->", rows, gram, rows)
    np.testing.assert_allclose(energy, (output**2).sum(), rtol=1e-4)


def test_half_precision_is_summed_as_floats(tmp_path: Path) -> None:
    weights, data = random(16, 4, kind=np.float16), 100 * random(4096, 16, kind=np.float16)
    made = [node("MatMul", ["x", "w"], ["y"])]
    path = written(tmp_path, made, {"x": [4096, 16]}, {"w": weights}, kind=10)
    gram = gram_of(path, data)
    wide = data.astype(np.float64)
    np.testing.assert_allclose(gram[0], wide.T @ wide, rtol=1e-4, atol=1)


def test_every_operator_is_read_by_a_function_of_the_table() -> None:
    assert {"MatMul", "Gemm", "Conv", "ConvTranspose", "FusedMatMul", "FusedConv"} <= set(INPUTS)
