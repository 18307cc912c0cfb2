"""Does `nmsim prune MODEL.onnx` write what it says, and refuse bad input in one line?"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.text import Text

from simulator import cli
from simulator.quality.calibration import calibration_of
from simulator.quality.foreign import function_named
from simulator.quality.model import PrunableModel
from simulator.quality.pruning import prune_model
from simulator.quality.spec import PruneSpec
from tests.quality.pruned_models import outputs_of, perceptron, random, stored

FEEDS = """
import numpy as np

def one():
    return {"x": np.random.default_rng(2).standard_normal((16, 32)).astype("f4")}

def some():
    batch = one()["x"]
    yield {"x": batch[:8]}
    yield {"x": batch[8:]}

def raises():
    yield one()
    raise RuntimeError("no such picture")

def leaves():
    raise SystemExit("bye")

def nothing():
    return []

def number():
    return 3

def numbers():
    return [3]

def other():
    return {"z": one()["x"]}

def missing():
    return {}

def double():
    return {"x": one()["x"].astype("f8")}

def narrow():
    return {"x": one()["x"][:, :31]}

def deep():
    return {"x": one()["x"][None]}

def ragged():
    return {"x": [[1.0], [1.0, 2.0]]}

def nan():
    return {"x": one()["x"] * np.float32("nan")}

def huge():
    return {"x": one()["x"] * np.float32(1e30)}

def stops():
    yield None

def zero():
    return {"x": one()["x"] * 0}

def empty():
    return {"x": one()["x"][:0]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a model, a module of inputs and a file of inputs."""
    perceptron(tmp_path)
    (tmp_path / "made.onnx").rename(tmp_path / "model.onnx")
    (tmp_path / "feeds_of_a_test.py").write_text(FEEDS)
    (tmp_path / "broken_in_a_test.py").write_text("import numpy\n1 / 0\n")
    np.savez(tmp_path / "inputs.npz", x=random(16, 32, seed=2))
    np.savez(tmp_path / "scalar.npz", x=np.float32(1))
    np.savez(tmp_path / "uneven.npz", x=random(16, 32), y=random(15, 32))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    return tmp_path


def nmsim(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["nmsim", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


SPARSEGPT = ["prune", "model.onnx", "--method", "sparsegpt"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("calibrate", ["inputs.npz", "feeds_of_a_test:one", "feeds_of_a_test:some"])
def test_inputs_come_from_a_file_or_a_function(
    calibrate: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    arguments = [*SPARSEGPT, "--calibrate", calibrate, "-o", "pruned.onnx", "--dense", "second"]
    assert nmsim(monkeypatch, *arguments) == 0
    said = capfd.readouterr()
    assert said.err.splitlines()[0] == "Gram matrices: 0.0 MB in all, at most 0.0 MB at a time"
    lines = said.out.splitlines()
    assert lines[0].startswith(
        "2:4 by sparsegpt, share kept; unstructured: same density, per layer"
    )
    assert lines[1].split()[-2:] == ["error", "note"]
    assert lines[2].split()[1:3] == ["32x48", "50.0%"]
    assert lines[3].endswith("stays dense, as asked")
    assert lines[4].split()[:2] == ["all", "50.0%"]
    model = PrunableModel.read("model.onnx")
    spec = PruneSpec("2:4", "sparsegpt", dense="second")
    expected = prune_model(model, spec, calibration_of("inputs.npz", Path("model.onnx")))
    expected.write("expected.onnx")
    x = random(4, 32, seed=6)
    out, other = (outputs_of(Path(f), {"x": x})[0] for f in ("pruned.onnx", "expected.onnx"))
    np.testing.assert_allclose(out, other, rtol=1e-3, atol=1e-3)
    before, after = stored(Path("model.onnx")), stored(Path("pruned.onnx"))
    np.testing.assert_array_equal(before["second.weight"], after["second.weight"])


@pytest.mark.usefixtures("folder")
def test_rows_for_programs(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["prune", "model.onnx", "--pattern", "1:4", "--calibrate", "inputs.npz", "-q"]
    assert nmsim(monkeypatch, *arguments, "--format", "json") == 0
    said = capfd.readouterr()
    assert said.err == ""
    rows = json.loads(said.out)
    assert [row["tensor"] for row in rows] == ["first.weight", "second.weight"]
    assert [row["kept"] for row in rows] == [384, 192]
    assert all(0 < row["error"] < 1 for row in rows)
    assert nmsim(monkeypatch, *arguments, "--format", "csv") == 0
    header = capfd.readouterr().out.splitlines()[0]
    assert header.split(",") == list(rows[0])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("columns", [80, 120])
def test_table_fits_a_terminal(
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("simulator.cli.screen.Screen.is_terminal", True)
    assert nmsim(monkeypatch, *SPARSEGPT, "--calibrate", "inputs.npz", "--dense", "second") == 0
    lines = [Text.from_ansi(line).plain for line in capfd.readouterr().out.splitlines()]
    assert all(len(line) <= columns for line in lines)
    assert any("error" in line for line in lines)
    assert any("kept" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--method sparsegpt: looks at the inputs of layers (--calibrate INPUTS.npz or"),
        (["--calibrate", "inputs"], "--calibrate: not a source of inputs, want INPUTS.npz or"),
        (["--calibrate", "a b:c"], "--calibrate: not a function, want module:function"),
        (["--calibrate", "none.npz"], "none.npz: cannot be read"),
        (["--calibrate", "scalar.npz"], "not samples, want one first axis for all arrays"),
        (["--calibrate", "uneven.npz"], "not samples, want one first axis for all arrays"),
        (["--calibrate", "no_module_of_a_test:f"], "cannot be imported: ModuleNotFoundError"),
        (["--calibrate", "broken_in_a_test:f"], "cannot be imported: ZeroDivisionError"),
        (["--calibrate", "feeds_of_a_test:f"], "the module has no such function, got 'f'"),
        (["--calibrate", "feeds_of_a_test:raises"], "raised: RuntimeError: no such picture"),
        (["--calibrate", "feeds_of_a_test:leaves"], "raised: SystemExit: bye"),
        (["--calibrate", "feeds_of_a_test:nothing"], "gives no inputs"),
        (["--calibrate", "feeds_of_a_test:number"], "raised: TypeError"),
        (["--calibrate", "feeds_of_a_test:numbers"], "not a batch, want a dict of arrays"),
        (["--calibrate", "feeds_of_a_test:other"], "the model has no such input, got 'z'"),
        (["--calibrate", "feeds_of_a_test:missing"], "this input is missing"),
        (["--calibrate", "feeds_of_a_test:double"], "x: another dtype, want float32"),
        (["--calibrate", "feeds_of_a_test:narrow"], "x: another shape, want ?x32, got '16x31'"),
        (["--calibrate", "feeds_of_a_test:deep"], "x: another shape, want ?x32, got '1x16x32'"),
        (["--calibrate", "feeds_of_a_test:ragged"], "x: not an array: ValueError"),
        (["--calibrate", "feeds_of_a_test:nan"], "first: gram: has entries that are NaN"),
        (["--calibrate", "feeds_of_a_test:huge"], "first: gram: has entries that are NaN"),
        (["--calibrate", "feeds_of_a_test:stops"], "not a batch, want a dict of arrays"),
        (["--calibrate", "feeds_of_a_test:zero"], "first: gram: is all zeros"),
        (["--calibrate", "feeds_of_a_test:empty"], "x: holds nothing"),
        (["--calibrate", "inputs.npz", "--layers-at-once", "0"], "a number of layers, or all"),
        (["--calibrate", "inputs.npz", "--layers-at-once", "two"], "a number of layers, or all"),
        (["--calibrate", "inputs.npz", "--damping", "-1"], "damping: not a share of a mean"),
        (["--calibrate", "inputs.npz", "--layers", "third"], "--layers: finds no layer"),
        (["--calibrate", "inputs.npz", "--dense", "third"], "--dense: finds no layer"),
        (["--pattern", "5:4"], "--pattern: a group cannot keep more"),
        (["--method", "wandb"], "no such method, got 'wandb' (did you mean 'wanda'?)"),
        (["--permute"], "--permute: reorders inputs, which in a model are outputs of others"),
        (["--inputs-first", "x"], "--inputs-first: is for files of weights"),
        (["-o", "pruned.safetensors"], "-o pruned.safetensors: unknown format, want .onnx"),
        (["-o", "model.onnx"], "is read by this command, and would be lost"),
        (["--format", "xml"], "--format: unknown format, got 'xml'"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    says: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = sorted(path.name for path in folder.iterdir())
    given = [] if "-o" in arguments else ["-o", "pruned.onnx"]
    assert nmsim(monkeypatch, "-q", *SPARSEGPT, *arguments, *given) == 2
    said = capfd.readouterr()
    assert said.err.startswith("nmsim: ")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--method", "wanda"], "--method: looks at the inputs of layers, which need the ONNX"),
        (["--calibrate", "inputs.npz"], "--calibrate: is for ONNX models"),
        (["--dense", "x"], "--dense: is for ONNX models"),
        (["--layers-at-once", "2"], "--layers-at-once: is for ONNX models"),
        (["--damping", "0"], "--damping: is for ONNX models"),
        (["--dim", "n=2"], "--param: is for ONNX models"),
    ],
)
def test_files_of_weights_have_no_inputs(
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert nmsim(monkeypatch, "prune", "inputs.npz", *arguments) == 2
    assert says in capfd.readouterr().err


@pytest.mark.usefixtures("folder")
def test_batches_of_a_file_are_as_many_as_the_model_fixes() -> None:
    calibration = calibration_of("inputs.npz", Path("model.onnx"))
    assert [len(batch["x"]) for batch in calibration.feeds()] == [8, 8]
    assert [len(batch["x"]) for batch in calibration.feeds()] == [8, 8]
    np.savez("others.npz", x=random(16, 32, seed=3))
    assert calibration_of("others.npz", Path("model.onnx")).digest != calibration.digest
    one, some = (function_named(f"feeds_of_a_test:{name}", "x") for name in ("one", "some"))
    assert one.digest != some.digest


@pytest.mark.usefixtures("folder")
def test_without_onnxruntime_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    assert nmsim(monkeypatch, "-q", *SPARSEGPT, "--calibrate", "inputs.npz") == 2
    assert 'pip install "nmsim[quality]"' in capfd.readouterr().err
