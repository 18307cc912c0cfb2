"""Does a calibration find what a machine was changed by, and refuse what rows cannot tell?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from simulator import ConfigError, Gemm, Hardware, Workload, load_hardware, simulate
from simulator.errors import WorkloadError
from simulator.hardware.laid_over import base_name
from simulator.sparsity import DENSE, parse_pattern
from simulator.validation import tables
from simulator.validation.calibrated_machine import machine_yaml
from simulator.validation.calibration import Calibration, calibrate
from simulator.validation.constants import CONSTANTS, constants_of
from simulator.validation.fitted import A100
from simulator.validation.fitting import Fit
from simulator.validation.gemms import LLMCOMPASS_LAUNCH_US
from simulator.validation.measured import MeasuredGemm, read_measurements
from simulator.validation.sketch import by_themselves

BARRIER = "core.barrier_cycles"
TRUE = {"kernel_start_ns": 4000, BARRIER: 90, "core.scratchpad.efficiency_ratio": 0.75,
        "memory.dram.efficiency_ratio": 0.75}  # fmt: skip
SHORT = [(256, 256, 256), (512, 256, 512), (512, 512, 512), (1024, 512, 512), (512, 1024, 1024)]
LARGE = [(2048, 2048, 1024), (2048, 2048, 2048), (3072, 2048, 2048), (2048, 4096, 2048)]
FEW_COLUMNS = [(8192, 16, 8192), (16384, 8, 4096), (8192, 32, 8192), (16384, 16, 8192)]


def machine() -> Hardware:
    """Whose own numbers no fit of the presets moves, and whose libraries have no barrier."""
    own = dict.fromkeys(load_hardware(A100).libraries, None)
    fixed = {f"libraries.{name}.barrier_cycles": None for name in own}
    values = {"kernel_start_ns": 6600, BARRIER: 50, "core.scratchpad.efficiency_ratio": 0.88,
              "memory.dram.efficiency_ratio": 0.85}  # fmt: skip
    return load_hardware(A100, {**values, **fixed})


def measured(
    hardware: Hardware, gemms: Sequence[Gemm], noise_ratio: float = 0.0
) -> list[MeasuredGemm]:
    """What a machine takes for products one by one, with noise that is the same every time."""
    runs = simulate(by_themselves(hardware), Workload("w", gemms)).layers
    times = [layer.time_ns for layer in runs]
    noise = noise_ratio * np.random.default_rng(3).standard_normal(len(times))
    pairs = enumerate(zip(gemms, times * (1 + noise), strict=True), start=2)
    return [MeasuredGemm(gemm, float(time), f"m.csv:{line}") for line, (gemm, time) in pairs]


def gemms(*sizes: tuple[int, int, int], pattern: str = "1:1") -> list[Gemm]:
    return [
        Gemm(f"{m}x{n}x{k} {pattern}", m, n, k, pattern=parse_pattern(pattern)) for m, n, k in sizes
    ]


EVERY = 3 * (gemms(*SHORT, *LARGE, *FEW_COLUMNS) + gemms(*LARGE, pattern="2:4"))
"""Three times each: a product is simulated once, however often it was measured."""


def found(calibration: Calibration) -> Mapping[str, float]:
    return {one.key: one.value for one in calibration.fitted}


@pytest.mark.slow
def test_changed_constants_are_found_in_noise() -> None:
    """Within two standard errors."""
    rows = measured(load_hardware(machine(), TRUE), EVERY, noise_ratio=0.015)
    calibration = calibrate(machine(), rows)
    assert not calibration.kept
    assert set(found(calibration)) == set(TRUE)
    for one in calibration.fitted:
        assert one.shown_by >= 4
        assert one.spread_ratio < 0.05
        assert one.uncertainty_ratio < 0.2
        assert abs(one.value / TRUE[one.key] - 1) < max(0.02, 2 * one.uncertainty_ratio)
    assert calibration.after_ratio < 0.015 < 0.10 < calibration.before_ratio
    assert calibration.left_out_ratio > calibration.after_ratio


@pytest.mark.slow
def test_changed_constants_are_found_exactly_without_noise() -> None:
    changed = {"kernel_start_ns": 4000, "memory.dram.efficiency_ratio": 0.75}
    rows = measured(load_hardware(machine(), changed), gemms(*SHORT, *FEW_COLUMNS))
    calibration = calibrate(machine(), rows, list(changed))
    assert found(calibration) == pytest.approx(changed, rel=0.01)
    assert calibration.after_ratio < 0.002


@pytest.mark.slow
def test_what_no_row_shows_stays_and_is_said() -> None:
    """Dense products with enough columns show neither the scratchpad nor DRAM."""
    rows = measured(load_hardware(machine(), TRUE), gemms(*SHORT, *LARGE))
    calibration = calibrate(machine(), rows)
    assert set(calibration.kept) >= {"memory.dram.efficiency_ratio"}
    assert "rows show it, want 4" in calibration.kept["memory.dram.efficiency_ratio"]
    assert "weights larger than L2" in calibration.kept["memory.dram.efficiency_ratio"]
    assert set(found(calibration)) >= {"kernel_start_ns"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "key", "says"),
    [
        (LARGE, "memory.dram.efficiency_ratio", "0 rows show it, want 4; wanted are products with"),
        (SHORT[:3], "kernel_start_ns", "3 rows show it, want 4; wanted are short products"),
    ],
)
def test_what_was_asked_for_and_cannot_be_told_is_refused(
    sizes: list[tuple[int, int, int]], key: str, says: str
) -> None:
    rows = measured(machine(), gemms(*sizes))
    with pytest.raises(ConfigError) as refused:
        calibrate(machine(), rows, [key])
    assert f"--fit {key}: these rows do not identify it: {says}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_rows_that_disagree_are_refused() -> None:
    """A kernel start that comes out at nothing, or hangs on single rows."""
    rows = [MeasuredGemm(gemm, time_ns, "m.csv:2")
            for gemm, time_ns in zip(gemms(*SHORT), (1000, 900, 1500, 1200, 800), strict=True)
            ]  # fmt: skip
    with pytest.raises(ConfigError, match="it comes out at 0, an end of its range"):
        calibrate(machine(), rows, ["kernel_start_ns"])


def test_an_unknown_constant_is_refused_with_a_hint() -> None:
    rows = measured(machine(), gemms(*SHORT))
    with pytest.raises(ConfigError, match="did you mean 'kernel_start_ns'"):
        calibrate(machine(), rows, ["kernel_start"])


def test_a_kernel_start_is_found_by_simulating_once() -> None:
    rows = measured(load_hardware(machine(), {"kernel_start_ns": 3000}), gemms(*SHORT))
    told: list[int] = []
    calibration = calibrate(
        machine(), rows, ["kernel_start_ns"], lambda done, *_: told.append(done)
    )
    assert found(calibration) == {"kernel_start_ns": 3000}
    assert told == [0]


@pytest.mark.slow
def test_llmcompass_gives_about_the_preset_s_kernel_start() -> None:
    """Fitted to the same rows by another search, with all else as it is; see `fitted`."""
    hardware = load_hardware(A100, {"sustained.applies": True})
    rows = [
        MeasuredGemm(
            Gemm("row", int(row["m"]), int(row["n"]), int(row["k"]), pattern=DENSE),
            1e3 * (float(row["time_us"]) - LLMCOMPASS_LAUNCH_US),
            "llmcompass.csv:1",
        )
        for row in tables.read("llmcompass")
    ]
    (one,) = calibrate(hardware, rows, ["kernel_start_ns"]).fitted
    assert one.value == pytest.approx(one.before, rel=0.15)


def test_a_library_s_own_barrier_is_what_is_fitted() -> None:
    hardware = machine()
    name = hardware.library.dense
    rows = [MeasuredGemm(gemm, 1e4, "m.csv:2") for gemm in gemms(*SHORT)]
    assert BARRIER in constants_of(hardware, rows)
    own = load_hardware(hardware, {f"libraries.{name}.barrier_cycles": 70})
    keys = constants_of(own, rows)
    assert f"libraries.{name}.barrier_cycles" in keys
    assert BARRIER not in keys


def test_the_yaml_is_the_machine_that_was_calibrated(tmp_path: Path) -> None:
    rows = measured(load_hardware(machine(), {"kernel_start_ns": 3000}), gemms(*SHORT))
    calibration = calibrate(machine(), rows, ["kernel_start_ns"])
    text = machine_yaml(calibration, A100, "m.csv", {"core.count": 100}, "mine")
    (tmp_path / "mine.yaml").write_text(text)
    mine = load_hardware(tmp_path / "mine.yaml")
    assert (mine.name, mine.kernel_start_ns, mine.core.count) == ("mine", 3000, 100)
    assert "kernel_start_ns: 3000  # fitted to m.csv: 5 of 5 rows show it, spread" in text
    assert "count: 100  # given with --set" in text


def test_a_base_that_is_a_file_is_found_from_where_the_machine_is_written(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    base = tmp_path / "base.yaml"
    base.write_text("base: nm-edge\n")
    assert base_name(str(base), tmp_path / "below" / "mine.yaml") == "../base.yaml"
    assert base_name(A100, tmp_path / "mine.yaml") == A100


def test_every_constant_is_within_its_range_on_every_preset() -> None:
    for name in (A100, "h100-sxm", "v100-sxm2", "rtx3090", "nm-edge"):
        hardware = load_hardware(name)
        rows = [MeasuredGemm(gemm, 1e4, "m.csv:2") for gemm in gemms(*SHORT)]
        for constant in constants_of(hardware, rows).values():
            assert constant.low < constant.high
    assert len({constant.key for constant in CONSTANTS}) == len(CONSTANTS)


def test_a_fit_s_arithmetic() -> None:
    """Two settings: the second is better on the last row alone."""
    errors = np.array([[0.1, 0.1, 0.1, 0.1], [0.2, 0.2, 0.2, 0.0]])
    fit = Fit("machine", ("key",), [(1.0,), (3.0,)], errors)
    assert (fit.best_value("key"), fit.fitted_ratio) == (1.0, pytest.approx(0.1))
    assert fit.without_each == [0, 0, 0, 0]
    assert fit.left_out_ratio == pytest.approx(0.1)
    assert fit.spread_ratio("key") == 0
    assert 0 < fit.uncertainty_ratio("key") < 1


GOOD = "m,n,k,time_us\n256,256,256,8\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "m.csv: is empty, want a header, and lines below it"),
        ("m,n,k,time_us\n", "m.csv: holds no measurements, want one a line"),
        ("m,n,time_us\n1,1,1\n", "m.csv:1: no column 'k'"),
        ("m,n,k\n1,1,1\n", "m.csv:1: one column of times, want time_ns or time_us or time_ms or"),
        ("m,n,k,time_us,time_ms\n1,1,1,1,1\n", "one column of times, want"),
        ("m,n,k,time\n1,1,1,1\n", "m.csv:1:7: unknown column, got 'time' (did you mean 'time_"),
        ("m,n,k,k,time_us\n1,1,1,1,1\n", "m.csv:1:5: column occurs twice, got 'k'"),
        (GOOD + "256,0,256,8\n", "m.csv:3:5: n: must be a whole number from 1 on, got '0'"),
        (GOOD + "256,2.5,256,8\n", "m.csv:3:5: n: must be a whole number from 1 on, got '2.5'"),
        (GOOD + "256,,256,8\n", "m.csv:3: has no 'n'"),
        (GOOD + "256,256,256,\n", "m.csv:3: has no 'time_us'"),
        (GOOD + "256,256,256,-8\n", "m.csv:3:13: time_us: must be a number above 0, got '-8'"),
        (GOOD + "256,256,256,0\n", "m.csv:3:13: time_us: must be a number above 0, got '0'"),
        (GOOD + "256,256,256,nan\n", "time_us: must be a number above 0, got 'nan'"),
        (GOOD + "256,256,256,8,9\n", "m.csv:3:15: more cells than columns, got '9'"),
        ("m,n,k,time_us,dtype\n1,1,1,1,fp61\n", "dtype: a100-sxm4-80gb has no such format, want"),
        ("m,n,k,time_us,pattern\n1,1,1,1,2:\n", "m.csv:2:9: pattern: "),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_line_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "m.csv"
    file.write_text(text)
    with pytest.raises(WorkloadError) as refused:
        read_measurements(file, load_hardware(A100))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_may_leave_out_what_does_not_vary(tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    file.write_text("# my card\nk;n;m;time_ms;note\n64;32;16;0.5;slow, I think\n\n64;32;17;1e-2;\n")
    first, second = read_measurements(file, load_hardware(A100))
    assert (first.label, first.time_ns, first.where) == ("16x32x64", 500_000, f"{file}:3")
    assert (second.time_ns, second.gemm.dtype) == (pytest.approx(10_000), "fp16")
    file.write_text("m,n,k,batch,dtype,pattern,time_ns\n16,32,64,3,int8,2:4,12000\n")
    (row,) = read_measurements(file, load_hardware(A100))
    assert (row.label, row.gemm.dtype, str(row.gemm.pattern)) == ("3x16x32x64", "int8", "2:4")


def test_repeats_of_a_product_are_one_row_that_shows_little(tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    again = "".join(f"512,512,512,{time},\n" for time in (9, 8, 30, 9, 9))
    file.write_text("m,n,k,time_us,dtype\n" + again + "512,512,512,4,int8\n")
    hardware = load_hardware(A100)
    rows = read_measurements(file, hardware)
    assert [(row.gemm.dtype, row.time_ns) for row in rows] == [("fp16", 9_000), ("int8", 4_000)]
    with pytest.raises(ConfigError, match="2 rows show it, want 4"):
        calibrate(hardware, rows, ["kernel_start_ns"])


def test_the_library_of_a_row_is_that_of_its_dtype_and_rows() -> None:
    """Constants that libraries own are those of the libraries that run the rows."""
    dense, chosen = (
        MeasuredGemm(Gemm("g", 256, 256, 256, dtype=dtype, pattern=parse_pattern(pattern)), 1, "")
        for dtype, pattern in (("fp8", "1:1"), ("fp16", "64:2:20"))
    )
    own = {"libraries.deepgemm.barrier_cycles": 3, "libraries.wgmma.barrier_cycles": 4}
    keys = constants_of(load_hardware("h100-sxm", own), [dense])
    assert [key for key in keys if "barrier" in key] == ["libraries.deepgemm.barrier_cycles"]
    keys = constants_of(load_hardware("rtx3090"), [chosen])
    assert [key for key in keys if "barrier" in key] == ["libraries.spatha-64.barrier_cycles"]
