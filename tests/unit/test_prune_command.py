"""Does `nmsim prune` write what it says, and refuse bad input in one line?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator import cli
from simulator.errors import WeightsError
from simulator.sparsity import Pattern
from simulator.weights.compliance import check_compliance
from simulator.weights.files import Tensor, read_weights, write_safetensors
from simulator.weights.layout import channel_rows
from simulator.weights.prune import prune_tensors


@pytest.fixture
def model(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays = {
        "fc.weight": rng.standard_normal((16, 32)).astype(np.float32),
        "half.weight": rng.standard_normal((8, 16)).astype(np.float16),
        "conv.weight": rng.integers(-128, 128, (4, 8, 3, 3)).astype(np.int8),
        "stem.weight": rng.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "fc.bias": rng.standard_normal(16).astype(np.float32),
        "ids": np.arange(8).reshape(1, 8),
    }
    kinds = {"float32": "fp32", "float16": "fp16", "int8": "int8", "int64": "int64"}
    tensors = {n: Tensor(n, kinds[str(a.dtype)], a) for n, a in arrays.items()}
    raw = (rng.standard_normal((4, 8)).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    tensors["brain.weight"] = Tensor("brain.weight", "bf16", raw)
    path = tmp_path / "model.safetensors"
    write_safetensors(path, tensors)
    return path


def nmsim(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["nmsim", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize("permute", [False, True])
def test_pruned_weights_follow_the_pattern(
    model: Path,
    permute: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.setattr("simulator.weights.permutation.RESTARTS", 3)
    target = model.parent / "pruned.safetensors"
    options = ["--permute"] if permute else []
    assert nmsim(monkeypatch, "prune", model, "--pattern", "1:4", "-o", target, *options) == 0
    before, after = read_weights(model), read_weights(target)
    for name in ("fc.weight", "half.weight", "conv.weight", "brain.weight"):
        old, new = (channel_rows(tensors[name].data) for tensors in (before, after))
        assert after[name].dtype == before[name].dtype
        assert check_compliance(new, Pattern(1, 4)).complies
        assert np.count_nonzero(new) == old.size // 4
        if permute:
            old = old[:, after[name + ".permutation"].data]
        assert np.array_equal(new[new != 0], old[new != 0])
    for name in ("fc.bias", "ids", "stem.weight"):
        assert np.array_equal(after[name].data, before[name].data)
    assert len(after) == len(before) + 4 * permute
    table = capfdbinary.readouterr().out.decode()
    assert "stays dense: 3 inputs are less than a group" in table
    assert table.splitlines()[-1].split()[:2] == ["all", "25.0%"]


def test_figures_are_those_of_the_masks(
    model: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert nmsim(monkeypatch, "prune", model, "--layers", "^fc") == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert len(lines) == 4
    weights = np.abs(read_weights(model)["fc.weight"].data.astype(np.float64))
    groups = np.sort(weights.reshape(-1, 4), axis=1)
    free = np.sort(weights.ravel())[weights.size // 2 :]
    expected = []
    for power in (1, 2):
        total = (weights**power).sum()
        expected += [(groups[:, 2:] ** power).sum() / total, (free**power).sum() / total]
    figures = [f"{value:.4f}" for value in expected]
    assert lines[2].split() == ["fc.weight", "16x32", "50.0%", *figures]
    assert lines[3].split() == ["all", "50.0%", *figures]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.npz"], "missing.npz: cannot be read"),
        (["model.pt"], "unknown format"),
        (["MODEL", "--pattern", "5:4"], "--pattern: a group cannot keep more"),
        (["MODEL", "--layers", "("], "--layers: not a regular expression"),
        (["MODEL", "--layers", "nothing"], "--layers: finds no weights"),
        (["MODEL", "-o", "pruned.npz"], "-o pruned.npz: unknown format, want .safetensors"),
        (["MODEL", "-o", "no/pruned.safetensors"], "its folder does not exist"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_one_line(
    model: Path,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.chdir(model.parent)
    named = [str(model) if argument == "MODEL" else argument for argument in arguments]
    assert nmsim(monkeypatch, "prune", *named) == 2
    captured = capfdbinary.readouterr()
    error = captured.err.decode()
    assert error.startswith("nmsim: ")
    assert says in error
    assert error.count("\n") == 1
    assert captured.out == b""
    assert [p.name for p in model.parent.iterdir()] == ["model.safetensors"]


def test_matrices_stored_inputs_first() -> None:
    values = np.random.default_rng(5).standard_normal((16, 8)).astype(np.float32)
    linear, conv1d = Tensor("fc", "fp32", values), Tensor("c_fc", "fp32", values.T.copy())
    pattern = Pattern(2, 4)
    upright = prune_tensors({"fc": linear}, pattern).tensors["fc"].data
    turned = prune_tensors({"c_fc": conv1d}, pattern, inputs_first="c_(fc|attn)")
    np.testing.assert_array_equal(turned.tensors["c_fc"].data, upright.T)
    with pytest.raises(WeightsError, match="--inputs-first: not a regular expression"):
        prune_tensors({"c_fc": conv1d}, pattern, inputs_first="(")


def gptq(path: Path, **others: np.ndarray) -> Path:
    """A layer as GPTQ keeps it, whose scales look like weights."""
    arrays = {
        "q_proj.qweight": np.ones((8, 64), np.int32),
        "q_proj.qzeros": np.ones((4, 8), np.int32),
        "q_proj.scales": np.ones((4, 64), np.float16),
        **others,
    }
    kinds = {"float32": "fp32", "float16": "fp16", "int32": "int32"}
    write_safetensors(path, {n: Tensor(n, kinds[str(a.dtype)], a) for n, a in arrays.items()})
    return path


def test_compressed_tensors_are_left_alone_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    weights = np.random.default_rng(1).standard_normal((8, 16)).astype(np.float32)
    path, target = gptq(tmp_path / "m.safetensors", lm_head=weights), tmp_path / "out.safetensors"
    assert nmsim(monkeypatch, "prune", path, "-o", target) == 0
    captured = capfdbinary.readouterr()
    said = "left alone as parts of GPTQ or AWQ weights: 3 tensors, such as q_proj.qweight\n"
    assert captured.err.decode() == said
    assert b"q_proj" not in captured.out
    before, after = read_weights(path), read_weights(target)
    for name in before:
        same = np.array_equal(before[name].data, after[name].data)
        assert same == (name != "lm_head")
    assert nmsim(monkeypatch, "prune", path, "--layers", "lm_head") == 0
    assert capfdbinary.readouterr().err == b""


@pytest.mark.parametrize("options", [[], ["--layers", "q_proj"]])
def test_nothing_but_compressed_tensors_is_one_line(
    tmp_path: Path,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    path = gptq(tmp_path / "m.safetensors")
    assert nmsim(monkeypatch, "prune", path, *options) == 2
    error = capfdbinary.readouterr().err.decode()
    assert "nothing that can be pruned: left alone as parts of GPTQ or AWQ weights" in error
    assert error.count("\n") == 1
