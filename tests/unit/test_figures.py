"""Are totals, rows and exports made of the same figures, of the same types?"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_args, get_type_hints

import pandas as pd
import pytest
from machines import MIXED, contended

from simulator import LayerReport, Total, simulate, sweep
from simulator.exploration.row import Row
from simulator.report.figures import FIGURES, KEPT, SHOWN
from simulator.report.total import total_of
from simulator.traffic import Traffic


def kinds_of(cls: type) -> dict[str, set[type]]:
    """What each field may be."""
    hints = get_type_hints(cls)
    return {x.name: set(get_args(hints[x.name]) or (hints[x.name],)) for x in fields(cls)}


def test_a_row_has_the_figures_that_are_kept_in_their_order() -> None:
    kinds = kinds_of(Row)
    about = ["key", "settings", "hardware", "workload", "pattern", "engine", "accuracy"]
    assert list(kinds) == [*about, *(figure.name for figure in KEPT), "error", "setup"]
    for figure in KEPT:  # None, too: that of a point that failed
        assert kinds[figure.name] == {figure.kind, type(None)}


@pytest.mark.parametrize("cls", [LayerReport, Total])
def test_fields_of_reports_are_of_the_types_that_the_table_says(cls: type) -> None:
    kinds = kinds_of(cls)
    for figure in FIGURES:
        if figure.name in kinds:
            assert kinds[figure.name] == {figure.kind} | ({type(None)} if figure.missing else set())


def test_what_is_totalled_is_a_figure_of_layers_and_of_the_total() -> None:
    for figure in FIGURES:
        if figure.total is not None:
            assert {figure.name} <= kinds_of(LayerReport).keys() & kinds_of(Total).keys()


def test_a_unit_is_in_the_name() -> None:
    suffixes = {"pJ": "_pj", "W": "_w", "mm2": "_mm2"}
    for figure in FIGURES:
        assert figure.name.endswith(suffixes.get(figure.unit, figure.unit and f"_{figure.unit}"))


def test_errors_are_means_by_what_they_are_errors_of() -> None:
    """3 us with 1 % and 5 times 1 us with 4 %; DRAM bytes by what they are, too."""
    first, *_ = simulate(contended(), MIXED, "2:4").layers
    moved = [Traffic({("dram", "weights", "read"): size}) for size in (10, 6)]
    layers = [
        replace(first, repeat=1, time_ps=3000, time_error_ratio=0.01, dram_error_ratio=0.1,
                traffic_bytes=moved[0]),
        replace(first, repeat=5, time_ps=1000, time_error_ratio=0.04, dram_error_ratio=0.5,
                traffic_bytes=moved[1]),
    ]  # fmt: skip
    total = total_of(contended(), layers)
    assert total.time_error_ratio == pytest.approx((3 * 0.01 + 5 * 0.04) / 8)
    assert total.dram_error_ratio == pytest.approx((10 * 0.1 + 30 * 0.5) / 40)


def test_exports_show_what_the_table_says_whether_points_fail_or_not() -> None:
    spec = {"hardware": "nm-edge", "workloads": ["gemm:64x64x64"], "patterns": ["2:4"],
            "parameters": {"core.scratchpad.bytes": [64, 65536]}}  # fmt: skip
    frame = sweep(spec, executor="serial").to_frame()
    assert list(frame.columns)[-len(SHOWN) - 2 : -2] == [figure.name for figure in SHOWN]
    checks = {
        int: pd.api.types.is_integer_dtype,
        float: pd.api.types.is_float_dtype,
        bool: pd.api.types.is_bool_dtype,
        str: pd.api.types.is_string_dtype,
    }
    for figure in SHOWN:
        assert checks[figure.kind](frame[figure.name].dtype), figure.name
