"""What pruning kept of tensors or layers, as a table for people or as rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from simulator.cli.grid import Grid
    from simulator.quality.pruning import PrunedModel
    from simulator.weights.prune import Kept, Pruning


@dataclass(frozen=True)
class Row:
    """One tensor or layer, or all that were pruned.

    Attributes
    ----------
    kept, weights : int
        Weights kept, of how many.
    magnitude, energy : Kept or None
        None where nothing was pruned.
    error : float or None
        Of the layer's outputs; None where its inputs are not known.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    pattern: str
    kept: int
    weights: int
    magnitude: Kept | None
    energy: Kept | None
    error: float | None
    note: str = ""

    @property
    def ratios(self) -> list[float | None]:
        """Magnitude kept, unstructured, energy kept, unstructured."""
        if self.magnitude is None or self.energy is None:
            return [None] * 4
        sums = (self.magnitude, self.energy)
        return [r for one in sums for r in (one.pattern_ratio, one.unstructured_ratio)]

    def record(self) -> dict[str, Any]:
        """As a row of a data frame."""
        shares = ("magnitude", "magnitude_unstructured", "energy", "energy_unstructured")
        return {
            "name": self.name,
            "tensor": self.tensor,
            "shape": "x".join(map(str, self.shape)),
            "pattern": self.pattern,
            "kept": self.kept,
            "weights": self.weights,
            **dict(zip(shares, self.ratios, strict=True)),
            "error": self.error,
            "note": self.note,
        }


@dataclass(frozen=True)
class Pruned:
    """What `nmsim prune` prints.

    Attributes
    ----------
    total : Row or None
        None where nothing was pruned.
    """

    title: str
    kind: str
    rows: Sequence[Row]
    total: Row | None

    def to_frame(self) -> pd.DataFrame:
        """A row a tensor or layer."""
        import pandas as pd

        from simulator.described.qualities import PRUNED

        frame = pd.DataFrame([row.record() for row in self.rows])
        frame.attrs = PRUNED.attrs(frame.columns)
        return frame

    def to_json(self) -> str:
        return json.dumps([row.record() for row in self.rows], indent=2)

    def table(self) -> str:
        """As text for this terminal."""
        from simulator.cli.tables import render

        return render([self._grid()])

    def _grid(self) -> Grid:
        from simulator.cli.grid import Column, Grid

        has_errors = any(row.error is not None for row in self.rows)
        errors = [Column("error")] if has_errors else []
        made = Grid(
            self.title,
            [
                Column(self.kind, "name"),
                Column("shape"),
                Column("kept"),
                Column("magnitude"),
                Column("unstructured", group="magnitude"),
                Column("energy"),
                Column("unstructured", group="energy"),
                *errors,
                Column("note", "prose"),
            ],
            drops=("shape", "energy", "magnitude") if has_errors else ("shape", "energy"),
        )
        for row in [*self.rows, *([self.total] if self.total else [])]:
            error = [_figure(row.error)] if has_errors else []
            shape = "x".join(map(str, row.shape))
            kept = f"{row.kept / row.weights:.1%}"
            made.add_row(row.name, shape, kept, *map(_figure, row.ratios), *error, row.note)
        return made


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def of_tensors(pruning: Pruning) -> Pruned:
    """The tensors of a file; dense ones are not part of the total."""
    rows = [
        Row(
            one.name, one.name, one.shape, str(pruning.pattern), one.kept, one.weights,
            None if one.note else one.magnitude, None if one.note else one.energy, None, one.note,
        )
        for one in pruning.layers
    ]  # fmt: skip
    done = [row for row in rows if row.magnitude is not None]
    total = _total(done, pruning.magnitude, pruning.energy, None)
    title = f"{pruning.pattern} by magnitude, share kept; unstructured: same density, per tensor"
    return Pruned(title, "tensor", rows, total)


def of_model(pruned: PrunedModel, pattern: str) -> Pruned:
    """The layers of a model that were to be pruned; a total counts each tensor once."""
    rows = [
        Row(
            one.name, one.tensor, one.shape, str(one.pattern), one.nonzeros, one.weights,
            None if one.pattern.is_dense else one.magnitude,
            None if one.pattern.is_dense else one.energy,
            None if one.pattern.is_dense else one.error,
            f"weights of {one.twin}" if one.twin else one.note,
        )
        for one in pruned.layers
        if one.note or not one.pattern.is_dense
    ]  # fmt: skip
    once = {one.name for one in pruned.pruned}
    done = [row for row in rows if row.name in once]
    total = _total(done, pruned.magnitude, pruned.energy, pruned.error)
    title = f"{pattern} by {pruned.method}, share kept; unstructured: same density, per layer"
    if pruned.error is not None:
        title += "; error: of outputs, |(W - W')X|² / |WX|²"
    return Pruned(title, "layer", rows, total)


def _total(rows: Sequence[Row], magnitude: Kept, energy: Kept, error: float | None) -> Row | None:
    if not rows:
        return None
    kept, weights = sum(row.kept for row in rows), sum(row.weights for row in rows)
    return Row("all", "", (), "", kept, weights, magnitude, energy, error)
