"""Recipes: what happens between a dense network and a pruned one, a table.

A recipe is which learning rates the further epochs take and which mask lies over the weights
meanwhile. All of them start from the dense network of their seed and get the same number of
further epochs (`one_shot` none), so that their differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from simulator.training.choice import Choice, Parameter, one_of, read_choice, share
from simulator.training.ramps import ROUNDINGS, SHAPES, Ramp

RAMP_END = 0.5
"""By default half of the further steps follow the ramp, and half train what is left."""

SR_STE_DECAY = 2e-4
"""lambda_W of Zhou et al. 2021, section 3.2."""


@dataclass(frozen=True)
class RecipeKind:
    """What a recipe does.

    Attributes
    ----------
    about : str
        In a line.
    rates : str or None
        Learning rates of the further epochs, a name out of `simulator.training.rates.RATES`; None:
        it is not trained any further.
    mask : str or None
        A name out of `simulator.training.masks.MASKS`; None: nothing is pruned.
    parameters : mapping of str to Parameter
    """

    about: str
    rates: Literal["original", "last"] | None
    mask: Literal["fixed", "shrinking", "targeted", "straight_through"] | None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


RECIPES: dict[str, RecipeKind] = {
    "dense": RecipeKind("the same further epochs, nothing pruned", "original", None),
    "one_shot": RecipeKind("pruned by magnitude, once, not trained again", None, "fixed"),
    "finetune": RecipeKind("one_shot, then the last learning rate", "last", "fixed"),
    "rewind": RecipeKind("one_shot, then all learning rates once more", "original", "fixed"),
    "iterative": RecipeKind(
        "density falls along a ramp, and what is pruned stays so", "original", "shrinking",
        {"ramp": share(RAMP_END), "shape": one_of("cubic", "linear"),
         "round": one_of(*ROUNDINGS)},
    ),
    "targeted_dropout": RecipeKind(
        "all but the largest are dropped ever more often, and may come back", "original",
        "targeted", {"ramp": share(RAMP_END), "shape": one_of(*SHAPES)},
    ),
    "sr_ste": RecipeKind(
        "pruned anew at every step, gradients reach all weights, pruned ones decay", "original",
        "straight_through",
        {"decay": Parameter(SR_STE_DECAY, "a number from 0 to 1", lambda d: 0 <= float(d) <= 1)},
    ),
    "channels": RecipeKind(
        "the weakest channels out, which makes the network smaller; then rewind", "original",
        "fixed", {"keep": share(0.5)},
    ),
}  # fmt: skip
"""By name. Sources: finetune and rewind, Renda et al. 2020; iterative, Zhu and Gupta 2017;
targeted_dropout, Gomez et al. 2018; sr_ste, Zhou et al. 2021; channels, Li et al. 2017."""


@dataclass(frozen=True)
class Recipe(Choice):
    """A recipe of the table, and its parameters."""

    @classmethod
    def parse(cls, given: object, where: str = "recipe") -> Recipe:
        """Read ``rewind``, or ``{iterative: {ramp: 0.25, shape: cubic, round: nearest}}``.

        Raises
        ------
        SpecError
            If the name or a parameter is unknown, or a value is not accepted.
        """
        chosen = read_choice(given, RECIPES, where)
        return cls(chosen.kind, chosen.parameters)

    @property
    def does(self) -> RecipeKind:
        return RECIPES[self.kind]

    @property
    def ramp(self) -> Ramp:
        """Of recipes that have one; whatever they do not say of it is Ramp's default."""
        said = {"end": self["ramp"]} | dict(self.parameters)
        return Ramp(float(said["end"]), str(said["shape"]), str(said.get("round", "nearest")))

    @property
    def channels(self) -> float:
        """Share of the channels that is kept, 1 for all."""
        return float(self["keep"]) if self.kind == "channels" else 1.0
