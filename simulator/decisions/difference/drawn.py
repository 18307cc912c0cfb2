"""What differences pass to their picture. Importing this imports matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.colours import CORE_TIME_COLOURS
from simulator.decisions.difference.changes import LayerChange, RunChange
from simulator.decisions.difference.result import longer
from simulator.names import words
from simulator.pictures import Picture, new_picture
from simulator.pictures.differences import Change, changes
from simulator.pictures.style import QUIET
from simulator.quantities import signed
from simulator.units import PS_PER_NS

MOST: Final = 10
"""Layers that have a bar of their own; the others share one."""

WIDTH: Final = 11.5
"""Inches."""


def difference_page(title: str, runs: Sequence[RunChange]) -> Picture:
    """A row a pattern: parts of the difference beside the layers that changed most."""
    bars = [(_parts(run), _layers(run)) for run in runs]
    heights = [2.0 + 0.3 * max(len(parts), len(layers), 2) for parts, layers in bars]
    page = new_picture(WIDTH, sum(heights) + 0.7, title)
    rows = page.subfigures(len(runs), 1, height_ratios=heights, hspace=0.03, squeeze=False)[:, 0]
    for row, run, (parts, layers) in zip(rows, runs, bars, strict=True):
        before_ns, after_ns = (ps / PS_PER_NS for ps in run.times_ps)
        row.suptitle(
            longer(before_ns, after_ns, f"{run.name}: B takes"), x=0.01, ha="left", fontsize=12
        )
        left, right = row.subfigures(1, 2, wspace=0.03)
        changes(left, parts, title="Parts of an average core's time")
        changes(right, layers, title="Layers that changed most")
    return page


def _parts(run: RunChange) -> list[Change]:
    """Kinds of time that changed, in their order, and all."""
    made = [
        Change(words(kind), float(part / PS_PER_NS), signed(run.share(part)), colour)
        for kind, colour in CORE_TIME_COLOURS.items()
        if (part := run.parts_ps[kind])
    ]
    return [*made, _all(run)]


def _all(run: RunChange) -> Change:
    return Change("all", run.change_ps / PS_PER_NS, signed(run.share(run.change_ps)), "white")


def _layers(run: RunChange) -> list[Change]:
    """Those that changed most; what the others changed is one bar."""
    largest = run.largest
    own = largest if len(largest) <= MOST + 1 else largest[:MOST]
    others = largest[len(own) :]
    made = [_layer(run, layer) for layer in own]
    if others:
        sum_ps = sum(layer.change_ps for layer in others)
        label = f"{len(others)} other layers"
        made.append(Change(label, sum_ps / PS_PER_NS, signed(run.share(sum_ps)), QUIET))
    return made or [_all(run)]


def _layer(run: RunChange, layer: LayerChange) -> Change:
    """Its note says its part of what changed most."""
    kind = max(layer.parts_ps, key=lambda kind: abs(layer.parts_ps[kind]))
    only = f"only in {layer.only_in}" if layer.only_in else words(kind)
    note = f"{signed(run.share(layer.change_ps))}, {only}"
    return Change(layer.name, layer.change_ps / PS_PER_NS, note, CORE_TIME_COLOURS[kind])
