"""Channels taken out of a network: the weakest of every hidden layer, and what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

State = dict[str, Array]
"""Parameters and buffers of a network by their names in torch."""


def shrunk(state: State, target: Mapping[str, tuple[int, ...]]) -> State:
    """The state of a narrower network, of the strongest channels of a chain of layers.

    A channel is as strong as the sum of the magnitudes of the weights that make it (Li et al.
    2017); ties go to the earlier one. Those that stay keep their order.

    Parameters
    ----------
    state : dict of str to array
        ``<layer>.weight`` and ``<layer>.bias`` of a chain, in its order.
    target : mapping of str to tuple
        Shapes of the narrower network's.
    """
    small: State = {}
    inputs: npt.NDArray[np.intp] | None = None
    for name in (name.removesuffix(".weight") for name in state if name.endswith(".weight")):
        weight = state[f"{name}.weight"]
        strength = np.abs(weight).reshape(len(weight), -1).sum(axis=1)
        strongest = np.argsort(-strength, kind="stable")[: target[f"{name}.weight"][0]]
        outputs = np.sort(strongest)
        read = weight if inputs is None else weight[:, inputs]
        small[f"{name}.weight"] = np.ascontiguousarray(read[outputs])
        small[f"{name}.bias"] = state[f"{name}.bias"][outputs]
        inputs = outputs
    return small
