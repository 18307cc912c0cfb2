"""Does `nmsim calibrate` write a machine that runs, and refuse in one line?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from example_files import MEASUREMENTS
from test_cli import Nmsim, fine, nmsim

__all__ = ["nmsim"]  # the fixture

FILE, MACHINE = "measurements.csv", ["--machine", "a100-sxm4-80gb"]
START = ["--fit", "kernel_start_ns"]


@pytest.fixture(autouse=True)
def measurements(nmsim: Nmsim) -> None:
    """In the folder where commands run."""
    del nmsim
    Path(FILE).write_text(MEASUREMENTS)


def test_a_machine_is_written_that_runs(nmsim: Nmsim) -> None:
    text = fine(nmsim("calibrate", FILE, *MACHINE, *START, "-o", "mine.yaml")).text
    assert re.search(r"6 rows, mean absolute error \d+\.\d % before, \d+\.\d % after", text)
    fitted = re.search(r"^kernel_start_ns +\d+ +(\d+) +6 ", text, re.MULTILINE)
    assert fitted
    assert (
        f"kernel_start_ns: {fitted[1]}  # fitted to {FILE}: 6 of 6" in Path("mine.yaml").read_text()
    )
    report = fine(nmsim("run", "mine.yaml", "gemm:128x256x256", "--brief")).text
    assert report.startswith("gemm:128x256x256 on mine")


def test_every_row_is_listed_where_asked_for(nmsim: Nmsim) -> None:
    text = fine(nmsim("calibrate", FILE, *MACHINE, *START, "--rows")).text
    rows = [line for line in text.splitlines() if re.match(r"\d+x256x256 ", line)]
    assert len(rows) == 6
    assert not Path("mine.yaml").exists()


def test_what_is_left_is_said_with_the_products_that_would_show_it(nmsim: Nmsim) -> None:
    text = fine(nmsim("calibrate", FILE, *MACHINE)).text
    assert "Left as it is: memory.dram.efficiency_ratio, " in text
    assert "weights larger than L2, such as 16384x16x16384" in text


def test_what_is_set_is_in_the_machine_too(nmsim: Nmsim) -> None:
    fine(nmsim("calibrate", FILE, *MACHINE, *START, "--set", "launch_ns=0", "-o", "mine.yaml"))
    assert "launch_ns: 0  # given with --set\n" in Path("mine.yaml").read_text()
    fine(nmsim("calibrate", FILE, "--machine", "mine.yaml", *START, "-o", "again.yaml"))
    assert 'base: "mine.yaml"\n' in Path("again.yaml").read_text()
    fine(nmsim("run", "again.yaml", "gemm:64x64x64", "--brief"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([FILE], "Missing option '--machine'"),
        ([FILE, "--machine", "a100"], "a100: "),
        (["none.csv", *MACHINE], "none.csv: cannot be read: No such file"),
        ([FILE, *MACHINE, "--fit", "barrier"], "--fit barrier: not a constant that is fitted"),
        ([FILE, *MACHINE, "-o", "mine.csv"], "-o mine.csv: its ending says no format, want .yaml"),
        ([FILE, *MACHINE, "-o", FILE], f"-o {FILE}: is read by this command, and would be lost"),
        ([FILE, *MACHINE, "-o", "no/mine.yaml"], "-o no/mine.yaml: its folder does not exist"),
        ([FILE, *MACHINE, "--set", "core.cout=3"], "core.cout: unknown key"),
        ([FILE, *MACHINE, "--fit", "memory.dram.efficiency_ratio", "-o", "mine.yaml"],
         "--fit memory.dram.efficiency_ratio: these rows do not identify it: 0 rows show it"),
        (["bad.csv", *MACHINE, "-o", "mine.yaml"], "bad.csv:3:7: k: must be a whole number"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_writes_nothing(
    nmsim: Nmsim, arguments: list[str], says: str
) -> None:
    Path("bad.csv").write_text("m,n,k,time_us\n64,64,64,9\n64,64,x,9\n")
    ended = nmsim("calibrate", *arguments)
    assert ended.code == 2
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert not ended.out
    assert {path.name for path in Path().iterdir()} == {FILE, "bad.csv"}
