"""How far is the model from published measurements? The bounds are asserted on the shipped rows."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from simulator import ConfigError, load_hardware
from simulator.microbench import mma_timing
from simulator.pictures import save
from simulator.validation import DATASETS, Validation, tables, validate
from simulator.validation.picture import plot_validation


@cache
def result_of(name: str) -> Validation:
    (result,) = validate([name])
    return result


@pytest.mark.parametrize("name", [name for name, data in DATASETS.items() if data.bound])
def test_mean_error_is_within_its_bound(name: str) -> None:
    bound = DATASETS[name].bound
    assert bound is not None
    assert result_of(name).mape <= bound


def test_small_gemms_are_close_at_the_median() -> None:
    assert result_of("magicube-fp16").median <= 0.05


def test_no_instruction_is_far_off() -> None:
    assert result_of("mma").largest <= 0.10


@pytest.mark.parametrize("name", list(DATASETS))
def test_the_model_beats_a_roofline(name: str) -> None:
    """Wherever there is a roofline to beat, and also on the data sets without a bound."""
    result = result_of(name)
    if result.roofline_mape is None:
        assert name in {"mma", "mma-sp", "sparseloop", "memory"}
    else:
        assert result.mape < result.roofline_mape


@pytest.mark.parametrize(
    ("name", "rows"),
    [("llmcompass", 10), ("magicube-fp16", 51), ("magicube-int8", 47), ("venom", 24), ("mma", 24)],
)
def test_no_row_was_dropped(name: str, rows: int) -> None:
    assert len(result_of(name).points) == rows


def test_every_table_names_its_source() -> None:
    for path in tables.FOLDER.glob("*.csv"):
        assert any(line.startswith("Source:") for line in tables.sources(path.stem)), path
        assert tables.read(path.stem), path


def test_sparse_instructions_use_the_constants_of_dense_ones() -> None:
    """mma.sp takes as long as the dense instruction of as many slots, and counts twice the MACs."""
    hardware = load_hardware("a100-sxm4-80gb")
    dense = mma_timing(hardware, "fp16", warps=8, in_flight=2)
    sparse = mma_timing(hardware, "fp16", warps=8, in_flight=2, pattern="2:4")
    assert sparse.iteration_cycles == dense.iteration_cycles
    assert sparse.macs_per_cycle == 2 * dense.macs_per_cycle


def test_throughput_never_exceeds_the_peak() -> None:
    hardware = load_hardware("a100-sxm4-80gb")
    for warps in (1, 3, 4, 8, 64):
        for in_flight in (1, 2, 8):
            timing = mma_timing(hardware, "fp16", warps=warps, in_flight=in_flight)
            assert timing.macs_per_cycle <= 1024


@pytest.mark.parametrize(
    ("preset", "arguments"),
    [
        ("nm-edge", {"dtype": "fp16", "warps": 4, "in_flight": 1}),
        ("a100-sxm4-80gb", {"dtype": "fp8", "warps": 4, "in_flight": 1}),
        ("a100-sxm4-80gb", {"dtype": "fp16", "warps": 0, "in_flight": 1}),
        ("a100-sxm4-80gb", {"dtype": "fp16", "warps": 4, "in_flight": 1, "pattern": "1:8"}),
    ],
)
def test_microbench_refuses_what_it_cannot_time(preset: str, arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        mma_timing(load_hardware(preset), **arguments)  # type: ignore[arg-type]


def test_an_unknown_data_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'llmcompass'"):
        validate(["llmcompas"])


def test_the_picture_is_written(tmp_path: Path) -> None:
    save(plot_validation([result_of("mma-sp"), result_of("sparse24")]), tmp_path / "errors.svg")
    assert (tmp_path / "errors.svg").read_text().lstrip().startswith("<?xml")


def test_units_are_written_as_people_write_them() -> None:
    units = {part for dataset in DATASETS.values() for part in dataset.unit.split(", ")}
    assert units <= {"µs", "ratio", "cycles", "MACs", "GB/s"}
