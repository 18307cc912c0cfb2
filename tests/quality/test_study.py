"""Are rows what was asked for, kept, and measured once?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from perceptron import HIDDEN, INPUTS, inputs_file, perceptron

from simulator import QualityStudy, measure_quality
from simulator.errors import SimulatorError
from simulator.importers import import_workload
from simulator.quality.measured import LayerCost, Measured, Qualities
from simulator.quality.model import PrunableModel
from simulator.quality.study import QualityResult

SIZES = {"samples": 8}
METHODS = ("magnitude", "wanda", "sparsegpt")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QualityStudy:
    monkeypatch.chdir(tmp_path)
    perceptron(tmp_path / "made.onnx")
    inputs_file(tmp_path / "x.npz", count=400)
    inputs_file(tmp_path / "other.npz", seed=2)
    return QualityStudy(
        "made.onnx",
        patterns=["2:4", "unstructured:0.25"],
        methods=METHODS,
        calibrate="x.npz",
        inputs="other.npz",
        parameters=SIZES,
    )


def by_name(result: QualityResult) -> dict[tuple[str, str], Measured]:
    return {(row.method, row.pattern): row for row in result.rows}


def layer_names() -> list[str]:
    return [layer.name for layer in PrunableModel.read(Path("made.onnx"), SIZES).layers]


def test_a_row_a_pattern_and_method_and_the_dense_network_first(study: QualityStudy) -> None:
    result = measure_quality(study)
    rows = by_name(result)
    asked = [(method, pattern) for method in METHODS for pattern in study.patterns]
    assert list(rows) == [("dense", "1:1"), *asked]
    assert (result.computed, result.known) == (7, 0)
    first, second = layer_names()
    for (method, pattern), row in rows.items():
        assert (row.network, row.task, row.seed, row.dense) == ("made", "drift", None, "")
        assert list(row.layers_of) == [first, second]
        assert {cost.pattern for cost in row.layers_of.values()} == {pattern}
        share = {"1:1": 1, "2:4": 0.5, "unstructured:0.25": 0.25}[pattern]
        assert row.nonzeros == share * row.weights
        calibrated = method in ("wanda", "sparsegpt")
        assert ("calibration" in row.provenance) is calibrated
        for cost in row.layers_of.values():
            assert (cost.error is not None) is calibrated
    assert rows["dense", "1:1"].figures_of["relative_error"].value == 0
    errors = [rows[method, "2:4"].figures_of["relative_error"].value for method in METHODS]
    assert errors[2] < min(errors[:2])


def test_what_is_measured_is_the_pruned_model(study: QualityStudy, tmp_path: Path) -> None:
    code = """
import numpy as np, onnx
from onnx import numpy_helper
def zeros(path):
    tensors = onnx.load(path).graph.initializer
    return {t.name: float(np.mean(numpy_helper.to_array(t) == 0)) for t in tensors}
"""
    (tmp_path / "counts_zeros.py").write_text(code)
    rows = by_name(measure_quality(replace(study, measure="counts_zeros:zeros")))
    shares = {"1:1": 0, "2:4": 0.5, "unstructured:0.25": 0.75}
    for (_, pattern), row in rows.items():
        figures = row.figures_of
        assert list(figures) == ["first.weight", "second.weight"]
        assert {figure.value for figure in figures.values()} == {shares[pattern]}


def test_a_store_computes_what_it_lacks(study: QualityStudy) -> None:
    some = replace(study, patterns=["2:4"], methods=["magnitude"])
    assert measure_quality(some, store="q.sqlite").computed == 2
    result = measure_quality(study, store="q.sqlite")
    assert (result.computed, result.known) == (5, 2)
    again = measure_quality(study, store="q.sqlite")
    assert (again.computed, again.known) == (0, 7)
    assert again.rows == result.rows
    with Qualities("q.sqlite", must_exist=True) as opened:
        assert {row.key for row in opened.rows()} == {row.key for row in result.rows}


@pytest.mark.parametrize(
    ("changed", "computed"),
    [
        ({"calibrate": "other.npz"}, 1),  # wanda's alone
        ({"inputs": "x.npz"}, 3),
        ({"layers_at_once": 2}, 1),
        ({"damping": 0.02}, 1),
        ({"dense": "scores|second"}, 2),
        ({"seed": 1}, 0),  # drift draws nothing
        ({"patterns": ["dense", "2:4", "2:4"]}, 0),
    ],
    ids=str,
)
def test_a_row_is_known_by_what_decides_it(
    study: QualityStudy, changed: dict[str, object], computed: int
) -> None:
    study = replace(study, patterns=["2:4"], methods=["magnitude", "wanda"])
    measure_quality(study, store="q.sqlite")
    assert measure_quality(replace(study, **changed), store="q.sqlite").computed == computed  # type: ignore[arg-type]  # of a table


def test_another_model_of_the_same_name_is_another_network(
    study: QualityStudy, tmp_path: Path
) -> None:
    before = measure_quality(study, store="q.sqlite")
    perceptron(tmp_path / "made.onnx", seed=9)
    after = measure_quality(study, store="q.sqlite")
    assert after.computed == len(after.rows)
    assert before.rows[0].digest != after.rows[0].digest


def test_layers_left_dense(study: QualityStudy) -> None:
    first, second = layer_names()
    result = measure_quality(replace(study, dense=second))
    for row in result.rows[1:]:
        assert row.dense == second
        assert row.layers_of[second].pattern == "1:1"
        assert row.layers_of[first].pattern == row.pattern
    assert result.rows[0].dense == ""


def test_one_layer_at_a_time(study: QualityStudy) -> None:
    result = measure_quality(replace(study, patterns=["2:4"], methods=["wanda"], each_layer=True))
    names = layer_names()
    for row, name in zip(result.rows[1:], names, strict=True):
        pruned = {layer for layer, cost in row.layers_of.items() if cost.pattern != "1:1"}
        assert pruned == {name}
        assert (row.pattern, row.method) == ("2:4", "wanda")
    frame = result.to_frame()
    assert list(frame[frame["figure"] == "cosine"]["layer"]) == ["", *names]


def mixed_trace(path: Path, patterns: list[str]) -> Path:
    """The model's trace, its layers of these patterns."""
    names = [layer.name for layer in import_workload("made.onnx", SIZES).workload.layers]
    lines = ["# nmsim trace 2", "name,kind,m,n,k,pattern"]
    patterns = [*patterns, *[""] * (len(names) - len(patterns))]
    lines += [f"{n},linear,8,8,8,{p}" for n, p in zip(names, patterns, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_mix_is_measured_whole(study: QualityStudy, tmp_path: Path) -> None:
    layers = import_workload("made.onnx", SIZES).workload.layers
    patterns = ["1:4" if layer.name == layer_names()[0] else "" for layer in layers]
    mix = mixed_trace(tmp_path / "mixed.csv", patterns)
    result = measure_quality(replace(study, patterns=[], mix=mix, methods=["sparsegpt"]))
    dense, mixed = result.rows
    assert (dense.pattern, mixed.pattern) == ("1:1", "mixed")
    costs = list(mixed.layers_of.values())
    assert [cost.pattern for cost in costs] == ["1:4", "1:1"]
    assert costs[0].nonzeros == INPUTS * HIDDEN // 4


def test_tables(study: QualityStudy) -> None:
    result = measure_quality(study)
    frame = result.to_frame()
    columns = "network task method pattern dense seed figure value error nonzeros weights layer"
    assert list(frame.columns) == columns.split()
    assert len(frame) == 3 * len(result.rows)
    row = result.rows[1]
    line = frame[(frame["method"] == row.method) & (frame["pattern"] == row.pattern)].iloc[0]
    assert (line["value"], line["error"]) == (
        row.figures_of["cosine"].value,
        row.figures_of["cosine"].error,
    )
    assert result.to_csv().splitlines()[0] == ",".join(frame.columns)
    record = json.loads(result.to_json())[1]
    assert record["figures"]["relative_error"]["higher_is_better"] is False
    assert LayerCost(**record["layers"][layer_names()[0]]) == row.layers_of[layer_names()[0]]
    assert bytes.fromhex(record["key"]) == row.key


def test_progress_says_what_is_being_done(study: QualityStudy) -> None:
    told: list[tuple[int, int, str]] = []
    measure_quality(replace(study, patterns=["2:4"]), progress=lambda *what: told.append(what))
    assert told[0] == (0, 4, "dense")
    assert told[-1] == (4, 4, "done")
    assert (3, 4, f"2:4 by sparsegpt: {layer_names()[1]}") in told
    assert (1, 4, "2:4 by magnitude: measuring") in told
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"patterns": ["1:1024"]}, "larger than the inputs of any layer"),
        ({"patterns": ["5:4"]}, "--patterns: a group cannot keep more"),
        ({"methods": ["wand"]}, "--methods: no such method, got 'wand' (did you mean 'wanda'?)"),
        ({"calibrate": None, "methods": ["wanda"]}, "--methods wanda: looks at the inputs of"),
        ({"calibrate": None, "inputs": None}, "--measure drift: no inputs to measure on"),
        ({"inputs": "x.txt"}, "--inputs: not a source of inputs"),
        ({"inputs": "none.npz"}, "none.npz"),
        ({"measure": "drifts"}, "no such evaluator, got 'drifts' (did you mean 'drift'?"),
        ({"measure": "nothing:here"}, "--measure nothing:here: module nothing cannot be imported"),
        ({"measure": "json:here"}, "--measure json:here: the module has no such function"),
        ({"mix": "dense.csv"}, "--mix dense.csv: prunes no layer"),
        ({"mix": "other.csv"}, "--mix other.csv: prunes 'elsewhere', which made.onnx cannot"),
        ({"layers": "nowhere"}, "--layers: finds no layer, got 'nowhere'"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_one_line(
    study: QualityStudy, tmp_path: Path, changed: dict[str, object], says: str
) -> None:
    mixed_trace(tmp_path / "dense.csv", [])
    (tmp_path / "other.csv").write_text("name,kind,m,n,k,pattern\nelsewhere,linear,8,8,8,2:4\n")
    with pytest.raises(SimulatorError) as error:
        measure_quality(replace(study, **changed), store="q.sqlite")  # type: ignore[arg-type]  # of a table
    assert says in str(error.value)
    assert not Path("q.sqlite").exists()


def test_inputs_of_another_shape(study: QualityStudy, tmp_path: Path) -> None:
    np.savez(tmp_path / "wide.npz", x=np.zeros((4, INPUTS + 1), np.float32))
    with pytest.raises(SimulatorError, match=r"--inputs wide\.npz x: another shape"):
        measure_quality(replace(study, inputs="wide.npz"))


def test_rows_before_a_failure_are_kept(study: QualityStudy, tmp_path: Path) -> None:
    """An evaluator that fails on a model as sparse as that."""
    code = """
import numpy as np, onnx
from onnx import numpy_helper
def density(path):
    tensors = [numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer]
    share = np.mean([np.mean(t != 0) for t in tensors])
    return {"density": share if share > 0.3 else np.nan}
"""
    (tmp_path / "fails_late.py").write_text(code)
    failing = replace(study, measure="fails_late:density", methods=["magnitude"])
    with pytest.raises(SimulatorError, match="fails_late:density: density: no figure"):
        measure_quality(failing, store="q.sqlite")
    kept = measure_quality(replace(failing, patterns=["2:4"]), store="q.sqlite")
    assert (kept.computed, kept.known) == (0, 2)


def test_a_model_with_nothing_to_prune(study: QualityStudy, tmp_path: Path) -> None:
    model = onnx.load("made.onnx")
    for tensor in model.graph.initializer:
        small = numpy_helper.to_array(tensor)[:8, :8]
        tensor.CopyFrom(numpy_helper.from_array(small, tensor.name))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 8
    onnx.save(model, tmp_path / "small.onnx")
    with pytest.raises(SimulatorError, match=r"small\.onnx: has no layer that can be pruned"):
        measure_quality(replace(study, model="small.onnx"))
