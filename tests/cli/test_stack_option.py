"""Do commands know stacks?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli import Nmsim, fine, nmsim

__all__ = ["nmsim"]  # the fixture

NET = """# nmsim trace 3
# A small block.
# stack: fused
name,kind,m,n,k,reads,writes,inputs,epilogue
query,linear,32,16,64,,,input,bias
key,linear,32,16,64,,,input,bias
out,linear,32,16,32,,,query,bias
gelu,gelu,,,,512,512,out,
"""

SWEEP = """hardware: nm-edge
workloads: net.csv
stack: [eager, fused]
patterns: ["1:1", "2:4"]
parameters: {core.count: [1, 2]}
"""


@pytest.fixture(autouse=True)
def trace(nmsim: Nmsim) -> None:
    """A network of four layers in the folder where commands run."""
    del nmsim
    Path("net.csv").write_text(NET)


def test_run_and_compare_say_how_many_kernels_there_are(nmsim: Nmsim) -> None:
    text = fine(nmsim("run", "nm-edge", "net.csv")).text
    assert "Work: 81.9 kMAC in 2 kernels (stack: fused)\n" in text
    assert "query+key" in text
    assert " in 4 layers\n" in fine(nmsim("run", "nm-edge", "net.csv", "--stack", "listed")).text
    compared = fine(nmsim("compare", "nm-edge", "net.csv", "--stack", "eager")).text
    assert compared.startswith("net on nm-edge: 4 kernels (stack: eager)\n")


def test_files_say_what_kernels_hold(nmsim: Nmsim) -> None:
    said = fine(nmsim("run", "nm-edge", "net.csv", "--format", "json", "--timeline", "all.json"))
    report = json.loads(said.text)
    assert (report["stack"], report["total"]["kernels"]) == ("fused", 2)
    assert [layer["members"] for layer in report["layers"]] == [["query", "key"], ["out", "gelu"]]
    events = json.loads(Path("all.json").read_text())["traceEvents"]
    args = [event.get("args", {}) for event in events]
    assert [a["members"] for a in args if "members" in a] == ["query; key", "out; gelu"]


def test_a_sweep_shows_stacks(nmsim: Nmsim) -> None:
    Path("sweep.yaml").write_text(SWEEP)
    text = fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite")).text
    assert text.startswith("8 points: 8 computed, 0 known before\n")
    assert "Fastest of each workload, stack and pattern" in text
    assert " eager  " in fine(nmsim("results", "runs.sqlite")).text
    Path("sweep.yaml").write_text(SWEEP.replace("[eager, fused]", "fused"))
    one = fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite")).text
    assert one.startswith("4 points: 0 computed, 4 known before\n")
    assert "Fastest of each workload and pattern" in one


@pytest.mark.parametrize("command", ["run", "compare"])
def test_an_unknown_stack_is_one_line(nmsim: Nmsim, command: str) -> None:
    said = nmsim(command, "nm-edge", "net.csv", "--stack", "fusd")
    assert (said.code, said.text, said.err) == (
        2, "", "nmsim: stack: unknown stack, want eager, compiled, fused, listed, got 'fusd' "
        "(did you mean 'fused'?)\n",
    )  # fmt: skip


def test_networks_are_listed_with_their_stacks(nmsim: Nmsim) -> None:
    head, row, *_ = fine(nmsim("workloads", "--wide")).text.splitlines()
    assert "stack" in head
    assert " fused " in row
