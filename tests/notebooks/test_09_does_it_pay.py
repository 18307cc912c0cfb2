"""What `notebooks/09_does_it_pay` shows, and what its prose says of it."""

from __future__ import annotations

from kept import rerun


def test_one_image_gains_nothing_and_generated_tokens_do() -> None:
    found = rerun("09_does_it_pay")
    assert abs(found.small.gain - 1) < 0.036
    assert 4 <= found.small.from_batch["2:4"] <= 16
    assert (found.layers.pattern == "1:1").sum() >= 50
    assert len(found.layers) == 54
    sparse = {one.batch: one.sparse for one in found.by_batch.batches}
    assert sparse[32] > 54 / 2
    gains = [one.gains["2:4"] for one in found.llama.batches]
    assert gains[0] > 1.2
    assert gains[0] > gains[-1] > 1
    assert found.reads.worth["2:4"].is_worth_it
