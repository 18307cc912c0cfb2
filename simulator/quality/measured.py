"""A measured quality: one network under one pattern by one method or recipe, as a store keeps it.

Rows of pruned models (`nmsim quality`) and of trained networks (`nmsim train`) are of one kind, so
that whoever asks what sparsity costs reads either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.store.kind import Kind
from simulator.store.store import Store


@dataclass(frozen=True)
class Figure:
    """A named figure of quality.

    Attributes
    ----------
    value, error : float
        And the standard error of its mean over what was measured; 0 where it is exact.
    higher_is_better : bool
        False of losses and errors.
    """

    value: float
    error: float = 0.0
    higher_is_better: bool = True


@dataclass(frozen=True)
class LayerCost:
    """What became of one layer that could be pruned.

    Attributes
    ----------
    pattern : str
        ``1:1`` where it stays dense.
    weights, nonzeros : int
    error : float or None
        ``|(W - W') X|^2 / |W X|^2`` over the calibration inputs X; None without any.
    """

    pattern: str
    weights: int
    nonzeros: int
    error: float | None = None


@dataclass(frozen=True)
class Measured:
    """A row.

    Attributes
    ----------
    key : bytes
        Hash of all that decides the figures.
    network, digest : str
        A name, and the SHA-256 of the model's file or of what the network is built from.
    task : str
        What was measured: an evaluator's name, or a training task's.
    method : str
        ``sparsegpt``, ``rewind``, ``iterative(ramp=0.25, round=nearest, shape=cubic)``.
    pattern : str
        As it was asked for; ``1:1`` of the dense network, ``mixed`` where layers differ.
    dense : str
        Regular expression of layers that stay dense; empty if there is none.
    seed : int or None
        Of training, or of what was drawn to measure on; None where nothing is random.
    figures, layers : dict
        By name, as `figures_of` and `layers_of` read them.
    nonzeros, weights : int
        Of all layers that could be pruned, those that stay dense included.
    trace : str or None
        A native layer trace of the network as it was measured; None: it is that of the model.
    provenance : dict
        Versions, threads, calibration, epochs: what a reader may need to do it again.
    elapsed_s : float
    """

    key: bytes
    network: str
    digest: str
    task: str
    method: str
    pattern: str
    dense: str
    seed: int | None
    figures: dict[str, Any]
    layers: dict[str, Any]
    nonzeros: int
    weights: int
    trace: str | None
    provenance: dict[str, Any]
    elapsed_s: float

    @property
    def figures_of(self) -> dict[str, Figure]:
        """In the order in which they were named."""
        return {name: Figure(*parts) for name, *parts in self.figures["named"]}

    @property
    def layers_of(self) -> dict[str, LayerCost]:
        """By the name that the layer has in the network's trace, in its order."""
        return {name: LayerCost(*parts) for name, *parts in self.layers["named"]}


def stored_figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """As a row keeps them: a list, since keys of a stored mapping are sorted."""
    return {"named": [[n, f.value, f.error, f.higher_is_better] for n, f in figures.items()]}


def stored_layers(layers: Mapping[str, LayerCost]) -> dict[str, Any]:
    return {"named": [[n, c.pattern, c.weights, c.nonzeros, c.error] for n, c in layers.items()]}


def _order(row: Measured) -> tuple[Any, ...]:
    return (row.network, row.task, row.method, row.pattern, row.dense, row.seed or 0, row.key)


QUALITY = Kind(
    "qualities", "measured", Measured, _order, "nmsim quality or train --store", lambda _: None
)


class Qualities(Store[Measured]):
    """A store of measured qualities."""

    def __init__(self, path: str | Path | None = None, *, must_exist: bool = False) -> None:
        super().__init__(QUALITY, path, must_exist=must_exist)
