"""Masks that lie over the weights of a network while it is trained, as parametrisations of torch.

Any `nn.Linear` and `nn.Conv2d`, grouped ones too, can be masked without knowing it. Groups run
along input channels as the hardware has them, so that a mask is that of `simulator.weights.masks`
on the rows of `simulator.weights.layout.channel_rows`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from simulator.errors import TrainingError
from simulator.sparsity import Prunable, Unstructured
from simulator.training.recipes import Recipe
from simulator.training.setup import Setup

FEWEST_INPUTS = 16
"""Of a layer that is pruned to zeros anywhere, which have no groups: so that the layers are those
that groups of 16 prune."""


def channel_rows(weight: Tensor) -> Tensor:
    """Every run of input channels as a row, as `simulator.weights.layout.channel_rows` has them.

    Parameters
    ----------
    weight : tensor (out, in) or (out, in / groups, kernel_h, kernel_w)
    """
    if weight.ndim == 2:
        return weight
    return weight.permute(0, 2, 3, 1).reshape(-1, weight.shape[1])


def from_channel_rows(rows: Tensor, shape: torch.Size) -> Tensor:
    """The tensor of ``shape`` that `channel_rows` made ``rows`` of."""
    if len(shape) == 2:
        return rows
    out, channels, high, wide = shape
    return rows.reshape(out, high, wide, channels).permute(0, 3, 1, 2).contiguous()


def magnitude_mask(weight: Tensor, pattern: Prunable, among: Tensor | None = None) -> Tensor:
    """Keep the largest magnitudes of every group, or of the layer; ties go to the earlier one.

    Parameters
    ----------
    weight : tensor
        Of a linear layer or of a convolution.
    among : tensor, bool, optional
        What may be kept; by default all.

    Returns
    -------
    tensor, bool
        Of the weight's shape.
    """
    smallness = -weight.detach().abs()
    if among is not None:
        smallness = smallness.masked_fill(~among, 1.0)  # after every magnitude
    rows = channel_rows(smallness)
    kept = _largest(rows, pattern) if isinstance(pattern, Unstructured) else _best(rows, pattern)
    mask = from_channel_rows(kept, weight.shape)
    return mask if among is None else mask & among


def _best(smallness: Tensor, pattern: Any) -> Tensor:
    """The ``keep`` first of every group along the rows."""
    rows, k = smallness.shape
    groups = nn.functional.pad(smallness, (0, pattern.padded(k) - k), value=math.inf)
    groups = groups.reshape(rows, -1, pattern.group)
    first = groups.argsort(dim=2, stable=True)[:, :, : pattern.keep]
    kept = torch.zeros(groups.shape, dtype=torch.bool).scatter_(2, first, True)
    return kept.reshape(rows, -1)[:, :k]


def _largest(smallness: Tensor, pattern: Unstructured) -> Tensor:
    """As many as the density says, of all; rounded to the nearest, halves up."""
    count = math.floor(pattern.density * smallness.numel() + Fraction(1, 2))
    first = smallness.flatten().argsort(stable=True)[:count]
    kept = torch.zeros(smallness.numel(), dtype=torch.bool).index_fill_(0, first, True)
    return kept.reshape(smallness.shape)


class Mask(nn.Module):
    """What becomes of the weights of one layer; from the end of training on, the pattern holds.

    Parameters
    ----------
    weight : tensor
        As the dense network has it.
    """

    kept: Tensor

    def __init__(self, weight: Tensor, pattern: Prunable, recipe: Recipe) -> None:
        super().__init__()
        self.pattern, self.recipe = pattern, recipe
        self.register_buffer("kept", magnitude_mask(weight, pattern))

    def at(self, progress: float, weight: Tensor) -> None:
        """Before every step and at the end: the share of steps that are over, and the weights."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.kept


class Fixed(Mask):
    """The mask of the dense network, from beginning to end."""


class Shrinking(Mask):
    """Along a ramp more and more is pruned, and stays so."""

    def __init__(self, weight: Tensor, pattern: Prunable, recipe: Recipe) -> None:
        super().__init__(weight, pattern, recipe)
        self.kept.fill_(True)
        self.holds: Prunable | None = None

    def at(self, progress: float, weight: Tensor) -> None:
        now = self.recipe.ramp.pattern(progress, self.pattern)
        if now != self.holds:
            self.holds = now
            self.kept = magnitude_mask(weight, now, among=self.kept)


class Targeted(Mask):
    """All but the largest are dropped at random, with a probability that rises to 1.

    Nothing is rescaled (Gomez et al. 2018 do not, either): what is dropped is small. Weights
    change places as long as some of those that are dropped come through.
    """

    dropped = 0.0

    def at(self, progress: float, weight: Tensor) -> None:
        self.dropped = self.recipe.ramp.pruned(progress)
        self.kept = magnitude_mask(weight, self.pattern)

    def forward(self, weight: Tensor) -> Tensor:
        if self.dropped == 1:
            return weight * self.kept
        return weight * (self.kept | (torch.rand_like(weight) >= self.dropped))


class StraightThrough(Mask):
    """Pruned anew before every step; all weights learn, and pruned ones decay (SR-STE)."""

    def at(self, progress: float, weight: Tensor) -> None:  # noqa: ARG002  # as every mask's
        self.kept = magnitude_mask(weight, self.pattern)

    def forward(self, weight: Tensor) -> Tensor:
        decay = float(self.recipe["decay"])
        pruned: Tensor = _Straight.apply(weight, self.kept, decay)  # type: ignore[no-untyped-call]  # torch's own
        return pruned


class _Straight(torch.autograd.Function):
    """Forward the masked weights; backward the gradient of all, and the decay of the pruned.

    Source: Zhou et al. 2021, equation 9.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, kept: Tensor, decay: float) -> Tensor:
        ctx.save_for_backward(weight, kept)
        ctx.decay = decay
        return weight * kept

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        weight, kept = ctx.saved_tensors
        return gradient + ctx.decay * weight.masked_fill(kept, 0.0), None, None


MASKS: dict[str, type[Mask]] = {
    "fixed": Fixed,
    "shrinking": Shrinking,
    "targeted": Targeted,
    "straight_through": StraightThrough,
}
"""By the name that recipes call them by."""


def layers_of(model: nn.Module) -> Iterator[tuple[str, nn.Linear | nn.Conv2d]]:
    """Names and modules of all linear layers and convolutions, in the order of the model.

    Raises
    ------
    TrainingError
        If the model is itself a layer, which has no name then.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            if not name:
                raise TrainingError("network", "is a single layer", want="a module of layers")
            yield name, module


def can_hold(module: nn.Linear | nn.Conv2d, pattern: Prunable) -> bool:
    """Whether a layer has inputs for a whole group."""
    group = FEWEST_INPUTS if isinstance(pattern, Unstructured) else pattern.group
    return module.weight.shape[1] >= group


class Masked:
    """A model under masks.

    Parameters
    ----------
    model : Module
        It is changed in place.
    pattern : Pattern or Unstructured
        Of every layer that can hold it and that the setup does not leave dense.

    Raises
    ------
    TrainingError
        If no layer can hold the pattern.
    """

    def __init__(self, model: nn.Module, setup: Setup, pattern: Prunable, recipe: Recipe) -> None:
        self.layers: dict[str, nn.Linear | nn.Conv2d] = {}
        self.masks: dict[str, Mask] = {}
        if recipe.does.mask is None or pattern.is_dense:
            return
        self.layers = {
            name: module
            for name, module in layers_of(model)
            if can_hold(module, pattern) and not setup.stays_dense(name)
        }
        if not self.layers:
            raise TrainingError(
                f"pattern {pattern}", "no layer can hold it",
                hint="a layer needs a group of inputs, and dense must not find it",
            )  # fmt: skip
        for name, layer in self.layers.items():
            mask = MASKS[recipe.does.mask](layer.weight.detach(), pattern, recipe)
            parametrize.register_parametrization(layer, "weight", mask)
            self.masks[name] = mask

    def at(self, progress: float) -> None:
        """Before every step, and at the end: the share of steps that are over."""
        for name, mask in self.masks.items():
            original: Any = self.layers[name].parametrizations
            mask.at(progress, original["weight"].original)

    def bake(self) -> dict[str, Tensor]:
        """Make the masked weights the layers' own; returns the masks by layer."""
        self.at(1.0)
        for layer in self.layers.values():
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
        return {name: mask.kept for name, mask in self.masks.items()}
