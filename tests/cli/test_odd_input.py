"""Odd names, tags, streams and types: found by testers, and never to come back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulator import Gemm, Workload, load_hardware, simulate
from simulator.errors import ConfigError, MappingError, SimulatorError
from simulator.sparsity import Pattern

NMSIM = str(Path(sys.executable).with_name("nmsim"))
WORKLOAD = Workload("one", [Gemm("g", m=64, n=64, k=64)])


def test_names_are_text_not_markup(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("name,kind,m,n,k\n[/a],linear,64,64,64\n[red]x:warning:,linear,64,64,64\n")
    done = subprocess.run(
        [NMSIM, "run", "nm-edge", trace], capture_output=True, text=True, check=True
    )
    assert "[/a]" in done.stdout
    assert "[red]x:warning:" in done.stdout


def test_a_lone_surrogate_is_escaped(tmp_path: Path) -> None:
    machine = tmp_path / "machine.yaml"
    machine.write_text('base: nm-edge\nname: "\\ud800"\n')
    done = subprocess.run(
        [NMSIM, "run", machine, "gemm:64x64x64"], capture_output=True, check=False
    )
    assert done.returncode in (0, 2)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "text", ["name: !!bool x", 'name: !!int ""', "core: !!float x", "base: ''"]
)
def test_odd_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    machine = tmp_path / "machine.yaml"
    machine.write_text(text + "\n")
    with pytest.raises(ConfigError):
        load_hardware(machine)


def test_a_machine_of_megabytes_is_refused_unread(tmp_path: Path) -> None:
    machine = tmp_path / "machine.yaml"
    machine.write_text("# comment\n" * 100_000)
    with pytest.raises(ConfigError, match="too large for a machine"):
        load_hardware(machine)


def test_a_closed_output_is_one_line() -> None:
    line = f"exec '{NMSIM}' run nm-edge gemm:64x64x64 >&-"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("nmsim: standard output")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        {"memory.dram.bytes_per_second": 1e-300},
        {"memory.dram.efficiency_ratio": 1e-300},
        {"core.tensor_cores.instructions.fp16": {"m": 2**40, "n": 8, "k": 16}},
    ],
)
def test_absurd_numbers_are_refused(overrides: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        load_hardware("nm-edge", overrides)


@pytest.mark.parametrize("mapping", [None, {"tile_m": 1}, "best"])
def test_a_mapping_is_auto_or_a_mapping(mapping: object) -> None:
    with pytest.raises(MappingError, match="want 'auto' or a Mapping"):
        simulate("nm-edge", WORKLOAD, mapping=mapping)  # type: ignore[arg-type]


@pytest.mark.parametrize("sizes", [(4, 2), (0, 0), (1.5, 2), (True, 2), (1, 10**9)])
def test_a_pattern_cannot_be_built_wrong(sizes: tuple[int, int]) -> None:
    with pytest.raises(SimulatorError):
        Pattern(*sizes)


@pytest.mark.slow
def test_kernels_run_where_nothing_can_be_cached() -> None:
    """A read-only installation without a home: compiled anew, not refused."""
    code = (
        "import numba.core.caching as c; c.CacheImpl._locator_classes = [];"
        "c.CompileResultCacheImpl._locator_classes = [];"
        "import simulator.jit as j; assert j.OPTIONS['cache'] is False;"
        "from simulator import simulate; simulate('nm-edge', 'gemm:64x64x64')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
