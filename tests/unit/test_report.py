"""Do reports say what the counters say, in every format?"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
from machines import MIXED, contended, tiny

from simulator import Conv, Gemm, Mapping, Matmul, Stream, Workload, compare, simulate
from simulator.errors import ConfigError, MappingError, OutputError
from simulator.hardware import load_hardware
from simulator.pictures import save
from simulator.report.report import Report


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate(contended(), MIXED, "2:4")


def test_layers_appear_in_order_once_each(report: Report) -> None:
    assert [(x.name, x.kind, x.repeat) for x in report.layers] == [
        ("fc", "gemm", 3),
        ("stem", "conv", 1),
        ("conv", "conv", 2),
        ("scores", "matmul", 1),
        ("softmax", "softmax", 5),
    ]
    assert (report.hardware, report.workload, report.pattern) == ("tiny", "mixed", "2:4")
    assert report.engine == "fast"
    assert report.notes == ("read from memory",)


def test_one_of_several_blocks_is_named_so(report: Report) -> None:
    assert report.network == "mixed"
    several = replace(report, total=replace(report.total, blocks=12))
    assert several.title == "mixed (one of 12 blocks) on tiny, 2:4"


# Formats


def test_a_report_as_json_is_text_that_one_can_read(report: Report) -> None:
    assert report.to_json().startswith('{\n  "hardware": "tiny",\n  "workload": "mixed",\n')


def test_json_holds_every_figure_and_reads_back(report: Report) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads(report.to_json(), parse_constant=refuse)
    layers = [layer.exported() for layer in report.layers]
    assert data["layers"] == [layer | {"members": [*layer["members"]]} for layer in layers]
    total = data["total"]
    assert total.pop("kernels") == report.total.kernels == report.total.launches
    assert total.pop("time_ns") == report.total.time_ns
    assert total.pop("time_with_launch_ns") == report.total.time_with_launch_ns
    assert total == asdict(report.total)
    assert data["notes"] == ["read from memory"]
    assert data["roof"] == asdict(report.roof)
    assert {k: v for k, v in data.items() if k not in ("layers", "total", "notes", "roof")} == {
        "hardware": "tiny",
        "workload": "mixed",
        "pattern": "2:4",
        "engine": "fast",
        "accuracy": "exact",
        "stack": "listed",
    }


def test_json_is_the_same_on_every_run(report: Report) -> None:
    assert simulate(contended(), MIXED, "2:4").to_json() == report.to_json()


def test_a_frame_has_a_row_a_layer_and_flat_columns(report: Report) -> None:
    frame = report.to_frame()
    assert len(frame) == 5
    columns = ["name", "executed_as", "cycles", "time_ps", "bound", "busy_ratio.mac"]
    columns += ["traffic_bytes.dram.weights.read", "traffic_bytes.scratchpad.metadata.written"]
    columns += ["core_time_ps.idle", "bandwidth_bytes_per_second.l2", "mac_utilization"]
    assert set(columns) <= set(frame.columns)
    assert not frame.map(lambda cell: isinstance(cell, dict | list)).to_numpy().any()
    for row, layer in zip(frame.to_dict("records"), report.layers, strict=True):
        assert row["name"] == layer.name
        assert row["time_ps"] == layer.time_ps
        assert row["core_time_ps.idle"] == layer.core_time_ps["idle"]
        weights = layer.traffic_bytes["dram"].get("weights")
        if weights is not None:
            assert row["traffic_bytes.dram.weights.read"] == weights["read"]


def test_csv_as_text_and_as_a_file(report: Report, tmp_path: Path) -> None:
    text = report.to_csv()
    assert text is not None
    read = pd.read_csv(io.StringIO(text))
    assert list(read.columns) == list(report.to_frame().columns)
    assert list(read["time_ps"]) == [layer.time_ps for layer in report.layers]
    path = tmp_path / "layers.csv"
    assert report.to_csv(path) is None
    assert path.read_text() == text


def test_html_shows_layers_and_total(report: Report) -> None:
    html = report._repr_html_()
    assert "<b>mixed</b> on <b>tiny</b> (2:4)" in html
    assert f"{report.total.cycles:,} cycles" in html
    for layer in report.layers:
        assert f"<td>{layer.name}</td>" in html
        assert f"<td>{layer.cycles:,}</td>" in html
    assert html.count("<tr") == 6


def test_html_escapes_names() -> None:
    layers = [Gemm("<i>g</i>", 8, 8, 8)]
    html = simulate(tiny(), Workload("<script>x</script>", layers))._repr_html_()
    assert "<script>" not in html
    assert "<i>g</i>" not in html


# Arguments of simulate


def test_progress_is_told_of_every_layer() -> None:
    calls: list[tuple[int, int, str]] = []
    simulate(contended(), MIXED, progress=lambda *call: calls.append(call))
    names = [layer.name for layer in MIXED.layers]
    assert calls == [*((i, 5, name) for i, name in enumerate(names)), (5, 5, "")]


def test_a_mapping_of_one_s_own_is_used_as_it_is() -> None:
    mapping = Mapping(16, 16, 16, 8, 8, splits=2)
    workload = Workload("w", [Gemm("g", m=64, n=64, k=128)])
    (layer,) = simulate(contended(), workload, mapping=mapping).layers
    assert layer.mapping == "16x16x16 split 2"
    assert layer.stages == 4 * 4 * 8


@pytest.mark.parametrize(
    ("mapping", "pattern", "what"),
    [
        (Mapping(16, 16, 30, 8, 8), "2:4", "layer g: mapping.tile_k: would cut a group"),
        (Mapping(0, 16, 16, 8, 8), "1:1", "layer g: mapping.tile_m: must be >= 1"),
        (Mapping(4096, 4096, 16, 8, 8), "1:1", "layer g: tile 4096x4096x16 of 1:1: the register"),
        (Mapping(16, 16, 16, 8, 8, swapped=True), "2:4", "layer g: "),
        ("fastest", "1:1", "mapping: want 'auto' or a Mapping, got 'fastest'"),
    ],
)
def test_a_mapping_that_does_not_fit(mapping: Mapping | str, pattern: str, what: str) -> None:
    workload = Workload("w", [Gemm("g", m=64, n=64, k=128)])
    with pytest.raises(MappingError) as caught:
        simulate(contended(), workload, pattern, mapping=mapping)
    assert str(caught.value).startswith(what)


def test_names_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match="unknown engine, got 'quick'"):
        simulate(contended(), MIXED, engine="quick")
    with pytest.raises(ConfigError, match="has no such library, got 'cublas'"):
        simulate(contended(), MIXED, library="cublas")
    with pytest.raises(ConfigError, match="not a pattern"):
        simulate(contended(), MIXED, pattern="sparse")


def test_a_file_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    report = simulate("nm-edge", "gemm:64x64x64")
    for path in (tmp_path / "no" / "r.csv", tmp_path):
        with pytest.raises(OutputError, match="cannot be written") as caught:
            report.to_csv(path)
        with pytest.raises(OutputError, match="cannot be written"):
            save(report.plot(), path / "no" / "r.png")
        assert str(caught.value).startswith(f"{path}: ")


def test_every_layer_has_every_key_and_every_column_one_type() -> None:
    """Whatever kinds of layers a network has, and whatever energies a machine knows."""
    layers = [Gemm("g", 32, 32, 64), Stream("s", reads=64, writes=64), Matmul("m", 32, 32, 64)]
    network = Workload("w", [*layers, Conv("c", 16, 32, 6, 6, kernel=3)])
    frames = []
    for hardware in (load_hardware("nm-edge"), load_hardware("v100-sxm2"), contended()):
        report = simulate(hardware, network, "2:4")
        keys = {json.dumps(_keys(layer)) for layer in json.loads(report.to_json())["layers"]}
        assert len(keys) == 1
        frames.append(report.to_frame())
        unknown = ["energy_pj", "power_w", "nonzeros", "pruned_away"]
        assert not frames[-1].drop(columns=unknown).isna().any().any()
    frames.append(compare("v100-sxm2", network, ["1:1"]).to_frame()[frames[0].columns])
    for frame in frames:
        assert list(frame.dtypes) == list(frames[0].dtypes)
        for name, column in frame.items():
            assert len({type(value) for value in column}) == 1, name


def _keys(data: object) -> object:
    """The keys of nested objects."""
    if isinstance(data, dict):
        return {name: _keys(value) for name, value in sorted(data.items())}
    return None
