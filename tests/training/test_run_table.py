"""Are means, spreads and paired differences those of numpy, and does a CSV say the same?"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import run, runs, table
from scipy import stats  # comes with scikit-learn

from simulator import SpecError, StoreError
from simulator.training.paired import T_QUANTILES, Paired, Spread
from simulator.training.stored import stored_tables
from simulator.training.table import RunTable, recipe_named

LOSSES = {
    ("dense", "1:1"): [0.10, 0.12, 0.11],
    ("rewind", "2:4"): [0.11, 0.14, 0.15],
    ("finetune", "2:4"): [0.30, 0.25, 0.41],
    ("rewind", "1:8"): [0.21, 0.26, 0.25],
}
ACCURACIES = {
    ("dense", "1:1"): [0.98, 0.97, 0.99],
    ("rewind", "2:4"): [0.97, 0.97, 0.98],
    ("finetune", "2:4"): [0.95, 0.91, 0.93],
    ("rewind", "1:8"): [0.91, 0.90, 0.93],
}


def test_a_row_a_recipe_and_pattern_over_its_seeds() -> None:
    rows = table(LOSSES, ACCURACIES, "dense").summary()
    assert [(row.recipe, row.pattern) for row in rows] == list(LOSSES)
    dense, accuracies = np.array(LOSSES["dense", "1:1"]), np.array(ACCURACIES["dense", "1:1"])
    assert rows[0].loss_difference is None
    for row, losses in zip(rows[1:], list(LOSSES.values())[1:], strict=True):
        assert row.seeds == 3
        assert row.loss.mean == pytest.approx(np.mean(losses))
        assert row.loss.deviation == pytest.approx(np.std(losses, ddof=1))
        difference = np.array(losses) - dense
        assert row.loss_difference is not None
        assert row.loss_difference.mean == pytest.approx(difference.mean())
        assert row.loss_difference.error == pytest.approx(stats.sem(difference))
        difference = np.array(ACCURACIES[row.recipe, row.pattern]) - accuracies
        assert row.accuracy_difference is not None
        assert row.accuracy_difference.mean == pytest.approx(difference.mean())


def test_another_recipe_is_compared_with_pattern_by_pattern() -> None:
    by_cell = {
        (row.recipe, row.pattern): row.loss_difference
        for row in table(LOSSES, against="finetune").summary()
    }
    assert by_cell["finetune", "2:4"] is None
    assert by_cell["rewind", "2:4"] == Paired.of(
        [0.11 - 0.30, 0.14 - 0.25, 0.15 - 0.41]
    )  # fmt: skip
    # finetune has one pattern, so that whatever has another is compared with that one
    assert by_cell["dense", "1:1"] is not None


def test_only_seeds_that_both_have_are_paired() -> None:
    some = RunTable(
        (*runs({("dense", "1:1"): [0.1, 0.1]}), run(seed=1, loss=0.3), run(seed=7, loss=0.9)),
        "dense",
    )
    (_, row) = some.summary()
    assert row.seeds == 2
    assert row.loss_difference == Paired(pytest.approx(0.2), None, 1)  # type: ignore[arg-type]  # compares as a float
    alone = RunTable((run(seed=3), run("dense", "1:1", 4)), "dense")
    assert alone.summary()[0].loss_difference is None


def test_weights_are_counted_of_the_network_with_all_channels() -> None:
    rows = RunTable(
        (run("dense", "1:1", nonzeros=1000), run("channels(keep=0.5)", nonzeros=130, weights=260))
    ).summary()
    assert [row.kept_ratio for row in rows] == [1.0, 0.13]


def test_speed_up_is_over_dense_and_absent_where_a_time_is() -> None:
    timed = RunTable((run("dense", "1:1", time_ns=300.0), run(time_ns=100.0), run("finetune")))
    assert [row.speedup for row in timed.summary()] == [1.0, 3.0, None]
    assert RunTable((run(time_ns=100.0),)).summary()[0].speedup is None


def test_quantiles_are_student_s() -> None:
    expected = stats.t.ppf(0.975, np.arange(1, len(T_QUANTILES) + 1))
    assert np.allclose(T_QUANTILES, expected, atol=6e-4)


def test_an_interval_is_scipy_s() -> None:
    values = [0.1, 0.3, 0.15, 0.22]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert Paired.of(values).interval == pytest.approx((low, high), rel=1e-3)
    assert Spread.of([2.0]) == Spread(2.0, None)
    assert Paired.of([2.0]).interval == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("values", "least", "verdict"),
    [
        ([0.10, 0.11, 0.12], 0.0, "holds"),
        ([-0.10, -0.11, -0.12], 0.0, "does not"),
        ([-0.01, 0.01, 0.02], 0.0, "undecided"),
        ([0.5], 0.0, "undecided"),
        ([-0.001, -0.002, -0.001], -0.01, "holds"),
    ],
)
def test_verdicts(values: list[float], least: float, verdict: str) -> None:
    assert Paired.of(values).above(least) == verdict


def test_a_recipe_by_its_name_or_its_kind() -> None:
    names = ["dense", "iterative(ramp=0.5)", "channels(keep=0.25)", "channels(keep=0.5)"]
    assert recipe_named(None, names) == "dense"
    assert recipe_named(None, names[1:]) is None
    assert recipe_named("iterative", names) == "iterative(ramp=0.5)"
    assert recipe_named("channels(keep=0.5)", names) == "channels(keep=0.5)"
    with pytest.raises(SpecError, match="several recipes are of that kind, got 'channels'"):
        recipe_named("channels", names)
    with pytest.raises(SpecError, match=r"no such recipe .* \(did you mean 'dense'\?\)"):
        recipe_named("dens", names)


def test_a_csv_is_read_back_as_it_was(tmp_path: Path) -> None:
    some = runs(LOSSES, ACCURACIES, machine="nm-edge", time_ns=1234.5, dense="head|conv1")
    other = replace(some[0], setup="another", machine=None, time_ns=None)
    path = tmp_path / "runs.csv"
    path.write_text(RunTable((*some, other)).to_csv())
    assert path.read_text().startswith(
        "task,recipe,pattern,seed,accuracy,loss,nonzeros,weights,"
    )  # fmt: skip
    assert [found.runs for found in stored_tables(path)] == [some, (other,)]


BAD_CSV = {
    "other columns": ("a,b\n1,2\n", "runs.csv: has no column 'task'"),
    "no runs": (RunTable(()).to_csv(), "runs.csv: holds no runs"),
    "a word": (RunTable((run(),)).to_csv().replace("0.9", "good"), "runs.csv:2 accuracy: must be"),
    "no number": (RunTable((run(),)).to_csv().replace("0.9", "nan"), "must be a number, got 'nan'"),
    "cut": (RunTable((run(),)).to_csv()[:-40], "runs.csv:2 "),
    "twice": (RunTable((run(), run())).to_csv(), "runs.csv:3: the same run once more"),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_a_bad_csv_is_one_line(name: str, tmp_path: Path) -> None:
    text, says = BAD_CSV[name]
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(StoreError) as caught:
        stored_tables(tmp_path / "runs.csv")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_csv_cannot_be_timed_again(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(RunTable((run(),)).to_csv())
    with pytest.raises(StoreError, match="a CSV holds no layers to simulate"):
        stored_tables(tmp_path / "runs.csv", "nm-edge")


def test_json_holds_runs_and_what_they_come_to() -> None:
    said = json.loads(table(LOSSES, ACCURACIES, "dense").to_json())
    assert len(said["runs"]) == 12
    assert said["against"] == "dense"
    assert said["summary"][1]["loss_difference"]["seeds"] == 3
