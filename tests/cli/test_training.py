"""Does `nmsim train` do what its help says, and refuse in one line what it cannot do?"""

from __future__ import annotations

import io
import json
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from rich.cells import cell_len
from test_cli import Nmsim, fine, nmsim
from test_screens import Terminal

from simulator.training.execute import train

__all__ = ["nmsim"]  # the fixture

RECIPE = """
task: digits
network: {mlp: {width: 16, depth: 1}}
dense: head
epochs: 1
seeds: 2
patterns: [2:4]
recipes: [dense, one_shot, rewind, {iterative: {ramp: 0.25, round: up}}]
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe file and the store of its runs."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "r.yaml").write_text(RECIPE)
    train(folder / "r.yaml", store=folder / "runs.sqlite", workers=1)
    return folder


def test_a_table_compares_with_dense_or_with_what_is_asked_for(nmsim: Nmsim, trained: Path) -> None:
    arguments = ("train", str(trained / "r.yaml"), "--store", str(trained / "runs.sqlite"))
    text = fine(nmsim(*arguments)).text
    assert text.startswith("digits by mlp(depth=1, width=16), dense: head, 1 epoch, 2 seeds: mean")
    assert "difference to dense of the same seed" in text
    lines = [line.split() for line in text.splitlines()]
    assert [line[0] for line in lines[4:] if line] == [
        "at", "dense", "at", "one_shot", "rewind", "iterative(ramp=0.25,",
    ]  # fmt: skip
    assert "time" not in text
    other = fine(nmsim(*arguments, "--against", "rewind", "--simulate", "nm-edge")).text
    assert "difference to rewind of the same seed" in other
    assert "speed-up" in other


def test_without_dense_the_table_says_that_nothing_is_compared(nmsim: Nmsim, trained: Path) -> None:
    Path("r.yaml").write_text(RECIPE.replace("dense, one_shot", "one_shot"))
    text = fine(nmsim("train", "r.yaml", "--store", str(trained / "runs.sqlite"))).text
    assert text.splitlines()[1] == "Δ: nothing to compare with (add the recipe dense)"


def test_csv_json_and_files(nmsim: Nmsim, trained: Path) -> None:
    arguments = ("train", str(trained / "r.yaml"), "--store", str(trained / "runs.sqlite"))
    frame = pd.read_csv(io.StringIO(fine(nmsim(*arguments, "--format", "csv")).text))
    assert list(frame.columns[:8]) == [
        "task", "recipe", "pattern", "seed", "accuracy", "loss", "nonzeros", "weights",
    ]  # fmt: skip
    assert len(frame) == 8
    fine(nmsim(*arguments, "-o", "runs.json"))
    said = json.loads(Path("runs.json").read_text())
    assert [run["loss"] for run in said["runs"]] == pytest.approx(frame["loss"].tolist())
    fine(nmsim(*arguments, "-o", "runs.csv", "--simulate", "nm-edge"))
    text = fine(nmsim("train", "--claims", "runs.csv")).text
    assert "1. Pruned once" in text


def test_claims_of_a_store(nmsim: Nmsim, trained: Path) -> None:
    arguments = ("train", "--claims", str(trained / "runs.sqlite"))
    text = fine(nmsim(*arguments)).text
    for number in (1, 2, 3, 4):
        assert f"\n{number}. " in text
    assert "Missing: finetune 2:4." in text
    assert "Missing: targeted_dropout." in text
    said = json.loads(fine(nmsim(*arguments, "--format", "json")).text)
    assert len(said["claims"]) == 4
    frame = pd.read_csv(io.StringIO(fine(nmsim(*arguments, "--format", "csv")).text))
    assert set(frame["verdict"]) <= {"holds", "does not", "undecided"}


class Bad(NamedTuple):
    """Arguments behind `train`, and what the line must say."""

    arguments: tuple[str, ...]
    says: str


BAD = {
    "nothing": Bad((), "train: want a RECIPE to train, or --claims of a store, and not both"),
    "both": Bad(("r.yaml", "--claims", "a.sqlite"), "and not both"),
    "a store for claims": Bad(("--claims", "a.sqlite", "--store", "b"), "--store: nothing is"),
    "no such recipe file": Bad(("none.yaml",), "none.yaml: cannot be read"),
    "no such claims": Bad(("--claims", "none.sqlite"), "none.sqlite: no such file"),
    "a store of a sweep": Bad(("r.yaml", "--store", "sweep.sqlite"), "a store of other rows"),
    "claims of a sweep": Bad(("--claims", "sweep.sqlite"), "a store of other rows"),
    "claims of an empty store": Bad(("--claims", "empty.sqlite"), "holds no trained networks"),
    "no database": Bad(("r.yaml", "--store", "r.yaml"), "--store"),
    "no folder": Bad(("r.yaml", "--store", "none/a.sqlite"), "its folder does not exist"),
    "unknown format": Bad(("r.yaml", "--format", "cvs"), "did you mean 'csv'?"),
    "over the recipe": Bad(("r.yaml", "-o", "r.yaml"), "r.yaml"),
    "over the store": Bad(("r.yaml", "--store", "a.csv", "-o", "a.csv"), "is the file of"),
    "export into a file": Bad(("r.yaml", "--export", "r.yaml"), "is a file, want a folder"),
    "no such recipe": Bad(("r.yaml", "--against", "finetune"), "no such recipe is trained"),
    "no such machine": Bad(("r.yaml", "--simulate", "nm-edgy"), "did you mean 'nm-edge'?"),
    "no workers": Bad(("r.yaml", "--workers", "0"), "--workers: out of range"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_2(name: str, nmsim: Nmsim) -> None:
    from simulator.exploration.runs import Runs
    from simulator.quality.measured import Qualities

    Path("r.yaml").write_text(RECIPE)
    Runs("sweep.sqlite").close()
    Qualities("empty.sqlite").close()
    before = sorted(path.name for path in Path().iterdir())
    ended = nmsim("train", *BAD[name].arguments)
    assert ended.code == 2
    assert ended.out == b""
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("nmsim: ")
    assert BAD[name].says in ended.err
    assert sorted(path.name for path in Path().iterdir()) == before
    assert Path("r.yaml").read_text() == RECIPE


def test_a_row_that_was_changed_is_trained_again_and_said(nmsim: Nmsim, trained: Path) -> None:
    store = Path("copy.sqlite")
    store.write_bytes((trained / "runs.sqlite").read_bytes())
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE measured SET nonzeros = 1 WHERE rowid = 2")
    connection.close()
    refused = nmsim("train", "--claims", str(store))
    assert refused.code == 2
    assert "1 row does not match its checksum" in refused.err
    arguments = ("train", str(trained / "r.yaml"), "--workers", "1", "--format", "csv")
    ended = nmsim(*arguments, "--store", str(store))
    assert "trained again" in ended.err
    assert ended.out == fine(nmsim(*arguments, "--store", str(trained / "runs.sqlite"))).out


@pytest.mark.parametrize("columns", [80, 120])
def test_screens_fit(columns: int, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    shows = Terminal(monkeypatch).shows
    for arguments in (
        ("r.yaml", "--store", "runs.sqlite", "--simulate", "nm-edge"),
        ("--claims", "runs.sqlite", "--simulate", "nm-edge"),
    ):
        text = shows(columns, "-q", "train", *arguments)
        assert max(map(cell_len, text.splitlines())) <= columns
        assert "…" not in text
