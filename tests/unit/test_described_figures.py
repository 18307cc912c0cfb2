"""Is every figure of every export described, rightly, and do files and frames carry it?"""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import answers
import pandas as pd
import pyarrow.parquet as pq
import pytest
from measured_rows import MODEL, pruned_rows

from simulator import (
    Attention,
    Conv,
    Hardware,
    Mapping,
    Matmul,
    Stream,
    Workload,
    compare,
    load_hardware,
    simulate,
    sweep,
)
from simulator.cli.output import FORMATS
from simulator.cli.pruned import Pruned
from simulator.cli.pruned import Row as PrunedRow
from simulator.decisions.trust import Band
from simulator.described import TABLES, Described, Table
from simulator.described.decisions import (
    ADVICE,
    LIMITS,
    MACHINES,
    REPORTS,
    REQUIREMENT,
    STORES,
)
from simulator.described.layers import COMPARISON, CORE_TIME, LAYERS, TRAFFIC
from simulator.described.qualities import (
    MEASURED,
    MEASURED_LINES,
    PRUNED,
    TRADE_OFF,
    TRADE_OFF_JSON,
)
from simulator.described.reports import REPORT
from simulator.described.sweeps import FRONT, SEARCH, SWEEP
from simulator.described.trainings import ANSWERS, CLAIMS, RUNS, TRAINING
from simulator.described.validations import DECIDED, VALIDATED, VALIDATION
from simulator.exploration.pareto import merge_ties
from simulator.exploration.search import SearchResult, Trial
from simulator.hardware.schema import description_at
from simulator.quality.table import MeasuredRows
from simulator.report import account
from simulator.report.layer import LayerReport
from simulator.report.total import FIGURES
from simulator.tradeoff.measure import Asked, trade_off
from simulator.tradeoff.per_layer import Budget
from simulator.traffic import FLOWS
from simulator.training.claims import claims_of
from simulator.training.table import Run, RunTable
from simulator.validation.advised import Decision
from simulator.validation.table import decision_records, every, figure_records, line_records

LEAST_WORDS = 6
GEMM = "gemm:128x192x256"
VARIED = {"core.count": [2, 4], "core.tensor_cores.macs_per_cycle.fp16": [64]}


@cache
def report() -> Any:
    return simulate("nm-edge", GEMM, "1:8")


@cache
def swept() -> Any:
    spec = {"hardware": "nm-edge", "workloads": GEMM, "patterns": ["1:1", "2:4"]}
    return sweep({**spec, "parameters": VARIED}, executor="serial")


def searched() -> SearchResult:
    objectives = ("time_ns", "energy_pj", "area_mm2")
    settings = {"core.count": 4, "clock_hz": 10**9}
    return SearchResult(objectives, (Trial(0, settings, "2:4", (1.0, 2.0, 3.0)),))


@cache
def traded() -> Any:
    asked = Asked(budget=Budget("quality", 0.9), method="sparsegpt")
    return trade_off(pruned_rows(), "nm-edge", MODEL, asked)


@cache
def trained() -> RunTable:
    recipes = [("dense", "1:1"), ("one_shot", "2:4"), ("rewind", "2:4"), ("finetune", "2:4")]
    runs = [
        Run("digits", recipe, pattern, seed, 0.9 + at / 99 + seed / 999, 0.1, 500, 1000, "mlp", "",
            2, "0123456789ab", "nm-edge", 1, 10.0 + at)
        for at, (recipe, pattern) in enumerate(recipes)
        for seed in (0, 1)
    ]  # fmt: skip
    return RunTable(tuple(runs), "dense")


def pruned() -> Pruned:
    row = PrunedRow("fc", "fc.weight", (8, 16), "2:4", 64, 128, None, None, 0.1)
    return Pruned("title", "layer", [row], None)


def decision() -> Decision:
    return Decision("a gain", 1.5, 1.4, 0.9, Band("nm-edge", 0.05, 8, ("set",)), "", None)


FRAMES: dict[str, tuple[Table, Callable[[], Any]]] = {
    "report": (LAYERS, report),
    "comparison": (COMPARISON, lambda: compare("nm-edge", GEMM, ["1:1", "2:4"])),
    "sweep": (SWEEP, swept),
    "front": (FRONT, lambda: merge_ties(swept().table)),
    "search": (SEARCH, searched),
    "qualities": (MEASURED_LINES, lambda: MeasuredRows(tuple(pruned_rows()))),
    "trainings": (RUNS, trained),
    "claims": (ANSWERS, lambda: claims_of([trained()])),
    "trade-off": (TRADE_OFF, traded),
    "pruned": (PRUNED, pruned),
    "advice": (ADVICE, cache(answers.advice)),
    "limits": (LIMITS, cache(answers.limited)),
    "requirement": (REQUIREMENT, cache(answers.required)),
    "difference of reports": (REPORTS, cache(answers.moved)),
    "difference of machines": (MACHINES, cache(answers.changed)),
    "difference of stores": (STORES, cache(answers.swept)),
    "validation": (VALIDATION, lambda: line_records(answers.validated())),
    "validated figures": (VALIDATED, lambda: figure_records(every(answers.validated()))),
    "validated decisions": (DECIDED, lambda: decision_records([decision()])),
}
IN_JSON: dict[str, tuple[Table, Callable[[], Any]]] = {
    "report": (REPORT, report),
    "sweep": FRAMES["sweep"],
    "front": FRAMES["front"],
    "search": FRAMES["search"],
    "qualities": (
        MEASURED,
        lambda: MeasuredRows((replace(pruned_rows()[0], provenance={"a": 1}),)),
    ),
    "trainings": (TRAINING, trained),
    "claims": (CLAIMS, lambda: claims_of([trained()])),
    "trade-off": (TRADE_OFF_JSON, traded),
    "pruned": FRAMES["pruned"],
}

OF_MACHINE = {"core.count", "core.tensor_cores.macs_per_cycle.fp16", "clock_hz"}
"""Keys that the sweep and the search here vary."""


def keys(data: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of all that is nowhere nested; entries of lists are as the list."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from keys(value, f"{prefix}.{key}" if prefix else key)
    elif isinstance(data, list) and data and isinstance(data[0], dict):
        for entry in data:
            yield from keys(entry, prefix)
    else:
        yield prefix


@pytest.mark.parametrize("kind", FRAMES)
def test_every_column_is_described_and_nothing_else_is(kind: str) -> None:
    table, made = FRAMES[kind]
    frame = made().to_frame()
    columns = [name for name in frame.columns if table.find(name) or name not in OF_MACHINE]
    assert [name for name in columns if table.find(name) is None] == []
    assert {table.find(name) for name in columns} == set(table.figures)
    assert set(frame.attrs["meaning"]) == set(frame.columns)


@pytest.mark.parametrize("kind", IN_JSON)
def test_every_key_in_json_is_described_and_nothing_else_is(kind: str) -> None:
    table, made = IN_JSON[kind]
    data = json.loads(made().to_json())
    names = dict.fromkeys(key for key in keys(data) if key not in OF_MACHINE)
    assert [name for name in names if table.find(name) is None] == []
    found = {table.find(name) for name in names}
    missing = [figure.name for figure in table.figures if figure not in found]
    # What is there of some runs alone; these are not.
    assert [name for name in missing if not name.endswith("_difference")] == []


def test_a_comparison_in_json_is_a_list_of_reports() -> None:
    data = json.loads(compare("nm-edge", GEMM, ["1:1", "2:4"]).to_json())
    assert [name for name in keys(data) if REPORT.find(name) is None] == []


def test_every_field_of_layers_and_every_part_of_it_is_described() -> None:
    tops = {figure.name.split(".")[0] for figure in LAYERS.figures}
    assert tops == set(LayerReport.__dataclass_fields__) - {"dealt"}  # which no export has
    assert [figure.name for figure in CORE_TIME] == list(account.CORE_TIME)
    assert [figure.name for figure in TRAFFIC] == [".".join(flow) for flow in FLOWS]
    described = {figure.name.split(".")[0] for figure in (*LAYERS.figures, *SWEEP.figures)}
    assert {figure.name for figure in FIGURES} <= described


ALL = [figure for table in TABLES for figure in table.figures]
UNITS = {"ps": "ps", "ns": "ns", "bytes": "bytes", "pj": "pJ", "w": "W", "hz": "Hz", "mm2": "mm2",
         "s": "s"}  # fmt: skip
"""By the last word of a name."""


def name_of(table: Table) -> str:
    return table.name


def is_described(figure: Described) -> bool:
    words = re.findall(r"[\w'-]+", figure.meaning.lower())
    own = re.findall(r"[a-z0-9]+", figure.name.split(".")[-1])
    is_more = len({*words} - {*own}) >= LEAST_WORDS - 2
    is_text = figure.meaning.endswith(".") and "\n" not in figure.meaning
    return len(words) >= LEAST_WORDS and is_more and is_text


def has_its_unit(figure: Described) -> bool:
    last = [part.split("_")[-1] for part in figure.name.split(".")]
    units = {UNITS[word] for word in last if word in UNITS}
    return not units or figure.unit in units


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_figures_are_described_in_words_that_are_not_their_own(table: Table) -> None:
    assert [figure for figure in table.figures if not is_described(figure)] == []


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_a_unit_is_the_one_in_the_name(table: Table) -> None:
    assert [figure for figure in table.figures if not has_its_unit(figure)] == []


def test_what_only_repeats_its_name_is_told_apart() -> None:
    assert not is_described(Described("l2_bytes", "bytes", "The L2 bytes of the l2 bytes."))
    assert not is_described(Described("l2_bytes", "bytes", "Bytes that pass L2."))
    assert not has_its_unit(Described("power_w", "mW", "Mean power over the time."))


@pytest.mark.parametrize("table", TABLES, ids=name_of)
def test_a_table_says_what_its_rows_are_and_names_nothing_twice(table: Table) -> None:
    assert len(table.about.split()) >= LEAST_WORDS
    names = [figure.name for figure in table.figures]
    assert len(set(names)) == len(names)
    assert len({one.name for one in TABLES}) == len(TABLES)


def test_formulas_speak_of_figures_and_keys_that_there_are() -> None:
    figures = {part for figure in ALL for part in figure.name.split(".")}
    machine = set(re.findall(r'"(\w+)":', load_hardware("nm-edge").model_dump_json()))
    for figure in ALL:
        for name in re.findall(r"[a-z]\w*_\w+", figure.formula):
            assert name in figures | machine | {"pj_per_byte"}, figure.formula


def test_formulas_hold_of_a_run() -> None:
    machine: Hardware = load_hardware("nm-edge")
    (layer,) = report().layers
    seconds = layer.time_ps / 1e12
    a_second = machine.core.tensor_cores.macs_per_cycle["fp16"] * machine.core.count
    peak = a_second * layer.clock_hz * seconds
    assert layer.cycles == -(-layer.time_ps * layer.clock_hz // 10**12)
    assert layer.macs == layer.m * layer.n * layer.k * layer.count
    assert layer.macs_executed == layer.slots_used + layer.slots_padded
    assert layer.mac_utilization == pytest.approx(layer.slots_used / peak)
    assert layer.dense_equivalent_utilization == pytest.approx(layer.macs / peak)
    for level, rate in layer.bandwidth_bytes_per_second.items():
        assert rate == pytest.approx(layer.traffic_bytes.total(level) / seconds)
    assert layer.power_w == pytest.approx(layer.energy_pj / layer.time_ps)
    energy = machine.energy
    assert energy is not None
    moved = {level: layer.traffic_bytes.total(level) for level in layer.traffic_bytes}
    assert layer.energy_pj == pytest.approx(
        layer.macs_executed * energy.mac_pj["fp16"]
        + sum(size * getattr(energy, f"{level}_pj_per_byte") for level, size in moved.items())
        + energy.static_w * layer.time_ps
    )
    times = layer.core_time_ps
    assert times.mac_useful == times.mac * layer.slots_used // layer.macs_executed
    assert sum(times.values()) == machine.core.count * layer.time_ps
    total, roof = report().total, report().roof
    assert total.time_with_launch_ns == total.time_ns + total.launches * total.launch_ns
    assert roof.macs_per_second["fp16"] == pytest.approx(a_second * machine.clock_hz)
    rows = {row.pattern: row for row in swept().rows if row.settings["core.count"] == 4}
    frame = swept().to_frame().set_index("pattern")
    speedup = frame[frame["core.count"] == 4].loc["2:4", "speedup"]
    assert speedup == pytest.approx(rows["1:1"].time_ps / rows["2:4"].time_ps)


def test_what_is_always_0_is_and_nothing_else_is() -> None:
    """Of runs that split k, add to what memory holds, overflow L2, and of layers of every kind."""
    crowded = load_hardware("nm-edge", {"memory.l2.bytes": 2**16, "memory.l2.start": "cold"})
    split = Mapping(64, 64, 64, 16, 16, splits=4)
    every = [
        Matmul("scores", m=64, n=64, k=64),
        Stream("softmax", reads=4096, writes=4096, op="softmax"),
        Conv("conv", in_channels=16, out_channels=16, in_h=8, in_w=8, kernel=3, padding=1),
        Attention("heads", heads=2, kv_heads=2, seq=64, context=64, head_dim=32),
    ]
    runs = [
        simulate(crowded, "gemm:256x256x1024", "2:4", mapping=split),
        simulate(crowded, "gemm:128x128x256:fp16:accumulate", "2:4"),
        simulate("nm-edge", Workload("every", every)),
    ]
    moved = [run.total.traffic_bytes.sizes() for run in runs]
    never = {".".join(flow) for flow, *sizes in zip(FLOWS, *moved, strict=True) if not any(sizes)}
    assert never == {flow.name for flow in TRAFFIC if flow.meaning.startswith("Always 0")}


# What frames and files carry


def test_a_key_that_varies_is_described_as_the_machine_does() -> None:
    meaning = swept().to_frame().attrs["meaning"]
    for key in VARIED:
        assert meaning[key] == description_at(Hardware, tuple(key.split(".")))
    assert meaning["core.count"].startswith("Equal cores of the machine")
    assert "by dtype" in meaning["core.tensor_cores.macs_per_cycle.fp16"]
    assert description_at(Hardware, ("core", "cout")) == ""
    assert description_at(Hardware, ("libraries", "mine", "tiles"))


@pytest.mark.parametrize("kind", FRAMES)
def test_attrs_may_be_pickled_compared_and_put_together(kind: str) -> None:
    frame = FRAMES[kind][1]().to_frame()
    assert pickle.loads(pickle.dumps(frame)).attrs == frame.attrs
    assert pd.concat([frame, frame]).attrs == frame.attrs
    other = frame.copy()
    other.attrs = {}
    assert len(pd.concat([frame, other])) == 2 * len(frame)
    assert frame.head(1).attrs == frame.attrs
    assert all(type(text) is str for texts in frame.attrs.values() for text in texts.values())


@pytest.mark.parametrize("kind", FRAMES)
def test_parquet_says_of_every_column_what_it_is(kind: str) -> None:
    table, made = FRAMES[kind]
    frame = made().to_frame()
    data = FORMATS["parquet"](made(), str)
    schema = pq.read_schema(io.BytesIO(data))
    assert schema.names == list(frame.columns)
    for column in schema:
        said = {key.decode(): text.decode() for key, text in column.metadata.items()}
        figure = table.find(column.name)
        assert said["meaning"] == frame.attrs["meaning"][column.name]
        if figure is not None:
            assert said.get("unit", "") == figure.unit
            assert said.get("formula", "") == figure.formula
    back = pd.read_parquet(io.BytesIO(data))
    pd.testing.assert_frame_equal(back, frame)
    assert back.attrs == frame.attrs


def test_parquet_of_a_frame_that_says_nothing_is_as_it_was() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})

    class Plain:
        def to_json(self) -> str:
            return "[]"

        def to_frame(self) -> pd.DataFrame:
            return frame

    data = FORMATS["parquet"](Plain(), str)
    assert pq.read_schema(io.BytesIO(data)).field("a").metadata is None
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(data)), frame)
