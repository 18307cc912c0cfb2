"""Weights meet layers: which tensor belongs to which layer, and is it what was asked for?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.hardware import Hardware
from simulator.run.choice import Option
from simulator.schedule.masking import Mask, real_conflicts
from simulator.sparsity import (
    DENSE,
    AnyPattern,
    Pattern,
    Prunable,
    Unstructured,
    VectorPattern,
)
from simulator.weights.compliance import check_compliance, require_compliance
from simulator.weights.compressed import encoding_of
from simulator.weights.layout import channel_rows, from_channel_rows, to_matrix
from simulator.weights.masks import magnitude_mask, unstructured_mask
from simulator.workload.attention import Attention
from simulator.workload.attention_problem import Problem
from simulator.workload.fields import require_dtype
from simulator.workload.gathered import Gathered, fetch_ways
from simulator.workload.layer import Conv, Gemm, Layer, Stream
from simulator.workload.lowering import GemmProblem, Lowered, lower

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Attached:
    """A layer as it is to run, and its real weights, if there are any.

    Attributes
    ----------
    lowered : Lowered or None
        None for a streaming layer, and for attention, which has no weights.
    pruned_away : int
        Non-zeros of ``tensor`` that were set to zero for this run.
    remark : str
        What a reader should know whatever is executed.
    """

    layer: Layer
    asked: AnyPattern
    lowered: Lowered | None
    tensor: Array | None
    pruned_away: int = 0
    remark: str = ""

    @property
    def problems(self) -> tuple[GemmProblem, ...]:
        """What may be executed, the sparsest first."""
        return self.lowered.problems if self.lowered is not None else ()

    def note(self, executed: Problem | None) -> str:
        """What a reader should know of the pattern and the sizes that it ran as."""
        if self.lowered is None or not isinstance(executed, GemmProblem):
            return self.remark
        notes = self.lowered.note(executed.pattern), executed.padding_note
        return "; ".join(filter(None, notes))

    def laid_out(self, lay: Callable[[GemmProblem], tuple[GemmProblem, ...]]) -> Attached:
        """The same layer as libraries may run it."""
        problems = tuple(way for problem in self.problems for way in lay(problem))
        if self.lowered is None or problems == self.problems:
            return self
        return replace(self, lowered=replace(self.lowered, problems=problems))

    @property
    def nonzeros(self) -> int | None:
        """Of the weights that it runs with; None where they are not known."""
        return None if self.tensor is None else int(np.count_nonzero(self.tensor))

    @property
    def pruned_as_asked(self) -> Attached:
        """The same layer, its weights pruned by magnitude to what was asked.

        A layer that runs dense since it has fewer inputs than a group stays as it is, as wherever
        networks are pruned.
        """
        if self.tensor is None:
            return self
        assert isinstance(self.layer, Gemm | Conv)
        require_shape(self.layer, self.tensor)
        if self._lacks_a_group(self.layer):
            return self
        assert not isinstance(self.asked, VectorPattern), "refused where weights are attached"
        kept = pruned(self.layer, self.tensor, self.asked)
        gone = int(np.count_nonzero(self.tensor)) - int(np.count_nonzero(kept))
        return replace(self, tensor=kept, pruned_away=gone)

    def _lacks_a_group(self, layer: Gemm | Conv) -> bool:
        if not isinstance(self.asked, Pattern) or any(p.pattern != DENSE for p in self.problems):
            return False
        inputs = layer.in_channels // layer.groups if isinstance(layer, Conv) else layer.k
        return inputs < self.asked.group

    def up_to(self, density: Fraction) -> Attached:
        """The same layer, which runs as nothing denser, or as the sparsest that it may run as."""
        kept = tuple(one for one in self.problems if one.pattern.density <= density)
        if self.lowered is None or len(kept) == len(self.problems):
            return self
        return replace(self, lowered=replace(self.lowered, problems=kept or self.problems[:1]))


def attach(
    layer: Layer,
    asked: AnyPattern,
    hardware: Hardware,
    weights: Mapping[str, Array],
    library: str | None = None,
) -> Attached:
    """What a layer becomes on a machine, with the tensor that is named as it is.

    Raises
    ------
    WeightsError
        If there is a tensor, and its rows were to choose columns together.
    """
    if isinstance(layer, Stream):
        return Attached(layer, asked, None, None)
    if isinstance(layer, Attention):
        require_dtype(layer, hardware)
        free = (
            "" if hardware.core.vector else f"softmax is free: {hardware.name} has no core.vector"
        )
        return Attached(layer, asked, None, None, remark=free)
    tensor = find_tensor(layer, weights)
    if tensor is not None and isinstance(asked, VectorPattern):
        raise WeightsError(
            f"layer {layer.name}", "real weights are not held to rows:keep:group", got=str(asked),
            want=f"a pattern such as {asked.of_rows}, or no weights",
        )  # fmt: skip
    lowered = lower(layer, asked, hardware, has_mask=tensor is not None, library=library)
    return Attached(layer, asked, lowered, tensor)


def require_names(works: Sequence[Attached], weights: Mapping[str, Array]) -> None:
    """Refuse weights of which none belongs to any layer.

    Raises
    ------
    WeightsError
        With names that were found and one that would have been.
    """
    if weights and all(work.tensor is None for work in works):
        raise WeightsError(
            "weights",
            "no tensor is named as a layer",
            got=", ".join(list(weights)[:3]),
            want=f"names such as {works[0].layer.name}.weight",
        )


def weights_note(works: Sequence[Attached]) -> str | None:
    """Which layers have no weights where others do."""
    bearing = [work for work in works if isinstance(work.layer, Gemm | Conv)]
    without = [work.layer.name for work in bearing if work.tensor is None]
    known = len(bearing) - len(without)
    if not known or not without:
        return None
    some = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
    return f"real weights for {known} of {len(bearing)} layers; none for {some}"


def options_of(work: Attached, hardware: Hardware) -> list[Option]:
    """What a layer may run as; with real weights, their mask where it matters to the hardware.

    Weights must follow the sparsest pattern; others that they do not follow are left aside.

    Raises
    ------
    WeightsError
        If the weights have another shape, or break the sparsest pattern.
    """
    layer, tensor, problems = work.layer, work.tensor, work.problems
    if tensor is None:
        return [Option(problem) for problem in problems]
    assert isinstance(layer, Gemm | Conv)
    options = []
    for problem in problems:
        if problem.unit == "vector":  # lanes skip nothing
            options.append(Option(problem))
            continue
        rows = rows_of(layer, tensor, problem)
        mask, pattern = (rows != 0).view(np.uint8), problem.pattern
        if isinstance(pattern, Gathered):
            return [Option(with_real_indices(problem, mask, hardware), mask)]
        assert isinstance(pattern, Pattern), "refused where weights are attached"
        if pattern == problems[0].pattern and not pattern.is_dense:
            require_compliance(mask, pattern, layer.name)
        elif not pattern.is_dense and not check_compliance(mask, pattern).complies:
            continue
        matters = hardware.sparsity.skip == "nonzeros"
        options.append(Option(problem, mask if matters else None))
    return options


def find_tensor(layer: Layer, weights: Mapping[str, Array]) -> Array | None:
    """The tensor named as the layer, with or without ``.weight``; None if there is none.

    Raises
    ------
    WeightsError
        If what lies beside it says that the layer's weights are compressed or quantised.
    """
    if not weights or not isinstance(layer, Gemm | Conv):
        return None
    names = (layer.name, f"{layer.name}.weight")
    found = next((name for name in names if name in weights), None)
    is_integer = found is not None and np.issubdtype(np.asarray(weights[found]).dtype, np.integer)
    encoding = encoding_of(found or names[1], weights, is_integer=is_integer)
    if encoding is not None:
        raise WeightsError(
            f"layer {layer.name}", f"its tensors are {encoding}", want="plain weights",
            hint="decompress or dequantise them first",
        )  # fmt: skip
    return weights[found] if found is not None else None


def rows_of(layer: Gemm | Conv, tensor: Array, problem: GemmProblem) -> Array:
    """The weights as rows along k, as the tensor cores take them.

    Returns
    -------
    array (count * m, k)
        With the padding of channels and of what a library demands, zeros there.

    Raises
    ------
    WeightsError
        If the tensor's shape is not the layer's.
    """
    require_shape(layer, tensor)
    rows = tensor if isinstance(layer, Gemm) else to_matrix(tensor, problem.run)
    rows = rows.reshape(problem.own.count, problem.own.m, -1)
    missing = problem.m - rows.shape[1], problem.k - rows.shape[2]
    if any(missing):
        rows = np.pad(rows, [(0, 0), (0, missing[0]), (0, missing[1])])
    return rows.reshape(-1, problem.k)


def require_shape(layer: Gemm | Conv, tensor: Array) -> None:
    """Refuse weights of another shape than the layer's.

    Raises
    ------
    WeightsError
    """
    if isinstance(layer, Gemm):
        size = layer.batch * layer.m * layer.k
        if tensor.size != size or tensor.shape[-1] != layer.k:
            raise _shape_error(layer, tensor, f"({layer.m}, {layer.k}), output features first")
        return
    channels = layer.in_channels // layer.groups
    wanted = (layer.out_channels, channels, *layer.pair("kernel"))
    if tensor.shape != wanted:
        raise _shape_error(layer, tensor, f"{wanted}: output, input channels, height, width")


def pruned(layer: Gemm | Conv, tensor: Array, pattern: Prunable) -> Array:
    """The weights with all but the largest of every group, or of all, set to zero."""
    if pattern.is_dense:
        return tensor
    rows = channel_rows(tensor) if isinstance(layer, Conv) else tensor.reshape(-1, layer.k)
    if isinstance(pattern, Unstructured):
        mask = unstructured_mask(rows, pattern.density)
    else:
        mask = magnitude_mask(rows, pattern)
    kept = np.where(mask, rows, rows.dtype.type(0))
    if isinstance(layer, Conv):
        return from_channel_rows(kept, tensor.shape)
    return kept.reshape(tensor.shape)  # a batch has its own leading dimensions


def with_real_indices(problem: GemmProblem, mask: Mask, hardware: Hardware) -> GemmProblem:
    """The unstructured baseline with the density and the bank conflicts of real weights."""
    assert isinstance(problem.pattern, Gathered)
    density = Unstructured(Fraction(max(1, int(np.count_nonzero(mask))), mask.size))
    conflict = real_conflicts(mask, fetch_ways(hardware, problem.dtype))
    pattern = replace(problem.pattern, pattern=density, conflict_ratio=conflict)
    return replace(problem, pattern=pattern)


def _shape_error(layer: Layer, tensor: Array, want: str) -> WeightsError:
    is_transposed = isinstance(layer, Gemm) and tensor.shape == (layer.k, layer.m)
    return WeightsError(
        f"layer {layer.name}", "its tensor has another shape", got=tensor.shape, want=want,
        hint="it is transposed" if is_transposed else None,
    )  # fmt: skip
