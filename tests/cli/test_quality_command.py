"""Does `nmsim quality` do what its help says, and refuse the rest in one line?"""

from __future__ import annotations

import io
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from test_cli import NMSIM, Nmsim, fine, nmsim

from simulator.exploration.runs import Runs

sys.path.append(str(Path(__file__).parents[1] / "quality"))
from perceptron import inputs_file, perceptron

__all__ = ["nmsim"]  # the fixture

QUALITY = ["quality", "made.onnx", "--inputs", "other.npz", "--param", "samples=8"]
CALIBRATED = [*QUALITY, "--calibrate", "x.npz", "--methods", "magnitude,wanda,sparsegpt"]

EVALUATORS = """
import time
def raises(path): raise ValueError("no such\\nthing")
def nan(path): return {"accuracy": float("nan")}
def nothing(path): return {}
def slow(path):
    time.sleep(0.5)
    return {"accuracy": (0.5, 0.1), "test_loss": 2.0}
"""


@pytest.fixture(autouse=True)
def files(nmsim: Nmsim) -> None:
    """A model, inputs and evaluators in the folder where commands run."""
    del nmsim
    perceptron(Path("made.onnx"))
    inputs_file(Path("x.npz"), count=400)
    inputs_file(Path("other.npz"), seed=2)
    Path("evaluators_of_mine.py").write_text(EVALUATORS)
    Path("dense.csv").write_text("name,kind,m,n,k\nfirst,linear,64,8,32\n")


def test_a_table_a_figure_with_a_row_a_pattern_and_a_column_a_method(nmsim: Nmsim) -> None:
    arguments = [*CALIBRATED, "--patterns", "2:4,1:4", "--store", "q.sqlite"]
    text = fine(nmsim(*arguments)).text
    lines = text.splitlines()
    assert lines[0] == "made by drift, 7 rows: 7 measured now, 0 known before"
    assert lines[1] == "Dense: cosine 1, relative error 0, top1 agreement 100.0 %"
    at = lines.index("Relative error and standard error, lower is better")
    assert lines[at + 1].split() == ["pattern", "kept", "magnitude", "wanda", "sparsegpt"]
    assert [line.split()[0] for line in lines[at + 2 : at + 5]] == ["1:1", "2:4", "1:4"]
    assert lines[at + 3].split()[1:3] == ["50.0", "%"]
    assert all(len(line) <= 80 for line in lines)
    again = fine(nmsim(*arguments)).text
    assert again.splitlines()[0] == "made by drift, 7 rows: 0 measured now, 7 known before"
    assert again.splitlines()[1:] == lines[1:]


def test_every_format(nmsim: Nmsim) -> None:
    fine(nmsim(*QUALITY, "--store", "q.sqlite"))
    csv = fine(nmsim(*QUALITY, "--store", "q.sqlite", "--format", "csv"))
    frame = pd.read_csv(io.BytesIO(csv.out))
    assert list(frame["figure"]) == ["cosine", "relative_error", "top1_agreement"] * 2
    assert list(frame["pattern"]) == ["1:1"] * 3 + ["2:4"] * 3
    fine(nmsim(*QUALITY, "--store", "q.sqlite", "-o", "rows.parquet"))
    assert list(pd.read_parquet("rows.parquet")["value"]) == list(frame["value"])
    rows = json.loads(fine(nmsim(*QUALITY, "--store", "q.sqlite", "--format", "json")).out)
    assert [row["method"] for row in rows] == ["dense", "magnitude"]
    assert rows[1]["figures"]["cosine"]["value"] == frame["value"][3]


def test_layers_one_at_a_time_the_worst_first(nmsim: Nmsim) -> None:
    lines = fine(nmsim(*QUALITY, "--each-layer", "--patterns", "1:4,3:4")).text.splitlines()
    at = lines.index("Cosine and standard error, one layer pruned at a time")
    found = [line.split() for line in lines[at + 2 : at + 6]]
    assert [words[1] for words in found] == ["1:4", "1:4", "3:4", "3:4"]
    assert sorted(words[0] for words in found[:2]) == sorted(words[0] for words in found[2:])


def test_layers_with_fewer_inputs_than_a_group_are_told(nmsim: Nmsim) -> None:
    text = fine(nmsim(*QUALITY, "--patterns", "4:64,2:4")).text
    assert "Note: 4:64: 1 of 2 layers stays dense, with fewer inputs than a group\n" in text
    assert text.count("Note: ") == 1
    assert "Note: " not in fine(nmsim(*QUALITY, "--patterns", "2:4", "--dense", "first")).text


def test_a_function_of_one_s_own(nmsim: Nmsim) -> None:
    text = fine(nmsim(*QUALITY[:2], *QUALITY[4:], "--measure", "evaluators_of_mine:slow")).text
    assert "Accuracy in % and standard error\n" in text
    assert "Test loss, lower is better\n" in text
    assert "50.0 ± 10.0" in text


def test_a_mix_alone_and_beside_patterns(nmsim: Nmsim) -> None:
    trace = fine(nmsim("import", "made.onnx", "--param", "samples=8", "-q")).text
    header, *layers = [line for line in trace.splitlines() if not line.startswith("#")]
    sparse = [f"{line},2:4" if ",linear," in line else f"{line}," for line in layers]
    Path("mixed.csv").write_text("\n".join([f"{header},pattern", *sparse]) + "\n")
    for more, patterns in (([], ["mixed"]), (["--patterns", "2:4"], ["2:4", "mixed"])):
        text = fine(nmsim(*QUALITY, "--mix", "mixed.csv", "--format", "csv", *more)).text
        rows = [line.split(",")[3:9] for line in text.splitlines()[1:] if ",cosine," in line]
        assert [row[0] for row in rows] == ["1:1", *patterns]
        assert len({tuple(row[3:]) for row in rows[1:]}) == 1  # the mix is 2:4 everywhere


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--patterns", "1:999"], "pattern 1:999: larger than the inputs of any layer"),
        (["--patterns", "2-4"], "--patterns: "),
        (["--patterns", " , "], "--patterns: names none, got ' , '"),
        (["--methods", ","], "--methods: names none, got ','"),
        (["--methods", "sparsegtp"], "did you mean 'sparsegpt'?"),
        (["--methods", "wanda"], "--methods wanda: looks at the inputs of layers"),
        (["--measure", "text-lines"], "made.onnx: no text recogniser"),
        (["--measure", "evaluators_of_mine:raises"], "raises: raised: ValueError: no such"),
        (["--measure", "evaluators_of_mine:nan"], "nan: accuracy: no figure, want finite"),
        (["--measure", "evaluators_of_mine:nothing"], "nothing: returned no figures"),
        (["--measure", "evaluators_of_mine:else"], "the module has no such function, got 'else'"),
        (["--inputs", "evaluators_of_mine:nothing"], "--inputs evaluators_of_mine:nothing"),
        (["--layers", "("], "--layers: not a regular expression"),
        (["--dense", "."], "--dense: leaves no layer to prune"),
        (["--damping", "-1"], "damping"),
        (["--layers-at-once", "0"], "--layers-at-once: not a number of layers"),
        (["--mix", "dense.csv"], "--mix dense.csv: prunes no layer"),
        (["--mix", "none.csv"], "none.csv"),
        (["--seed", "-1"], "--seed"),
        (["--store", "made.onnx"], "made.onnx"),
        (["-o", "made.onnx"], "made.onnx"),
        (["-o", "q.sqlite", "--store", "q.sqlite"], "q.sqlite"),
        (["--format", "xml"], "--format: unknown format"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_bad_input_is_one_line(nmsim: Nmsim, arguments: list[str], says: str) -> None:
    before = sorted(file.name for file in Path().iterdir() if file.is_file())
    calibrated = [] if "wanda" in arguments else ["--calibrate", "x.npz"]
    if "--damping" in arguments:
        arguments = [*arguments, "--methods", "sparsegpt"]
    ended = nmsim(*QUALITY, *calibrated, *arguments)
    assert (ended.code, ended.out) == (2, b"")
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert sorted(file.name for file in Path().iterdir() if file.is_file()) == before


def test_a_store_of_another_kind_is_left_as_it_was(nmsim: Nmsim) -> None:
    Runs("runs.sqlite").close()
    before = Path("runs.sqlite").read_bytes()
    ended = nmsim(*QUALITY, "--store", "runs.sqlite")
    assert ended.code == 2
    assert "runs.sqlite: a store of other rows, want qualities, got 'runs'" in ended.err
    assert Path("runs.sqlite").read_bytes() == before


def test_a_missing_extra_is_named(nmsim: Nmsim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ended = nmsim(*QUALITY)
    assert ended.code == 2
    assert 'pip install "nmsim[quality]"' in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("store", [[], ["--store", "q.sqlite"]])
def test_no_disk_is_one_line(tmp_path: Path, store: list[str]) -> None:
    done = subprocess.run(
        [NMSIM, *QUALITY, *store],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert (done.returncode, done.stdout) == (2, b"")
    text = done.stderr.decode()
    assert text.count("\n") == 1
    assert ("the disk is full" if store else "cannot be written: File too large") in text


def test_control_c_says_what_is_kept_and_the_terminal_what_is_being_done(tmp_path: Path) -> None:
    main, side = pty.openpty()
    patterns = "1:2,2:4,1:4,3:4,4:8,2:8"
    arguments = [*QUALITY, "--measure", "evaluators_of_mine:slow", "--patterns", patterns]
    process = subprocess.Popen(
        [NMSIM, *arguments, "--store", "q.sqlite"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=side,
        env={**os.environ, "COLUMNS": "120", "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(side)
    shown, deadline = b"", time.monotonic() + 60
    while b"2:4 by magnitude: measuring" not in shown and time.monotonic() < deadline:
        shown += os.read(main, 4096)
    os.killpg(process.pid, signal.SIGINT)
    try:
        while piece := os.read(main, 4096):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(main)
    assert process.wait() == 130
    assert b"Traceback" not in shown
    said = shown.splitlines()[-1]
    assert b"of 7 rows: they are kept in q.sqlite, and the same command goes on" in said
