"""Train a dense network, then a recipe on it: what a run is, from its setup to its figures.

Arrays in, arrays out: torch is imported once a function is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import TrainingError, writing
from simulator.quality.measured import Figure, LayerCost
from simulator.sparsity import DENSE, Prunable, Unstructured, parse_prunable
from simulator.training.choice import Choice
from simulator.training.networks import build_network, narrower
from simulator.training.rates import RATES
from simulator.training.recipes import Recipe
from simulator.training.setup import Setup
from simulator.training.shrinking import Array, State, shrunk
from simulator.weights.compliance import require_compliance
from simulator.weights.layout import channel_rows

if TYPE_CHECKING:
    from torch import nn

DENSE_STAGE, RECIPE_STAGE = 0, 1
"""Of a seed: each draws random numbers of its own."""


@dataclass(frozen=True)
class Outcome:
    """What became of a network under a recipe.

    Attributes
    ----------
    figures : dict of str to Figure
        ``accuracy`` (0 to 1) and ``loss`` (cross entropy, nats) on what is tested with.
    layers : dict of str to LayerCost
        Of all linear layers and convolutions, in the order of the modules.
    trace : str
        A native layer trace of the network, for one sample.
    state : dict of str to array
        Baked: pruned weights are zeros.
    network : Choice
        Narrower than the setup's where channels were taken out.
    steps : int
        Further steps of training.
    """

    figures: dict[str, Figure]
    layers: dict[str, LayerCost]
    trace: str
    state: State
    network: Choice
    steps: int

    @property
    def nonzeros(self) -> int:
        """Of all linear layers and convolutions, those that stay dense included."""
        return sum(layer.nonzeros for layer in self.layers.values())

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers.values())


def train_dense(setup: Setup, seed: int) -> State:
    """The dense network of a seed, which all recipes start from.

    Raises
    ------
    TrainingError
        If torch is missing, the task cannot be read, or the network cannot be trained on it.
    """
    require_torch()
    from simulator.training.loop import fit, seeded, state_of

    drawn, order = _streams(seed, DENSE_STAGE)
    with seeded(drawn):
        model = build(setup, setup.network)
        fit(model, setup, RATES["original"], order)
        return state_of(model)


def train_recipe(setup: Setup, seed: int, recipe: Recipe, pattern: str, dense: State) -> Outcome:
    """What a recipe makes of a dense network.

    Parameters
    ----------
    seed : int
        That of the dense network. All recipes of a seed see the same batches.
    pattern : str
        Of every layer that can hold it and that the setup does not leave dense; the recipe `dense`
        prunes nothing, whatever it says.
    dense : dict of str to array
        As `train_dense` returned it.

    Raises
    ------
    TrainingError
        As `train_dense`; or if no layer can hold the pattern, or the recipe does not suit the
        network.
    """
    require_torch()
    from simulator.training.export import trace_of
    from simulator.training.loop import fit, load_state, seeded, state_of, tested
    from simulator.training.masks import Masked

    asked = parse_prunable(pattern) if recipe.does.mask else DENSE
    network = setup.network
    if recipe.kind == "channels":
        network = narrower(network, recipe.channels)
    drawn, order = _streams(seed, RECIPE_STAGE)
    with seeded(drawn):
        model = build(setup, network)
        if network != setup.network:
            shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
            dense = shrunk(dense, shapes)
        load_state(model, dense)
        masked = Masked(model, setup, asked, recipe)
        steps = 0
        if recipe.does.rates is not None:
            steps = fit(model, setup, RATES[recipe.does.rates], order, masked.at)
        masks = {name: mask.numpy() for name, mask in masked.bake().items()}
        layers = _layers(model, asked, masks)
        trace = trace_of(model, setup.data.shape, layers, network.name)
        return Outcome(tested(model, setup), layers, trace, state_of(model), network, steps)


def export_onnx(setup: Setup, outcome: Outcome, path: Path) -> None:
    """Write a trained network as an ONNX model of one file; samples are its free dimension.

    Raises
    ------
    TrainingError
        If torch is missing, or its exporter cannot read the network.
    OutputError
        If the file cannot be written.
    """
    require_torch()
    from simulator.training.export import onnx_of
    from simulator.training.loop import load_state, seeded

    with seeded(0):
        model = build(setup, outcome.network)
        load_state(model, outcome.state)
        content = onnx_of(model, setup.data.shape)
    with writing(path):
        path.write_bytes(content)


def build(setup: Setup, network: Choice) -> nn.Module:
    """A network of the size of the setup's task, its weights drawn from torch's random state."""
    return build_network(network, setup.data.shape, setup.data.classes, setup.folder)


def require_torch() -> None:
    """Raise a `TrainingError` that says how to install torch, if it is missing."""
    try:
        is_missing = find_spec("torch") is None
    except ValueError:  # there is a module of that name, but it was not imported as others are
        is_missing = True
    if is_missing:
        hint = 'pip install "nmsim[train]"'
        raise TrainingError("training", "needs the package torch", hint=hint)


def _streams(seed: int, stage: int) -> tuple[int, int]:
    """Seeds of what is drawn and of the order of samples."""
    drawn, order = np.random.SeedSequence((seed, stage)).generate_state(2).tolist()
    return drawn, order


def _layers(model: nn.Module, pattern: Prunable, masks: dict[str, Array]) -> dict[str, LayerCost]:
    """What became of every linear layer and convolution; those with a mask are held to it."""
    from simulator.training.masks import layers_of

    costs = {}
    for name, module in layers_of(model):
        weight = module.weight.detach().numpy()
        held: Prunable = DENSE
        if name in masks:
            held = pattern
            _hold(name, channel_rows(weight), channel_rows(masks[name]), pattern)
        costs[name] = LayerCost(str(held), weight.size, int(np.count_nonzero(weight)))
    return costs


def _hold(name: str, rows: Array, mask: Array, pattern: Prunable) -> None:
    """Count again, with numpy: a mask keeps what its pattern says, and nothing else is left.

    Raises
    ------
    TrainingError, WeightsError
        If a recipe broke its pattern, which is a mistake of ours.
    """
    if isinstance(pattern, Unstructured):
        want = floor(pattern.density * rows.size + Fraction(1, 2))
    else:
        require_compliance(rows, pattern, name)
        want = len(rows) * pattern.useful_slots(rows.shape[1])
    if int(mask.sum()) != want or rows[~mask].any():
        raise TrainingError(f"layer {name}", f"does not hold {pattern}", want=f"{want} weights")
