"""Can a person read what a terminal shows, at any width? Read through a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from measured_rows import MODEL, pruned_rows, store_of
from rich.cells import cell_len
from test_cli import Nmsim, fine, nmsim

from simulator import cli, sweep
from simulator.workload.trace_writer import write_trace

__all__ = ["nmsim"]  # the fixture

MAKEFILE = Path(__file__).parents[2] / "Makefile"
WIDTHS = (80, 100, 120, 160, 200)

SPEC = """
hardware: nm-edge
workloads: [gemm:64x48x96, {workload: mobilenetv2, parameters: {batch: [1]}}]
patterns: [1:1, 2:4]
parameters:
  core.count: [2, 4]
  core.register_file.operand_bytes_per_cycle: [64, 128]
  core.scratchpad.bytes: [100, 65536]
"""

TRACE = """# blocks: 12
name,kind,m,n,k,reads,writes,repeat
encoder.layer.0.attention.self.query_key_value_projection,linear,1600,512,1600,,,24
encoder.layer.11.attention.self.query_key_value_projection,linear,1600,40,3200,,,1
softmax.over_all_of_the_heads_of_this_very_long_layer,softmax,,,,100000000,100000000,24
"""

SHOWN = {
    "run": ["run", "a100-sxm4-80gb", "long.csv", "--pattern", "2:4"],
    "compare": ["compare", "nm-flex", "long.csv", "--patterns", "1:1,2:4,1:8,unstructured:0.25"],
    "mappings": ["compare", "nm-flex", "long.csv", "--patterns", "1:1,2:4,1:8,1:16", "-v"],
    "sweep": ["sweep", "spec.yaml", "--store", "runs.sqlite"],
    "results": ["results", "runs.sqlite"],
    "pareto": ["pareto", "runs.sqlite"],
    "validate": ["validate", "sparse24", "mma", "--rows"],
    "hardware": ["hardware"],
    "workloads": ["workloads"],
    "microbench": ["microbench", "a100-sxm4-80gb"],
    "prune": ["prune", "long.npz", "--pattern", "2:4"],
    "tradeoff": ["tradeoff", "nm-edge", "net.csv", "--quality", "q.sqlite", "--per-layer"],
}
UNITS = {
    "run": ["time µs", "MAC util.", "Traffic, ", "Where an average core's time goes, µs"],
    "compare": ["2:4 µs", "speed-up", "of the dense peak, 156 TMAC/s fp16"],
    "mappings": ["Mappings"],
    "sweep": ["time µs", "MAC util. of dense peak"],
    "results": ["time µs", "error"],
    "pareto": ["time µs"],
    "validate": ["per cent", "sparse24, ratio;"],
    "hardware": ["clock MHz", "memory GB", "patterns"],
    "workloads": ["GMAC", "1 of 96"],
    "microbench": ["latency cycles", "4 in flight"],
    "prune": ["kept", "magnitude"],
    "tradeoff": ["time µs", "speed-up", "cost points"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs with long names and many columns."""
    folder = tmp_path_factory.mktemp("screens")
    (folder / "long.csv").write_text(TRACE)
    (folder / "spec.yaml").write_text(SPEC)
    weights = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    names = [f"bert.encoder.layer.{n}.attention.self.query.weight" for n in (0, 11)]
    np.savez(folder / "long.npz", **dict.fromkeys(names, weights))
    (folder / "net.csv").write_text(write_trace(MODEL))
    store_of(folder / "q.sqlite", pruned_rows())
    sweep(folder / "spec.yaml", store=folder / "runs.sqlite", executor="serial")
    return folder


class Terminal:
    """A pseudo-terminal that a command of this process writes to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.main, self.side = pty.openpty()
        self.monkeypatch = monkeypatch

    def shows(self, width: int, *arguments: str) -> str:
        """What the command writes to a terminal of that width, without its colours."""
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        written: list[bytes] = []
        reader = threading.Thread(target=self._read, args=(written,))
        reader.start()
        with (
            open(os.dup(self.side), "w", encoding="utf-8") as stream,
            self.monkeypatch.context() as m,
        ):
            m.delenv("COLUMNS", raising=False)
            m.setenv("TERM", "xterm-256color")
            m.setattr(sys, "argv", ["nmsim", *arguments])
            m.setattr(sys, "stdout", stream)
            m.setattr(sys, "__stdout__", stream)
            cli.main()
            stream.write(END)
        reader.join()
        text = b"".join(written).decode().partition(END)[0]
        return re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n")

    def _read(self, written: list[bytes]) -> None:
        while END.encode() not in b"".join(written[-2:]):
            written.append(os.read(self.main, 65536))


END = "\x04"
Shows = Callable[..., str]


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Shows]:
    monkeypatch.chdir(folder)
    terminal = Terminal(monkeypatch)
    yield terminal.shows
    os.close(terminal.side)
    os.close(terminal.main)


def flowing(text: str) -> str:
    """Text as one line; broken titles have their words below each other in a column."""
    return " ".join(text.split())


def numbers(text: str) -> set[str]:
    """Numbers, sizes and patterns, as they stand between blanks."""
    return set(re.findall(r"(?<![^\s(])[0-9][0-9.,:x*]*(?![^\s,;)%x])", text))


@pytest.mark.parametrize("name", SHOWN)
def test_a_screen_fits_its_width_and_cuts_no_figure(nmsim: Nmsim, shows: Shows, name: str) -> None:
    piped = fine(nmsim(*SHOWN[name])).text
    assert "…" not in piped
    for unit in UNITS[name]:
        assert unit in flowing(piped)
    for width in WIDTHS:
        text = shows(width, *SHOWN[name])
        assert max(map(cell_len, text.splitlines())) <= width
        assert not re.search(r"[0-9][.,:x]?…[0-9]", text)
        # Every figure on the screen is one that the whole output has: none was cut.
        assert numbers(text) <= numbers(piped) | {"0"}, width
        if "Left out for want of room" not in text:
            assert numbers(piped) <= numbers(text), width
        titles = set(flowing(text).split())
        for unit in UNITS[name]:
            assert set(unit.split()) <= titles or "Left out" in text


def test_wide_shows_all_whatever_the_width(shows: Shows) -> None:
    for name in ("run", "compare", "results"):
        wide = shows(80, *SHOWN[name], "--wide")
        assert "Left out" not in wide
        assert "…" not in wide
        assert wide == shows(400, *SHOWN[name], "--wide")
        assert max(map(cell_len, wide.splitlines())) > 80


def test_what_is_left_out_is_said_in_its_order(shows: Shows) -> None:
    text = shows(80, *SHOWN["run"])
    assert "Left out for want of room: mapping, cycles" in text
    assert re.search(r"^encoder\.\S*11\.\S*…\S*projection ", text, re.MULTILINE)
    assert "one of 12 blocks" in text


def test_a_front_shows_the_figures_that_were_asked_for_at_any_width(shows: Shows) -> None:
    asked = ["--min", "energy_pj", "--max", "mac_utilization"]
    text = flowing(shows(80, *SHOWN["pareto"], *asked).partition("Left out")[0])
    for words in ("energy", "MAC util."):
        assert set(words.split()) <= set(text.split())


def demo() -> list[list[str]]:
    """The commands of `make demo`."""
    (recipe,) = re.findall(r"^demo:.*\n((?:\t.*\n)+)", MAKEFILE.read_text(), re.MULTILINE)
    return [line.split()[1:] for line in re.findall(r"^\t\$\(BIN\)/nmsim.*$", recipe, re.MULTILINE)]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_demo_shows_sparsity_at_work_and_why_a_batch_of_one_gains_little(
    shows: Shows, width: int
) -> None:
    gains = []
    for command in demo():
        text = shows(width, *command, "--quiet")
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text
        first, sentence = text.splitlines()[:2]
        assert first.startswith("bert-large on nm-flex")
        (gain,) = re.findall(r"2:4 is ([0-9.]+)x 1:1, where density alone", sentence)
        gains.append(float(gain))
        for needed in ("time", "speed-up", "MAC util.", "bound by", "peak,"):
            assert set(needed.split()) <= set(flowing(text).split())
    many, one = gains
    assert many > 1.3
    assert one < 1.25
