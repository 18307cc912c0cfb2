"""Does `nmsim advise` print the verdict first, write a trace that runs as said, and refuse?"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from simulator import Gemm, Workload, advise, load_workload
from simulator.workload.trace_writer import write_trace
from tests.cli.test_cli import Nmsim, fine, nmsim, words
from tests.measured_rows import MODEL, pruned_rows, row, store_of

__all__ = ["nmsim"]  # the fixture

WIDE = Workload("wide", [Gemm("[bold]fc", 2048, 512, 2048), Gemm("head", 16, 512, 2)])
ADVISE = ["advise", "nm-flex", "wide.csv", "--patterns", "2:4"]


@pytest.fixture(autouse=True)
def files(nmsim: Nmsim) -> None:
    """Networks and stores in the folder where commands run."""
    del nmsim
    Path("wide.csv").write_text(write_trace(WIDE))
    Path("net.csv").write_text(write_trace(MODEL))
    store_of(Path("q.sqlite"), pruned_rows())
    store_of(Path("empty.sqlite"), [])


def test_the_verdict_stands_first(nmsim: Nmsim) -> None:
    lines = fine(nmsim(*ADVISE)).text.splitlines()
    assert lines[0] == "wide on nm-flex"
    assert lines[1].startswith("2:4 gains 1.")
    assert lines[1].endswith("x in all; 1 of 2 layers gains, 1 should stay dense.")
    assert lines[2].startswith("Advised: 1 layer 2:4, 1 dense: 1.")
    assert "nm-flex is unvalidated" in lines[4]
    (row,) = [line.split() for line in lines if line.startswith("[bold]fc")]
    assert row[:6] == ["[bold]fc", "1", "2048", "512", "2048", "2:4"]
    assert any(line.startswith("head") and line.endswith("tie: channels") for line in lines)
    assert lines[-1].endswith("wide has no parameter 'batch'")


def test_the_trace_runs_as_was_said(nmsim: Nmsim) -> None:
    for machine, network, extra in (
        ("a100-sxm4-80gb", "resnet50", ["--batch", "16"]),
        ("nm-flex", "bert-base", ["--stack", "eager"]),
    ):
        asked = ["advise", machine, network, *extra, "--break-even", "0", "--format", "json"]
        data = json.loads(fine(nmsim(*asked, "-o", "best.csv")).text)
        run = json.loads(fine(nmsim("run", machine, "best.csv", "--format", "json")).text)
        assert run["total"]["time_ns"] == data["advised_ns"]
        assert {layer["pattern"] for layer in data["layers"]} >= {"2:4"} or machine == "nm-flex"


def test_formats_and_a_picture(nmsim: Nmsim) -> None:
    frame = pd.read_csv(io.StringIO(fine(nmsim(*ADVISE, "--format", "csv")).text))
    assert list(frame["pattern"]) == ["2:4", "1:1"]
    data = json.loads(fine(nmsim(*ADVISE, "--format", "json", "--plot", "gains.png")).text)
    expected = advise("nm-flex", load_workload("wide.csv"), ["2:4"])
    assert data["gain"] == expected.gain
    assert data["verdict"] == list(expected.sentences())
    assert data["validated"] is False
    assert Path("gains.png").stat().st_size > 10_000


def test_gain_by_batch(nmsim: Nmsim) -> None:
    asked = ["advise", "a100-sxm4-80gb", "bert-base", "--patterns", "2:4", "--batch", "1, 8,32"]
    text = fine(nmsim(*asked, "--break-even", "0")).text
    rows = [
        line.split()
        for line in text.partition("Gain by batch, and the share of dense time with weights\n")[
            2
        ].splitlines()[1:4]
    ]
    assert [line[0] for line in rows] == ["1", "8", "32"]
    assert rows[0][-3:] == ["0", "of", "72"]
    assert rows[2][-3:] == ["72", "of", "72"]


def test_what_it_would_take(nmsim: Nmsim) -> None:
    text = fine(nmsim("advise", "rtx3090", "bert-base", "--patterns", "2:4")).text
    table = text.partition("What it would take")[2].splitlines()
    row = next(line.split() for line in table if line.startswith("query+key+value"))
    assert row[:5] == ["query+key+value", "2304", "x", "768", "128"]
    assert int(row[5]) > 128
    assert "from batch 4 on the network gains" in text


def test_quality_is_weighed(nmsim: Nmsim) -> None:
    asked = ["advise", "nm-edge", "net.csv", "--quality", "q.sqlite"]
    text = fine(nmsim(*asked, "--patterns", "3:4,2:4,1:4,1:8", "-o", "best.csv")).text
    said = {line.partition(" ")[0]: line for line in text.splitlines()[1:6]}
    assert said["3:4"].endswith("It costs 0.1 points of accuracy (±0.6) by sparsegpt: worth it."), (
        said["3:4"]
    )
    assert "It costs 2.0 points of accuracy (±0.7) by sparsegpt: worth it." in said["2:4"]
    assert said["1:4"].endswith("by sparsegpt: not worth it.")
    assert said["1:8"].endswith("No quality was measured for 1:8, so that it is not advised.")
    assert "Advised: every layer 2:4" in text
    assert {layer.pattern for layer in load_workload("best.csv").layers} != {None}


def test_what_is_not_worth_it_is_dense(nmsim: Nmsim) -> None:
    asked = ["advise", "nm-edge", "net.csv", "--quality", "q.sqlite", "--patterns", "1:4"]
    text = fine(nmsim(*asked)).text
    assert "Advised: all layers dense; 1:4 is not known to be worth its cost." in text
    assert "not worth it: 1:4 would gain" in text


def test_layers_that_were_not_measured_stay_dense(nmsim: Nmsim) -> None:
    rows = [
        row("dense", "1:1", 0.99, 0.002),
        row("some", {"first": "2:4", "second": "2:4"}, 0.989, named="2:4"),
    ]
    store_of(Path("some.sqlite"), rows)
    asked = ["advise", "nm-edge", "net.csv", "--quality", "some.sqlite", "--patterns", "2:4"]
    data = json.loads(fine(nmsim(*asked, "--format", "json")).text)
    assert [layer["pattern"] for layer in data["layers"]] == ["2:4", "2:4", "1:1"]
    assert data["layers"][2]["limited_by"] == "quality"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--patterns", "2:5x"], "--patterns: not a pattern"),
        (["--patterns", "2:4,2:4"], "--patterns: the same pattern twice"),
        (["--patterns", "1:1,2:4"], "--patterns: dense is always among the choices"),
        (["--patterns", ","], "--patterns: name at least one"),
        (["--batch", "0"], "--batch: want each batch once, from 1 on"),
        (["--batch", "8,8"], "--batch: want each batch once, from 1 on"),
        (["--batch", "x"], "--batch: want whole numbers"),
        (["--batch", "1,"], "--batch: want whole numbers"),
        (["--batch", "4"], "the trace has no such parameter"),
        (["--batch", "4", "--param", "batch=2"], "--batch: is given as --param, too"),
        (["--break-even", "-1"], "--break-even: not a number of layers"),
        (["--quality", "none.sqlite"], "none.sqlite"),
        (["--quality", "empty.sqlite"], "empty.sqlite: has no rows"),
        (["--quality", "q.sqlite", "--dense", "fc"], "quality: is weighed for the network"),
        (["--quality", "q.sqlite"], "no layer is named as in the rows"),
        (["--quality", "q.sqlite", "-o", "q.sqlite"], "-o"),
        (["-o", "wide.csv"], "-o wide.csv: is read by this command"),
        (["-o", "best.json"], "its ending says no format"),
        (["-o", "nowhere/best.csv"], "its folder does not exist"),
        (["-o", "same.csv", "--plot", "same.csv"], "same.csv"),
        (["--format", "parquet"], "--format: is not for standard output"),
        (["--plot", "x.bmp"], "--plot x.bmp: unknown format"),
        (["--library", "nope"], "the machine has no such library"),
    ],
)  # fmt: skip
def test_bad_input(nmsim: Nmsim, arguments: list[str], error: str) -> None:
    ended = nmsim(*ADVISE, *arguments)
    assert ended.code == 2
    assert error in ended.err
    assert ended.err.count("\n") == 1
    assert not ended.out
    assert sorted(path.name for path in Path().iterdir()) == [
        "empty.sqlite", "net.csv", "q.sqlite", "wide.csv",
    ]  # fmt: skip


def test_fastest_is_one_of_compares_patterns(nmsim: Nmsim) -> None:
    asked = ["compare", "h100-sxm", "bert-base", "--patterns", "1:1,2:4,fastest"]
    text = fine(nmsim(*asked)).text
    assert "fastest runs 48 kernels 2:4." in words(text)
    alone = nmsim("compare", "h100-sxm", "bert-base", "--patterns", "fastest")
    assert (alone.code, alone.err.count("\n")) == (2, 1)
    assert "--patterns: patterns to choose from are missing" in alone.err
