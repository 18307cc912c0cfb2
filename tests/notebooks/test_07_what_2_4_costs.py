"""What `notebooks/07_what_2_4_costs` shows, and what its prose says of it."""

from __future__ import annotations

from kept import is_near, rerun


def test_the_method_decides_what_24_costs() -> None:
    found = rerun("07_what_2_4_costs", same=is_near)
    accuracy = found.accuracy
    assert accuracy.loc["1:1", "dense"] >= 0.98
    assert 0.45 < accuracy.loc["3:4", "magnitude"] < 0.55
    assert accuracy.loc["2:4", "magnitude"] <= 0.10
    assert accuracy.loc["2:4", "sparsegpt"] >= 0.95

    (gained,) = (
        point.speedup
        for point in found.edge.points
        if (point.pattern, point.method) == ("2:4", "sparsegpt")
    )
    assert 1.28 < gained < 1.40

    cosine = found.cosine.loc["2:4"]
    assert cosine["magnitude"] < cosine["wanda"] < cosine["sparsegpt"] < 1
    assert len(found.sentences) == 96

    hurt = found.by_kind["sparsegpt"]
    assert hurt.idxmax() == "attention.self.value"
    assert hurt.idxmin() == "output.dense"
    blocks = found.blocks["sparsegpt"]
    assert blocks.max() < 1.5 * blocks.min()
    assert found.worst.iloc[0] > 3 * found.worst.iloc[-1]
