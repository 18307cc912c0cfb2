"""Does what is required reach the target, cheaply, as written, and with every option of a run?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_grids import CASES, NETWORK, Case, every

from simulator import Requirement, Workload, load_hardware, require, simulate
from simulator.errors import SimulatorError, SpecError, WorkloadError
from simulator.exploration.runs import Runs
from simulator.workload import Stream

FEW = {"DRAM": 0.25, "L2 rate": 0.1, "port": 0.05, "scratchpad rate": "area"}
GEMM = "gemm:512x512x512"


def found(speedup: float = 1.6, **options: object) -> Requirement:
    return require("nm-flex", GEMM, "1:8", speedup, prices=FEW, **options)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_price_is_that_of_the_cheapest_of_all(case: Case, tmp_path: Path) -> None:
    """Every machine of a small grid is simulated; times are not quite monotone."""
    store = tmp_path / "runs.sqlite"
    grid = every(case, 1.5, store)
    target = grid.target(case.share)
    price, _ = grid.cheapest(target)
    got = require(case.machine, case.workload, case.pattern, target, prices=case.prices, most=1.5,
                  store=store)  # fmt: skip
    assert got.is_reached
    assert got.price <= 1.05 * price + 1e-12
    taken = tuple(
        next((int(c.factor > 1.2) + 1 for c in got.changes if c.resource == axis.name), 0)
        for axis in grid.steps.axes
    )
    assert grid.gains[taken] == got.reached >= target
    for at, step in enumerate(taken):
        for fewer in range(step):
            assert grid.gains[(*taken[:at], fewer, *taken[at + 1 :])] < target


def test_the_machine_as_written_takes_the_promised_time(tmp_path: Path) -> None:
    given = {"core.count": 100}
    machine = load_hardware("nm-flex", given)
    got = require(machine, NETWORK, "1:8", 1.5, prices=FEW)
    file = tmp_path / "machine.yaml"
    file.write_text(got.machine_yaml("nm-flex", "machine", given))
    written = load_hardware(file)
    assert written == load_hardware(machine, {**got.settings, "name": "machine"})
    assert simulate(written, NETWORK, "1:8").total.time_ns == got.time_after_ns
    assert simulate(written, NETWORK, "1:1").total.time_ns == got.dense_after_ns
    assert simulate(machine, NETWORK, "1:1").total.time_ns == got.dense_before_ns
    assert got.reached == got.dense_before_ns / got.time_after_ns >= 1.5
    assert "count: 100  # given with --set" in file.read_text()
    assert file.read_text().startswith("# small: 1:8 reaches 1.5")


def test_a_key_that_is_set_and_grows_is_written_once() -> None:
    got = found()
    (key, after), *_ = got.settings.items()
    text = got.machine_yaml("nm-flex", "mine", {key: 1, "core.count": 108})
    (line,) = [line for line in text.splitlines() if f" {key.rpartition('.')[2]}: " in line]
    assert f": {after:g}  # was" in line


def test_over_dense_on_the_changed_machine() -> None:
    as_is, changed = found(1.4), found(1.4, of="changed")
    assert changed.reached == changed.dense_after_ns / changed.time_after_ns >= 1.4
    assert changed.dense_after_ns <= changed.dense_before_ns
    assert changed.price >= as_is.price
    assert "1.4" in next(iter(changed.sentences()))


def test_a_search_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """And finds the same, whatever the workers."""
    whole = found(1.7)

    class StoppedError(Exception):
        pass

    def kill(done: int, _: int) -> None:
        if done >= 12:
            raise StoppedError

    store = tmp_path / "runs.sqlite"
    with pytest.raises(StoppedError):
        found(1.7, store=store, progress=kill)
    with Runs(store, must_exist=True) as opened:
        kept = len(opened.rows())
    assert 0 < kept < whole.computed
    resumed = found(1.7, store=store)
    assert resumed.computed == whole.computed - kept
    assert replace(resumed, computed=0) == replace(whole, computed=0)
    again = found(1.7, store=store, workers=2)
    assert again.computed == 0
    assert again.to_json() == whole.to_json()


OPTIONS = {
    "a library": ("a100-sxm4-80gb", {"library": "cublas"}),
    "some dense": ("nm-flex", {"dense": "fc1"}),
    "a stack": ("nm-flex", {"stack": "fused"}),
    "sampled": ("nm-flex", {"accuracy": "sampled"}),
}


@pytest.mark.parametrize(("machine", "option"), OPTIONS.values(), ids=OPTIONS)
def test_runs_are_those_of_the_options(machine: str, option: dict[str, str]) -> None:
    pattern = "2:4"
    got = require(machine, NETWORK, pattern, 0.5, prices=FEW, **option)
    run = simulate(machine, NETWORK, pattern, **option)
    assert got.time_before_ns == run.total.time_ns
    dense = simulate(machine, NETWORK, "1:1", **option)
    assert got.dense_before_ns == dense.total.time_ns


def test_patterns_that_a_trace_states() -> None:
    layers = tuple(replace(x, pattern="2:4") if x.name != "fc1" else x for x in NETWORK.layers)
    trace = replace(NETWORK, layers=layers)
    got = require("nm-flex", trace, "trace", 0.5, prices=FEW)
    assert got.pattern == "trace"
    assert got.time_before_ns == simulate("nm-flex", trace).total.time_ns


def test_what_is_reached_already_needs_nothing() -> None:
    got = found(1.01)
    assert (got.is_reached, got.changes, got.price, got.settings) == (True, (), 0, {})
    (sentence,) = got.sentences()
    assert sentence.endswith("dense on nm-flex as it is: nothing needs to change.")
    assert load_hardware("nm-flex").name in got.machine_yaml("nm-flex", "mine")
    assert got.to_frame().empty
    assert got.plot() is not None


def test_what_is_out_of_reach_says_what_stops_it() -> None:
    got = found(90, most=2.0)
    assert not got.is_reached
    assert got.stop is not None
    assert got.stop.bound
    verdict, _, stopped = got.sentences()
    assert verdict.startswith("1:8 does not reach 90.00x dense as it is on nm-flex: ")
    assert "is the most that was found, with up to 2x" in verdict
    assert f"bound by {got.stop.bound}" in stopped
    assert 0.99 * got.stop.gain <= got.reached <= got.stop.gain < 90
    assert got.stop.gain == max(one.gain for one in got.tried)
    data = json.loads(got.to_json())
    assert (data["is_reached"], data["floor"]) == (False, None)
    assert got.plot() is not None


def test_what_is_free_costs_nothing() -> None:
    priced, free = found(1.6), found(1.6, free=["scratchpad rate"])
    assert free.price <= priced.price
    assert free.is_reached
    clocked = require("nm-flex", GEMM, "1:8", 1.6, prices={}, free=["clock_hz"])
    assert clocked.price == 0
    assert [*clocked.settings] == ["clock_hz"]
    both = found(1.6, free=["scratchpad rate", "DRAM latency"])
    assert all(one.without is not None and one.without < 1.6 for one in both.changes)
    assert isinstance(clocked.settings["clock_hz"], int)


STREAMS = Workload("streams", [Stream("relu", 1 << 20, 1 << 20)])


@pytest.mark.parametrize("speedup", [0.0, -1.0, float("nan"), float("inf")])
def test_a_target_is_a_ratio(speedup: float) -> None:
    with pytest.raises(SpecError, match="--speedup: not a speed-up"):
        found(speedup)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(SpecError, match="--pattern: is dense"):
        require("nm-flex", GEMM, "1:1", 2)
    with pytest.raises(SpecError, match="--pattern: is dense"):
        require("nm-flex", GEMM, "trace", 2)
    with pytest.raises(SpecError, match="--pattern: all layers that have weights stay dense"):
        require("nm-flex", NETWORK, "2:4", 2, dense=".")
    with pytest.raises(WorkloadError, match="no layer has weights"):
        require("nm-flex", STREAMS, "2:4", 2)
    with pytest.raises(SpecError, match="--of: unknown"):
        found(of="dense")
    with pytest.raises(SpecError, match="--tries: must be at least 1"):
        found(tries=0)
    with pytest.raises(SimulatorError, match="library: the machine has no such library"):
        found(library="none")
    with pytest.raises(SimulatorError, match="did you mean 'fused'"):
        found(stack="fuse")
    with pytest.raises(SimulatorError, match="accuracy"):
        found(accuracy="rough")
    with pytest.raises(SimulatorError, match="too small"):
        require(load_hardware("nm-flex", {"core.scratchpad.bytes": 100}), GEMM, "1:8", 2)
