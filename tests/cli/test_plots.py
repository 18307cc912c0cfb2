"""Do ``--plot`` and ``--timeline`` write whole files, or say in one line why not?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NMSIM = Path(sys.executable).with_name("nmsim")
RUN = ["run", "nm-edge", "gemm:64x48x96", "--pattern", "2:4"]
COMPARE = ["compare", "nm-edge", "gemm:64x48x96", "--patterns", "1:1,2:4"]
MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def nmsim(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command without a display."""
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    return subprocess.run(
        [NMSIM, *arguments], capture_output=True, check=False, text=True, cwd=folder,
        env=environment | {"MPLBACKEND": "TkAgg"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "name"),
    [(RUN, "run.png"), (RUN, "run.SVG"), (COMPARE, "compare.pdf"), (COMPARE, "compare.png")],
)
def test_a_picture_beside_the_table(tmp_path: Path, command: list[str], name: str) -> None:
    ended = nmsim(tmp_path, *command, "--plot", name)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "gemm:64x48x96 on nm-edge" in ended.stdout
    written = (tmp_path / name).read_bytes()
    assert written.startswith(MAGIC[Path(name).suffix.lower()])
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_picture_beside_a_result_file(tmp_path: Path) -> None:
    ended = nmsim(tmp_path, *RUN, "--plot", "a.svg", "-o", "a.json")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {"a.svg", "a.json"}


@pytest.mark.parametrize("command", [RUN, COMPARE, ["validate"]])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.jpg", "--plot a.jpg: unknown format, want .png or .svg or .pdf"),
        ("a", "--plot a: unknown format, want .png or .svg or .pdf"),
        ("no/a.png", "--plot no/a.png: its folder does not exist"),
        (".", "--plot .: is a folder, want a file name"),
    ],
)
def test_a_bad_name_is_one_line_before_any_work(
    tmp_path: Path, command: list[str], name: str, says: str
) -> None:
    ended = nmsim(tmp_path, *command, "--plot", name)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == f"nmsim: {says}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_timeline_beside_the_table(tmp_path: Path) -> None:
    ended = nmsim(tmp_path, *RUN, "--timeline", "trace.json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "gemm:64x48x96 on nm-edge" in ended.stdout
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace["otherData"]["title"] == "gemm:64x48x96 on nm-edge, 2:4"
    assert {event["ph"] for event in trace["traceEvents"]} == {"M", "X", "C"}
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]


def test_a_timeline_of_one_tile(tmp_path: Path) -> None:
    ended = nmsim(tmp_path, *RUN, "--timeline", "trace.json", "--timeline-tiles", "1:1")
    assert (ended.returncode, ended.stderr) == (0, "")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    tiles = [event["name"] for event in events if event.get("cat") == "tile"]
    assert tiles == ["tile 1"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--timeline", "a.txt"], "--timeline a.txt: unknown format, want .json or .html"),
        (["--timeline", "no/a.json"], "--timeline no/a.json: its folder does not exist"),
        (
            ["--timeline", "a.json", "--timeline-tiles", "x"],
            "--timeline-tiles: not a range of tiles, want FIRST:LAST, as 0:107, got 'x'",
        ),
        (
            ["--timeline-tiles", "0:3"],
            "--timeline-tiles: says what --timeline FILE shows, got '0:3'",
        ),
    ],
)
def test_a_bad_timeline_is_one_line(tmp_path: Path, options: list[str], says: str) -> None:
    ended = nmsim(tmp_path, *RUN, *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"nmsim: {says}\n"
    assert list(tmp_path.iterdir()) == []
