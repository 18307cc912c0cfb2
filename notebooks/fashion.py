"""The picture of `08_training`: accuracy beside time, of some recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.pictures import new_picture
from simulator.pictures.fronts import Mark, Words, front
from simulator.pictures.style import Picture
from simulator.training.table import RunTable, Summary

TEXTS = Words(
    "Fashion-MNIST on nm-micro, 256 images at once",
    "speed-up over dense, ratio",
    "accuracy, %",
    "two standard errors",
)


def rows_of(runs: RunTable, recipes: Sequence[str]) -> list[Summary]:
    """Means over seeds, of those recipes under N:M."""
    every = replace(runs, against="dense").summary()
    shown = (row for row in every if row.recipe.split("(")[0] in recipes)
    return [row for row in shown if not row.pattern.startswith("unstructured")]


def standing(row: Summary, rows: Sequence[Summary]) -> str:
    """On the front unless another network is as fast and as good."""
    beats = (o.speedup >= row.speedup and o.accuracy.mean > row.accuracy.mean for o in rows)
    return "dense" if row.recipe == "dense" else "beaten" if any(beats) else "front"


def accuracy_beside_time(runs: RunTable, recipes: Sequence[str]) -> Picture:
    """A point a recipe and pattern."""
    rows = rows_of(runs, recipes)
    marks = [
        Mark(
            name="dense" if row.recipe == "dense" else f"{row.pattern} {row.recipe}",
            series=row.recipe,
            speedup=row.speedup,
            value=row.accuracy.mean,
            error=2 * row.accuracy_difference.error if row.accuracy_difference else 0.0,
            standing=standing(row, rows),
            is_joined=standing(row, rows) != "beaten",
        )
        for row in rows
    ]
    picture = new_picture(8, 4.5)
    front(picture, marks, TEXTS, shares=True)
    return picture
