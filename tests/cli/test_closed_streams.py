"""Where streams are closed, does what is said go nowhere else, and is every file still whole?"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import COMPARE, NMSIM, RUN, SWEEP, Nmsim, nmsim

__all__ = ["nmsim"]  # the fixture


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["sh", "-c", command.replace("nmsim", shlex.quote(str(NMSIM)))],
        capture_output=True,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2>&- <&-"])
@pytest.mark.parametrize("command", ["nmsim run nosuch x", "nmsim run --nosuch"])
def test_an_error_goes_nowhere(command: str, where: str, tmp_path: Path) -> None:
    done = shell(f"{command} {where}", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")


def test_a_sweep_works_and_keeps_its_files_whole(tmp_path: Path) -> None:
    """Whatever is opened next must not take the place of standard error."""
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    sweep = "nmsim sweep sweep.yaml --store runs.sqlite --workers 2 -o rows.csv 2>&-"
    done = shell(sweep, tmp_path)
    assert (done.returncode, done.stdout) == (0, b"")
    done = shell("nmsim results runs.sqlite --format csv 2>&-", tmp_path)
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == (tmp_path / "rows.csv").read_bytes().count(b"\n") == 5


GEMM = ["nm-edge", "gemm:64x48x96"]
FILES = {
    "run": [*RUN, "--html", "a.html", "--plot", "a.svg", "--timeline", "t.json"],
    "compare": [*COMPARE, "--html", "a.html", "--plot", "a.svg"],
    "advise": ["advise", *GEMM, "--break-even", "0", "--html", "a.html", "-o", "best.csv"],
    "limits": ["limits", *GEMM, "--pattern", "2:4", "--html", "a.html"],
    "require": ["require", *GEMM, "--pattern", "2:4", "--speedup", "1.01", "--html", "a.html",
                "-o", "m.yaml"],
    "diff": ["diff", "nm-edge", "nm-flex", "--html", "a.html"],
    "validate": ["validate", "mma-latency", "--html", "a.html"],
    "sweep": ["sweep", "sweep.yaml", "--executor", "serial", "--html", "a.html"],
}  # fmt: skip
"""By command what it is asked to write beside what it prints."""


@pytest.mark.parametrize("name", FILES)
def test_files_come_before_what_is_printed(
    nmsim: Nmsim, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Path("sweep.yaml").write_text(SWEEP)
    monkeypatch.setattr(sys, "stdout", None)
    ended = nmsim(*FILES[name])
    assert (ended.code, ended.out) == (2, b"")
    assert ended.err == "nmsim: standard output: is closed (name a file with -o)\n"
    asked = {
        word for word in FILES[name] if Path(word).suffix in (".html", ".svg", ".json", ".csv")
    }
    assert asked <= {path.name for path in Path().iterdir() if path.stat().st_size}


def test_a_reader_who_has_enough_costs_no_file(tmp_path: Path) -> None:
    shell("nmsim compare nm-edge gemm:64x48x96 --html a.html | true", tmp_path)
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_file_that_cannot_be_written_costs_no_result(tmp_path: Path) -> None:
    (tmp_path / "a.html").symlink_to("/dev/full")
    done = shell("nmsim compare nm-edge gemm:64x48x96 --html a.html", tmp_path)
    assert done.returncode == 2
    assert b"cannot be written: No space left on device" in done.stderr
    assert b"gemm:64x48x96 on nm-edge" in done.stdout
