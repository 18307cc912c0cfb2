"""Runs that nobody trained; `from made_up import runs, table`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.training.table import Run, RunTable

Losses = Mapping[tuple[str, str], Sequence[float]]
"""By recipe and pattern: a loss a seed."""


def run(recipe: str = "rewind", pattern: str = "2:4", seed: int = 0, **changes: object) -> Run:
    """One run, good in all but what is said."""
    fields: dict[str, object] = {
        "task": "digits", "recipe": recipe, "pattern": pattern, "seed": seed, "accuracy": 0.9,
        "loss": 0.1, "nonzeros": 500, "weights": 1000, "network": "mlp", "dense": "", "epochs": 2,
        "setup": "0123456789ab",
    }  # fmt: skip
    return Run(**{**fields, **changes})  # type: ignore[arg-type]  # as the tests name them


def runs(losses: Losses, accuracies: Losses | None = None, **changes: object) -> tuple[Run, ...]:
    """A run a cell and seed, numbered from 0."""
    return tuple(
        run(*cell, seed, loss=loss, accuracy=(accuracies or {}).get(cell, [0.9] * 99)[seed],
            **changes)
        for cell, some in losses.items()
        for seed, loss in enumerate(some)
    )  # fmt: skip


def table(losses: Losses, accuracies: Losses | None = None, against: str | None = None) -> RunTable:
    return RunTable(runs(losses, accuracies), against)
