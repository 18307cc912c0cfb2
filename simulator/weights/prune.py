"""Prune the weights of a network by magnitude, and say what a pattern keeps of each tensor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.sparsity import Pattern
from simulator.weights.compressed import left_alone, summary
from simulator.weights.files import Tensor
from simulator.weights.layout import Axis, channel_rows, from_channel_rows
from simulator.weights.masks import kept_and_total, magnitude_mask, unstructured_mask
from simulator.weights.permutation import search_permutation

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
        Weights kept of ``weights``.
    note : str
        Why the tensor stays dense, else empty.
    """

    name: str
    shape: tuple[int, ...]
    kept: int
    magnitude: Kept
    energy: Kept
    note: str = ""

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

    pattern: Pattern
    layers: tuple[PrunedTensor, ...]
    tensors: dict[str, Tensor]
    notes: tuple[str, ...] = ()

    @property
    def magnitude(self) -> Kept:
        """|w| in all, dense layers left out."""
        return sum((p.magnitude for p in self.layers if not p.note), Kept(0.0, 0.0, 0.0))

    @property
    def energy(self) -> Kept:
        """w^2 in all, dense layers left out."""
        return sum((p.energy for p in self.layers if not p.note), Kept(0.0, 0.0, 0.0))


def prune_tensors(
    tensors: Mapping[str, Tensor],
    pattern: Pattern | str,
    layers: str | None = None,
    *,
    inputs_first: str | None = None,
    permute: bool = False,
    seed: int = 0,
) -> Pruning:
    """Prune every matrix and every convolution whose name ``layers`` finds.

    Groups run along the inputs (input channels of convolutions). With ``permute`` the inputs of a
    pruned tensor are *reordered* before pruning, input ``permutation[i]`` of the original at place
    i, and ``<name>.permutation`` holds that order. Parts of compressed or quantised weights are
    left alone, and the result's notes say so.

    Parameters
    ----------
    layers : str, optional
        Regular expression; default: all.
    inputs_first : str, optional
        Regular expression: matrices stored [in, out], as GPT-2's Conv1D; default: none.

    Raises
    ------
    WeightsError
        If the expression is none or finds nothing that can be pruned, weights are not finite, or
        names clash.
    """
    pattern = Pattern.parse(pattern)
    chosen, notes = _chosen(tensors, layers)
    turned = _expression("--inputs-first", inputs_first) if inputs_first else None
    out, results = dict(tensors), []
    for name in chosen:
        tensor = tensors[name]
        is_turned = turned is not None and tensor.data.ndim == 2 and turned.search(name)
        axis: Axis = "in_first" if is_turned else "out_first"
        result, data, order = _prune_tensor(tensor, pattern, axis, permute, seed)
        results.append(result)
        out[name] = Tensor(name, tensor.dtype, data)
        if order is not None:
            label = name + PERMUTATION
            if label in out:
                raise WeightsError(f"tensor {label}", "is in the file already")
            out[label] = Tensor(label, "int64", order)
    return Pruning(pattern, tuple(results), out, notes)


def _expression(option: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise WeightsError(option, f"not a regular expression: {error}", got=text) from None


def _chosen(tensors: Mapping[str, Tensor], layers: str | None) -> tuple[list[str], tuple[str, ...]]:
    """Names of what is to be pruned, and notes of what was found and cannot be."""
    wanted = _expression("--layers", layers or "")
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
    tensor: Tensor, pattern: Pattern, axis: Axis, permute: bool, seed: int
) -> tuple[PrunedTensor, npt.NDArray[Any], npt.NDArray[np.int64] | None]:
    shape = tensor.data.shape
    values = channel_rows(tensor.values(), axis)
    if values.shape[1] < pattern.group:
        every = np.ones(values.shape, dtype=np.bool_)
        note = f"stays dense: {values.shape[1]} inputs are less than a group"
        result = PrunedTensor(tensor.name, shape, values.size, *kept_of(values, every, every), note)
        return result, tensor.data, None
    raw, order = channel_rows(tensor.data, axis), None
    if permute:
        order = search_permutation(values, pattern, seed).order
        values, raw = values[:, order], raw[:, order]
    mask = magnitude_mask(values, pattern)
    free = unstructured_mask(values, pattern.density)
    kept = int(np.count_nonzero(mask))
    result = PrunedTensor(tensor.name, shape, kept, *kept_of(values, mask, free))
    pruned = np.where(mask, raw, raw.dtype.type(0))
    return result, from_channel_rows(pruned, shape, axis), order


def kept_of(
    values: npt.NDArray[Any], mask: npt.NDArray[np.bool_], free: npt.NDArray[np.bool_]
) -> tuple[Kept, Kept]:
    """Magnitude and energy: what ``mask`` keeps of rows, and what ``free`` does."""
    sums = []
    for power in (1, 2):
        kept, total = kept_and_total(values, mask, power)
        sums.append(Kept(kept, kept_and_total(values, free, power)[0], total))
    return sums[0], sums[1]
