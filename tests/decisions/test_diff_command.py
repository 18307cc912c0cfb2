"""Does `nmsim diff` print, write and end as it says?"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len
from small_runs import MACHINE, NETWORK, run

from simulator import compare, load_hardware
from simulator.cli import screen, tables
from simulator.cli.differing import difference_parts
from simulator.decisions.difference.diff import diff
from tests.cli.test_cli import Nmsim, fine, installed, nmsim

__all__ = ["nmsim"]  # the fixture


@pytest.fixture
def files(nmsim: Nmsim) -> tuple[str, str]:
    """Two comparisons, of a machine and of one with slower memory, in an empty folder."""
    del nmsim
    slow = load_hardware(MACHINE, {"memory.dram.bytes_per_second": 4_000_000_000})
    for name, machine in (("a.json", MACHINE), ("b.json", slow)):
        written = compare(machine, NETWORK, ["1:1", "2:4"]).to_json()
        Path(name).write_text(written, encoding="utf-8")
    return "a.json", "b.json"


def test_a_sentence_a_pattern_comes_first(nmsim: Nmsim, files: tuple[str, str]) -> None:
    lines = fine(nmsim("diff", *files)).text.splitlines()
    assert lines[0].startswith("1:1: B takes ")
    assert lines[1].startswith("2:4: B takes ")
    assert lines[2:4] == ["A: a.json: net on nm-edge", "B: b.json: net on nm-edge"]
    titles = [line for line in lines if line.startswith("2:4: ")][1:]
    assert [title.split(",")[0] for title in titles] == [
        "2:4: Where an average core's time goes",
        "2:4: Layers that moved",
        "2:4: Traffic",
    ]


def test_the_column_of_changes_adds_up(nmsim: Nmsim, files: tuple[str, str]) -> None:
    text = fine(nmsim("diff", *files)).text
    table = text.partition("core's time goes, µs\n")[2].partition("\n\n")[0]
    rows = [line.rsplit(maxsplit=5) for line in table.splitlines()[1:]]
    changes = {row[0]: float(row[3].replace("<", "")) for row in rows}
    assert sum(list(changes.values())[:-1]) == pytest.approx(changes["sum"], abs=0.06)


@pytest.mark.parametrize(("tolerance", "code"), [("0.02", 1), ("100", 0), (None, 0)])
def test_the_exit_code_is_of_a_tolerance(
    nmsim: Nmsim, files: tuple[str, str], tolerance: str | None, code: int
) -> None:
    given = [] if tolerance is None else ["--tolerance", tolerance]
    ended = nmsim("diff", *files, *given, "--format", "json")
    assert ended.code == code
    assert json.loads(ended.out)["a"] == "a.json: net on nm-edge"
    if code:
        assert ended.err.startswith("nmsim: moved by more than 2 %: 1:1: time (+")
        assert ended.err.count("\n") == 1
    else:
        assert not ended.err


def test_the_same_file_twice_is_no_difference(nmsim: Nmsim, files: tuple[str, str]) -> None:
    ended = fine(nmsim("diff", files[0], files[0], "--tolerance", "0"))
    assert ended.text.count("B takes as long as A") == 2
    assert "No layer takes another time, or runs otherwise." in ended.text
    assert "Traffic" not in ended.text


@pytest.mark.parametrize("name", ["told.csv", "told.json", "told.parquet", "told.txt"])
def test_a_difference_goes_into_a_file(nmsim: Nmsim, files: tuple[str, str], name: str) -> None:
    assert not fine(nmsim("diff", *files, "-o", name)).out
    rows = diff(*files).to_frame()
    if name.endswith(".csv"):
        assert len(pd.read_csv(name)) == len(rows) == 6
    if name.endswith(".parquet"):
        assert list(pd.read_parquet(name)["layer"]) == list(rows["layer"])
    assert Path(name).stat().st_size


def test_equal_machines_are_written_too(nmsim: Nmsim) -> None:
    fine(nmsim("diff", "nm-edge", "nm-edge", "-o", "keys.parquet"))
    assert list(pd.read_parquet("keys.parquet").columns) == ["key", "a", "b", "ratio"]


def test_the_picture_is_drawn(nmsim: Nmsim, files: tuple[str, str]) -> None:
    fine(nmsim("diff", *files, "--plot", "told.svg", "-q"))
    text = Path("told.svg").read_text(encoding="utf-8")
    assert "B: b.json: net on nm-edge" in text
    assert "Layers that changed most" in text


def test_machines_run_a_workload(nmsim: Nmsim) -> None:
    given = ["--workload", "gemm:256x256x256", "--pattern", "1:8"]
    text = fine(nmsim("diff", "nm-flex", "nm-flex-wide", *given)).text
    assert text.startswith("gemm:256x256x256, 1:8: B takes ")
    assert "core.register_file.operand_bytes_per_cycle 1024 → 2624 (2.56x)" in text


def test_all_rows_are_shown_where_asked(nmsim: Nmsim) -> None:
    given = ["diff", "nm-edge", "nm-micro", "--workload", "mobilenetv2", "--batch", "1"]
    short, long = (fine(nmsim(*given, *more)).text for more in ([], ["-v"]))
    assert "other layers" in short
    assert "other layers" not in long
    assert len(long.splitlines()) > len(short.splitlines())


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, files: tuple[str, str], width: int
) -> None:
    monkeypatch.setattr(screen.Screen, "width", width)
    for told in (diff(*files), diff("nm-flex", "v100-sxm2"), diff(run(), run("2:4"))):
        text = tables.render(difference_parts(told, verbose=True))
        assert max(cell_len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a.json"], "Missing argument 'B'"),
        (["a.json", "nm-edge"], "nm-edge: is a machine, but a.json is a report"),
        (["a.json", "c.json"], "c.json: no such file and no such preset"),
        (["a.json", "b.json", "--tolerance", "-1"], "--tolerance: not a share"),
        (["a.json", "b.json", "--tolerance", "nan"], "--tolerance: not a share"),
        (["a.json", "b.json", "-o", "b.json"], "-o b.json: is read by this command"),
        (["a.json", "b.json", "-o", "told.xml"], "-o told.xml: its ending says no format"),
        (["nm-edge", "nm-flex", "--batch", "8"], "--param batch: is of a workload"),
        (["a.json", "b.json", "--workload", "resnet50"], "only machines run a workload"),
        (["nm-edge", "nm-flex", "--plot", "x.png"], "--plot x.png: shows the parts of a time"),
        (["nm-edge", "nm-flex", "--workload", "gemm:1x1x1", "--pattern", "2"], "pattern"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    nmsim: Nmsim, files: tuple[str, str], arguments: list[str], says: str
) -> None:
    ended = nmsim("diff", *arguments)
    assert ended.code == 2
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert not ended.out
    assert sorted(path.name for path in Path().iterdir()) == list(files)


def test_a_pipe_is_read_once(files: tuple[str, str]) -> None:
    import subprocess

    from tests.cli.test_cli import NMSIM

    command = f"'{NMSIM}' diff <(cat {files[0]}) {files[1]} --format csv"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, text=True)
    assert done.stdout.startswith("pattern_a,")
    assert installed("diff", "/dev/null", files[1]).code == 2


def test_machines_that_differ_in_hundreds_of_keys_are_cut(nmsim: Nmsim) -> None:
    asked = ("diff", "a100-sxm4-80gb", "h100-sxm")
    brief, whole = (fine(nmsim(*asked, *more)).text for more in ((), ("-v",)))
    assert "keys more (-v shows all)" in brief
    assert "keys more" not in whole
    assert "memory.dram.bytes_per_second" in brief
    assert len(brief.splitlines()) < 70 < len(whole.splitlines())
