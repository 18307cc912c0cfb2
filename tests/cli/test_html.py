"""Does ``--html`` write a whole page, or say in one line why not; do its commands give its rows?"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

NMSIM = Path(sys.executable).with_name("nmsim")
SIZES = "gemm:64x48x96"
RUN = ["run", "nm-edge", SIZES, "--pattern", "2:4"]
COMPARE = ["compare", "nm-edge", SIZES, "--patterns", "1:1,2:4"]


def nmsim(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NMSIM, *arguments], capture_output=True, check=False, text=True, cwd=folder
    )


def commands(page: Path) -> list[str]:
    """What the page tells its readers to run, by pattern."""
    text = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert text is not None
    return [pattern["command"] for pattern in json.loads(text[1])["patterns"]]


@pytest.mark.parametrize(("command", "name"), [(RUN, "run.html"), (COMPARE, "both.HTML")])
def test_a_page_beside_the_table(tmp_path: Path, command: list[str], name: str) -> None:
    ended = nmsim(tmp_path, *command, "--html", name)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{SIZES} on nm-edge" in ended.stdout
    assert (tmp_path / name).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_page_may_have_as_long_a_name_as_there_is(tmp_path: Path) -> None:
    name = "a" * 250 + ".html"
    ended = nmsim(tmp_path, *RUN, "--html", name)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    ended = nmsim(tmp_path, *RUN, "--html", f"a{name}")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith(": not a file name: File name too long\n")


@pytest.mark.parametrize("command", [RUN, COMPARE])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.htm", "--html a.htm: unknown format, want .html"),
        ("a", "--html a: unknown format, want .html"),
        ("no/a.html", "--html no/a.html: its folder does not exist"),
        (".", "--html .: is a folder, want a file name"),
    ],
)
def test_a_bad_name_of_a_page_is_one_line(
    tmp_path: Path, command: list[str], name: str, says: str
) -> None:
    ended = nmsim(tmp_path, *command, "--html", name)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"nmsim: {says}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_written_over_nothing_that_is_read_or_written(tmp_path: Path) -> None:
    trace = tmp_path / "trace.html"
    trace.write_text("name,kind\n")
    ended = nmsim(tmp_path, "run", "nm-edge", "trace.html", "--html", "trace.html")
    assert ended.returncode == 2
    assert ended.stderr == (
        "nmsim: --html trace.html: is read by this command, and would be lost\n"
    )
    assert trace.read_text() == "name,kind\n"
    ended = nmsim(tmp_path, *RUN, "--html", "a.html", "--format", "json", "-o", "a.html")
    assert ended.stderr == "nmsim: --html a.html: is the file of -o, too\n"


def test_commands_have_what_decides_and_nothing_else(tmp_path: Path) -> None:
    options = ["--set", "core.count=2", "--set", "name=my machine", "--accuracy", "sampled"]
    ended = nmsim(tmp_path, *COMPARE, *options, "--brief", "-q", "--html", "a.html", "-o", "a.csv")
    assert (ended.returncode, ended.stderr) == (0, "")
    decides = "--set core.count=2 --set 'name=my machine' --accuracy sampled"
    assert commands(tmp_path / "a.html") == [
        f"nmsim run nm-edge {SIZES} --pattern {pattern} {decides}" for pattern in ("1:1", "2:4")
    ]


def test_what_is_fastest_is_compared_again(tmp_path: Path) -> None:
    asked = [*COMPARE[:-1], "1:1,fastest,2:4", "--accuracy", "sampled"]
    assert nmsim(tmp_path, *asked, "--html", "a.html").returncode == 0
    one, fastest, _ = commands(tmp_path / "a.html")
    assert one == f"nmsim run nm-edge {SIZES} --pattern 1:1 --accuracy sampled"
    assert fastest == f"nmsim {' '.join(asked)}"


def test_a_command_prints_the_row(tmp_path: Path) -> None:
    name = "it's $HOME; 100 %"
    trace = tmp_path / "my trace.csv"
    trace.write_text(f'name,kind,m,n,k\n"{name}",linear,64,48,96\nother,linear,32,48,96\n')
    arguments = ["compare", "nm-edge", trace.name, "--patterns", "trace,2:4", "--allow-overflow"]
    assert nmsim(tmp_path, *arguments, "--html", "a.html").returncode == 0
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    found = re.search(r'id="data">(.*?)</script>', text)
    assert found is not None
    for pattern in json.loads(found[1])["patterns"]:
        layer = pattern["layers"][0]
        line = f"{pattern['command']} {layer['row']}"
        path = f"{NMSIM.parent}:{os.environ['PATH']}"
        ran = subprocess.run(
            line, shell=True, capture_output=True, check=True, text=True, cwd=tmp_path,
            env=os.environ | {"PATH": path},
        )  # fmt: skip
        (row,) = (one for one in ran.stdout.splitlines() if one.startswith(name))
        assert layer["ran_as"] in row
        assert layer["mapping"] in row


def test_weights_are_pruned_again_where_they_were(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).normal(size=(64, 96)).astype(np.float32)
    np.savez(tmp_path / "w.npz", fc=weights)
    (tmp_path / "t.csv").write_text("name,kind,m,n,k\nfc,linear,64,48,96\n")
    arguments = ["nm-edge", "t.csv", "--weights", "w.npz", "--html", "a.html"]
    ended = nmsim(tmp_path, "compare", "--patterns", "1:1,2:4", *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    again = "nmsim compare nm-edge t.csv --patterns 1:1,2:4 --weights w.npz"
    assert commands(tmp_path / "a.html") == [again, again]
    ended = nmsim(tmp_path, "run", *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    (command,) = commands(tmp_path / "a.html")
    assert command == "nmsim run nm-edge t.csv --pattern trace --weights w.npz"


def test_a_sweep_and_its_store_have_a_page(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(
        f"hardware: nm-edge\nworkloads: [{SIZES}]\npatterns: ['1:1', '2:4']\n"
        "parameters:\n  core.count: [1, 4]\n"
    )
    ended = nmsim(tmp_path, "sweep", "my.yaml", "--store", "runs.sqlite", "--html", "s.html")
    assert (ended.returncode, ended.stderr) == (0, "")
    ended = nmsim(tmp_path, "results", "runs.sqlite", "--pattern", "2:4", "--html", "r.html")
    assert (ended.returncode, ended.stderr) == (0, "")
    for name, title, points in (("s.html", "my", 4), ("r.html", "runs", 2)):
        page = (tmp_path / name).read_text(encoding="utf-8")
        assert f"<title>{title}</title>" in page
        assert f'"{points} points"' in page
    ended = nmsim(tmp_path, "sweep", "my.yaml", "--html", "my.yaml")
    assert ended.stderr == "nmsim: --html my.yaml: unknown format, want .html\n"


def test_a_timeline_may_be_a_page(tmp_path: Path) -> None:
    ended = nmsim(tmp_path, *RUN, "--timeline", "t.html", "--timeline-tiles", "0:1")
    assert (ended.returncode, ended.stderr) == (0, "")
    page = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert f"<title>{SIZES} on nm-edge, 2:4</title>" in page
    ended = nmsim(tmp_path, *RUN, "--timeline", "t.html", "--html", "t.html")
    assert ended.stderr == "nmsim: --timeline t.html: is the file of --html, too\n"
