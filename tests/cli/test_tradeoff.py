"""Does `nmsim tradeoff` show both halves, write what it says, and refuse in one line?"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from measured_rows import LAYERS, MODEL, pruned_rows, row, store_of, trained_rows
from test_cli import Nmsim, fine, nmsim

from simulator import Gemm, Workload, load_workload
from simulator.workload.trace_writer import write_trace

__all__ = ["nmsim"]  # the fixture

WIDE = Workload("wide", [Gemm(name, 1024, 512, 1024) for name in LAYERS])
BOTH = ["tradeoff", "nm-edge", "net.csv", "--quality", "q.sqlite"]


@pytest.fixture(autouse=True)
def files(nmsim: Nmsim) -> None:
    """Stores and networks in the folder where commands run."""
    del nmsim
    store_of(Path("q.sqlite"), pruned_rows())
    store_of(Path("t.sqlite"), trained_rows())
    Path("net.csv").write_text(write_trace(MODEL))
    Path("wide.csv").write_text(write_trace(WIDE))


def test_sentences_and_a_row_a_point(nmsim: Nmsim) -> None:
    text = fine(nmsim(*BOTH)).text
    assert text.startswith("net on nm-edge: lines, accuracy\n3:4 by sparsegpt costs no accuracy")
    assert "Worth it: each 1 % of speed may cost 0.1 % of accuracy" in text
    rows = [
        line.split() for line in text.splitlines() if " sparsegpt " in line and "µs" not in line
    ]
    assert rows[-2][:8] == ["2:4", "sparsegpt", "50.0", "%", "224", "1.84x", "97.0", "%"]


def test_trained_networks_need_no_model(nmsim: Nmsim) -> None:
    one = fine(nmsim("tradeoff", "nm-edge", "--quality", "t.sqlite")).text
    assert "Note: for 1 sample" in one
    many = fine(nmsim("tradeoff", "nm-edge", "--quality", "t.sqlite", "--batch", "8")).text
    assert "2:4 by rewind costs 1.0 points of accuracy (±0.1)" in many
    assert "Note: for 8 samples" in many


def test_figures_as_csv_and_json(nmsim: Nmsim) -> None:
    frame = pd.read_csv(io.StringIO(fine(nmsim(*BOTH, "--format", "csv")).text))
    assert len(frame) == len(pruned_rows())
    best = frame[frame["pattern"] == "2:4"].set_index("method").loc["sparsegpt"]
    assert (best["value"], best["error"], best["cost"]) == pytest.approx((0.97, 0.003, 0.02))
    assert best["speedup"] == pytest.approx(frame["time_ns"].max() / best["time_ns"])
    data = json.loads(fine(nmsim(*BOTH, "--format", "json", "--per-layer")).text)
    assert data["mix"]["budget"] == "quality=0.98"
    assert set(data["mix"]["patterns"]) == set(LAYERS)
    assert len(data["sentences"]) == 4


def test_a_mix_is_a_trace_that_runs_as_it_was_simulated(nmsim: Nmsim) -> None:
    text = fine(nmsim(*BOTH, "--per-layer", "--budget", "time=0.65", "-o", "mixed.csv")).text
    assert "Per layer, time=0.65 of dense, sparsegpt: " in text
    assert "To measure it: nmsim quality net.csv --mix mixed.csv --methods sparsegpt" in text
    mixed = load_workload("mixed.csv")
    assert any(getattr(layer, "pattern", None) is not None for layer in mixed.layers)
    data = json.loads(fine(nmsim("run", "nm-edge", "mixed.csv", "--format", "json")).text)
    (line,) = [line for line in text.splitlines() if line.startswith("mixed ")]
    assert f"{data['total']['time_ns'] / 1e3:.0f}" in line.split()


def test_a_measured_mix_takes_its_place(nmsim: Nmsim) -> None:
    fine(nmsim(*BOTH, "--per-layer", "-o", "mixed.csv"))
    patterns = {layer.name: str(layer.pattern) for layer in load_workload("mixed.csv").layers
                if isinstance(layer, Gemm)}  # fmt: skip
    store_of(Path("q.sqlite"), [row("sparsegpt", patterns, 0.981, 0.001)])
    text = fine(nmsim(*BOTH, "--per-layer")).text
    assert "Measured: 98.1 % ±0.2 of accuracy; predicted was" in text
    assert "To measure it" not in text
    assert "mixed by sparsegpt" in text


def test_a_wider_network_and_a_picture(nmsim: Nmsim) -> None:
    text = fine(nmsim(*BOTH, "--like", "wide.csv", "--plot", "front.svg")).text
    assert text.count("time of wide") == 3
    assert "times of wide" in Path("front.svg").read_text()


def test_layers_that_do_not_join_are_a_warning(nmsim: Nmsim) -> None:
    Path("part.csv").write_text(write_trace(Workload("part", MODEL.layers[:2])))
    text = fine(nmsim("tradeoff", "nm-edge", "part.csv", "--quality", "q.sqlite")).text
    title, warning, *_ = text.splitlines()
    assert title == "net on nm-edge: lines, accuracy"
    assert warning == "WARNING: 2 of 3 pruned layers are layers of part; not third"


BAD = {
    "no such store": (["tradeoff", "nm-edge", "--quality", "no.sqlite"], "no.sqlite"),
    "no store": (["tradeoff", "nm-edge"], "--quality"),
    "no model": (["tradeoff", "nm-edge", "--quality", "q.sqlite"], "MODEL: must be named"),
    "another model": (
        ["tradeoff", "nm-edge", "gemm:64x64x64", "--quality", "q.sqlite"],
        "no layer is named as in the rows",
    ),
    "wider model": (
        ["tradeoff", "nm-edge", "wide.csv", "--quality", "q.sqlite"],
        "is not the layer whose quality was measured",
    ),
    "no such figure": ([*BOTH, "--figure", "acc"], "--figure: a row has no such figure"),
    "no such task": ([*BOTH, "--task", "digits"], "--task: no row has it"),
    "no such network": ([*BOTH, "--network", "other"], "--network: no row has it"),
    "no budget": ([*BOTH, "--per-layer", "--budget", "0.98"], "--budget: not a budget"),
    "a budget alone": ([*BOTH, "--budget", "time=0.9"], "--budget: is of --per-layer"),
    "a method alone": ([*BOTH, "--method", "wanda"], "--method: is of --per-layer"),
    "too fast": ([*BOTH, "--per-layer", "--budget", "time=0.01"], "no mix of sparsegpt is that"),
    "a mix that is no CSV": ([*BOTH, "--per-layer", "-o", "m.json"], "want .csv"),
    "over the store": ([*BOTH, "-o", "q.sqlite", "--format", "csv"], "is the file of"),
    "over the model": ([*BOTH, "--per-layer", "-o", "net.csv"], "is read by this command"),
    "a page by another name": ([*BOTH, "--html", "a.htm"], "--html a.htm: unknown format"),
    "no rate": ([*BOTH, "--worth", "-1"], "--worth: not a share"),
    "other parameters": (
        ["tradeoff", "nm-edge", "--quality", "t.sqlite", "--param", "seq=4"],
        "--param seq=4: not of trained networks",
    ),
    "trained per layer": (
        ["tradeoff", "nm-edge", "--quality", "t.sqlite", "--per-layer"],
        "--per-layer: needs rows of pruned models",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(nmsim: Nmsim, name: str) -> None:
    arguments, says = BAD[name]
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    ended = nmsim(*arguments)
    assert ended.code == 2
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


def test_a_page_beside_the_table(nmsim: Nmsim) -> None:
    text = fine(nmsim(*BOTH, "--html", "front.html")).text
    page = Path("front.html").read_text(encoding="utf-8")
    assert "<title>net on nm-edge: lines</title>" in page
    assert text.startswith("net on nm-edge: lines, accuracy\n")
