"""Does traffic read as nested dictionaries, add up and scale, and never change?"""

from __future__ import annotations

import copy
import json
import pickle

import pandas as pd
import pytest

from simulator.traffic import DIRECTIONS, FLOWS, LEVELS, OPERANDS, Traffic

MOVED = {
    ("dram", "weights", "read"): 640,
    ("dram", "outputs", "written"): 30,
    ("scratchpad", "metadata", "written"): 8,
    ("scratchpad", "weights", "read"): 7,
}


def test_every_place_is_there_in_order_and_what_did_not_move_is_zero() -> None:
    traffic = Traffic.of(MOVED)
    assert list(traffic) == list(LEVELS)
    assert len(FLOWS) == len(LEVELS) * len(OPERANDS) * len(DIRECTIONS)
    for level, operands in traffic.items():
        assert list(operands) == list(OPERANDS)
        for operand, ways in operands.items():
            assert list(ways) == list(DIRECTIONS)
            for way, size in ways.items():
                assert size == MOVED.get((level, operand, way), 0)


def test_the_total_of_a_level_and_of_a_direction() -> None:
    traffic = Traffic.of(MOVED)
    assert [traffic.total(level) for level in LEVELS] == [670, 0, 15, 0]
    assert [traffic.total("dram", way) for way in DIRECTIONS] == [640, 30]


def test_sums_and_multiples_are_those_of_every_place() -> None:
    whole = Traffic.of(MOVED) + 3 * Traffic.of({("dram", "weights", "read"): 2**62})
    assert whole["dram"]["weights"]["read"] == 640 + 3 * 2**62  # beyond 64 bits, too
    assert whole["dram"]["outputs"]["written"] == 30
    assert Traffic.of(MOVED) * 2 == Traffic.of(MOVED) + Traffic.of(MOVED)


def test_it_is_a_dictionary_to_whoever_takes_one() -> None:
    traffic = Traffic.of(MOVED)
    plain = json.loads(json.dumps(traffic))
    assert traffic == plain
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(traffic, protocol))
        assert (type(again), again) == (Traffic, traffic)
    assert type(copy.deepcopy(traffic)) is Traffic
    assert pd.DataFrame(traffic).shape == (len(OPERANDS), len(LEVELS))
    assert pd.json_normalize({"moved": traffic}).shape == (1, len(FLOWS))
    assert traffic != Traffic.of({})
    plain["l2"]["weights"]["read"] = 1
    assert traffic != plain


def test_it_never_changes() -> None:
    traffic = Traffic.of(MOVED)
    for change in (
        lambda: traffic["dram"]["weights"].update(read=0),
        lambda: traffic["dram"].pop("weights"),
        traffic.clear,
        lambda: traffic.setdefault("l3", {}),
        lambda: traffic.__setitem__("l2", {}),
        lambda: traffic.__delitem__("l2"),
    ):
        with pytest.raises(TypeError, match="does not change"):
            change()
    with pytest.raises(AttributeError):
        traffic.dram = {}
    assert traffic == Traffic.of(MOVED)


def test_names_that_do_not_exist() -> None:
    with pytest.raises(KeyError):
        Traffic.of({})["l3"]
    with pytest.raises(AssertionError, match="no such level, operand or direction"):
        Traffic.of({("dram", "weights", "in"): 1})
