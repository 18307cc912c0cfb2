"""What may stand where a recipe file chooses: names out of tables, and parameters of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simulator.hardware.schema import NULL, TEXT, Schema
from simulator.training.choice import Kind, Parameter
from simulator.training.networks import NETWORKS
from simulator.training.recipes import RECIPES
from simulator.training.tasks import TASKS

ABOUT: Final = {
    "digits": "1797 images of written digits, 8 x 8 pixels, from scikit-learn.",
    "fashion": "Fashion-MNIST: 70,000 images of clothes, 28 x 28 pixels, from four IDX files.",
    "mlp": "Hidden layers that read all of the one before: fc1, fc2, ..., and head.",
    "patch-cnn": "Layers patch, conv1, conv2 and head: patches, two convolutions that halve the "
    "image and double the channels, the mean over it.",
    **{name: f"{kind.about[0].upper()}{kind.about[1:]}." for name, kind in RECIPES.items()},
}
"""What tasks, networks and recipes are."""

MEANINGS: Final = {
    "path": "Folder of the IDX files; by default where Debian's package puts them.",
    "width": "Units of a hidden layer, or channels of the first one; a multiple of 8.",
    "depth": "How many hidden layers there are before the last one.",
    "patch": "Side of the squares of pixels that the first layer reads.",
    "ramp": "Where the ramp ends, as a share of all further steps; after it the pattern holds.",
    "shape": "How much is pruned along the ramp: cubic, most of it early, or linear.",
    "round": "Which whole number of weights a group keeps on its way: nearest, up or down.",
    "decay": "How much pruned weights are drawn to zero at every step, lambda_W of SR-STE.",
    "keep": "Share of the channels that stay, above 0 and at most 1.",
}
"""What parameters mean, whoever has them."""


def choice_schema(table: Mapping[str, Kind], *, foreign: bool = False) -> Schema:
    """A name of a table, or one name with its parameters; ``foreign``, or ``module:function``."""
    names: Schema = {"enum": [*table]}
    settings = {name: _settings(kind.parameters) | {"description": ABOUT[name]}
                for name, kind in table.items()}  # fmt: skip
    chosen: Schema = {"type": "object", "properties": settings, "additionalProperties": False,
                      "minProperties": 1, "maxProperties": 1}  # fmt: skip
    others = [TEXT | {"pattern": ":"}] if foreign else []
    return {"anyOf": [names, *others, chosen]}


def _settings(parameters: Mapping[str, Parameter]) -> Schema:
    known = {
        name: {"description": MEANINGS[name], "default": parameter.default}
        for name, parameter in parameters.items()
    }
    own: Schema = {"type": "object", "properties": known, "additionalProperties": False}
    return {"anyOf": [own, NULL]}


TASK: Final = choice_schema(TASKS, foreign=True)
NETWORK: Final = choice_schema(NETWORKS, foreign=True)
RECIPE: Final = choice_schema(RECIPES)
