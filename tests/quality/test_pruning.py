"""Is a pruned ONNX model the model with pruned weights, whatever stands between them and a file?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from simulator.errors import SimulatorError, WeightsError
from simulator.quality.model import PrunableModel
from simulator.quality.pruning import PrunedModel, prune_model
from simulator.quality.recount import recount
from simulator.quality.spec import PruneSpec, gram_memory
from simulator.weights.methods import METHODS, prune_rows, reconstruction_error
from tests.onnx_models import node
from tests.quality.pruned_models import (
    Array,
    fed,
    outputs_of,
    perceptron,
    random,
    stored,
    written,
)


def pruned(path: Path, spec: PruneSpec, *batches: Array) -> tuple[PrunedModel, Path]:
    """The model and its file after pruning; ``batches`` of the input x."""
    calibration = fed(path, *({"x": batch} for batch in batches)) if batches else None
    result = prune_model(PrunableModel.read(path), spec, calibration)
    target = path.with_name("pruned.onnx")
    result.write(target)
    return result, target


def magnitude(rows: Array, pattern: str = "2:4") -> Array:
    return prune_rows(np.ascontiguousarray(rows), pattern)


@pytest.mark.parametrize("method", METHODS)
def test_layer_by_layer_on_what_was_pruned_before(method: str, tmp_path: Path) -> None:
    path, batches = perceptron(tmp_path), [random(8, 32, seed=s) for s in (2, 3)]
    result, target = pruned(path, PruneSpec("2:4", method), *batches)
    x, before, after = np.concatenate(batches).T, stored(path), stored(target)
    rows = before["first.weight"].T.copy()
    first = prune_rows(rows, "2:4", method, x @ x.T)
    np.testing.assert_allclose(after["first.weight"], first.T, rtol=1e-3, atol=1e-5)
    hidden = np.maximum(first @ x, 0)
    gram = hidden @ hidden.T
    second = prune_rows(before["second.weight"], "2:4", method, gram)
    np.testing.assert_allclose(after["second.weight"], second, rtol=1e-3, atol=1e-4)
    out = outputs_of(target, {"x": batches[0]})[0]
    expected = second @ hidden[:, : len(out)]
    np.testing.assert_allclose(out, expected.T, rtol=1e-3, atol=1e-3)
    error = reconstruction_error(before["second.weight"], after["second.weight"], gram)
    assert result.layers[1].error == pytest.approx(error, rel=1e-3)
    assert result.error is not None
    assert result.error >= min(one.error or 0 for one in result.layers)
    assert [one.nonzeros for one in result.layers] == [32 * 48 // 2, 16 * 48 // 2]


def test_all_at_once_is_on_what_the_dense_model_feeds(tmp_path: Path) -> None:
    path, batch = perceptron(tmp_path), random(8, 32, seed=2)
    _, target = pruned(path, PruneSpec("2:4", "wanda", layers_at_once=0), batch)
    before = stored(path)
    hidden = np.maximum(batch @ before["first.weight"], 0).T
    expected = prune_rows(before["second.weight"], "2:4", "wanda", hidden @ hidden.T)
    np.testing.assert_array_equal(stored(target)["second.weight"], expected)


def chain(folder: Path, depth: int) -> Path:
    """Square layers one after the other, each with a way around it."""
    nodes, tensors = [], {}
    for index in range(depth):
        x, w, y = f"h{index}", f"w{index}", f"h{index + 1}"
        x = x if index else "x"
        tensors[w] = random(16, 16, seed=index) / 4
        nodes += [
            node("MatMul", [x, w], [f"m{index}"]),
            node("Relu", [f"m{index}"], [f"r{index}"]),
            node("Add", [f"r{index}", x], [y]),
        ]
    return written(folder, nodes, {"x": ["n", 16]}, tensors)


@pytest.mark.parametrize("at_once", [1, 2, 3, 0])
def test_steps_take_their_inputs_from_where_the_last_one_ended(
    at_once: int, tmp_path: Path
) -> None:
    path, x = chain(tmp_path, 5), random(8, 16, seed=9)
    _, target = pruned(path, PruneSpec("2:4", "wanda", layers_at_once=at_once), x)
    weights, size = stored(path), at_once or 5
    done: dict[str, Array] = dict(weights)
    for start in range(0, 5, size):
        step, feeds = range(start, min(5, start + size)), []
        hidden = x
        for index in range(step[-1] + 1):
            feeds.append(hidden)
            hidden = hidden + np.maximum(hidden @ done[f"w{index}"], 0)
        for index in step:
            gram = feeds[index].T @ feeds[index]
            rows = np.ascontiguousarray(weights[f"w{index}"].T)
            done[f"w{index}"] = prune_rows(rows, "2:4", "wanda", gram).T
    for name, array in stored(target).items():
        np.testing.assert_array_equal(array, done[name])


def test_tensor_shared_by_two_layers_is_pruned_once_for_both(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["b"]),
        node("MatMul", ["b", "w"], ["y"]),
    ]
    path = written(tmp_path, nodes, {"x": ["n", 16]}, {"w": random(16, 16)})
    x = random(8, 16, seed=1)
    result, target = pruned(path, PruneSpec("2:4", "wanda"), x)
    weights = stored(path)["w"]
    hidden = np.maximum(x @ weights, 0)
    expected = prune_rows(weights.T.copy(), "2:4", "wanda", x.T @ x + hidden.T @ hidden)
    np.testing.assert_array_equal(stored(target)["w"], expected.T)
    first, second = result.layers
    assert (second.twin, second.nonzeros) == (first.name, 128)
    assert [one.name for one in result.pruned] == [first.name]
    assert set(result.layer_costs()) == {first.name, second.name}
    with pytest.raises(WeightsError, match=f"has the weights of {first.name}, and not its pattern"):
        prune_model(PrunableModel.read(path), PruneSpec({first.name: "2:4"}))


def through(
    folder: Path, nodes: list[onnx.NodeProto], weights: Array, **others: Array
) -> tuple[Path, Any]:
    """A model that moves the stored tensor w to v, and multiplies x (n, 32) with v."""
    nodes = [*nodes, node("MatMul", ["x", "v"], ["y"])]
    path = written(folder, nodes, {"x": ["n", 32]}, {"w": weights, **others})
    return path, outputs_of(path, {"x": np.eye(32, dtype=np.float32)})[0]


MOVES: dict[str, tuple[list[onnx.NodeProto], Array, dict[str, Array]]] = {
    "transposed": ([node("Transpose", ["w"], ["v"], perm=[1, 0])], random(8, 32), {}),
    "reshaped": (
        [node("Reshape", ["w", "s"], ["v"])], random(4, 8, 8), {"s": np.array([32, 8])},
    ),
    "cast": (
        [node("Cast", ["w"], ["v"], to=1)], random(32, 8, kind=np.float16), {}
    ),
    "cast and transposed": (
        [node("Cast", ["w"], ["u"], to=1), node("Transpose", ["u"], ["v"])],
        random(8, 32, kind=np.float16), {},
    ),
    "of a larger one": (
        [node("Slice", ["w", "a", "b", "a"], ["v"])], random(40, 8),
        {"a": np.array([0]), "b": np.array([32])},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
def test_weights_that_the_graph_moves_are_written_where_they_come_from(
    name: str, tmp_path: Path
) -> None:
    nodes, weights, others = MOVES[name]
    path, before = through(tmp_path, nodes, weights, **others)
    _, target = pruned(path, PruneSpec("1:4"))
    after = outputs_of(target, {"x": np.eye(32, dtype=np.float32)})[0]
    np.testing.assert_array_equal(after, magnitude(before.T, "1:4").T)
    assert stored(target)["w"].dtype == weights.dtype
    assert np.count_nonzero(stored(target)["w"]) == weights.size - 32 * 8 * 3 // 4


def test_parts_of_one_tensor_are_layers_of_their_own(tmp_path: Path) -> None:
    nodes = [
        node("Split", ["w"], ["q", "k"], axis=1),
        node("MatMul", ["x", "q"], ["a"]),
        node("MatMul", ["x", "k"], ["b"]),
        node("Add", ["a", "b"], ["y"]),
    ]
    path = written(tmp_path, nodes, {"x": ["n", 32]}, {"w": random(32, 16)})
    result, target = pruned(path, PruneSpec("2:4"))
    assert len(result.layers) == len(result.pruned) == 2
    np.testing.assert_array_equal(stored(target)["w"], magnitude(stored(path)["w"].T).T)


def convolutions(folder: Path) -> Path:
    """Of 48 channels in two groups, 3 by 2 taps, then a grouped transposed one."""
    nodes = [
        node("Conv", ["x", "w"], ["h"], group=2, pads=[1, 0, 1, 1]),
        node("ConvTranspose", ["h", "t"], ["y"], group=2),
    ]
    tensors = {"w": random(40, 24, 3, 2), "t": random(40, 3, 2, 2, seed=1)}
    return written(folder, nodes, {"x": [2, 48, 6, 5]}, tensors)


def nonzeros_of_groups(weights: Array, axis: int, group: int) -> list[list[int]]:
    """For each group of inputs the non-zeros of all rows, by definition."""
    rows = np.moveaxis(weights, axis, -1).reshape(-1, weights.shape[axis])
    return [
        [int((row[start : start + group] != 0).sum()) for row in rows]
        for start in range(0, rows.shape[1], group)
    ]


@pytest.mark.parametrize("method", METHODS)
def test_groups_run_along_the_channels_of_a_tap_and_of_a_section(
    method: str, tmp_path: Path
) -> None:
    path, x = convolutions(tmp_path), random(2, 48, 6, 5, seed=3)
    result, target = pruned(path, PruneSpec("5:16", method), x)
    after = stored(target)
    for found in nonzeros_of_groups(after["w"], 1, 16):  # 24 channels a group: 16 and 8
        assert set(found) == {5}
    for half in np.split(after["t"], 2):  # 20 channels a group: 16 and 4
        whole, rest = nonzeros_of_groups(half, 0, 16)
        assert (set(whole), set(rest)) == ({5}, {4})
    assert [one.nonzeros for one in result.layers] == [40 * 6 * 10, 2 * 12 * 9]


def test_each_matrix_of_a_stack_is_pruned_on_its_own_inputs(tmp_path: Path) -> None:
    made = [node("MatMul", ["x", "w"], ["y"])]
    path = written(tmp_path, made, {"x": [3, 8, 16]}, {"w": random(3, 16, 4)})
    x = random(3, 8, 16, seed=1)
    _, target = pruned(path, PruneSpec("2:4", "sparsegpt"), x)
    for before, after, own in zip(stored(path)["w"], stored(target)["w"], x, strict=True):
        expected = prune_rows(before.T.copy(), "2:4", "sparsegpt", own.T @ own)
        np.testing.assert_allclose(after.T, expected, rtol=1e-3, atol=1e-5)


def bfloat16(name: str, values: Array) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.BFLOAT16, values.shape, values.ravel())


@pytest.mark.parametrize("as_constants", [False, True])
@pytest.mark.parametrize("kind", ["float32", "float16", "float64", "bfloat16"])
def test_formats_stay_and_so_do_weights_that_are_kept(
    kind: str, as_constants: bool, tmp_path: Path
) -> None:
    values = random(32, 8)
    proto = bfloat16("w", values) if kind == "bfloat16" else None
    proto = proto or numpy_helper.from_array(values.astype(kind), "w")
    nodes = [node("Cast", ["w"], ["v"], to=1), node("MatMul", ["x", "v"], ["y"])]
    path = written(tmp_path, nodes, {"x": ["n", 32]}, {})
    model = onnx.load(path)
    if as_constants:
        model.graph.node.insert(0, node("Constant", [], ["w"], value=proto))
    else:
        model.graph.initializer.append(proto)
    onnx.save(model, path)
    _, target = pruned(path, PruneSpec("2:4"))
    model = onnx.load(target)
    after = model.graph.node[0].attribute[0].t if as_constants else model.graph.initializer[0]
    assert after.data_type == proto.data_type
    before = numpy_helper.to_array(proto).astype(np.float64)
    expected = magnitude(before.T).T
    np.testing.assert_array_equal(numpy_helper.to_array(after).astype(np.float64), expected)


def test_compensated_weights_are_rounded_to_the_nearest_bf16(tmp_path: Path) -> None:
    nodes = [node("Cast", ["w"], ["v"], to=1), node("MatMul", ["x", "v"], ["y"])]
    path = written(tmp_path, nodes, {"x": ["n", 32]}, {})
    model = onnx.load(path)
    model.graph.initializer.append(bfloat16("w", random(32, 8)))
    onnx.save(model, path)
    x = random(64, 32, seed=3)
    _, target = pruned(path, PruneSpec("2:4", "sparsegpt"), x)
    rows = numpy_helper.to_array(model.graph.initializer[0]).astype(np.float32).T.copy()
    exact = prune_rows(rows, "2:4", "sparsegpt", x.T @ x).T
    after = numpy_helper.to_array(onnx.load(target).graph.initializer[0]).astype(np.float32)
    np.testing.assert_allclose(after, exact, rtol=2**-8)
    np.testing.assert_array_equal(after != 0, exact != 0)


def test_external_data_stays_outside(tmp_path: Path) -> None:
    plain = perceptron(tmp_path)
    folder = tmp_path / "outside"
    folder.mkdir()
    path = folder / "model.onnx"
    onnx.save(
        onnx.load(plain), path, save_as_external_data=True, location="model.bin", size_threshold=0
    )
    model = PrunableModel.read(path)
    assert [file.name for file in model.files] == ["model.bin"]
    for _ in range(2):  # the second time over the first
        prune_model(model, PruneSpec("2:4")).write(folder / "pruned.onnx")
    names = {file.name: file.stat().st_size for file in folder.iterdir()}
    modes = {(folder / f"pruned.onnx{end}").stat().st_mode for end in ("", ".data")}
    assert len(modes) == 1
    assert set(names) == {"model.onnx", "model.bin", "pruned.onnx", "pruned.onnx.data"}
    assert names["pruned.onnx.data"] < 1.5 * names["model.bin"]
    _, target = pruned(plain, PruneSpec("2:4"))
    x = random(4, 32, seed=5)
    for file in (folder / "pruned.onnx", target):
        out = outputs_of(file, {"x": x})[0]
        np.testing.assert_array_equal(out, outputs_of(target, {"x": x})[0])
    digest = model.digest
    (folder / "model.bin").write_bytes(b"1" + (folder / "model.bin").read_bytes()[1:])
    assert PrunableModel.read(path).digest != digest


LEFT: dict[str, tuple[list[onnx.NodeProto], dict[str, Array], str]] = {
    "fewer than 16 inputs": (
        [node("Slice", ["x", "a", "b", "o"], ["s"]), node("MatMul", ["s", "w"], ["y"])],
        {"w": random(8, 4), "a": np.array([0]), "b": np.array([8]), "o": np.array([1])},
        "1 with fewer than 16 inputs",
    ),
    "an embedding, too": (
        [
            node("MatMul", ["x", "w"], ["h"]),
            node("Gather", ["w", "i"], ["g"]),
            node("Add", ["h", "g"], ["y"]),
        ],
        {"w": random(32, 8), "i": np.array([3])},
        "1 whose weights Gather reads, too",
    ),
    "quantised": (
        [
            node("DequantizeLinear", ["w", "s"], ["v"]),
            node("MatMul", ["x", "v"], ["y"]),
        ],
        {"w": np.ones((32, 8), np.int8), "s": np.array(0.5, np.float32)},
        "1 with quantised weights",
    ),
    "scaled": (
        [node("Mul", ["w", "s"], ["v"]), node("MatMul", ["x", "v"], ["y"])],
        {"w": random(32, 8), "s": np.array(0.5, np.float32)},
        "1 whose weights Mul makes",
    ),
    "both ways round": (
        [
            node("MatMul", ["x", "w"], ["h"]),
            node("Transpose", ["w"], ["t"]),
            node("MatMul", ["h", "t"], ["y"]),
        ],
        {"w": random(32, 32)},
        "2 whose weights another layer groups in another way",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_what_cannot_be_pruned_stays_dense_and_is_said(name: str, tmp_path: Path) -> None:
    nodes, tensors, says = LEFT[name]
    extra = [
        *nodes,
        node("MatMul", ["x", "other"], ["z"]),
        node("Concat", ["y", "z"], ["all"], axis=1),
    ]
    more = {**tensors, "other": random(32, 4, seed=7)}
    path = written(tmp_path, extra, {"x": ["n", 32]}, more)
    result, target = pruned(path, PruneSpec("2:4"))
    assert result.model.notes == [f"stay dense: {says}"]
    after = stored(target)
    for label in tensors:
        np.testing.assert_array_equal(after[label], tensors[label])
    assert np.count_nonzero(after["other"]) == 64
    path = written(tmp_path, nodes, {"x": ["n", 32]}, tensors)
    with pytest.raises(WeightsError, match=f"has no layer that can be pruned: {says}"):
        PrunableModel.read(path)


def test_layers_are_chosen_left_dense_and_mixed(tmp_path: Path) -> None:
    model = PrunableModel.read(perceptron(tmp_path))
    first, second = (layer.name for layer in model.layers)

    def patterns(**spec: Any) -> list[str]:
        result = prune_model(model, PruneSpec(**{"patterns": "2:4", **spec}))
        return [str(one.pattern) for one in result.layers]

    assert patterns() == ["2:4", "2:4"]
    assert patterns(layers="first") == ["2:4", "1:1"]
    assert patterns(dense="^second.weight$") == ["2:4", "1:1"]
    assert patterns(patterns={first: "1:1", second: "8:16"}) == ["1:1", "8:16"]
    assert patterns(patterns="1:48") == ["1:1", "1:48"]
    assert patterns(patterns="unstructured:0.25") == ["unstructured:0.25"] * 2
    for spec, says in [
        ({"layers": "third"}, "--layers: finds no layer, got 'third'"),
        ({"dense": "third"}, "--dense: finds no layer, got 'third'"),
        ({"dense": "weight"}, "--dense: leaves no layer to prune"),
        ({"layers": "("}, "--layers: not a regular expression"),
        ({"patterns": {"third": "2:4"}}, "patterns: no such layer, got 'third'"),
        ({"patterns": "1:64"}, "larger than the inputs of any layer, want a group of at most 48"),
        ({"patterns": "2:5:6:7"}, "--pattern: not a pattern"),
        ({"patterns": "128:2:20"}, "--pattern: weights cannot be pruned to rows:keep:group"),
        ({"method": "wandb"}, "did you mean 'wanda'"),
        ({"method": "sparsegpt"}, "looks at the inputs of layers"),
        ({"layers_at_once": -1}, "--layers-at-once: not a number of layers"),
    ]:
        with pytest.raises(SimulatorError) as caught:
            patterns(**spec)
        assert says in str(caught.value)


@pytest.mark.parametrize("dense", ["first", "second"])
def test_weights_that_are_no_numbers_are_told_by_layer(dense: str, tmp_path: Path) -> None:
    tensors = {"first.weight": random(32, 48), "second.weight": random(48, 16, seed=1)}
    tensors["second.weight"][5, 3] = np.nan
    nodes = [
        node("MatMul", ["x", "first.weight"], ["a"]),
        node("MatMul", ["a", "second.weight"], ["y"]),
    ]
    path = written(tmp_path, nodes, {"x": ["n", 32]}, tensors)
    with pytest.raises(WeightsError, match=r"^second: has weights that are not finite"):
        pruned(path, PruneSpec("2:4", dense=dense))


def test_recount_finds_what_masks_would_miss(tmp_path: Path) -> None:
    path = perceptron(tmp_path)
    result, target = pruned(path, PruneSpec("2:4"))
    model = onnx.load(target)
    for proto in model.graph.initializer:
        array = numpy_helper.to_array(proto).copy()
        at = np.argwhere(array != 0)[0]
        zero = np.argwhere(array == 0)
        along = 0 if proto.name == "first.weight" else 1
        same = [
            z for z in zero if z[1 - along] == at[1 - along] and z[along] // 4 != at[along] // 4
        ]
        array[tuple(same[0])], array[tuple(at)] = array[tuple(at)], 0
        proto.CopyFrom(numpy_helper.from_array(array, proto.name))
    onnx.save(model, target)
    with pytest.raises(WeightsError, match="holds too many weights, want at most 2, got 3"):
        recount(target, result.model, result.layers)
    with pytest.raises(WeightsError, match="another number of weights is left"):
        recount(path, result.model, result.layers)


def test_memory_is_told_and_held_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = perceptron(tmp_path)
    model = PrunableModel.read(path)
    spec = PruneSpec("2:4", "wanda", layers_at_once=0)
    total = 8 * (32**2 + 48**2)
    most = f"{total / 1e6:.1f} MB"
    assert gram_memory(model, spec) == f"Gram matrices: {most} in all, at most {most} at a time"
    meminfo = tmp_path / "meminfo"
    monkeypatch.setattr("simulator.quality.memory.MEMINFO", meminfo)
    x = random(4, 32)
    for kibibytes, says in ((20, "Gram matrices do not fit in memory"), (0, "do not fit")):
        meminfo.write_text(f"MemTotal: 99 kB\nMemAvailable: {kibibytes} kB\n")
        with pytest.raises(WeightsError, match=says):
            prune_model(model, spec, fed(path, {"x": x}))
    meminfo.write_text("MemAvailable: 19 kB\n")
    with pytest.raises(WeightsError, match="activations between layers do not fit"):
        prune_model(model, PruneSpec("2:4", "wanda"), fed(path, {"x": random(999, 32)}))
    meminfo.unlink()
    prune_model(model, spec, fed(path, {"x": x}))
