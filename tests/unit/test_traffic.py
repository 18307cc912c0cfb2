"""Does traffic read as a nested mapping, add up and scale, and never change?"""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from simulator.traffic import DIRECTIONS, FLOWS, LEVELS, OPERANDS, Traffic

MOVED = {
    ("dram", "weights", "read"): 640,
    ("dram", "outputs", "written"): 30,
    ("scratchpad", "metadata", "written"): 8,
    ("scratchpad", "weights", "read"): 7,
}


def test_every_place_is_there_in_order_and_what_did_not_move_is_zero() -> None:
    traffic = Traffic(MOVED)
    assert list(traffic) == list(LEVELS)
    assert len(FLOWS) == len(LEVELS) * len(OPERANDS) * len(DIRECTIONS)
    for level, operands in traffic.items():
        assert list(operands) == list(OPERANDS)
        for operand, ways in operands.items():
            assert list(ways) == list(DIRECTIONS)
            for way, size in ways.items():
                assert size == MOVED.get((level, operand, way), 0)


def test_the_total_of_a_level_and_of_a_direction() -> None:
    traffic = Traffic(MOVED)
    assert [traffic.total(level) for level in LEVELS] == [670, 0, 15, 0]
    assert [traffic.total("dram", way) for way in DIRECTIONS] == [640, 30]


def test_sums_and_multiples_are_those_of_every_place() -> None:
    whole = Traffic(MOVED) + 3 * Traffic({("dram", "weights", "read"): 2**62})
    assert whole["dram"]["weights"]["read"] == 640 + 3 * 2**62  # beyond 64 bits, too
    assert whole["dram"]["outputs"]["written"] == 30
    assert Traffic(MOVED) * 2 == Traffic(MOVED) + Traffic(MOVED)


def test_it_is_equal_to_the_mapping_that_it_reads_as() -> None:
    traffic = Traffic(MOVED)
    plain = json.loads(json.dumps(dict(traffic)))
    assert traffic == plain
    assert traffic == copy.deepcopy(traffic) == pickle.loads(pickle.dumps(traffic))
    assert traffic != Traffic()
    plain["l2"]["weights"]["read"] = 1
    assert traffic != plain


def test_what_is_read_from_it_changes_nothing() -> None:
    traffic = Traffic(MOVED)
    traffic["dram"]["weights"]["read"] = 0
    assert traffic["dram"]["weights"]["read"] == 640
    with pytest.raises(AttributeError):
        traffic.dram = {}  # type: ignore[attr-defined]


def test_names_that_do_not_exist() -> None:
    with pytest.raises(KeyError):
        Traffic()["l3"]
    with pytest.raises(AssertionError, match="no such level, operand or direction"):
        Traffic({("dram", "weights", "in"): 1})
