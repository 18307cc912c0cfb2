"""Does `nmsim limits` say what limits, at any width, write what it says, and refuse in one line?"""

from __future__ import annotations

import json
import shlex
from functools import cache
from math import isinf
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len

from simulator import limits
from simulator.cli.grid import Grid
from simulator.cli.limiting import limits_parts
from simulator.decisions.limiting.result import Limits
from tests.cli.test_cli import Nmsim, fine, nmsim

__all__ = ["nmsim"]  # the fixture

ASKED = ["limits", "nm-edge", "gemm:64x48x96", "--pattern", "2:4"]


def test_the_verdict_comes_first_and_the_next_command_last(nmsim: Nmsim) -> None:
    text = fine(nmsim(*ASKED, "--plot", "limits.png")).text
    assert text.startswith("\n".join(found().sentences()))
    assert "more move nothing without a limit: " in text
    assert text.splitlines()[-1].startswith("Next: nmsim require nm-edge gemm:64x48x96 --pattern")
    assert Path("limits.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_asked_is_asked_again(nmsim: Nmsim) -> None:
    asked = ["--set", "core.count=3", "--set", "description=a b", "--library", "edge"]
    text = fine(nmsim(*ASKED, *asked, "--brief")).text
    assert "In the best order" in text
    assert "Every resource alone" not in text
    words = shlex.split(text.splitlines()[-1].removeprefix("Next: "))
    assert words[: len(asked) + 6] == ["nmsim", "require", *ASKED[1:], *asked]
    assert words[-2] == "--speedup"


def test_figures_as_csv_and_json(nmsim: Nmsim) -> None:
    fine(nmsim(*ASKED, "-o", "limits.csv"))
    frame = pd.read_csv("limits.csv")
    assert [*frame.columns[:4]] == ["key", "factor", "time_ns", "time_of_dense_ns"]
    assert frame["factor"].map(isinf).any()
    data = json.loads(fine(nmsim(*ASKED, "--format", "json")).text)
    assert data["relaxed"][0]["resource"] == "as is"


@cache
def found() -> Limits:
    return limits("nm-edge", "gemm:64x48x96", "2:4")


@pytest.mark.parametrize("width", [80, 120])
def test_a_screen_fits(width: int) -> None:
    grids = [part for part in limits_parts(found(), "nmsim") if isinstance(part, Grid)]
    assert len(grids) == 3
    for grid in grids:
        for line in grid.printed(width, plain=False):
            assert cell_len(line.plain) <= width
        names = {line.plain.split("  ")[0] for line in grid.printed(width, plain=False)}
        assert {row[0] for row in grid.rows} <= names


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pattern", "2:x"], "--pattern"),
        (["--pattern", "2:4", "--set", "core.cout=3"], "did you mean"),
        (["--pattern", "2:4", "--library", "cublas"], "library: the machine has no such library"),
        (["--pattern", "2:4", "-o", "limits.doc"], "its ending says no format"),
        (["--pattern", "2:4", "--plot", "limits.gif"], "unknown format"),
        ([], "--pattern"),
    ],
)
def test_bad_input_is_one_line(nmsim: Nmsim, arguments: list[str], said: str) -> None:
    ended = nmsim("limits", "nm-edge", "gemm:64x48x96", *arguments)
    assert ended.code == 2
    assert ended.out == b""
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert not list(Path().iterdir())
