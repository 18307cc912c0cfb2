"""Is what training hands on the network that was measured?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from simulator.errors import OutputError, WeightsError
from simulator.importers import load_workload
from simulator.importers.onnx_weights import read_onnx_weights
from simulator.quality.measured import LayerCost
from simulator.training import export
from simulator.training.export import trace_of
from simulator.training.masks import layers_of
from simulator.training.recipes import Recipe
from simulator.training.setup import Setup
from simulator.training.train import Outcome, export_onnx, train_dense, train_recipe
from simulator.weights.files import read_weights
from simulator.workload import Conv, Gemm

CNN = Setup.of({"task": "digits", "network": {"patch-cnn": {"patch": 2}}, "epochs": 1})
MLP = Setup.of({"task": "digits", "network": "mlp", "epochs": 1})


@pytest.fixture(scope="module", params=[MLP, CNN], ids=["mlp", "patch-cnn"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Setup, Outcome, Path]:
    setup: Setup = request.param
    outcome = train_recipe(setup, 0, Recipe.parse("rewind"), "2:4", train_dense(setup, 0))
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(setup, outcome, path)
    return setup, outcome, path


def test_the_model_computes_what_was_measured(exported: tuple[Setup, Outcome, Path]) -> None:
    """Its accuracy is the outcome's, on a part of what is tested with, of any size."""
    setup, outcome, path = exported
    images, labels = setup.data.x_test[:200], setup.data.y_test[:200]
    (scores,) = ReferenceEvaluator(str(path)).run(None, {"input": images})
    right = (scores.argmax(1) == labels).mean()
    assert right == pytest.approx(outcome.figures["accuracy"].value, abs=0.08)
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


def test_tensors_are_named_as_layers_and_baked(exported: tuple[Setup, Outcome, Path]) -> None:
    """So importers name the model's layers as the trace does, and find the same weights."""
    _, outcome, path = exported
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    named = [name for name in stored if name.endswith(".weight")]
    assert [name.removesuffix(".weight") for name in named] == list(outcome.layers)
    for name in named:
        assert np.array_equal(stored[name], outcome.state[name])
    weights = list(read_onnx_weights(path, {}).values())
    assert [np.count_nonzero(w) for w in weights] == [c.nonzeros for c in outcome.layers.values()]


def test_the_trace_has_the_layers_of_the_model(
    exported: tuple[Setup, Outcome, Path], tmp_path: Path
) -> None:
    _, outcome, path = exported
    (tmp_path / "trace.csv").write_text(outcome.trace)
    layers = load_workload(tmp_path / "trace.csv").layers
    assert [layer.name for layer in layers] == list(outcome.layers)
    assert [str(layer.pattern or "1:1") for layer in layers if isinstance(layer, Gemm | Conv)] == [
        cost.pattern for cost in outcome.layers.values()
    ]
    of_model = [x for x in load_workload(path).layers if isinstance(x, Gemm | Conv)]
    assert [layer.macs for layer in layers] == [layer.macs for layer in of_model]


def test_a_model_that_cannot_be_written_is_one_line(
    exported: tuple[Setup, Outcome, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "onnx_of", lambda *_: b"")
    with pytest.raises(OutputError, match="cannot be written"):
        export_onnx(*exported[:2], tmp_path / "nowhere" / "model.onnx")


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_traces_know_all_that_a_convolution_has() -> None:
    """Padding by name, strides, dilation, groups; and a layer that runs twice."""
    twice = torch.nn.Linear(8, 8)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, (3, 2), padding="same", dilation=(2, 1), groups=3),
        torch.nn.Conv2d(6, 4, 3, stride=(2, 1), padding=(1, 3)),
        torch.nn.Conv2d(4, 8, 1, padding="valid"), twice, twice,
    )  # fmt: skip
    costs = {name: LayerCost("2:4" if name == "3" else "1:1", 1, 1) for name, _ in layers_of(model)}
    text = trace_of(model, (3, 9, 4), costs, "odd")
    assert text.splitlines()[-4:] == [
        "0,conv,,,,3,9,4,6,3x2,1,2x0x2x1,2x1,3,,",
        "1,conv,,,,6,9,4,4,3,2x1,1x3x1x3,,,,",
        "2,conv,,,,4,5,8,8,1,1,,,,,",
        "3,linear,8,40,8,,,,,,,,,,2,2:4",
    ]


def test_states_that_are_not_baked_are_refused(tmp_path: Path) -> None:
    names = ("fc1.parametrizations.weight.original", "fc1.parametrizations.weight.0.kept")
    np.savez(tmp_path / "state.npz", **dict.fromkeys(names, np.ones((4, 4), np.float32)))
    with pytest.raises(WeightsError, match=r"parametrisation makes weights of.*bake them"):
        read_weights(tmp_path / "state.npz")
    model = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", names[0]], ["y"], name="y")], "g",
        [onnx.helper.make_tensor_value_info("x", 1, [2, 4])],
        [onnx.helper.make_tensor_value_info("y", 1, [2, 4])],
        [numpy_helper.from_array(np.ones((4, 4), np.float32), names[0])],
    )  # fmt: skip
    onnx.save(onnx.helper.make_model(model), tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match="bake them"):
        read_onnx_weights(tmp_path / "model.onnx", {})
