"""Where standard error is closed, does what is said there go nowhere else?"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from test_cli import NMSIM, SWEEP


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
