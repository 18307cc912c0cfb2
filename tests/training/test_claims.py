"""Does every verdict follow from made-up runs that it must follow from?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest
from made_up import run, runs, table

from simulator.training.claims import (
    BEATS_FINETUNING,
    BEATS_ITERATION,
    COST,
    EQUAL_TIME,
    EQUAL_WEIGHTS,
    LARGER,
    REGAINS,
    SPARSER,
    claims_of,
)
from simulator.training.table import Cell, RunTable
from simulator.training.verdicts import Finding

NOISE = (0.001, -0.001, 0.0005, 0.0)
"""Of four seeds, the same for all recipes: it falls out of every difference."""
OWN = (0.0002, -0.0003, 0.0001, 0.0)

UP, NEAREST = "iterative(ramp=0.5, round=up)", "iterative(ramp=0.5, round=nearest)"
LONG = "iterative(ramp=1, round=nearest)"
DROPOUT = "targeted_dropout(ramp=0.5)"
HALF = "channels(keep=0.5)"


def findings_of(runs: RunTable) -> tuple[Finding, ...]:
    ((_, findings),) = claims_of([runs]).setups
    return findings


def seeds(mean: float, own: Sequence[float] = OWN) -> list[float]:
    return [mean + noise + more for noise, more in zip(NOISE, own, strict=True)]


def finding(number: int, losses: Mapping[Cell, float]) -> Finding:
    """What becomes of one claim where recipes have these losses."""
    made = {cell: seeds(mean, [0.0] * 4 if cell[0] == "rewind" else OWN)
            for cell, mean in losses.items()}  # fmt: skip
    return findings_of(table(made))[number - 1]


@pytest.mark.parametrize(
    ("rewound", "finetuned", "regains", "beats", "verdict"),
    [
        (0.897, 0.3, "holds", "holds", "holds"),
        (0.80, 0.3, "does not", "holds", "does not"),
        (0.90, 0.05, "holds", "does not", "does not"),
        (0.90, 0.1, "holds", "undecided", "undecided"),
    ],
)
def test_rewinding(
    rewound: float, finetuned: float, regains: str, beats: str, verdict: str
) -> None:
    losses = {("dense", "1:1"): seeds(0.1), ("rewind", "2:4"): [0.1] * 4,
              ("finetune", "2:4"): [finetuned + x for x in (0.003, -0.003, 0.0, 0.0)]}  # fmt: skip
    accuracies = {("dense", "1:1"): seeds(0.9), ("rewind", "2:4"): seeds(rewound, [0.0] * 4)}
    found = findings_of(table(losses, accuracies))[0]
    assert found.parts == {REGAINS: regains, BEATS_FINETUNING: beats}
    assert found.verdict == verdict


def test_other_patterns_than_2_4_need_not_regain_the_accuracy() -> None:
    cells = {("dense", "1:1"): 0.1, ("rewind", "2:4"): 0.1, ("finetune", "2:4"): 0.2,
             ("rewind", "1:8"): 0.4, ("finetune", "1:8"): 0.6}  # fmt: skip
    losses = {cell: [loss] * 3 for cell, loss in cells.items()}
    accuracies = {cell: [0.5 if cell == ("rewind", "1:8") else 0.9] * 3 for cell in cells}
    found = findings_of(table(losses, accuracies))[0]
    assert found.verdict == "holds"
    told = [answer for answer in found.answers if not answer.question.part]
    assert [answer.verdict for answer in told] == ["does not"]


GROUPS = {
    ("rewind", "2:4"): 0.10, ("rewind", "8:16"): 0.095, ("rewind", "unstructured:0.5"): 0.10,
    ("rewind", "1:8"): 0.25, ("rewind", "2:16"): 0.22, ("rewind", "unstructured:0.125"): 0.20,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "parts", "verdict"),
    [
        ({}, {COST: "holds", SPARSER: "holds", LARGER: "holds"}, "holds"),
        (
            {("rewind", "1:8"): 0.15},
            {COST: "does not", SPARSER: "does not", LARGER: "does not"},
            "does not",
        ),
        (
            {("rewind", "2:4"): 0.20},
            {COST: "holds", SPARSER: "does not", LARGER: "holds"},
            "does not",
        ),
        (
            {("rewind", "2:16"): 0.30},
            {COST: "holds", SPARSER: "holds", LARGER: "does not"},
            "does not",
        ),
    ],
)
def test_groups(changed: Mapping[Cell, float], parts: Mapping[str, str], verdict: str) -> None:
    found = finding(2, {**GROUPS, **changed})
    assert found.parts == parts
    assert found.verdict == verdict


def test_without_training_groups_are_told_and_decide_nothing() -> None:
    without = {("one_shot", pattern): 5 - 4 * loss for (_, pattern), loss in GROUPS.items()}
    found = finding(2, {**GROUPS, **without})
    assert found.verdict == "holds"
    told = [answer for answer in found.answers if "one_shot" in answer.question.what]
    assert told
    assert not any(answer.question.part for answer in told)


DROPPED = {
    (DROPOUT, "1:8"): 0.2, (UP, "1:8"): 0.4, (NEAREST, "1:8"): 0.3, (LONG, "1:8"): 0.35,
    (DROPOUT, "2:4"): 0.1, (UP, "2:4"): 0.1, (NEAREST, "2:4"): 0.1, (LONG, "2:4"): 0.1,
}  # fmt: skip


def test_targeted_dropout_is_put_to_the_best_iteration() -> None:
    found = finding(3, DROPPED)
    assert found.verdict == "holds"
    (decides,) = [answer for answer in found.answers if answer.question.part]
    assert decides.question.what == f"{NEAREST} costs more than {DROPOUT} at 2:4, 1:8"
    assert decides.paired.mean == pytest.approx(0.05)
    lost = finding(3, {**DROPPED, (LONG, "1:8"): 0.15, (LONG, "2:4"): 0.05})
    assert lost.parts == {BEATS_ITERATION: "does not"}
    other = [a for a in lost.answers if a.question.what.startswith(f"{UP} costs more than {DROP}")]
    assert [answer.verdict for answer in other] == ["holds"]


DROP = "targeted_dropout"


def test_what_rounding_and_ramp_cost_is_told() -> None:
    told = {a.question.what: a for a in finding(3, DROPPED).answers if not a.question.part}
    rounding = told[f"{UP} costs more than {NEAREST} at 2:4, 1:8"]
    ramp = told[f"{LONG} costs more than {NEAREST} at 2:4, 1:8"]
    assert (rounding.paired.mean, ramp.paired.mean) == pytest.approx((0.05, 0.025))
    assert f"{UP} costs more than {LONG} at 2:4, 1:8" not in told  # they differ in two ways


def test_large_groups_are_no_matter_of_claim_3() -> None:
    cells = {(name, pattern): 0.1 for name in (DROPOUT, UP) for pattern in ("4:16", "1:8")}
    (decides,) = finding(3, cells).answers
    assert decides.question.what.endswith("at 1:8")


def narrow(losses: Mapping[Cell, float], times: Mapping[Cell, float] | None = None) -> Finding:
    sizes = {(HALF, "2:4"): 125, ("rewind", "1:8"): 120, ("rewind", "2:4"): 500}
    made = tuple(
        one
        for cell, loss in losses.items()
        for one in runs({cell: seeds(loss, [0.0] * 4 if cell[0] == "rewind" else OWN)},
                        nonzeros=sizes[cell], time_ns=None if times is None else times[cell])
    )  # fmt: skip
    return findings_of(RunTable(made))[3]


TIMES = {(HALF, "2:4"): 20.0, ("rewind", "1:8"): 30.0, ("rewind", "2:4"): 40.0}


@pytest.mark.parametrize(
    ("half", "times", "parts", "verdict"),
    [
        (0.2, TIMES, {EQUAL_WEIGHTS: "holds", EQUAL_TIME: "holds"}, "holds"),
        (0.4, TIMES, {EQUAL_WEIGHTS: "does not", EQUAL_TIME: "does not"}, "does not"),
        (0.2, None, {EQUAL_WEIGHTS: "holds", EQUAL_TIME: None}, "holds"),
        (0.4, {**TIMES, (HALF, "2:4"): 35.0}, {EQUAL_WEIGHTS: "does not", EQUAL_TIME: None},
         "does not"),
    ],
)  # fmt: skip
def test_channels(
    half: float, times: Mapping[Cell, float] | None, parts: Mapping[str, str], verdict: str
) -> None:
    losses = {(HALF, "2:4"): half, ("rewind", "1:8"): 0.3, ("rewind", "2:4"): 0.1}
    found = narrow(losses, times)
    assert found.parts == parts
    assert found.verdict == verdict


def test_one_part_of_claim_4_is_enough() -> None:
    """Worse than as many weights, better than what is as fast."""
    losses = {(HALF, "2:4"): 0.2, ("rewind", "1:8"): 0.15, ("rewind", "2:4"): 0.25}
    times = {(HALF, "2:4"): 20.0, ("rewind", "1:8"): 40.0, ("rewind", "2:4"): 30.0}
    found = narrow(losses, times)
    assert found.parts == {EQUAL_WEIGHTS: "does not", EQUAL_TIME: "holds"}
    assert found.verdict == "holds"


@pytest.mark.parametrize(
    ("number", "cells", "missing"),
    [
        (1, [("rewind", "1:8")], ["rewind 2:4", "dense 1:1", "finetune 2:4", "finetune 1:8"]),
        (2, [("rewind", "2:4")], ["rewind 1:8", "rewind unstructured:0.125",
                                  "rewind unstructured:0.5", "rewind 8:16"]),
        (3, [(UP, "1:8")], ["targeted_dropout"]),
        (3, [(DROPOUT, "1:8")], ["iterative"]),
        (3, [(DROPOUT, "4:16"), (UP, "4:16")],
         [f"a pattern up to group 8 of {DROPOUT} and every iteration"]),
        (4, [("rewind", "1:8")], ["channels with N:M"]),
        (4, [(HALF, "2:4")], ["rewind with N:M"]),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(
    number: int, cells: Sequence[Cell], missing: Sequence[str]
) -> None:
    found = findings_of(RunTable(tuple(run(*cell, seed) for cell in cells for seed in (0, 1))))
    assert list(found[number - 1].missing) == missing
    assert found[number - 1].verdict is None


def test_a_single_seed_decides_nothing() -> None:
    found = findings_of(table({cell: [loss] for cell, loss in GROUPS.items()}))[1]
    assert found.verdict == "undecided"


def test_seeds_that_do_not_meet_are_said() -> None:
    apart = (run("rewind", "2:4", 0), run("dense", "1:1", 1), run("finetune", "2:4", 0))
    found = findings_of(RunTable(apart))[0]
    assert found.missing == ("a seed that rewind 2:4 and dense share",)


def test_a_result_as_a_frame_and_as_json() -> None:
    result = claims_of([table({cell: [loss] * 2 for cell, loss in GROUPS.items()})])
    frame = result.to_frame()
    assert set(frame["claim"]) == {2}
    assert set(frame["verdict"]) <= {"holds", "does not", "undecided"}
    said = json.loads(result.to_json())
    assert [claim["verdict"] for claim in said["claims"]] == [None, "holds", None, None]
    assert len(said["answers"]) == len(frame)


def test_no_answers_are_a_frame_with_its_columns() -> None:
    empty = claims_of([RunTable((run("sr_ste"),))])
    assert "verdict" in empty.to_frame().columns
    assert json.loads(empty.to_json())["answers"] == []
