"""`--weights`, for one pattern, too, and `--dense`: are they read, or refused in one line?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from test_bad_input import refused
from test_cli import Nmsim, fine, nmsim

from simulator.cli.weighing import WeightsFiles, weights_files
from simulator.errors import SimulatorError
from simulator.sparsity import Pattern
from simulator.weights.files import Tensor, write_safetensors
from simulator.weights.masks import magnitude_mask
from tests.onnx_models import graph_of, node

__all__ = ["nmsim"]  # the fixture

PATTERNS = [Pattern(1, 1), Pattern(2, 4), Pattern(1, 8), None]
OWN = {Pattern(2, 4): Path("a.onnx"), Pattern(1, 8): Path("b.npz")}


@pytest.mark.parametrize(
    ("given", "common", "own"),
    [
        (None, None, {}),
        (["m.onnx"], "m.onnx", {}),
        (["2:4=a.onnx", "m.onnx", "1:8=b.npz"], "m.onnx", OWN),
        ([" 2 : 4 =a.onnx", "1:8=b.npz"], None, OWN),
        (["trace=a.onnx", "dense=b.npz"], None, {None: "a.onnx", Pattern(1, 1): "b.npz"}),
        (["of=me.onnx"], "of=me.onnx", {}),
        (["./2:4=me.onnx"], "./2:4=me.onnx", {}),
        (["2:4=1:8=me.onnx"], None, {Pattern(2, 4): "1:8=me.onnx"}),
        (["2:4.onnx"], "2:4.onnx", {}),
    ],
)
def test_what_is_given_is_read(given: Any, common: str | None, own: dict[Any, Any]) -> None:
    files = weights_files(given, PATTERNS, "--patterns")
    wanted = {pattern: Path(file) for pattern, file in own.items()}
    assert files == WeightsFiles(None if common is None else Path(common), wanted)
    for pattern in PATTERNS:
        assert files.of(pattern) == wanted.get(pattern, files.common)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["1:4=a.onnx"], "--weights 1:4=a.onnx: is of a pattern that --patterns does not name, "
         "want 1:1, 2:4, 1:8, trace, got '1:4'"),
        (["4:2=a.onnx"], "--weights 4:2=a.onnx: "),
        (["unstructured:x=a.onnx"], "--weights unstructured:x=a.onnx: not a density"),
        (["2:4=a.onnx", "2:4=b.onnx"], "--weights 2:4=b.onnx: 2:4 has a file already ("),
        (["a.onnx", "b.onnx"], "--weights b.onnx: all patterns have a file already (PATTERN=FILE "),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(given: list[str], says: str) -> None:
    with pytest.raises(SimulatorError) as raised:
        weights_files(given, PATTERNS, "--patterns")
    assert str(raised.value).startswith(says)


def network(folder: Path, name: str, pattern: str = "1:1") -> None:
    """An ONNX model and a checkpoint of two layers, of which the first follows a pattern."""
    random = np.random.default_rng(7)
    state = {f"{layer}.weight": random.standard_normal((32, 32)).astype(np.float32) for layer in
             ("body", "head")}  # fmt: skip
    state["body.weight"] *= magnitude_mask(state["body.weight"], pattern)
    nodes = [
        node("Gemm", ["x", "body.weight"], ["h"], name="node_linear", transB=1),
        node("Gemm", ["h", "head.weight"], ["y"], name="node_linear_1", transB=1),
    ]
    stored = [onnx.numpy_helper.from_array(values, key) for key, values in state.items()]
    model = graph_of(nodes, {"x": [8, 32]}, stored)
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    tensors = {key: Tensor(key, "fp32", values) for key, values in state.items()}
    write_safetensors(folder / f"{name}.safetensors", tensors)


def totals(text: bytes) -> list[tuple[int, int]]:
    return [(r["total"]["nonzeros"], r["total"]["pruned_away"]) for r in json.loads(text)]


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
def test_a_comparison_with_weights_of_each_pattern(nmsim: Nmsim, tmp_path: Path, kind: str) -> None:
    for name, pattern in (("net", "1:1"), ("a", "2:4"), ("b", "1:8")):
        network(tmp_path, name, pattern)
    compared = ("compare", "nm-flex", "net.onnx", "--patterns", "1:1,2:4,1:8", "--dense", "head")
    each = ("--weights", f"net.{kind}", "--weights", f"2:4=a.{kind}", "--weights", f"1:8=b.{kind}")
    text = fine(nmsim(*compared, *each)).text
    for pattern in ("2:4", "1:8"):
        assert f"{pattern}: none of the weights was pruned, they run as they are" in text
    assert f"Note: weights: 1:1 of net.{kind}, 2:4 of a.{kind}, 1:8 of b.{kind}" in text
    assert "Note: 1 of 2 layers stay dense: head" in text
    whole, half, eighth = 2 * 32 * 32, 32 * 48, 32 * 36
    out = fine(nmsim(*compared, *each, "--format", "json")).out
    assert totals(out) == [(whole, 0), (half, 0), (eighth, 0)]
    # Trained to 2:4, timed at 1:8.
    text = fine(nmsim(*compared, "--weights", f"a.{kind}")).text
    ratio = 32 * 12 / half
    assert f"1:8: {100 * ratio:.1f} % of the non-zero weights were pruned just now, by" in text
    assert "in 1 of 2 layers" in text
    out = fine(nmsim(*compared, "--weights", f"a.{kind}", "--format", "json")).out
    assert totals(out) == [(half, 0), (half, 0), (eighth, half - eighth)]


def test_a_run_with_weights_of_its_pattern(nmsim: Nmsim, tmp_path: Path) -> None:
    network(tmp_path, "a", "2:4")
    ran = ("run", "nm-flex", "a.onnx", "--pattern", "2:4", "--dense", "^head$", "--weights")
    plain, own = (nmsim(*ran, weights, "--format", "json") for weights in ("a.onnx", "2:4=a.onnx"))
    first, second = (json.loads(fine(ended).out) for ended in (plain, own))
    assert first["total"] == second["total"]
    assert first["total"]["pruned_away"] == 0
    assert [layer["asked"] for layer in first["layers"]] == ["2:4", "1:1"]
    text = fine(nmsim(*ran, "a.onnx")).text
    assert "2:4: none of the weights was pruned, they run as they are" in text
    (tmp_path / "of=me.onnx").write_bytes((tmp_path / "a.onnx").read_bytes())
    assert (
        json.loads(fine(nmsim(*ran, "of=me.onnx", "--format", "json")).out)["total"]
        == (first["total"])
    )


def test_what_cannot_run_is_one_line(nmsim: Nmsim, tmp_path: Path) -> None:
    network(tmp_path, "a", "2:4")
    run, compare = (("run", "nm-flex", "a.onnx"), ("compare", "nm-flex", "a.onnx"))
    says = "--weights 1:8=a.onnx: is of a pattern that --pattern does not name, want 2:4, got '1:8'"
    refused(nmsim(*run, "--pattern", "2:4", "--weights", "1:8=a.onnx"), says)
    refused(nmsim(*compare, "--weights", "1:4=a.onnx"), "that --patterns does not name, want 1:1, ")
    refused(nmsim(*run, "--pattern", "2:4", "--weights", "a.onnx"), "layer head, row 0, group 0: ")
    for command in (run, compare):
        refused(nmsim(*command, "--dense", "tail"), "dense: finds no layer that has weights, got ")
        refused(nmsim(*command, "--dense", "("), "dense: not a regular expression: ")
        weights = ("--weights", "a.onnx", "--weights", "a.safetensors")
        refused(nmsim(*command, *weights), "--weights a.safetensors: all patterns have a file alre")
    own = ("--weights", "2:4=a.onnx", "--weights", "a.safetensors")
    refused(nmsim(*compare, *own, "-o", "a.onnx", "--format", "csv"), "is read by this command")


def test_files_that_make_other_layers_are_refused(nmsim: Nmsim, tmp_path: Path) -> None:
    """A checkpoint takes the blocks of a configuration apart, an ONNX model does not."""
    config = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2,
              "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 32}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    network(tmp_path, "a")
    names = ("self_attn.q_proj", "mlp.down_proj")
    tensors = {f"model.layers.{block}.{name}.weight": np.ones((32, 32), np.float32)
               for block in range(2) for name in names}  # fmt: skip
    write_safetensors(
        tmp_path / "m.safetensors",
        {key: Tensor(key, "fp32", rows) for key, rows in tensors.items()},
    )
    weights = ("--weights", "1:1=m.safetensors", "--weights", "2:4=a.onnx")
    ended = nmsim("compare", "nm-flex", "config.json", *weights)
    refused(ended, "--weights a.onnx: is read as other layers than m.safetensors, want ")
