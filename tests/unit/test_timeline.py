"""Is a timeline a valid trace, and does it tell the same story as the report, to the picosecond?"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from machines import tiny

from simulator import Conv, Gemm, Hardware, Matmul, Report, Stream, Workload, simulate
from simulator.engine.result import EngineResult
from simulator.report.account import CORE_TIME
from simulator.report.layer import LayerReport
from simulator.schedule.program import Program
from simulator.timeline.replay import TileRange
from simulator.timeline.trace_file import TRACKS_A_PROCESS, Timeline

LAYERS = Workload(
    "mixed",
    [
        Gemm("fc", m=64, n=48, k=128, repeat=3),
        Conv("conv", 16, 32, 12, 12, kernel=3, padding=1),
        Matmul("scores", m=32, n=32, k=64, batch=2),
        Stream("softmax", reads=40000, writes=40000, op="softmax"),
        Gemm("fc again", m=64, n=48, k=128),
        Gemm("deep", m=16, n=16, k=512),  # fewer tiles than cores: split where that is offered
    ],
)


def machine(**changes: object) -> Hardware:
    return tiny(
        launch_ns=700,
        kernel_start_ns=33.3,
        core__count=4,
        core__vector={"macs_per_cycle": {"fp32": 16}, "specials_per_cycle": 4},
        core__port_bytes_per_cycle=32,
        core__barrier_cycles=3,
        core__scratchpad__bytes_per_cycle=64,
        core__register_file__operand_bytes_per_cycle=96,
        memory__l2__bytes_per_cycle=64,
        memory__l2__bytes=20_000,
        memory__l2__latency_cycles=30,
        memory__dram__bytes_per_second=20e9,
        memory__dram__latency_ns=100.123,
        **changes,
    )


MACHINES = {
    "plain": machine(),
    "prefetch": machine(libraries__own__prefetch=True, libraries__own__epilogue_overlap=True),
    "splits": machine(libraries__own__splits=[4], libraries__own__epilogue_ns=50),
}


@dataclass
class Recorded:
    report: Report
    trace: dict[str, Any]
    results: list[EngineResult]
    programs: list[Program]
    file: Path

    def tracks(self, layer: int) -> dict[int, list[dict[str, Any]]]:
        """Slices by core of one layer."""
        found = defaultdict(list)
        for event in self.trace["traceEvents"]:
            if event["ph"] == "X" and event["pid"] == 2 + layer:
                found[event["tid"] - event["pid"] * TRACKS_A_PROCESS].append(event)
        return found


def record(
    hardware: Hardware,
    folder: Path,
    workload: Workload = LAYERS,
    pattern: str = "2:4",
    tiles: TileRange | None = None,
    **options: Any,
) -> Recorded:
    timeline = Timeline(hardware, "mixed on tiny, 2:4", len(workload.layers), tiles)
    results, programs = [], []

    def observe(layer: LayerReport, program: Program, result: EngineResult) -> None:
        timeline.add(layer, program, result)
        results.append(result)
        programs.append(program)

    report = simulate(hardware, workload, pattern, observe=observe, **options)
    file = folder / "trace.json"
    timeline.write(file)
    return Recorded(report, json.loads(file.read_text()), results, programs, file)


@pytest.fixture(scope="module", params=MACHINES)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return record(MACHINES[request.param], tmp_path_factory.mktemp("trace"))


# The format: "Trace Event Format" of Chrome


def check_format(trace: dict[str, Any]) -> None:
    assert set(trace) == {"displayTimeUnit", "otherData", "traceEvents"}
    assert all(isinstance(value, str) for value in trace["otherData"].values())
    processes, tracks = set(), {}
    for event in trace["traceEvents"]:
        assert isinstance(event["name"], str)
        for number in ("pid", "tid"):
            assert isinstance(event[number], int)
        assert isinstance(event["ts"], int | float)
        assert event["ts"] >= 0
        if event["ph"] == "M":
            assert event["name"] in {
                "process_name", "process_sort_index", "thread_name", "thread_sort_index",
            }  # fmt: skip
            if event["name"] == "process_name":
                assert event["pid"] not in processes
                processes.add(event["pid"])
            if event["name"] == "thread_name":
                assert event["tid"] not in tracks  # ids are unique across processes
                tracks[event["tid"]] = event["pid"]
        elif event["ph"] == "X":
            assert isinstance(event["dur"], int | float)
            assert event["dur"] >= 0
            assert tracks[event["tid"]] == event["pid"]
        else:
            assert event["ph"] == "C"
            assert set(event["args"]) == {"read", "written"}
            assert all(isinstance(v, float) and v >= 0 for v in event["args"].values())
        assert event["pid"] in processes


def nanoseconds(event: dict[str, Any]) -> tuple[int, int]:
    """Start and end; both are whole nanoseconds written as microseconds."""
    times = [Fraction(str(event[key])) * 1000 for key in ("ts", "dur")]
    assert all(time.denominator == 1 for time in times)
    return int(times[0]), int(times[0] + times[1])


def check_nesting(slices: list[dict[str, Any]]) -> None:
    """In order of start, and each inside or after those before it."""
    open_until: list[int] = []
    last = 0
    for event in slices:
        start, end = nanoseconds(event)
        assert start >= last
        last = start
        while open_until and open_until[-1] <= start:
            open_until.pop()
        assert not open_until or end <= open_until[-1]
        open_until.append(end)


def test_the_file_follows_the_format(recorded: Recorded) -> None:
    check_format(recorded.trace)


def test_slices_are_nested_or_disjoint(recorded: Recorded) -> None:
    tracks = defaultdict(list)
    for event in recorded.trace["traceEvents"]:
        if event["ph"] == "X":
            tracks[event["tid"]].append(event)
    for slices in tracks.values():
        check_nesting(slices)
    counters = defaultdict(list)
    for event in recorded.trace["traceEvents"]:
        if event["ph"] == "C":
            counters[event["pid"], event["name"]].append(event["ts"])
    assert len(counters) == 2 * len(LAYERS.layers)
    for times in counters.values():
        assert times == sorted(set(times))


# The story


def sums_ps(slices: list[dict[str, Any]]) -> dict[str, int]:
    """Exact picoseconds by kind, from the arguments of all slices of a track."""
    total: dict[str, int] = defaultdict(int)
    for event in slices:
        for name, value in event.get("args", {}).items():
            if name.endswith("_ns"):
                total[name.removesuffix("_ns")] += int(Fraction(str(value)) * 1000)
    return total


def check_account(recorded: Recorded) -> None:
    for index, (layer, result) in enumerate(
        zip(recorded.report.layers, recorded.results, strict=True)
    ):
        whole: dict[str, int] = defaultdict(int)
        tracks = recorded.tracks(index)
        assert len(tracks) == 4
        for core, slices in tracks.items():
            sums = sums_ps(slices)
            assert sum(sums.values()) == layer.time_ps
            assert sums["mac"] == result.mac_ps[core]
            work = ("mac", "scratchpad_stall", "operand_stall", "vector_stall", "barrier")
            assert sum(sums[kind] for kind in work) == result.worked_ps[core]
            waits = ("memory_stall", "prologue", "epilogue", "reduction")
            assert [sums[kind] for kind in waits] == result.waits_ps[core].tolist()
            assert sums["idle"] == result.makespan_ps - result.end_ps[core]
            for kind, time_ps in sums.items():
                whole[kind] += time_ps
        account = dict(layer.core_time_ps)
        account["mac"] = account.pop("mac_useful") + account.pop("mac_padding")
        assert {kind: whole[kind] for kind in account} == account


def test_slices_add_up_to_the_reports_core_time(recorded: Recorded) -> None:
    check_account(recorded)


def test_the_machines_reach_every_kind_of_wait() -> None:
    seen: set[str] = set()
    for hardware in MACHINES.values():
        for pattern in ("1:1", "1:16"):
            account = simulate(hardware, LAYERS, pattern).total.core_time_ps
            seen |= {kind for kind, time_ps in account.items() if time_ps}
    assert set(CORE_TIME) - {"mac_padding"} <= seen


def test_durations_are_those_of_the_arguments(recorded: Recorded) -> None:
    """Slices that carry times are as long as these say, but for rounding down to a nanosecond."""
    for event in recorded.trace["traceEvents"]:
        if event["ph"] == "X" and event.get("cat") in ("stage", "wait", "cut"):
            start, end = nanoseconds(event)
            assert abs(end - start - sum(sums_ps([event]).values()) / 1000) < 1


def test_tracks_have_no_holes(recorded: Recorded) -> None:
    for index, layer in enumerate(recorded.report.layers):
        for slices in recorded.tracks(index).values():
            edges = [
                nanoseconds(event) for event in slices if event["cat"] not in ("tile", "stall")
            ]
            assert all(a[1] == b[0] for a, b in pairwise(edges))
            assert abs(edges[-1][1] - edges[0][0] - layer.time_ps / 1000) < 1


def test_stages_are_inside_tiles_and_stalls_inside_stages(recorded: Recorded) -> None:
    for index, program in enumerate(recorded.programs):
        slices = [event for track in recorded.tracks(index).values() for event in track]
        stages = [event for event in slices if event["cat"] == "stage"]
        tiles = [event for event in slices if event["cat"] == "tile"]
        assert len(stages) == program.stage_events
        assert sorted(event["args"]["tile"] for event in tiles) == list(range(program.grid.tiles))
        pairs = {(event["args"]["tile"], event["args"]["k_step"]) for event in stages}
        assert len(pairs) == len(stages)
        stalls = [event for event in slices if event["cat"] == "stall"]
        named = sum(
            name in event["args"]
            for event in stages
            for name in ("scratchpad_stall_ns", "operand_stall_ns", "vector_stall_ns", "barrier_ns")
        )
        assert len(stalls) == named > 0


def test_layers_follow_one_another_each_after_its_launch(recorded: Recorded) -> None:
    events = [e for e in recorded.trace["traceEvents"] if e["ph"] == "X" and e["pid"] == 1]
    now = 0
    for launch, layer, report in zip(
        events[::2], events[1::2], recorded.report.layers, strict=True
    ):
        assert launch["name"] == f"launch {report.name}"
        assert nanoseconds(launch) == (now // 1000, now // 1000 + 700)
        now += 700_000
        start, end = nanoseconds(layer)
        assert (start, end) == (now // 1000, (now + report.time_ps) // 1000)
        now += report.time_ps
        assert layer["args"]["executed_as"] == report.executed_as
    names = [
        e["args"]["name"] for e in recorded.trace["traceEvents"] if e["name"] == "process_name"
    ]
    assert names == ["mixed on tiny, 2:4", "1 fc, 1 of 3 equal ones", "2 conv", "3 scores",
                     "4 softmax", "5 fc again", "6 deep"]  # fmt: skip


@pytest.mark.parametrize("level", ["l2", "dram"])
def test_counters_carry_the_traffic(recorded: Recorded, level: str) -> None:
    name = {"l2": "L2, GB/s", "dram": "DRAM, GB/s"}[level]
    for index, layer in enumerate(recorded.report.layers):
        for way in ("read", "written"):
            samples = [
                (event["ts"], event["args"][way])
                for event in recorded.trace["traceEvents"]
                if event["ph"] == "C" and event["pid"] == 2 + index and event["name"] == name
            ]
            assert samples[-1][1] == 0
            times, rates = np.array(samples).T
            carried = float((np.diff(times) * rates[:-1]).sum() * 1e3)  # GB/s x us is kB
            wanted = sum(ways[way] for ways in layer.traffic_bytes[level].values())
            assert carried == pytest.approx(wanted, rel=0.02, abs=100)


def test_both_engines_give_the_same_file(tmp_path: Path) -> None:
    texts = []
    for engine in ("fast", "reference"):
        (tmp_path / engine).mkdir()
        texts.append(record(machine(), tmp_path / engine, engine=engine).file.read_bytes())
    assert texts[0] == texts[1]


def test_stages_made_unequal_by_real_weights(tmp_path: Path) -> None:
    hardware = machine(sparsity__skip="nonzeros", sparsity__lockstep_rows=4)
    weights = {"fc": np.random.default_rng(3).normal(size=(64, 128))}
    workload = Workload("w", [Gemm("fc", m=64, n=48, k=128)])
    recorded = record(hardware, tmp_path, workload, "8:16", weights=weights, prune=True)
    check_format(recorded.trace)
    ((_, result),) = enumerate(recorded.results)
    for core, slices in recorded.tracks(0).items():
        sums = sums_ps(slices)
        assert sum(sums.values()) == recorded.report.layers[0].time_ps
        assert sums["mac"] == result.mac_ps[core]


# What is cut


def test_chosen_tiles_alone_are_shown(tmp_path: Path) -> None:
    recorded = record(machine(), tmp_path, tiles=TileRange(2, 5))
    check_format(recorded.trace)
    check_account(recorded)
    for index, program in enumerate(recorded.programs):
        slices = [event for track in recorded.tracks(index).values() for event in track]
        check = {event["args"]["tile"] for event in slices if event["cat"] == "tile"}
        assert check == set(range(2, min(6, program.grid.tiles)))
        stages = [event for event in slices if event["cat"] == "stage"]
        assert {event["args"]["tile"] for event in stages} == check
    assert "fc: " in recorded.trace["otherData"]["cut"]


def test_long_layers_show_first_and_last_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.timeline.trace_file.SHOWN_STAGES", 1000)
    workload = Workload("w", [Gemm("big", m=512, n=512, k=256)])
    recorded = record(machine(), tmp_path, workload)
    check_format(recorded.trace)
    check_account(recorded)
    (program,) = recorded.programs
    shown = 0
    for slices in recorded.tracks(0).values():
        check_nesting(slices)
        kinds = [event["cat"] for event in slices if event["cat"] in ("tile", "cut")]
        assert kinds[0] == kinds[-1] == "tile"
        assert "cut" in kinds
        shown += sum(event["cat"] == "stage" for event in slices)
    assert program.stage_events > 1000 >= shown > 500
    assert recorded.trace["otherData"]["cut"] == (
        f"big: {shown} of {program.stage_events} stages in detail"
    )


def test_many_tiles_share_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.timeline.trace_file.SHOWN_STAGES", 1000)
    monkeypatch.setattr("simulator.timeline.replay.SHOWN_TILES", 100)
    workload = Workload("w", [Gemm("big", m=512, n=512, k=256)])
    recorded = record(machine(), tmp_path, workload)
    check_account(recorded)
    cut = [e for t in recorded.tracks(0).values() for e in t if e["cat"] == "cut"]
    assert max(event["args"]["tiles"] for event in cut) == 11  # 1024 tiles, 100 slices
    tiles = [e for t in recorded.tracks(0).values() for e in t if e["cat"] == "tile"]
    assert sum(event["args"]["tiles"] for event in cut) + len(tiles) == 1024


def test_a_replay_that_is_too_long_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.timeline.replay.REPLAYED_STAGES", 300)
    workload = Workload("w", [Gemm("big", m=512, n=512, k=256), Gemm("small", 16, 16, 32)])
    recorded = record(machine(), tmp_path, workload)
    check_format(recorded.trace)
    check_account(recorded)
    for slices in recorded.tracks(0).values():
        check_nesting(slices)
        assert "not replayed" in [event["name"] for event in slices]
    cut = recorded.trace["otherData"]["cut"]
    assert cut.startswith("big: 300 of ")
    assert "replayed until" in cut
    assert "small" not in cut
    assert "not replayed" not in [event["name"] for event in recorded.tracks(1)[0]]


def test_everything_shown_is_said_so(recorded: Recorded) -> None:
    assert recorded.trace["otherData"]["cut"] == "nothing"
    assert recorded.trace["otherData"]["title"] == "mixed on tiny, 2:4"
