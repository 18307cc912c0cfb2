"""Does the script of the how-to write what `nmsim calibrate` reads, as far as a CPU can tell?"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from simulator import load_hardware
from simulator.validation.constants import CONSTANTS
from simulator.validation.measured import read_measurements

DOCS = Path(__file__).parents[2] / "docs"
SIZES = ["64x64x64", "128x64x64", "64x128x64", "64x64x128", "128x128x64"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("measure_gemms", DOCS / "measure_gemms.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_it_writes_is_what_calibrate_reads(script: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "measurements.csv"
    script.main(["-o", str(file), "--device", "cpu", "--sizes", *SIZES])
    rows = read_measurements(file, load_hardware("a100-sxm4-80gb"))
    assert [row.label for row in rows] == SIZES
    assert {(row.gemm.dtype, str(row.gemm.pattern)) for row in rows} == {("fp16", "1:1")}
    assert all(row.time_ns > 0 for row in rows)


def test_calls_take_turns_and_the_median_lap_counts(script: ModuleType) -> None:
    seen: list[int] = []
    calls = [lambda n=n: seen.append(n) for n in range(5)]
    laps: list[int] = []

    def clock(run: Callable[[], object]) -> float:
        before = len(seen)
        run()
        laps.append(len(seen) - before)
        noise = 50.0 if len(laps) == 4 else 0.0  # one slow lap
        return 1000.0 * laps[-1] + noise * laps[-1]

    assert script.timed_us(calls, clock) == 1000.0
    assert laps == [5, 5] + [20] * script.LAPS  # a lap takes some 20 ms
    assert seen == [n % 5 for n in range(len(seen))]


def test_operands_exceed_the_cache(script: ModuleType) -> None:
    calls = script.products((64, 64, 64), script.DTYPES["fp16"], "1:1", "cpu", 10 * 64 * 64 * 2)
    assert len(calls) == 4  # 3 * 64 * 64 * 2 bytes each
    assert len({id(call.__defaults__[0]) for call in calls}) == 4
    assert calls[0]().shape == (64, 64)


def test_two_of_every_four_weights_stay(script: ModuleType) -> None:
    weights = script.torch.tensor([[1.0, -4, 3, 2, 5, 5, -6, 7]])
    assert script.pruned(weights).tolist() == [[0, -4, 3, 0, 0, 0, -6, 7]]


def test_without_a_gpu_it_says_so(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if script.torch.cuda.is_available():
        return
    with pytest.raises(SystemExit):
        script.main(["-o", str(tmp_path / "a.csv")])
    assert "torch finds no CUDA device" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_how_to_explains_every_constant() -> None:
    text = (DOCS / "guides/measurements.md").read_text()
    for constant in CONSTANTS:
        assert f"| `{constant.key}` |" in text
