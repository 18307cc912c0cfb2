"""Does a Dask cluster that goes away, or never was one, end a sweep with one clear line?"""

from __future__ import annotations

import logging
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters import PATIENCE_S, Cluster, cluster

from simulator import SpecError, sweep
from simulator.exploration.runs import Runs
from simulator.workers import dask

NMSIM = Path(sys.executable).with_name("nmsim")
POINTS = 160
SPEC: dict[str, Any] = {
    "hardware": "nm-edge",
    "workloads": "gemm:64x48x96",
    "patterns": ["1:1", "2:4"],
    "parameters": {"core.count": {"start": 1, "stop": POINTS // 2, "step": 1}},
}
YAML = f"""
hardware: nm-edge
workloads: gemm:64x48x96
patterns: [1:1, 2:4]
parameters: {{core.count: {{start: 1, stop: {POINTS // 2}, step: 1}}}}
"""
NAP_S = 0.02


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "CONNECT_S", 1)
    monkeypatch.setattr(dask, "LOST_S", 2)


def rows_of(store: Path) -> int:
    with Runs(store, must_exist=True) as opened:
        return len(opened.rows())


def once(act: Callable[[], None], after: int) -> Callable[[int, int], None]:
    """A progress callback that does something when so many points are settled."""
    left = [act]

    def progress(done: int, _points: int) -> None:
        if done >= after and left:
            left.pop()()

    return progress


@pytest.mark.usefixtures("impatient")
def test_workers_that_are_killed_and_a_scheduler_that_hangs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "runs.sqlite"
    with cluster(tmp_path, workers=2, nap_s=NAP_S) as made, caplog.at_level(logging.INFO):
        # The only one: nothing can go on, and what is finished stays.
        made.workers[0].kill()
        made.workers[0].wait()
        kill = once(made.workers[1].kill, after=20)
        with pytest.raises(SpecError, match="no worker is left") as caught:
            sweep(SPEC, store=store, scheduler=made.address, progress=kill)
        assert made.address in str(caught.value)
        kept = rows_of(store)
        assert 20 <= kept < POINTS
        # One of two: the other takes over.
        made.add_worker(NAP_S)
        made.add_worker(NAP_S)
        kill = once(made.workers[2].kill, after=kept + 20)
        result = sweep(SPEC, store=store, scheduler=made.address, progress=kill)
        assert made.workers[2].wait() == -signal.SIGKILL
        # Its machine hangs: nothing is closed, and nobody answers.
        hang = once(lambda: made.scheduler.send_signal(signal.SIGSTOP), after=20)
        with pytest.raises(SpecError, match="the scheduler is gone"):
            sweep(SPEC, scheduler=made.address, progress=hang)
    assert (result.known, result.computed, result.failed) == (kept, POINTS - kept, 0)
    assert result.rows == sweep(SPEC, executor="serial").rows
    assert not [record for record in caplog.records if record.name.startswith("distributed")]
    assert capfd.readouterr().err == ""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path, workers=1, nap_s=10 * NAP_S) as made:
        yield made


def test_a_scheduler_that_is_killed(slow: Cluster, tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    (tmp_path / "sweep.yaml").write_text(YAML)
    command = [NMSIM, "sweep", "sweep.yaml", "--store", store, "--scheduler", slow.address]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + PATIENCE_S
    while committed(store) < 2 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    slow.scheduler.kill()
    out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, out) == (2, "")
    assert err.startswith(f"nmsim: --scheduler {slow.address}: the scheduler is gone")
    assert err.count("\n") == 1
    kept = rows_of(store)
    assert 2 <= kept < POINTS
    again = sweep(SPEC, store=store, executor="serial")
    assert (again.known, again.computed) == (kept, POINTS - kept)


def committed(store: Path) -> int:
    if not store.exists():
        return 0
    connection = sqlite3.connect(store)
    try:
        return int(connection.execute("SELECT count(*) FROM points").fetchone()[0])
    except sqlite3.OperationalError:  # no table yet
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "--scheduler '': not an address, want tcp://host:port"),
        (" ", "--scheduler ' ': not an address"),
        ("http://x y", "--scheduler 'http://x y': not an address"),
        ("http://localhost:8786", "not an address of Dask: http://"),
        ("tcp://127.0.0.1:99999", "not an address: Port out of range"),
        ("tcp://127.0.0.1:-1", "not an address"),
        ("127.0.0.1:port", "not an address"),
        ("tcp://:8786", "not an address"),
        ("tcp://[::1:8786", "not an address"),
        ("tcp://me@localhost:8786", "not an address"),
        ("tcp://localhost:8786/status", "not an address"),
        ("localhost", "names no port"),
        ("tls://127.0.0.1:1", "cannot be reached"),
    ],
)
def test_an_address_that_is_none(address: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        sweep(SPEC, scheduler=address)
    assert says in str(caught.value)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-server\r\n" * 9, bytes([1, *[0] * 7]) * 9])
def test_what_listens_but_is_no_scheduler(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # closed
                    return
                held.append(connection)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        started = time.monotonic()
        with pytest.raises(SpecError, match="cannot be reached"):
            sweep(SPEC, scheduler=f"tcp://127.0.0.1:{server.getsockname()[1]}")
        assert time.monotonic() - started < PATIENCE_S
        server.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()
