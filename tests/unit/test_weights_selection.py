"""Is pruning part by part what pruning a whole tensor is, ties included?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.errors import OutputError, WeightsError
from simulator.sparsity import Pattern
from simulator.weights import selection
from simulator.weights.files import Stored, Tensor, read_weights, write_safetensors
from simulator.weights.layout import Axis, from_matrix, to_matrix
from simulator.weights.masks import magnitude_mask, unstructured_mask
from simulator.weights.prune import kept_of, prune_file, prune_tensors

SHAPES = ((5, 70), (1, 48), (3, 20, 3, 3), (2, 64, 1, 1))
PATTERNS = ("2:4", "1:8", "3:7", "12:16", "5:20", "16:32", "4:4")


def tensor_of(dtype: str, shape: tuple[int, ...]) -> Tensor:
    """Few different magnitudes, so that most groups hold ties; zeros of both signs."""
    rng = np.random.default_rng(7)
    values = (rng.integers(-3, 4, shape) * rng.choice((1.0, -1.0), shape)).astype(np.float32)
    if dtype == "bf16":
        return Tensor("w", dtype, (values.view(np.uint32) >> 16).astype(np.uint16))
    return Tensor("w", dtype, values.astype({"fp32": "f4", "fp16": "f2", "int8": "i1"}[dtype]))


@pytest.mark.parametrize("part", [1 << 20, 64])
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16", "int8"])
@pytest.mark.parametrize("text", PATTERNS)
def test_parts_are_the_whole(
    dtype: str, text: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "BLOCK_WEIGHTS", part)
    pattern = Pattern.parse(text)
    for shape in SHAPES:
        tensor = tensor_of(dtype, shape)
        axes: tuple[Axis, ...] = ("out_first", "in_first") if len(shape) == 2 else ("out_first",)
        for axis in axes:
            run = shape[0 if axis == "in_first" else 1]
            if run < pattern.group:
                continue
            rows = to_matrix(tensor.values(), axis=axis).astype(np.float32)
            runs = rows.reshape(-1, run)
            mask = magnitude_mask(runs, pattern).reshape(rows.shape)
            turned = "w" if axis == "in_first" else None
            pruning = prune_tensors({"w": tensor}, pattern, inputs_first=turned)
            found = pruning.tensors["w"]
            wanted = tensor.with_values(from_matrix(np.where(mask, rows, 0), shape, axis))
            assert np.array_equal(found.values(), wanted.values())
            (layer,) = pruning.layers
            assert layer.kept == np.count_nonzero(rows[mask])
            sums = kept_of(rows, mask, unstructured_mask(rows, pattern.density))
            for seen, right in zip((layer.magnitude, layer.energy), sums, strict=True):
                assert (seen.pattern, seen.unstructured, seen.total) == pytest.approx(
                    (right.pattern, right.unstructured, right.total), rel=1e-12
                )


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_a_file_is_pruned_as_its_tensors_are(ending: str, tmp_path: Path) -> None:
    tensors = {
        f"{dtype}.{len(shape)}": tensor_of(dtype, shape)
        for dtype in ("fp32", "fp16", "int8")
        for shape in SHAPES[::2]
    }
    tensors = {name: Tensor(name, one.dtype, one.data) for name, one in tensors.items()}
    tensors["bias"] = Tensor("bias", "fp32", np.ones(3, dtype=np.float32))
    source, target = tmp_path / f"a{ending}", tmp_path / "b.safetensors"
    if ending == ".npz":
        np.savez(source, **{name: one.data for name, one in tensors.items()})
    else:
        write_safetensors(source, tensors)
    by_file, whole = prune_file(source, target, "2:4"), prune_tensors(read_weights(source), "2:4")
    assert by_file.layers == whole.layers
    written = read_weights(target)
    assert written.keys() == whole.tensors.keys()
    for name, one in whole.tensors.items():
        assert written[name].dtype == one.dtype
        assert np.array_equal(written[name].data, one.data)


def test_what_fails_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    last = np.full((4, 8), np.nan, dtype=np.float32)
    source = tmp_path / "a.safetensors"
    write_safetensors(source, {"w": tensor_of("fp32", (4, 8)), "x": Tensor("x", "fp32", last)})
    with pytest.raises(WeightsError, match="tensor x: has weights that are NaN or infinite"):
        prune_file(source, tmp_path / "b.safetensors", "2:4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    with pytest.raises(OutputError, match="cannot be written"):
        prune_file(source, tmp_path / "no" / "b.safetensors", "2:4")


def test_a_stored_file_is_read_when_asked(tmp_path: Path) -> None:
    source = tmp_path / "a.safetensors"
    tensor = tensor_of("fp32", (4, 8))
    write_safetensors(source, {"w": tensor})
    stored = Stored(source)
    assert (len(stored), list(stored)) == (1, ["w"])
    assert stored.outlines["w"].data.shape == (4, 8)
    assert stored.outlines["w"].is_weights
    stored.forget()
    assert np.array_equal(stored["w"].data, tensor.data)
