"""What `notebooks/08_training` shows, and what its prose says of it."""

from __future__ import annotations

from dataclasses import replace

from kept import rerun

UP = "iterative(ramp=0.9, round=up)"
NEAREST = "iterative(ramp=0.9, round=nearest)"
SHORT = "iterative(ramp=0.25, round=up)"


def test_training_wins_back_most_and_rounding_decides_claim_3() -> None:
    found = rerun("08_training")
    loss, small = found.loss, found.small
    dropout = next(name for name in loss.index if name.startswith("targeted"))
    assert (loss.loc[UP, small] > loss.loc[dropout, small]).all()
    assert (loss.loc[NEAREST, small] - loss.loc[dropout, small]).abs().max() < 0.03
    assert (loss.loc[SHORT, small] < loss.loc[UP, small]).all()

    rows = replace(found.runs, against="dense").summary()
    at = {(row.recipe, row.pattern): row for row in rows}
    narrow, alone = at["channels(keep=0.5)", "2:4"], at["rewind", "1:16"]
    assert narrow.speedup > alone.speedup
    assert narrow.accuracy.mean > alone.accuracy.mean
    verdicts = [finding.verdict for finding in found.findings]
    assert verdicts[0] == verdicts[3] == "holds"

    lost = found.accuracy.loc["dense", "1:1"] - found.accuracy
    assert lost.loc["rewind", "2:4"] < 0.5  # nearly all
    assert lost.loc["rewind", "1:8"] < 0.25 * lost.loc["one_shot", "1:8"]  # most
    assert lost.loc["one_shot", "1:4"] > 10  # falls apart
