"""Before anything is trained: do the networks have the layers that a recipe file speaks of?"""

from __future__ import annotations

import re
from collections.abc import Iterable

from simulator.errors import SpecError, TrainingError
from simulator.sparsity import parse_prunable
from simulator.training.choice import Choice
from simulator.training.networks import narrower
from simulator.training.plan import Job
from simulator.training.recipes import Recipe
from simulator.training.setup import Setup
from simulator.training.spec import TrainSpec
from simulator.training.train import build


def check_layers(setup: Setup, jobs: Iterable[Job], spec: TrainSpec) -> None:
    """Build every network that jobs train, and put its masks on.

    Parameters
    ----------
    spec : TrainSpec
        Where the setup comes from.

    Raises
    ------
    SpecError
        If an expression of ``dense`` finds no layer: it is misspelt, and what it means is pruned.
    TrainingError
        If there is no layer, or none that can hold a pattern, or a recipe does not suit the
        network.
    """
    from simulator.training.loop import seeded
    from simulator.training.masks import Masked, layers_of

    with seeded(0):
        names = [name for name, _ in layers_of(build(setup, setup.network))]
        if not names:
            where = f"network {setup.network.kind}"
            raise TrainingError(where, "has no linear layer and no convolution")
        for index, text in enumerate(setup.dense):
            if not any(re.search(text, name) for name in names):
                hint = f"layers are {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}"
                raise SpecError(spec.where("dense", index), "finds no layer", got=text, hint=hint)
        for recipe, pattern in dict.fromkeys((job.recipe, job.pattern) for job in jobs):
            model = build(setup, _network(setup, recipe))
            Masked(model, setup, parse_prunable(pattern), recipe)


def _network(setup: Setup, recipe: Recipe) -> Choice:
    """What is trained: without some channels, if the recipe takes them out."""
    if recipe.kind == "channels":
        return narrower(setup.network, recipe.channels)
    return setup.network
