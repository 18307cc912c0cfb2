"""What limits of a machine pass to their picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.pictures import Picture, new_picture
from simulator.pictures.waterfall import Drop, Pair, pairs, waterfall
from simulator.units import PS_PER_NS

if TYPE_CHECKING:
    from simulator.decisions.limiting.result import Limits

DRAWN: Final = 14
"""Elasticities that are drawn, the largest."""


def limits_picture(limits: Limits) -> Picture:
    """From the machine as it is to the one without limits; elasticities beside it."""
    drops = [
        Drop(step.name, step.time_ps / PS_PER_NS, step.time_of_dense_ps / PS_PER_NS)
        for step in limits.steps
    ]
    elastic = [Pair(one.resource, one.of_pattern, one.of_dense) for one in limits.elasticities]
    elastic.sort(key=lambda pair: -max(abs(pair.own), abs(pair.other)))
    rows = max(len(drops), min(len(elastic), DRAWN))
    picture = new_picture(11.5, 2.2 + 0.42 * rows, f"What limits {limits.title}")
    left, right = picture.subfigures(1, 2, width_ratios=[6.4, 5.1], squeeze=False)[0]
    names = (limits.pattern, "dense")
    waterfall(left, drops, names, title="Without one limit after another")
    if elastic:
        pairs(
            right,
            elastic[:DRAWN],
            names,
            title="What a little more gives",
            xlabel="elasticity: % of speed for 1 % more",
        )
    return picture
