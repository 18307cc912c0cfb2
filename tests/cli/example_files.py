"""Files that examples of commands call the reader's own, made where the example runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from simulator.weights.files import Tensor, write_safetensors
from tests.onnx_models import graph_of, node

BERT_CONFIG = json.dumps(
    {
        "model_type": "bert",
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "max_position_embeddings": 512,
    }
)

SWEEP = """
hardware: nm-edge
workloads: [gemm:64x48x96]
patterns: [1:1, 2:4]
parameters:
  core.count: [2, 4]
search: {trials: 4, batch: 2}
"""

RECIPE = """
task: digits
network: {mlp: {width: 16, depth: 2}}
epochs: 1
seeds: 2
patterns: [2:4]
recipes: [dense, rewind]
"""

MEASUREMENTS = "m,n,k,time_us\n" + "".join(
    f"{m},256,256,{9 + m / 1000}\n" for m in (64, 128, 192, 256, 320, 384)
)

Run = Callable[..., bytes]
"""A command, by its arguments; it returns what it printed."""


def squeezenet() -> bytes:
    """A small model that the onnx package carries for its tests."""
    spec = find_spec("onnx")
    assert spec is not None
    assert spec.origin is not None
    light = Path(spec.origin).parent / "backend" / "test" / "data" / "light"
    return (light / "light_squeezenet.onnx").read_bytes()


def chain() -> bytes:
    """Two layers of 32 inputs whose weights are there, ``body`` and ``head``."""
    random = np.random.default_rng(0)
    weights = {
        name: random.normal(size=(32, 32)).astype(np.float32)
        for name in ("body.weight", "head.weight")
    }
    nodes = [
        node("MatMul", ["x", "body.weight"], ["h"]),
        node("MatMul", ["h", "head.weight"], ["y"]),
    ]
    stored = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    model: onnx.ModelProto = graph_of(nodes, {"x": [8, 32]}, stored)
    model.ir_version = 8
    return model.SerializeToString()


def make(name: str, command: str, run: Run) -> None:
    """The file that an example of a command names so; copies of presets."""
    path = Path(name)
    if name == "sweep.yaml":
        path.write_text(SWEEP)
    elif name == "recipe.yaml":
        path.write_text(RECIPE)
    elif name in ("runs.sqlite", "trained.sqlite", "old.sqlite", "new.sqlite"):
        _filled_by(command, name, run)
    elif name.endswith(".json") and command == "diff":
        run("run", "nm-edge", "gemm:64x48x96", "-o", name)
    elif name == "q.sqlite" and command == "tradeoff":
        make("inputs.npz", command, run)
        run("quality", "model.onnx", "--patterns", "2:4,3:4", "--calibrate", "inputs.npz",
            "--methods", "wanda", "--store", name)  # fmt: skip
    elif name.endswith(".yaml"):
        path.write_bytes(run("hardware", "nm-edge"))
    elif name == "measurements.csv":
        path.write_text(MEASUREMENTS)
    elif name.endswith(".csv"):
        path.write_bytes(run("workloads", "bert-base"))
    elif name == "model.onnx":
        path.write_bytes(squeezenet() if command == "import" else chain())
    elif name == "inputs.npz":
        np.savez(path, x=np.random.default_rng(1).normal(size=(64, 32)).astype(np.float32))
    elif name.startswith("mine:"):
        Path("mine.py").write_text("def accuracy(path):\n    return {'accuracy': 0.5}\n")
    elif name == "config.json":
        path.write_text(BERT_CONFIG)
    elif name == "model.safetensors":
        weights = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
        tensor = "encoder.layer.0.attention.self.query.weight"
        write_safetensors(path, {tensor: Tensor(tensor, "fp32", weights)})


def _filled_by(command: str, store: str, run: Run) -> None:
    """A store, for commands that only read it."""
    if command in ("results", "pareto", "diff"):
        Path("sweep.yaml").write_text(SWEEP)
        run("sweep", "sweep.yaml", "--store", store)
    elif command in ("tradeoff", "claims"):
        Path("recipe.yaml").write_text(RECIPE)
        run("train", "recipe.yaml", "--store", store, "--workers", "1")
