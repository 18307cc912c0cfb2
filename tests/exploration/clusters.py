"""Dask schedulers and workers in processes of their own, which always end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE_S = 90
"""A machine with more to do may take long to start a process."""

NAPPING = """
import time
from simulator.exploration import row
if row.simulate.__name__ == "simulate":  # preloads are run twice
    quick = row.simulate
    row.simulate = lambda *args, **options: time.sleep({nap_s}) or quick(*args, **options)
"""


@dataclass
class Cluster:
    """A scheduler and workers, whose files lie in ``folder``."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        file = self.folder / "scheduler.json"
        wait_until(file.exists, self.scheduler)
        return str(json.loads(file.read_text())["address"])

    def add_worker(self, nap_s: float) -> None:
        """One thread, that sleeps before every point."""
        (self.folder / "napping.py").write_text(NAPPING.format(nap_s=nap_s))
        log = self.folder / f"worker{len(self.workers)}.log"
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", "."]
        command = ["distributed.cli.dask_worker", self.address, *options, "--preload", "napping.py"]
        worker = run(command, self.folder, log)
        self.workers.append(worker)
        wait_until(lambda: b"Registered to" in log.read_bytes(), worker)


@contextmanager
def cluster(folder: Path, workers: int, nap_s: float = 0) -> Iterator[Cluster]:
    """Ready to work; all is killed at the end."""
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    command = ["distributed.cli.dask_scheduler", *options, "--scheduler-file", "scheduler.json"]
    made = Cluster(folder, run(command, folder, folder / "scheduler.log"))
    try:
        for _ in range(workers):
            made.add_worker(nap_s)
        yield made
    finally:
        for process in (*made.workers, made.scheduler):
            process.kill()
            process.wait()


def run(module: list[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=folder,
            stdout=file,
            stderr=file,
        )


def wait_until(holds: object, process: subprocess.Popen[bytes]) -> None:
    """Wait for what a process will do, as long as it lives."""
    assert callable(holds)
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
