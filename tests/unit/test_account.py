"""Does a core's time part as one would part it by hand, and is nothing lost?"""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from machines import contended, library_of, problem_of, tiny

from simulator import Gemm, Mapping
from simulator.engine import fast
from simulator.engine.result import EngineResult, Waits
from simulator.report.account import CORE_TIME, Account
from simulator.report.layer import layer_report
from simulator.schedule.program import Program, gemm_program

HUGE = 1e15


@pytest.fixture(scope="module")
def one_tile() -> tuple[Program, EngineResult]:
    """14 x 16 x 80 as one tile of 14 x 16 in stages of 32, 32 and 16, on the first of two cores.

    A block passes DRAM, L2 and port in 1 ps each; a scratchpad passes 16 bytes a cycle of 1 ns.
    """
    hardware = tiny(
        core__count=2,
        core__barrier_cycles=3,
        core__register_file__operand_bytes_per_cycle=HUGE,
        core__scratchpad__bytes_per_cycle=16,
        core__port_bytes_per_cycle=HUGE,
        core__issue_cycles=0.001,
        memory__l2__bytes_per_cycle=HUGE,
        memory__dram__bytes_per_second=1e18,
    )
    problem = problem_of(hardware, "1:1", m=14, n=16, k=80)
    library = library_of(hardware, epilogue_ns=7)
    program = gemm_program(hardware, library, problem, Mapping(16, 16, 32, 8, 8))
    return program, fast.run(program)


def test_one_tile_by_hand(one_tile: tuple[Program, EngineResult]) -> None:
    """MACs: 14 rows take instructions of 16, so 16 x 16 x 32 at 64 a cycle: 128, 128, 64.

    Scratchpad: 14 x 32 x 2 bytes of W and 16 x 32 x 2 of X, written once, read twice, since both
    strips of fragments need them: 3 x 1920 bytes are 360 cycles, 232 beyond the MACs; twice, and
    half of that. Every stage has a barrier of 3.
    Prologue: W's and X's blocks follow each other through DRAM, then L2 and port: 3 ps; then what
    one of 8 steps reads, 2 x 1920 / 8 bytes: 30 cycles. Epilogue: 7 ns, and 1 ps of the port.
    The write takes 1 ps of L2 after that. The second core is idle all the time.
    """
    program, result = one_tile
    busy_ps = 3 + 30_000 + (363 + 363 + 183) * 1000 + 7_001
    account = Account.of(program, result, start_ps=5_000)
    assert dict(account) == {
        "kernel_start": 2 * 5_000,
        "mac_useful": 320_000,  # all, until padding is told apart
        "mac_padding": 0,
        "scratchpad_stall": (232 + 232 + 116) * 1000,
        "operand_stall": 0,
        "vector_stall": 0,
        "barrier": 9_000,
        "memory_stall": 0,
        "prologue": 30_003,
        "epilogue": 7_001,
        "reduction": 0,
        "idle": 1 + busy_ps + 1,
    }
    assert account.total == 2 * (5_000 + busy_ps + 1)


def test_a_core_s_account_is_its_part_of_all(one_tile: tuple[Program, EngineResult]) -> None:
    program, result = one_tile
    cores = [Account.of(program, result, 5_000, core) for core in range(2)]
    assert cores[0] + cores[1] == Account.of(program, result, 5_000)
    assert cores[0].idle == 1
    assert dict(cores[1]) == dict(Account(kernel_start=5_000, idle=result.makespan_ps))


def test_a_report_tells_useful_macs_from_padding() -> None:
    """14 of 16 rows hold weights: 7 of 8 MACs are useful."""
    hardware = contended()
    problem = problem_of(hardware, "1:1", m=14, n=16, k=80)
    mapping = Mapping(16, 16, 32, 8, 8)
    program = gemm_program(hardware, library_of(hardware), problem, mapping)
    layer = layer_report(
        hardware, Gemm("g", 14, 16, 80), program, fast.run(program),
        problem=problem, mapping=mapping, asked=problem.pattern, note="",
    )  # fmt: skip
    assert (layer.core_time_ps.mac_useful, layer.core_time_ps.mac_padding) == (280_000, 40_000)
    assert (layer.slots_used, layer.slots_padded) == (14 * 16 * 80, 2 * 16 * 80)


def test_shares_of_macs_are_rounded_down_to_useful_ones_and_none_is_lost() -> None:
    account = Account(mac_useful=100, idle=7).divided(1, 3)
    assert (account.mac_useful, account.mac_padding, account.mac, account.idle) == (33, 67, 100, 7)
    assert Account(idle=7).divided(0, 0) == Account(idle=7)  # where nothing is multiplied


def test_of_a_part_macs_are_one_kind() -> None:
    account = Account(mac_useful=2, mac_padding=3, barrier=1)
    assert account.undivided() == {
        "mac": 5, **{kind: 0 for kind in CORE_TIME if not kind.startswith("mac")}, "barrier": 1,
    }  # fmt: skip


def test_accounts_add_up_kind_by_kind() -> None:
    one = Account(zip(CORE_TIME, range(1, 13), strict=True))
    other = Account(mac_useful=5, idle=20)
    assert (one + other - other) == one
    assert (one + other).mac_useful == 7
    assert dict(3 * one) == dict(one + one + one)
    assert one.total == 78


def test_an_average_core_had_the_time_of_all() -> None:
    """Four cores, 10 ns: 24 of 40 ns of MACs are 6 a core."""
    times = Account(mac_useful=24_000, idle=16_000).of_average_core_ns(10_000)
    assert list(times) == list(CORE_TIME)
    assert (times["mac_useful"], times["idle"], sum(times.values())) == (6, 4, 10)


def test_it_reads_as_a_dictionary_of_its_kinds() -> None:
    account = Account(mac_useful=1, idle=2)
    assert list(account) == list(CORE_TIME)
    assert account["idle"] == account.idle == 2
    assert account == json.loads(json.dumps(account))
    assert account == copy.deepcopy(account) == pickle.loads(pickle.dumps(account, 0))
    assert account | {"idle": 3} == account.copy() | {"idle": 3}
    with pytest.raises(KeyError):
        account["total"]
    with pytest.raises(AttributeError):
        account.waiting  # noqa: B018 - that it is refused is what is tested
    with pytest.raises(AssertionError, match="no such kind of time"):
        Account(waiting=1)


def test_it_never_changes() -> None:
    account = Account(idle=2)
    with pytest.raises(TypeError, match="Account does not change"):
        account["idle"] = 3
    with pytest.raises(TypeError, match="Account does not change"):
        account |= {"idle": 3}
    with pytest.raises(AttributeError):
        account.idle = 3
    assert account == Account(idle=2)


def test_the_engine_s_waits_are_kinds_of_their_own() -> None:
    assert set(Waits._fields) < set(CORE_TIME)
