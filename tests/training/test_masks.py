"""Are the masks of training those of the rest of the program?"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from simulator.sparsity import AnyPattern, Pattern, Unstructured, parse_pattern
from simulator.training.masks import (
    MASKS,
    Fixed,
    Masked,
    Shrinking,
    StraightThrough,
    Targeted,
    magnitude_mask,
)
from simulator.training.recipes import RECIPES, Recipe
from simulator.training.setup import Setup
from simulator.weights.layout import channel_rows, from_channel_rows
from simulator.weights.masks import magnitude_mask as numpy_mask
from simulator.weights.masks import unstructured_mask


def setup(*dense: str) -> Setup:
    return Setup.of({"task": "digits", "network": "mlp", "epochs": 1, "dense": dense})


def by_numpy(weight: torch.Tensor, pattern: AnyPattern) -> Any:
    rows = channel_rows(weight.numpy())
    if isinstance(pattern, Unstructured):
        kept = unstructured_mask(rows, pattern.density)
    else:
        kept = numpy_mask(rows, pattern)
    return from_channel_rows(kept, tuple(weight.shape))


@st.composite
def patterns(draw: st.DrawFn) -> AnyPattern:
    if draw(st.booleans()):
        return Unstructured(Fraction(draw(st.integers(1, 100)), 100))
    group = draw(st.integers(1, 16))
    return Pattern(draw(st.integers(1, group)), group)


@st.composite
def weights(draw: st.DrawFn) -> torch.Tensor:
    """Of linear layers and convolutions; many magnitudes are equal, zeros of both signs occur."""
    shape: tuple[int, ...] = draw(st.tuples(st.integers(1, 6), st.integers(1, 40)))
    if draw(st.booleans()):
        shape = (*shape, draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    values = np.random.default_rng(draw(st.integers(0, 2**32))).integers(-3, 4, shape)
    if draw(st.booleans()):
        values = values * np.random.default_rng(0).standard_normal(shape)
    return torch.tensor(np.where(values == 0, -0.0, values), dtype=torch.float32)


@settings(max_examples=300, deadline=None)
@given(weights(), patterns())
def test_masks_are_those_of_numpy(weight: torch.Tensor, pattern: AnyPattern) -> None:
    assert np.array_equal(magnitude_mask(weight, pattern).numpy(), by_numpy(weight, pattern))


@settings(max_examples=100, deadline=None)
@given(weights(), patterns(), patterns())
def test_a_mask_among_others_never_grows_and_loses_no_room(
    weight: torch.Tensor, first: AnyPattern, second: AnyPattern
) -> None:
    """What was pruned stays so; zeros that are kept are not mixed up with what was pruned."""
    before = magnitude_mask(weight, first)
    after = magnitude_mask(weight, second, among=before)
    assert not (after & ~before).any()
    if isinstance(second, Unstructured):
        room = int(second.density * weight.numel() + Fraction(1, 2))
        assert after.sum() == min(before.sum(), room)
    else:
        found, had = (in_groups(mask, second.group) for mask in (after, before))
        assert np.array_equal(found, np.minimum(had, second.keep))


def in_groups(mask: torch.Tensor, group: int) -> Any:
    """Weights kept in every group along the inputs."""
    rows = channel_rows(mask.numpy())
    return np.stack([rows[:, i : i + group].sum(1) for i in range(0, rows.shape[1], group)])


def test_every_recipe_names_a_mask_that_there_is() -> None:
    assert {kind.mask for kind in RECIPES.values()} - {None} == set(MASKS)


def convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(4, 32, 3), nn.Conv2d(32, 64, 3, groups=2), nn.Conv2d(64, 64, 3, groups=64),
        nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def test_layers_are_chosen_by_their_inputs_and_by_name() -> None:
    """Inputs of a group of channels count; what holds no whole group stays dense."""
    asked, rewind = Pattern(2, 16), Recipe.parse("rewind")
    assert list(Masked(convolutions(), setup(), asked, rewind).masks) == ["1", "4"]
    assert list(Masked(convolutions(), setup("^4$"), asked, rewind).masks) == ["1"]
    assert list(Masked(convolutions(), setup(), Pattern(1, 4), rewind).masks) == ["0", "1", "4"]


@pytest.mark.parametrize("pattern", ["2:4", "3:16", "unstructured:0.3"])
@pytest.mark.parametrize("recipe", ["rewind", "iterative", "targeted_dropout", "sr_ste"])
def test_baked_weights_are_the_largest_and_leave_nothing_behind(recipe: str, pattern: str) -> None:
    model, asked = convolutions(), parse_pattern(pattern)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    masked = Masked(model, setup("0", "2"), asked, Recipe.parse(recipe))
    masked.at(0.0)
    model(torch.ones(1, 4, 7, 7)).sum().backward()
    masks = masked.bake()
    after = model.state_dict()
    assert after.keys() == before.keys()
    for name, value in before.items():
        layer = name.removesuffix(".weight")
        kept = by_numpy(value, asked) if layer in masks else np.ones(value.shape)
        assert np.array_equal(after[name].numpy(), value.numpy() * kept)


def mask_of(kind: type[Any], recipe: object, weight: torch.Tensor, pattern: str = "1:4") -> Any:
    return kind(weight, parse_pattern(pattern), Recipe.parse(recipe))


def test_a_fixed_mask_stays() -> None:
    mask = mask_of(Fixed, "rewind", torch.tensor([[1.0, 2, 3, 4]]))
    mask.at(0.5, torch.tensor([[4.0, 3, 2, 1]]))
    assert mask(torch.ones(1, 4)).tolist() == [[0, 0, 0, 1]]


def test_a_shrinking_mask_takes_the_smallest_of_what_is_left() -> None:
    """What was pruned does not come back, however large it has become meanwhile."""
    recipe = {"iterative": {"ramp": 1.0, "shape": "linear"}}
    mask = mask_of(Shrinking, recipe, torch.tensor([[1.0, 2, 3, 4]]))
    steps = ((0.0, [1, 1, 1, 1]), (0.34, [0, 1, 1, 1]), (0.67, [0, 0, 1, 1]), (1.0, [0, 0, 0, 1]))
    for progress, kept in steps:
        mask.at(progress, torch.tensor([[1.0, 2, 3, 4]]) if progress < 0.5 else
                torch.tensor([[9.0, 2, 3, 4]]))  # fmt: skip
        assert mask(torch.ones(1, 4)).tolist() == [kept]


def test_targeted_dropout_drops_all_but_the_largest_ever_more_often() -> None:
    """The largest never; the others with the ramp's probability, unscaled; none at its end."""
    torch.manual_seed(0)
    weight = torch.arange(1.0, 5).repeat(1, 5000)
    mask = mask_of(Targeted, {"targeted_dropout": {"ramp": 1.0}}, weight)
    for progress in (0.0, 0.25, 0.75, 1.0):
        mask.at(progress, weight)
        found = mask(weight).reshape(-1, 4)
        assert (found[:, 3] == 4).all()
        assert set(found[:, 0].tolist()) <= {0.0, 1.0}
        assert (found[:, :3] == 0).float().mean().item() == pytest.approx(progress, abs=0.01)


def test_targeted_weights_change_places() -> None:
    weight = torch.tensor([[1.0, 2, 3, 4]])
    mask = mask_of(Targeted, "targeted_dropout", weight)
    mask.at(1.0, torch.tensor([[9.0, 2, 3, 4]]))
    assert mask(weight).tolist() == [[1, 0, 0, 0]]


def test_gradients_go_straight_through_and_pruned_weights_decay() -> None:
    """d/dw of sum(w) is one everywhere; what is pruned moves towards zero by decay, too."""
    weight = torch.tensor([[1.0, -2, 3, 4]], requires_grad=True)
    mask = mask_of(StraightThrough, {"sr_ste": {"decay": 0.5}}, weight)
    pruned = mask(weight)
    assert pruned.tolist() == [[0, 0, 0, 4]]
    pruned.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1.5, 0.0, 2.5, 1.0]]
