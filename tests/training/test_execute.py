"""Is every run trained once and kept, whoever trains it, and are the files what they say?"""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from simulator import OutputError, SimulatorError, SpecError, load_workload, simulate
from simulator.quality.measured import Qualities
from simulator.training import execute
from simulator.training.execute import train
from simulator.training.plan import Start
from simulator.training.starts import Starts
from simulator.training.stored import stored_tables
from simulator.training.table import RunTable

TINY: dict[str, Any] = {
    "task": "digits", "network": {"mlp": {"width": 16, "depth": 1}}, "dense": "head", "epochs": 1,
    "seeds": 2, "patterns": ["2:4", "1:8"], "recipes": ["dense", "one_shot", "rewind"],
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all that `TINY` asks for."""
    path = tmp_path_factory.mktemp("trained") / "runs.sqlite"
    train(TINY, store=path, workers=1)
    return path


def test_what_is_known_is_not_trained_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = train(TINY, store=store)
    for name in ("train_dense", "train_recipe"):
        monkeypatch.setattr(execute, name, None)
    told: list[tuple[int, int]] = []
    again = train(TINY, store=store, progress=lambda *done: told.append(done))
    assert again == before
    assert not told
    assert len(again.runs) == 10
    assert [run.seed for run in again.runs[:4]] == [0, 1, 0, 1]


def test_a_further_pattern_trains_no_dense_network_anew(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "train_dense", None)
    told: list[tuple[int, int]] = []
    more = {**TINY, "patterns": ["2:4", "1:8", "1:4"], "recipes": ["dense", "one_shot"]}
    train(more, store=store, workers=1, progress=lambda *done: told.append(done))
    assert told == [(n, 10) for n in range(7, 11)]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"patterns": ["2:4", "8:1024"]}, "pattern 8:1024: no layer can hold it"),
        ({"dense": ["head", "fc9"]}, "dense.1: finds no layer, got 'fc9' (layers are fc1, head)"),
        ({"recipes": ["dense", {"channels": {"keep": 0.9}}]}, "keeps all channels at a share of"),
        ({"recipes": ["dense", "channels"], "patterns": ["1:16"],
          "network": {"mlp": {"width": 8, "depth": 2}}, "dense": ["fc1", "head"]}, "keeps all"),
    ],
)  # fmt: skip
def test_what_no_network_can_be_is_said_before_one_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], says: str
) -> None:
    monkeypatch.setattr(execute, "train_dense", None)
    with pytest.raises(SimulatorError) as error:
        train({**TINY, **changes}, store=tmp_path / "runs.sqlite", workers=1)
    assert says in str(error.value)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_what_exports_is_asked_for_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(execute, "train_dense", None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SimulatorError, match=f"^--export: needs the package {package} "):
        train(TINY, export=tmp_path / "exported", workers=1)
    assert not list(tmp_path.iterdir())


def test_workers_give_what_this_process_gives(store: Path) -> None:
    assert train(TINY, workers=2) == train(TINY, store=store)


def test_a_row_says_how_it_came_about(store: Path) -> None:
    with Qualities(store, must_exist=True) as opened:
        row = opened.rows()[0]
    assert (row.task, row.network, row.dense) == ("digits", "mlp(depth=1, width=16)", "head")
    assert row.provenance["threads"] == 1
    assert {"torch", "numpy", "nmsim", "python", "epochs", "machine"} <= set(row.provenance)
    assert row.elapsed_s > 0
    assert row.nonzeros == sum(layer.nonzeros for layer in row.layers_of.values())


def test_stored_runs_are_those_that_were_trained(store: Path) -> None:
    tables = stored_tables(store)
    assert len(tables) == 1
    known = set(tables[0].runs)
    assert set(train(TINY, store=store).runs) <= known


def test_times_are_those_of_the_traces(store: Path, tmp_path: Path) -> None:
    timed = train(TINY, store=store, simulate="nm-edge")
    with Qualities(store, must_exist=True) as opened:
        rows = {(row.method, row.pattern, row.seed): row for row in opened.rows()}
    for run in timed.runs:
        path = tmp_path / "trace.csv"
        path.write_text(str(rows[run.recipe, run.pattern, run.seed].trace))
        workload = load_workload(path)
        assert run.time_ns == simulate("nm-edge", workload).total.time_ns
    assert {run.machine for run in timed.runs} == {"nm-edge"}
    assert timed.time_ns(("rewind", "2:4")) == timed.time_ns(("one_shot", "2:4"))
    assert train({**TINY, "simulate": "nm-edge"}, store=store) == timed


def test_networks_are_exported_under_names_that_speak(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "onnx"
    few = {**TINY, "seeds": 1, "patterns": "2:4", "recipes": ["dense", "rewind"]}
    train(few, store=store, export=folder, workers=1)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["dense-1_1-0.onnx", "rewind-2_4-0.onnx"]
    model = onnx.load(folder / "rewind-2_4-0.onnx")
    onnx.checker.check_model(model)
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    groups = weights["fc1.weight"].reshape(16, -1, 4)
    assert (np.count_nonzero(groups, axis=-1) <= 2).all()
    before = [(folder / name).stat().st_mtime_ns for name in names]
    (folder / names[0]).write_bytes(b"no model")
    train(few, store=store, export=folder, workers=1)
    after = [(folder / name).stat().st_mtime_ns for name in names]
    assert (after[0] != before[0], after[1] == before[1]) == (True, True)
    onnx.checker.check_model(onnx.load(folder / names[0]))


def test_a_start_that_is_damaged_is_trained_again(store: Path) -> None:
    table = train(TINY, store=store)
    folder = Path(f"{store}.networks")
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    more = {**TINY, "patterns": "1:2", "recipes": "one_shot", "seeds": 1}
    assert train(more, store=store, workers=1).runs == train(more, workers=1).runs
    assert train(TINY, store=store) == table


def test_starts_are_whole_or_not_there(tmp_path: Path) -> None:
    starts = Starts(tmp_path / "networks")
    key, state = b"\x01" * 32, {"fc1.weight": np.arange(6.0).reshape(2, 3)}
    assert starts.read(key) is None
    starts.write(key, state)
    assert starts.known([key, b"\x02" * 32]) == {key: Start(0, key)}
    read = starts.read(key)
    assert read is not None
    assert np.array_equal(read["fc1.weight"], state["fc1.weight"])
    assert len(list((tmp_path / "networks").iterdir())) == 1


BROKEN = """
import torch


class Broken(torch.nn.Linear):
    def forward(self, x):
        return super().forward(x.flatten(1)) * float("nan")


def network(shape, classes):
    return Broken(64, classes)
"""


def test_a_network_whose_loss_is_no_number_is_one_line_and_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_network.py").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SimulatorError) as caught:
        train({**TINY, "network": "broken_network:network", "dense": []}, store="runs.sqlite",
              workers=1)  # fmt: skip
    assert "\n" not in str(caught.value)
    with Qualities("runs.sqlite", must_exist=True) as opened:
        assert not opened.rows()
    assert not list(Path("runs.sqlite.networks").iterdir())


def test_an_error_that_travels_is_the_same() -> None:
    error = SpecError("a.yaml:1", "wrong", got=[1], want="2", hint="try 2")
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.hint) == (SpecError, str(error), "try 2")


@pytest.mark.parametrize("where", ["store", "export"])
def test_folders_that_cannot_be_made_are_one_line(where: str, tmp_path: Path) -> None:
    taken = tmp_path / "runs.sqlite.networks"
    taken.write_text("a file")
    asked = {"store": tmp_path / "runs.sqlite"} if where == "store" else {"export": taken}
    with pytest.raises(OutputError, match="cannot be written"):
        train(TINY, **asked)  # type: ignore[arg-type]  # one of two
    assert taken.read_text() == "a file"


def test_against_a_recipe_that_is_not_trained_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such recipe is trained, got 'finetune'"):
        train(TINY, store=tmp_path / "runs.sqlite", against="finetune")
    assert not list(tmp_path.iterdir())


def test_a_frame_and_a_json_of_a_result(store: Path) -> None:
    table = train(TINY, store=store, against="one_shot")
    assert list(table.to_frame().columns[:8]) == [
        "task", "recipe", "pattern", "seed", "accuracy", "loss", "nonzeros", "weights",
    ]  # fmt: skip
    assert json.loads(table.to_json())["against"] == "one_shot"
    assert isinstance(replace(table, notes=("x",)), RunTable)
