"""Do reports say what the counters say, in every format?"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
from machines import library_of, problem_of, tiny

from simulator import Conv, Gemm, Mapping, Matmul, Stream, Workload, compare, simulate
from simulator.engine import fast
from simulator.errors import ConfigError, MappingError, OutputError
from simulator.hardware import Hardware, load_hardware
from simulator.pictures import save
from simulator.program import gemm_program
from simulator.report import CORE_TIME, LEVELS, LayerReport, Report, layer_report
from simulator.sparsity import DENSE

LAYERS = Workload(
    "mixed",
    [
        Gemm("fc", m=64, n=48, k=128, repeat=3),
        Conv("stem", 3, 16, 12, 12, kernel=3, padding=1),
        Conv("conv", 16, 32, 12, 12, kernel=3, padding=1, repeat=2),
        Matmul("scores", m=32, n=32, k=64, batch=2),
        Stream("softmax", reads=4000, writes=4000, op="softmax", repeat=5),
    ],
    ["read from memory"],
)

ENERGY = {
    "mac_pj": {"fp16": 1.5},
    "register_file_pj_per_byte": 1.25,
    "scratchpad_pj_per_byte": 2.5,
    "l2_pj_per_byte": 12.5,
    "dram_pj_per_byte": 162.5,
    "static_w": 0.25,
}


def machine(**changes: object) -> Hardware:
    """The tiny machine with several cores and caches that are felt."""
    return tiny(
        core__count=4,
        core__port_bytes_per_cycle=32,
        core__scratchpad__bytes_per_cycle=64,
        memory__l2__bytes_per_cycle=64,
        memory__l2__bytes=20_000,
        memory__l2__latency_cycles=30,
        memory__dram__bytes_per_second=20e9,
        memory__dram__latency_ns=100,
        **changes,
    )


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate(machine(), LAYERS, "2:4")


def by_name(report: Report) -> dict[str, LayerReport]:
    return {layer.name: layer for layer in report.layers}


# A report's figures


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


def test_patterns_asked_and_executed(report: Report) -> None:
    found = {name: (x.asked, x.executed_as, x.note) for name, x in by_name(report).items()}
    assert found == {
        "fc": ("2:4", "2:4", ""),
        "stem": ("2:4", "1:1", "2:4 runs dense: 3 channels are less than a group"),
        "conv": ("2:4", "2:4", ""),
        "scores": ("1:1", "1:1", ""),
        "softmax": ("1:1", "-", ""),
    }


def test_without_a_pattern_the_trace_decides() -> None:
    layers = [Gemm("a", 32, 32, 64, pattern="2:4"), Gemm("b", 32, 32, 64)]
    report = simulate(machine(), Workload("w", layers))
    assert report.pattern is None
    assert [x.executed_as for x in report.layers] == ["2:4", "1:1"]


@pytest.mark.parametrize("name", ["fc", "stem", "conv", "scores"])
def test_sizes_are_those_of_the_layer(report: Report, name: str) -> None:
    found = by_name(report)[name]
    layer = next(x for x in LAYERS.layers if x.name == name)
    assert found.macs == layer.macs
    assert found.m * found.n * found.k * found.count >= layer.macs
    assert found.macs_executed == found.slots_used + found.slots_padded
    assert found.slots_padded >= 0
    density = {"1:1": 1, "2:4": 0.5}[found.executed_as]
    assert found.slots_used == density * layer.macs


def test_m_and_n_are_those_of_the_layer_even_where_operands_were_swapped() -> None:
    """A reader looks for the layer's own sizes; that it ran swapped stands in the mapping."""
    layer = Gemm("g", m=64, n=16, k=32)
    mapping = Mapping(16, 16, 16, 8, 8, swapped=True)
    (found,) = simulate(machine(), Workload("w", [layer]), mapping=mapping).layers
    assert "swapped" in found.mapping
    assert (found.m, found.n, found.k) == (64, 16, 32)


def test_a_streaming_layer_multiplies_nothing(report: Report) -> None:
    found = by_name(report)["softmax"]
    assert (found.m, found.n, found.k, found.count) == (0, 0, 0, 0)
    assert (found.macs, found.macs_executed, found.slots_used) == (0, 0, 0)
    assert (found.mac_utilization, found.mapping) == (0.0, "-")
    assert found.traffic_bytes["dram"]["activations"]["read"] == 8000
    assert found.traffic_bytes["l2"]["outputs"]["written"] == 8000


def test_core_time_adds_up_to_cores_times_time(report: Report) -> None:
    for layer in report.layers:
        assert set(layer.core_time_ps) == set(CORE_TIME)
        assert sum(layer.core_time_ps.values()) == 4 * layer.time_ps
        assert min(layer.core_time_ps.values()) >= 0
    assert sum(report.total.core_time_ps.values()) == 4 * report.total.time_ps


def test_cycles_and_utilization_follow_from_time(report: Report) -> None:
    for layer in report.layers:
        assert layer.cycles == -(-layer.time_ps // 1000)  # 1 GHz
        assert layer.time_ns == layer.time_ps / 1000
        peak = 64 * 4 * layer.time_ps / 1000
        assert layer.mac_utilization == pytest.approx(layer.slots_used / peak, rel=1e-3)
        assert layer.dense_equivalent_utilization == pytest.approx(layer.macs / peak, rel=1e-3)
        assert 0 <= layer.mac_utilization <= 1
    total = report.total
    peak = 64 * 4 * total.time_ps / 1000
    assert total.mac_utilization == pytest.approx(total.slots_used / peak)
    assert total.dense_equivalent_utilization == pytest.approx(total.macs / peak)


def test_bandwidth_is_traffic_over_time(report: Report) -> None:
    for layer in report.layers:
        for level, rate in layer.bandwidth_bytes_per_second.items():
            moved = sum(sum(ways.values()) for ways in layer.traffic_bytes[level].values())
            assert rate == pytest.approx(moved / (layer.time_ps * 1e-12))
        assert layer.bandwidth_bytes_per_second["dram"] <= 20e9 * (1 + 1e-9)


def test_the_bound_is_the_busiest_resource_or_latency(report: Report) -> None:
    for layer in report.layers:
        busiest = max(layer.busy_ratio, key=lambda name: layer.busy_ratio[name])
        if layer.busy_ratio[busiest] >= 0.5:
            assert layer.bound == busiest
        else:
            assert layer.bound == "latency"
        assert all(0 <= ratio <= 1 for ratio in layer.busy_ratio.values())


@pytest.mark.parametrize(
    ("changes", "bound"),
    [
        ({"core__tensor_cores__macs_per_cycle": {"fp16": 1, "int8": 1, "int4": 1}}, "mac"),
        ({"core__scratchpad__bytes_per_cycle": 1}, "scratchpad"),
        ({"core__register_file__operand_bytes_per_cycle": 1}, "operand"),
        ({"core__port_bytes_per_cycle": 0.5}, "port"),
        ({"memory__l2__bytes_per_cycle": 0.5}, "l2"),
        ({"memory__dram__bytes_per_second": 1e8}, "dram"),
        ({"memory__dram__latency_ns": 1e6, "memory__l2__bytes": 2**24}, "latency"),
        ({"launch_ns": 1e9}, "launch"),
    ],
)
def test_a_starved_resource_is_what_bounds(changes: dict[str, object], bound: str) -> None:
    layer = Workload("w", [Gemm("g", m=64, n=64, k=128)])
    report = simulate(tiny(**changes), layer)
    assert report.layers[0].bound == bound
    assert report.total.bound == bound
    assert report.total.bound_ratio == {bound: 1.0}


def test_the_total_is_the_sum_over_repeats(report: Report) -> None:
    total = report.total

    def added(name: str) -> int:
        return sum(getattr(x, name) * x.repeat for x in report.layers)

    for name in ("time_ps", "macs", "macs_executed", "slots_used", "slots_padded"):
        assert getattr(total, name) == added(name)
    assert total.macs == LAYERS.macs
    assert total.launches == 3 + 1 + 2 + 1 + 5
    assert total.cycles == -(-total.time_ps // 1000)
    for kind in CORE_TIME:
        wanted = sum(x.core_time_ps[kind] * x.repeat for x in report.layers)
        assert total.core_time_ps[kind] == wanted
    for level in LEVELS:
        for operand, ways in total.traffic_bytes[level].items():
            for way, size in ways.items():
                wanted = sum(
                    x.traffic_bytes[level].get(operand, {}).get(way, 0) * x.repeat
                    for x in report.layers
                )
                assert size == wanted


def test_bounds_share_the_time(report: Report) -> None:
    ratio = report.total.bound_ratio
    assert sum(ratio.values()) == pytest.approx(1)
    assert list(ratio.values()) == sorted(ratio.values(), reverse=True)
    assert report.total.bound == next(iter(ratio))
    for bound, share in ratio.items():
        time = sum(x.time_ps * x.repeat for x in report.layers if x.bound == bound)
        assert share == pytest.approx(time / report.total.time_ps)


def test_launches_are_a_figure_of_their_own() -> None:
    total = simulate(machine(launch_ns=700), LAYERS, "2:4").total
    assert total.time_ns == total.time_ps / 1000
    assert total.time_with_launch_ns == pytest.approx(total.time_ns + 12 * 700)


def test_equal_layers_give_equal_figures() -> None:
    layers = [Gemm("a", 64, 48, 128), Gemm("b", 64, 48, 128, repeat=2)]
    first, second = simulate(machine(), Workload("w", layers), "2:4").layers
    assert {**asdict(first), "name": "", "repeat": 0} == {
        **asdict(second),
        "name": "",
        "repeat": 0,
    }


# By hand


def test_the_account_and_traffic_of_two_tiles() -> None:
    """Two stages of each: 16 x 16 x 32 MACs are 128 cycles, half of that for 2:4; bytes through the
    scratchpad take longer, and 3 cycles of barrier follow."""
    hardware = tiny(core__scratchpad__bytes_per_cycle=16, core__barrier_cycles=3)
    mapping = Mapping(16, 16, 32, 8, 8)
    workload = Workload("w", [Gemm("g", m=16, n=32, k=64)])
    (layer,) = simulate(hardware, workload, "2:4", mapping=mapping).layers
    assert layer.executed_as == "2:4"
    # W: 16 rows of 16 slots of 2 bytes, and 4 bits for each of 8 groups; X: 32 rows of 16 columns.
    slots, metadata, columns = 16 * 16 * 2, 16 * 8 * 4 // 8, 32 * 16 * 2
    moved = slots + metadata + columns + 2 * (slots + metadata + columns)
    account = layer.core_time_ps
    assert account["mac_useful"] == 4 * 64_000
    assert (account["mac_padding"], account["operand_stall"]) == (0, 0)
    assert account["scratchpad_stall"] == 4 * (moved * 1000 // 16 - 64_000)
    assert account["barrier"] == 4 * 3000
    pad, registers = layer.traffic_bytes["scratchpad"], layer.traffic_bytes["register_file"]
    for operand, size in (("weights", slots), ("metadata", metadata), ("activations", columns)):
        assert pad[operand] == {"read": 4 * 2 * size, "written": 4 * size}
        assert registers[operand]["written"] == 4 * 2 * size
    # Each of 4 x 4 instructions of 4 slots reads W, metadata and all of its groups; sums both ways.
    assert registers["weights"]["read"] == 4 * 4 * slots
    assert registers["metadata"]["read"] == 4 * 4 * metadata
    assert registers["activations"]["read"] == 4 * 4 * columns
    sums = 4 * 4 * (16 * 16 * 4)  # 4 stages of 4 steps
    assert registers["partial_sums"] == {"read": sums, "written": sums}


def test_a_narrow_operand_path_is_its_own_stall() -> None:
    """As many bytes as `test_replay` counts: 16 KiB a stage at 64 a cycle, 256 cycles."""
    hardware = tiny(core__register_file__operand_bytes_per_cycle=64)
    workload = Workload("w", [Gemm("g", m=16, n=16, k=96)])
    (layer,) = simulate(hardware, workload, mapping=Mapping(16, 16, 32, 8, 8)).layers
    assert layer.core_time_ps["operand_stall"] == 3 * 128_000
    assert layer.core_time_ps["scratchpad_stall"] == layer.core_time_ps["barrier"] == 0


def test_what_is_not_said_of_a_layer_is_exact_and_at_the_full_clock() -> None:
    hardware, gemm, mapping = tiny(), Gemm("g", m=16, n=16, k=96), Mapping(16, 16, 32, 8, 8)
    problem = problem_of(hardware, "1:1", m=16, n=16, k=96)
    program = gemm_program(hardware, library_of(hardware), problem, mapping)
    layer = layer_report(
        hardware, gemm, program, fast.run(program),
        problem=problem, mapping=mapping, asked=DENSE, note="",
    )  # fmt: skip
    assert not layer.throttled
    assert layer.time_error_ratio == layer.dram_error_ratio == 0
    workload = Workload("w", [gemm])
    assert simulate(hardware, workload, mapping=mapping).layers == (layer,)


def test_one_of_several_blocks_is_named_so(report: Report) -> None:
    assert report.network == "mixed"
    several = replace(report, total=replace(report.total, blocks=12))
    assert several.title == "mixed (one of 12 blocks) on tiny, 2:4"


# Energy


def test_a_report_as_json_is_text_that_one_can_read(report: Report) -> None:
    assert report.to_json().startswith('{\n  "hardware": "tiny",\n  "workload": "mixed",\n')


def test_without_an_energy_section_there_is_no_energy(report: Report) -> None:
    assert machine().energy is None
    assert [x.energy_pj for x in report.layers] == [None] * 5
    assert report.total.energy_pj is None
    assert json.loads(report.to_json())["total"]["energy_pj"] is None


def energy_pj(layer: LayerReport, costs: dict[str, object]) -> float:
    """Energy from a layer's counters and the costs of its actions, added up by hand."""
    total = layer.macs_executed * costs["mac_pj"][layer.dtype]  # type: ignore[index]
    for level in ("register_file", "scratchpad", "l2", "dram"):
        for ways in layer.traffic_bytes[level].values():
            total += (ways["read"] + ways["written"]) * costs[f"{level}_pj_per_byte"]
    # A watt is a joule a second: 10**12 pJ in 10**12 ps.
    return total + costs["static_w"] * layer.time_ps  # type: ignore[operator,no-any-return]


def test_energy_is_actions_times_their_cost() -> None:
    report = simulate(machine(energy=ENERGY), LAYERS, "2:4")
    for layer in report.layers:
        assert layer.energy_pj == pytest.approx(energy_pj(layer, ENERGY))
    wanted = sum(x.energy_pj * x.repeat for x in report.layers if x.energy_pj is not None)
    assert report.total.energy_pj == pytest.approx(wanted)


def test_energy_of_nm_edge() -> None:
    hardware = load_hardware("nm-edge")
    # Horowitz, ISSCC 2014, figure 1.1.9: fp16 multiply 1.1 pJ and fp32 add 0.9 pJ; 8 KiB, 32
    # KiB and 1 MiB of SRAM at 10, 20 and 100 pJ for 64 bits; DRAM from 1.3 nJ for 64 bits.
    costs = {
        "mac_pj": {"fp16": 1.1 + 0.9},
        "register_file_pj_per_byte": 10 / 8,
        "scratchpad_pj_per_byte": 20 / 8,
        "l2_pj_per_byte": 100 / 8,
        "dram_pj_per_byte": 1300 / 8,
        "static_w": 0,
    }
    (layer,) = simulate(hardware, "gemm:128x128x128", "2:4").layers
    assert layer.energy_pj == pytest.approx(energy_pj(layer, costs))
    assert layer.traffic_bytes["dram"]["weights"]["read"] == 128 * 128  # half of 2 bytes each
    assert layer.traffic_bytes["dram"]["metadata"]["read"] == 128 * 128 // 8
    assert layer.traffic_bytes["dram"]["activations"]["read"] == 2 * 128 * 128


def test_an_unknown_mac_energy_leaves_the_layer_and_the_total_without() -> None:
    layers = [Gemm("a", 32, 32, 64), Gemm("b", 32, 32, 64, dtype="int8"), Stream("s", 64, 64)]
    report = simulate(machine(energy=ENERGY), Workload("w", layers))
    known = [layer.energy_pj is not None for layer in report.layers]
    assert known == [True, False, True]
    assert report.total.energy_pj is None


# Formats


def test_json_holds_every_figure_and_reads_back(report: Report) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads(report.to_json(), parse_constant=refuse)
    assert data["layers"] == [asdict(layer) for layer in report.layers]
    total = data["total"]
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
    }


def test_json_is_the_same_on_every_run(report: Report) -> None:
    assert simulate(machine(), LAYERS, "2:4").to_json() == report.to_json()


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
    simulate(machine(), LAYERS, progress=lambda *call: calls.append(call))
    names = [layer.name for layer in LAYERS.layers]
    assert calls == [*((i, 5, name) for i, name in enumerate(names)), (5, 5, "")]


def test_a_mapping_of_one_s_own_is_used_as_it_is() -> None:
    mapping = Mapping(16, 16, 16, 8, 8, splits=2)
    workload = Workload("w", [Gemm("g", m=64, n=64, k=128)])
    (layer,) = simulate(machine(), workload, mapping=mapping).layers
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
        simulate(machine(), workload, pattern, mapping=mapping)
    assert str(caught.value).startswith(what)


def test_names_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match="unknown engine, got 'quick'"):
        simulate(machine(), LAYERS, engine="quick")
    with pytest.raises(ConfigError, match="has no such library, got 'cublas'"):
        simulate(machine(), LAYERS, library="cublas")
    with pytest.raises(ConfigError, match="not a pattern"):
        simulate(machine(), LAYERS, pattern="sparse")


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
    for hardware in (load_hardware("nm-edge"), load_hardware("v100-sxm2"), machine()):
        report = simulate(hardware, network, "2:4")
        keys = {json.dumps(_keys(layer)) for layer in json.loads(report.to_json())["layers"]}
        assert len(keys) == 1
        frames.append(report.to_frame())
        assert not frames[-1].drop(columns=["energy_pj", "power_w"]).isna().any().any()
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
