"""Trained networks side by side: one row a run, and means, spreads and paired differences."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

from simulator.described.trainings import RUNS
from simulator.errors import SpecError, did_you_mean
from simulator.training.paired import Paired, Spread

if TYPE_CHECKING:
    import pandas as pd

    from simulator.quality.measured import Measured

DENSE = "dense"
"""The recipe that prunes nothing and trains as long as the others."""

Cell = tuple[str, str]
"""A recipe and a pattern: the runs of one cell differ in their seeds alone."""


@dataclass(frozen=True)
class Run:
    """One trained network; the fields are the columns of a CSV, in their order.

    Attributes
    ----------
    accuracy, loss : float
        On test data: the share that is right, and cross entropy in nats.
    nonzeros, weights : int
        Of all layers that could be pruned; channels that are gone are none of them.
    dense : str
        Regular expression of layers that stay dense.
    setup : str
        Of all that runs must share to be compared, the first digits of a SHA-256.
    machine : str or None
        Where ``time_ns`` was simulated, for so many samples at once.
    """

    task: str
    recipe: str
    pattern: str
    seed: int
    accuracy: float
    loss: float
    nonzeros: int
    weights: int
    network: str
    dense: str
    epochs: int
    setup: str
    machine: str | None = None
    samples: int | None = None
    time_ns: float | None = None

    @classmethod
    def of(cls, row: Measured) -> Run:
        """What a stored row says of its run."""
        figures = row.figures_of
        return cls(
            task=row.task,
            recipe=row.method,
            pattern=row.pattern,
            seed=row.seed or 0,
            accuracy=figures["accuracy"].value,
            loss=figures["loss"].value,
            nonzeros=row.nonzeros,
            weights=row.weights,
            network=row.network,
            dense=row.dense,
            epochs=row.provenance["epochs"],
            setup=row.digest[:12],
        )


@dataclass(frozen=True)
class Summary:
    """One recipe under one pattern, over its seeds.

    Attributes
    ----------
    kept_ratio : float
        Non-zeros over the weights of the network with all of its channels.
    accuracy_difference, loss_difference : Paired or None
        To the recipe that is compared with, seed by seed; None where there is nothing to pair.
    speedup : float or None
        Over the dense network, on the machine that the runs were simulated on.
    """

    recipe: str
    pattern: str
    seeds: int
    kept_ratio: float
    accuracy: Spread
    loss: Spread
    accuracy_difference: Paired | None
    loss_difference: Paired | None
    time_ns: float | None
    speedup: float | None


@dataclass(frozen=True)
class RunTable:
    """Runs that compare, in the order in which they are shown.

    Parameters
    ----------
    runs : tuple of Run
    against : str, optional
        The recipe that others are compared with.
    notes : tuple of str
        What was not as it was asked for.
    """

    runs: tuple[Run, ...]
    against: str | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def cells(self) -> Mapping[Cell, Mapping[int, Run]]:
        """Runs by recipe and pattern, and by seed."""
        cells: dict[Cell, dict[int, Run]] = {}
        for run in self.runs:
            cells.setdefault((run.recipe, run.pattern), {})[run.seed] = run
        return cells

    @property
    def recipes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(recipe for recipe, _ in self.cells))

    def patterns_of(self, recipe: str) -> tuple[str, ...]:
        return tuple(pattern for known, pattern in self.cells if known == recipe)

    def counterpart(self, cell: Cell) -> Cell | None:
        """What a cell is compared with: the same pattern, or the only one that there is."""
        if self.against is None or cell[0] == self.against:
            return None
        if (same := (self.against, cell[1])) in self.cells:
            return same
        patterns = self.patterns_of(self.against)
        return (self.against, patterns[0]) if len(patterns) == 1 else None

    def paired(self, figure: str, terms: Iterable[tuple[float, Cell]]) -> Paired | None:
        """A weighted sum of one figure of several cells, over the seeds that all of them have.

        Parameters
        ----------
        figure : {"accuracy", "loss"}
        terms : iterable of (float, Cell)
            ``[(1, a), (-1, b)]`` is the difference a - b.

        Returns
        -------
        Paired or None
            None where no seed has all cells.
        """
        parts = [(weight, self.cells.get(cell, {})) for weight, cell in terms]
        seeds = set.intersection(*(set(runs) for _, runs in parts))
        if not seeds:
            return None
        return Paired.of(
            [sum(w * getattr(runs[seed], figure) for w, runs in parts) for seed in sorted(seeds)]
        )

    def summary(self) -> list[Summary]:
        """A row a cell, in the order of the runs."""
        whole = max((run.weights for run in self.runs), default=0)
        return [self._summary(cell, whole) for cell in self.cells]

    def _summary(self, cell: Cell, whole: int) -> Summary:
        runs = list(self.cells[cell].values())
        other = self.counterpart(cell)
        terms = None if other is None else [(1.0, cell), (-1.0, other)]
        time_ns, dense_ns = self.time_ns(cell), self._dense_ns()
        return Summary(
            recipe=cell[0],
            pattern=cell[1],
            seeds=len(runs),
            kept_ratio=sum(run.nonzeros for run in runs) / len(runs) / whole,
            accuracy=Spread.of([run.accuracy for run in runs]),
            loss=Spread.of([run.loss for run in runs]),
            accuracy_difference=None if terms is None else self.paired("accuracy", terms),
            loss_difference=None if terms is None else self.paired("loss", terms),
            time_ns=time_ns,
            speedup=dense_ns / time_ns if dense_ns and time_ns else None,
        )

    def time_ns(self, cell: Cell) -> float | None:
        """Simulated time, the mean over seeds; None where a run has none."""
        times = [run.time_ns for run in self.cells[cell].values()]
        known = [time for time in times if time is not None]
        return sum(known) / len(known) if known and len(known) == len(times) else None

    def _dense_ns(self) -> float | None:
        patterns = self.patterns_of(DENSE)
        return self.time_ns((DENSE, patterns[0])) if patterns else None

    def to_frame(self) -> pd.DataFrame:
        """One row a run."""
        import pandas as pd

        frame = pd.DataFrame([asdict(run) for run in self.runs], columns=COLUMNS)
        frame.attrs = RUNS.attrs(COLUMNS)
        return frame

    def to_csv(self) -> str:
        text: str = self.to_frame().to_csv(index=False)
        return text

    def to_json(self) -> str:
        """Runs, and what they come to."""
        said = {
            "against": self.against,
            "notes": self.notes,
            "summary": [asdict(row) for row in self.summary()],
            "runs": [asdict(run) for run in self.runs],
        }
        return json.dumps(said, indent=2)

    def _repr_html_(self) -> str:
        text: str = self.to_frame().to_html(index=False, max_rows=20)
        return text


def recipe_named(asked: str | None, recipes: Sequence[str]) -> str | None:
    """A recipe by its name, or by its kind where there is but one; by default `dense`, if it is
    there.

    Raises
    ------
    SpecError
        If there is no such recipe, or several are of that kind.
    """
    if asked is None:
        return DENSE if DENSE in recipes else None
    of_kind = [name for name in recipes if name.partition("(")[0] == asked]
    if asked in recipes or len(of_kind) == 1:
        return asked if asked in recipes else of_kind[0]
    what = "several recipes are of that kind" if of_kind else "no such recipe is trained"
    hint = f"such as '{of_kind[0]}'" if of_kind else did_you_mean(asked, recipes)
    raise SpecError("--against", what, got=asked, hint=hint)


COLUMNS = [field.name for field in fields(Run)]
"""Of a CSV of runs."""
