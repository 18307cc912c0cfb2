"""Prune the tensors of a file by a method, and say what a pattern keeps of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.names import expression
from simulator.sparsity import Pattern, Prunable, parse_prunable
from simulator.weights.compressed import left_alone, summary
from simulator.weights.files import SafetensorsFile, Stored, Tensor
from simulator.weights.layout import Array, Axis, from_matrix, to_matrix
from simulator.weights.masks import kept_and_total, unstructured_mask
from simulator.weights.methods import (
    DAMPING,
    checked_gram,
    importance_of,
    method_named,
    prune_rows,
    reconstruction_error,
)
from simulator.weights.permutation import search_permutation
from simulator.weights.selection import Selection

PERMUTATION = ".permutation"


@dataclass(frozen=True)
class Kept:
    """Sums over a tensor: of |w| or w^2 kept by the pattern, kept unstructured, and of all."""

    pattern: float
    unstructured: float
    total: float

    @property
    def pattern_ratio(self) -> float:
        """Kept under the pattern over all; 1 where all weights are zero."""
        return self.pattern / self.total if self.total else 1.0

    @property
    def unstructured_ratio(self) -> float:
        """Kept unstructured, per tensor, over all; 1 where all weights are zero."""
        return self.unstructured / self.total if self.total else 1.0

    def __add__(self, other: Kept) -> Kept:
        return Kept(
            self.pattern + other.pattern,
            self.unstructured + other.unstructured,
            self.total + other.total,
        )


@dataclass(frozen=True)
class PrunedTensor:
    """What became of one tensor.

    Attributes
    ----------
    kept : int
        Weights that are not zero, of ``weights``; all where the tensor stays dense.
    magnitude, energy : Kept
        Of the weights as they were, where they are not zero now.
    note : str
        Why the tensor stays dense, else empty.
    error : float or None
        `reconstruction_error` as it is stored; None without a Gram matrix.
    """

    name: str
    shape: tuple[int, ...]
    kept: int
    magnitude: Kept
    energy: Kept
    note: str = ""
    error: float | None = None

    @property
    def weights(self) -> int:
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Pruning:
    """All tensors of a file after pruning.

    Attributes
    ----------
    layers : tuple of PrunedTensor
        Those that were chosen, in the order of the file.
    tensors : dict of Tensor
        Everything to write: pruned ones, all others as they were, and permutations.
    notes : tuple of str
        What was chosen and left alone, since it is compressed.
    """

    pattern: Prunable
    layers: tuple[PrunedTensor, ...]
    tensors: dict[str, Tensor]
    notes: tuple[str, ...] = ()
    method: str = "magnitude"

    @property
    def magnitude(self) -> Kept:
        """``|w|`` in all, dense layers left out."""
        return sum((p.magnitude for p in self.layers if not p.note), Kept(0.0, 0.0, 0.0))

    @property
    def energy(self) -> Kept:
        """``w^2`` in all, dense layers left out."""
        return sum((p.energy for p in self.layers if not p.note), Kept(0.0, 0.0, 0.0))


def prune_tensors(
    tensors: Mapping[str, Tensor],
    pattern: Prunable | str,
    layers: str | None = None,
    *,
    inputs_first: str | None = None,
    permute: bool = False,
    seed: int = 0,
    method: str = "magnitude",
    grams: Mapping[str, Array] | None = None,
    damping: float = DAMPING,
) -> Pruning:
    """Prune every matrix and every convolution whose name ``layers`` finds.

    Groups run along the inputs (input channels of convolutions). With ``permute`` the inputs of a
    pruned tensor are *reordered* before pruning, input ``permutation[i]`` of the original at place
    i, and ``<name>.permutation`` holds that order; the search keeps what `importance_of` the
    method says. Parts of compressed or quantised weights are left alone, and the result's notes
    say so.

    Parameters
    ----------
    layers : str, optional
        Regular expression; default: all.
    inputs_first : str, optional
        Regular expression: matrices stored [in, out], as GPT-2's Conv1D; default: none.
    method : str
        A name in `simulator.weights.methods.METHODS`.
    grams : mapping of str to array (k, k), optional
        Gram matrices ``X X^T`` of what feeds a tensor, by its name, for methods that need them and
        for errors. Inputs are in the order of the file; of a convolution those of all kernel
        positions, (kernel_h, kernel_w, channels) with channels fastest.
    damping : float
        As `prune_rows` takes it.

    Raises
    ------
    WeightsError
        If the expression is none or finds nothing that can be pruned, weights are not finite, a
        Gram matrix is missing or none, or names clash.
    """
    out = dict(tensors)

    def put(tensor: Tensor, parts: Iterable[Array]) -> None:
        flat = np.concatenate([part.ravel() for part in parts])
        out[tensor.name] = replace(tensor, data=flat.reshape(tensor.data.shape))

    ways = _Way(parse_prunable(pattern), method_named(method).name, damping, permute, seed)
    plan = Plan(tensors, ways, layers, inputs_first)
    return replace(plan.run(tensors, put, grams or {}), tensors=out)


def prune_file(
    source: Path,
    target: Path | None,
    pattern: Prunable | str,
    layers: str | None = None,
    *,
    inputs_first: str | None = None,
    permute: bool = False,
) -> Pruning:
    """Prune the tensors of a file by magnitude, one after the other: none but one is in memory.

    Parameters
    ----------
    target : Path or None
        Where all tensors go, .safetensors; None: nowhere.
    pattern, layers, inputs_first, permute
        As of `prune_tensors`.

    Returns
    -------
    Pruning
        Without tensors.

    Raises
    ------
    WeightsError, OutputError
        As `prune_tensors`; if a file cannot be read, or written.
    """
    stored = Stored(source)
    way = _Way(parse_prunable(pattern), "magnitude", DAMPING, permute, 0)
    plan = Plan(stored.outlines, way, layers, inputs_first)
    if target is None:
        return plan.run(stored, lambda _, parts: deque(parts, 0), {})
    with SafetensorsFile(target, plan.outlines.values()) as file:
        for name in stored:
            if name not in plan.chosen:
                file.put(name, [stored[name].data])
                stored.forget()
        return plan.run(stored, lambda tensor, parts: file.put(tensor.name, parts), {})


Put = Callable[[Tensor, Iterable[Array]], object]
"""Takes what a tensor is now: its numbers in parts, in order."""


class Plan:
    """Which tensors are pruned how, from their names, formats and shapes alone.

    Attributes
    ----------
    chosen : dict of str to Axis
        Names, in the order of the file, and how matrices are stored.
    outlines : dict of str to Tensor
        Everything to write: those of the file, and of permutations. Shapes alone matter.
    """

    def __init__(
        self,
        outlines: Mapping[str, Tensor],
        way: _Way,
        layers: str | None,
        inputs_first: str | None,
    ) -> None:
        if way.permute and not isinstance(way.pattern, Pattern):
            raise WeightsError("--permute", "zeros anywhere need no order", got=str(way.pattern))
        names, self.notes = _chosen(outlines, layers)
        turned = expression(inputs_first, "--inputs-first", WeightsError) if inputs_first else None
        self.way, self.outlines = way, dict(outlines)
        self.chosen: dict[str, Axis] = {}
        for name in names:
            shape = outlines[name].data.shape
            is_turned = turned is not None and len(shape) == 2 and turned.search(name)
            self.chosen[name] = "in_first" if is_turned else "out_first"
            inputs = shape[0 if is_turned else 1]
            if way.permute and isinstance(way.pattern, Pattern) and inputs >= way.pattern.group:
                label = name + PERMUTATION
                if label in outlines:
                    raise WeightsError(f"tensor {label}", "is in the file already")
                self.outlines[label] = Tensor(label, "int64", np.zeros(inputs, dtype=np.int64))

    def run(self, tensors: Mapping[str, Tensor], put: Put, grams: Mapping[str, Array]) -> Pruning:
        """Prune tensor by tensor; all that is new or changed is `Put`."""
        results = []
        for name, axis in self.chosen.items():
            results.append(_prune_tensor(tensors[name], self.way, axis, grams.get(name), put))
            if isinstance(tensors, Stored):
                tensors.forget()
        return Pruning(self.way.pattern, tuple(results), {}, self.notes, self.way.method)


@dataclass(frozen=True)
class _Way:
    """How all tensors are pruned."""

    pattern: Prunable
    method: str
    damping: float
    permute: bool
    seed: int


def _chosen(tensors: Mapping[str, Tensor], layers: str | None) -> tuple[list[str], tuple[str, ...]]:
    """Names of what is to be pruned, and notes of what was found and cannot be."""
    wanted = expression(layers or "", "--layers", WeightsError)
    parts = left_alone(tensors)
    candidates = [name for name, one in tensors.items() if one.is_weights and name not in parts]
    chosen = [name for name in candidates if wanted.search(name)]
    notes = summary({name: what for name, what in parts.items() if wanted.search(name)})
    if chosen:
        return chosen, tuple(notes)
    where = "--layers" if layers else "weights"
    if notes:
        raise WeightsError(
            where, f"nothing that can be pruned: {'; '.join(notes)}", got=layers,
            hint="decompress or dequantise them first",
        )  # fmt: skip
    what = "finds no weights" if candidates else "no weights in this file"
    hint = "2-D or 4-D tensors of fp32, fp16, bf16 or int8"
    if candidates:
        hint = f"such as {candidates[0]}"
    raise WeightsError(where, what, got=layers, hint=hint)


def _prune_tensor(
    tensor: Tensor, way: _Way, axis: Axis, gram: Array | None, put: Put
) -> PrunedTensor:
    shape, pattern = tensor.data.shape, way.pattern
    inputs = shape[0 if axis == "in_first" else 1]
    if isinstance(pattern, Pattern):
        if inputs < pattern.group:
            note = f"stays dense: {inputs} inputs are less than a group"
            return _selected(tensor, Pattern(1, 1), axis, put, note)
        if way.method == "magnitude" and gram is None and not way.permute:
            return _selected(tensor, pattern, axis, put)
    return _prune_whole(tensor, way, axis, gram, put)


def _selected(
    tensor: Tensor, pattern: Pattern, axis: Axis, put: Put, note: str = ""
) -> PrunedTensor:
    """By magnitude, part by part; of a convolution groups run along channels, too."""
    shape = tensor.data.shape
    outer, channels = (1, shape[0]) if axis == "in_first" else shape[:2]
    selection = Selection(
        tensor, (outer, channels, tensor.data.size // (outer * channels)), pattern
    )
    put(tensor, selection.parts())
    total, kept, free, energy, kept_energy, free_energy = selection.sums.tolist()
    magnitudes, energies = Kept(kept, free, total), Kept(kept_energy, free_energy, energy)
    number = tensor.data.size if note else selection.kept
    return PrunedTensor(tensor.name, shape, number, magnitudes, energies, note)


def _prune_whole(
    tensor: Tensor, way: _Way, axis: Axis, gram: Array | None, put: Put
) -> PrunedTensor:
    """By any method, in memory."""
    shape, where = tensor.data.shape, f"tensor {tensor.name}"
    rows = to_matrix(tensor.values(), axis=axis).astype(np.float32, copy=False)
    run = shape[1] if len(shape) == 4 else rows.shape[1]
    if gram is not None:
        gram = checked_gram(gram, rows.shape[1], way.method, where)
    if way.permute and isinstance(way.pattern, Pattern):
        importance = importance_of(rows, way.method, gram, where)
        order = search_permutation(importance.reshape(-1, run), way.pattern, way.seed).order
        put(Tensor(tensor.name + PERMUTATION, "int64", order), [order])
        columns = np.add.outer(np.arange(0, rows.shape[1], run), order).ravel()
        rows = rows[:, columns]
        gram = None if gram is None else gram[np.ix_(columns, columns)]
    pruned = prune_rows(rows, way.pattern, way.method, gram, way.damping, run=run, where=where)
    changed = tensor.with_values(from_matrix(pruned, shape, axis))
    put(changed, [changed.data])
    stored = to_matrix(changed.values(), axis=axis)
    free = unstructured_mask(rows, way.pattern.density)
    return PrunedTensor(
        tensor.name, shape, int(np.count_nonzero(stored)), *kept_of(rows, stored != 0, free),
        error=None if gram is None else reconstruction_error(rows, stored, gram),
    )  # fmt: skip


def kept_of(
    values: npt.NDArray[Any], mask: npt.NDArray[np.bool_], free: npt.NDArray[np.bool_]
) -> tuple[Kept, Kept]:
    """Magnitude and energy: what ``mask`` keeps of rows, and what ``free`` does."""
    sums = []
    for power in (1, 2):
        kept, total = kept_and_total(values, mask, power)
        sums.append(Kept(kept, kept_and_total(values, free, power)[0], total))
    return sums[0], sums[1]
