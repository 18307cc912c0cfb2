"""Networks: from the shape of an input and the number of classes to a module, a table.

A built-in network is a chain: layers in the order of their names, each of which reads the last
one's outputs alone. So channels can be taken out of it (`simulator.training.shrinking`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import TrainingError
from simulator.training.choice import Choice, Parameter, Value
from simulator.training.foreign import called, function_named

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]

STEP = 8
"""Widths are multiples of it, so that groups of 8 fill every hidden layer; 16 by default."""


@dataclass(frozen=True)
class NetworkKind:
    """How a network is built, from its choice, the shape of an input, and classes."""

    build: Callable[[Choice, Shape, int], nn.Module]
    parameters: Mapping[str, Parameter]


def _is_width(given: Value) -> bool:
    return isinstance(given, int) and STEP <= given <= 4096 and given % STEP == 0


def _width(default: int) -> Parameter:
    return Parameter(default, f"a multiple of {STEP} up to 4096", _is_width)


def _count(default: int) -> Parameter:
    return Parameter(default, "a whole number from 1 to 64", lambda given: 1 <= int(given) <= 64)


def _mlp(choice: Choice, shape: Shape, classes: int) -> nn.Module:
    """``depth`` hidden layers of ``width``: fc1, fc2, ..., head."""
    from torch import nn

    inputs, width = prod(shape), int(choice["width"])
    chain = nn.Sequential()
    chain.add_module("flatten", nn.Flatten())
    for number in range(1, int(choice["depth"]) + 1):
        chain.add_module(f"fc{number}", nn.Linear(inputs, width))
        chain.add_module(f"relu{number}", nn.ReLU())
        inputs = width
    chain.add_module("head", nn.Linear(inputs, classes))
    return chain


def _patch_cnn(choice: Choice, shape: Shape, classes: int) -> nn.Module:
    """Patches, two convolutions that halve the image and double the channels, the mean over it.

    Layers are patch, conv1, conv2 and head; ``width`` is what patch has.
    """
    from torch import nn

    patch, width = int(choice["patch"]), int(choice["width"])
    if len(shape) != 3 or min(shape[1:]) < patch:
        want = f"images (channels, height, width) of {patch} x {patch} or more"
        raise TrainingError("network patch-cnn", "no images", want=want, got=shape)
    chain = nn.Sequential()
    chain.add_module("patch", nn.Conv2d(shape[0], width, patch, stride=patch))
    chain.add_module("relu0", nn.ReLU())
    for number in (1, 2):
        chain.add_module(f"conv{number}", nn.Conv2d(width, 2 * width, 3, stride=2, padding=1))
        chain.add_module(f"relu{number}", nn.ReLU())
        width *= 2
    chain.add_module("pool", nn.AdaptiveAvgPool2d(1))
    chain.add_module("flatten", nn.Flatten())
    chain.add_module("head", nn.Linear(width, classes))
    for layer in chain:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            # What passes keeps its variance (He et al. 2015): an epoch or two have to do.
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return chain


NETWORKS: dict[str, NetworkKind] = {
    "mlp": NetworkKind(_mlp, {"width": _width(32), "depth": _count(3)}),
    "patch-cnn": NetworkKind(_patch_cnn, {"width": _width(16), "patch": _count(4)}),
}
"""By name; `module:function` is a network, too: called with the shape of an input and the number
of classes, it returns a torch.nn.Module."""


def build_network(choice: Choice, shape: Shape, classes: int, folder: Path) -> nn.Module:
    """A module with weights drawn from torch's random state.

    Raises
    ------
    TrainingError
        If the network cannot take inputs of that shape, or a user's function fails.
    """
    from torch import nn

    if not choice.is_foreign:
        return NETWORKS[choice.kind].build(choice, shape, classes)
    where = f"network {choice.kind}"
    module = called(function_named(choice.kind, folder, where), where, shape, classes)
    if not isinstance(module, nn.Module):
        got = type(module).__name__
        raise TrainingError(where, "returns something else", want="a torch.nn.Module", got=got)
    return module


def narrower(choice: Choice, share: float) -> Choice:
    """A built-in network with that share of its channels, to the nearest multiple of `STEP`.

    Raises
    ------
    TrainingError
        If the network is a user's: nobody knows which of its channels belong together; or if no
        channel would be left out.
    """
    if choice.is_foreign:
        raise TrainingError(
            f"network {choice.kind}", "cannot be made smaller by the recipe channels",
            want=" or ".join(NETWORKS),
        )  # fmt: skip
    width = int(choice["width"])
    fewer = max(STEP, int(width * share / STEP + 0.5) * STEP)
    if fewer == width:
        raise TrainingError(
            f"network {choice.name}", f"keeps all channels at a share of {share:g}",
            hint=f"widths are multiples of {STEP}: a wider network, or a smaller share",
        )  # fmt: skip
    changed = dict(choice.parameters) | {"width": fewer}
    return replace(choice, parameters=tuple(sorted(changed.items())))
