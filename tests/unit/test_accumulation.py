"""Is what Y holds read, once, when the main loop has ended; and does all else stay as it was?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from machines import contended, library_of, problem_of, tiny

from simulator import Gemm, LayerReport, Workload, load_workload, simulate
from simulator.engine import fast, reference
from simulator.engine.result import EngineResult
from simulator.errors import WorkloadError
from simulator.exploration.plan import _digest
from simulator.hardware import Hardware
from simulator.run.sampling import estimate
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import Program, gemm_program
from simulator.workload.trace_writer import write_trace

CYCLE = 1000
MAPPING = Mapping(16, 16, 32, 8, 8)


def program_of(
    hardware: Hardware, mapping: Mapping = MAPPING, accumulates: bool = True, **changes: object
) -> Program:
    """One tile of Y; of 64 along k."""
    problem = replace(problem_of(hardware, "1:1", m=16, n=16, k=64), accumulates=accumulates)
    return gemm_program(hardware, library_of(hardware, **changes), problem, mapping)


def result_of(program: Program) -> EngineResult:
    """Of both engines, which agree."""
    result = fast.run(program)
    assert result.differences(reference.run(program)) == []
    return result


def report_of(word: str, hardware: Hardware | str, **options: object) -> LayerReport:
    return simulate(hardware, word, **options).layers[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("latency_ns", "drain"), [(0, 0), (0, 700), (500, 0), (500, 700)])
def test_the_epilogue_waits_for_the_output_and_for_the_pipeline(
    latency_ns: int, drain: int
) -> None:
    """512 bytes: 128 ns in DRAM, then 8 ns at the port; on their way while the pipeline drains."""
    hardware = tiny(
        memory__dram__bytes_per_second=4e9,
        memory__dram__latency_ns=latency_ns,
        core__port_bytes_per_cycle=64,
        core__tensor_cores__drain_cycles=drain,
    )
    off, on = (result_of(program_of(hardware, accumulates=is_on)) for is_on in (False, True))
    read = (128 + latency_ns + 8) * CYCLE
    assert on.makespan_ps - off.makespan_ps == max(read, drain * CYCLE) - drain * CYCLE
    # All of it is the epilogue's, and the port's.
    assert on.waits().epilogue - off.waits().epilogue == on.makespan_ps - off.makespan_ps
    assert on.port_ps[0] - off.port_ps[0] == 8 * CYCLE


def test_with_two_sets_of_accumulators_outputs_are_read_beside_the_next_main_loop() -> None:
    """DRAM is slow to answer: the second tile waits for nobody, the third for the first's."""
    hardware = tiny(memory__dram__latency_ns=10_000, memory__l2__start="warm")
    problem = replace(problem_of(hardware, "1:1", m=64, n=16, k=32), accumulates=True)
    library = library_of(hardware, epilogue_overlap=True, prefetch=True)
    program = gemm_program(hardware, library, problem, MAPPING)
    outputs = program.warm_blocks >= program.grid.outputs_base
    kept = program.warm_blocks[~outputs], program.warm_dirty[~outputs]
    cold = replace(program, warm_blocks=kept[0], warm_dirty=kept[1])
    a_tile = int(program.stage_ps[0] + program.prologue_ps[0])
    ends = result_of(cold).makespan_ps
    assert 2 * (a_tile + 10_000 * CYCLE) < ends < 2 * (a_tile + 10_000 * CYCLE) + 2 * a_tile


def test_an_output_is_read_by_the_split_that_finishes_beside_the_sums_of_others() -> None:
    hardware = tiny(core__count=2, memory__dram__latency_ns=5000)
    mapping = replace(MAPPING, tile_k=16, splits=2)
    off, on = (
        result_of(program_of(hardware, mapping, accumulates=is_on)) for is_on in (False, True)
    )
    assert on.requests[8:12].sum() == on.misses[8:12].sum() == 1
    # The sums of the other are in L2; what the output takes longer is not reduction.
    assert on.waits().reduction == off.waits().reduction
    assert on.makespan_ps - off.makespan_ps > 4000 * CYCLE
    assert on.waits().epilogue - off.waits().epilogue == on.makespan_ps - off.makespan_ps


@pytest.mark.parametrize(("dtype", "width"), [("fp16", 2), ("int8", 1), ("fp8", 2)])
def test_bytes_are_those_of_outputs_read(dtype: str, width: int) -> None:
    """An fp8 layer's output is fp16; no library pads these sizes."""
    machine = "h100-sxm"
    plain, added = (
        report_of(f"gemm:320x256x512:{dtype}{on}", machine) for on in ("", ":accumulate")
    )
    size = 320 * 256 * width
    for level in ("l2", "dram"):
        assert plain.traffic_bytes[level]["outputs"]["read"] == 0
        assert added.traffic_bytes[level]["outputs"]["read"] == size
    assert added.time_ps > plain.time_ps
    for level in ("scratchpad", "register_file"):
        assert added.traffic_bytes[level]["outputs"] == plain.traffic_bytes[level]["outputs"]


def test_a_warm_l2_holds_outputs_that_are_added_to_and_writes_over_them() -> None:
    hardware = contended(memory__l2__start="warm")
    program = program_of(hardware)
    assert program.warm_blocks.tolist() == [0, 2, 1, 3, 4]  # rows, columns, stage by stage; Y
    result = result_of(program)
    assert result.misses.sum() == result.evictions == result.dram_written.sum() == 0
    assert result.written.sum() == 1


def test_it_pays_to_hold_more_than_the_engines_do_in_energy_too() -> None:
    plain, added = (
        report_of(f"gemm:512x512x512{on}", "a100-sxm4-80gb") for on in ("", ":accumulate")
    )
    assert plain.energy_pj is not None
    assert added.energy_pj is not None
    assert added.energy_pj > plain.energy_pj


def test_a_sample_counts_every_output_once() -> None:
    hardware = contended()
    problem = replace(problem_of(hardware, "1:1", m=16 * 24, n=16 * 24, k=256), accumulates=True)
    found = estimate(hardware, library_of(hardware), problem, MAPPING, fast.run, 600)
    exact = estimate(hardware, library_of(hardware), problem, MAPPING, fast.run, 10**6)
    assert found.time_error_ratio > 0
    assert found.result.requests[8:12].tolist() == exact.result.requests[8:12].tolist()
    assert found.result.makespan_ps == pytest.approx(exact.result.makespan_ps, rel=0.03)


def test_a_swapped_product_adds_to_the_same_output() -> None:
    hardware = tiny()
    problem = replace(problem_of(hardware, "1:1", m=40, n=20, k=64), accumulates=True)
    assert problem.swapped().accumulates
    on = result_of(gemm_program(hardware, library_of(hardware), problem.swapped(), MAPPING))
    assert on.requests[8:12].sum() == 2 * 3


def test_a_word_says_it() -> None:
    for word, dtype in (("fp16:", "fp16"), ("int8:", "int8"), ("", "fp16")):
        (layer,) = load_workload(f"gemm:64x48x32:{word}accumulate").layers
        assert layer == Gemm("gemm", m=64, n=48, k=32, dtype=dtype, accumulate=True)
    with pytest.raises(WorkloadError, match="not a GEMM"):
        load_workload("gemm:64x64x64:accumulate:fp16")


def test_a_trace_says_it_and_no_other_trace_changes(tmp_path: Path) -> None:
    plain, added = Gemm("a", m=4, n=3, k=5), Gemm("b", m=4, n=3, k=5, accumulate=True)
    path = tmp_path / "both.csv"
    path.write_text(write_trace(Workload("both", [plain, added])))
    assert load_workload(path).layers == (plain, added)
    assert "accumulate" not in write_trace(Workload("one", [plain]))
    path.write_text("name,kind,m,n,k,accumulate\na,linear,4,3,5,2\n")
    with pytest.raises(WorkloadError, match=r"both.csv:2:16 accumulate: must be 0 or 1, got 2"):
        load_workload(path)
    path.write_text("name,kind,m,n,k,accumulate\na,matmul,4,3,5,1\n")
    with pytest.raises(WorkloadError, match="a matmul has no 'accumulate'"):
        load_workload(path)


def test_what_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(WorkloadError, match=r"fc\.accumulate: must be True or False, got 1"):
        Gemm("fc", m=1, n=1, k=1, accumulate=1)  # type: ignore[arg-type]


def test_stores_know_layers_of_before_by_their_digests() -> None:
    """As it was computed before layers could add to what Y holds."""
    layer = Gemm("fc", m=64, n=48, k=32, pattern="2:4")
    known = "262e5f450b88f31ac2c06f180025d276a06b05c7cecd0643c1f4089b3ffa983e"
    assert _digest(Workload("one", [layer])) == known
    assert _digest(Workload("one", [replace(layer, accumulate=True)])) != known
