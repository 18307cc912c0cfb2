"""Does a written model hold what was asked for? Counted anew, from the file.

Nothing of how pruning finds weights is used here: what an operator multiplies is computed as the
importer does, which axis its inputs are on follows from the operator itself, and groups are
counted one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import WeightsError
from simulator.importers.onnx_graph import attributes
from simulator.importers.onnx_model import parse
from simulator.importers.onnx_weights import Constants
from simulator.sparsity import Pattern
from simulator.weights.layout import Array

if TYPE_CHECKING:
    import onnx

    from simulator.quality.model import PrunableModel
    from simulator.quality.pruning import PrunedLayer


def recount(path: Path, model: PrunableModel, layers: Iterable[PrunedLayer]) -> None:
    """Count the non-zeros of every group of every pruned layer in a file.

    Raises
    ------
    WeightsError
        If a group holds more than ``min(keep, rest)``, or a layer another number than it should.
    """
    proto = parse(path)
    constants = Constants(path, proto)
    nodes = {node.output[0]: node for node in proto.graph.node}
    operands = {layer.name: layer.operand for layer in model.layers}
    for layer in layers:
        operand = operands[layer.name]
        weights, node = constants.of(operand.tensor), nodes[operand.output]
        if weights is None or weights.size != layer.weights:
            raise WeightsError(f"{path} {layer.name}", "weights are missing", want=layer.tensor)
        is_nonzero = along_inputs(node, operand.tensor, weights != 0)
        count = int(is_nonzero.sum())
        if count != layer.nonzeros:
            raise WeightsError(
                f"{path} {layer.name}", "another number of weights is left",
                want=str(layer.nonzeros), got=count,
            )  # fmt: skip
        if isinstance(layer.pattern, Pattern):
            _check_groups(f"{path} {layer.name}", is_nonzero, layer.pattern)


def along_inputs(node: onnx.NodeProto, tensor: str, weights: Array) -> Array:
    """An operator's weights with the axis last that groups run along: its inputs."""
    given: dict[str, Any] = attributes(node)
    if node.op_type in ("Conv", "FusedConv"):
        return np.moveaxis(weights, 1, -1)
    if node.op_type == "ConvTranspose":  # inputs of all its groups follow each other
        moved = np.moveaxis(weights, 0, -1)
        return moved.reshape(*moved.shape[:-1], given.get("group", 1), -1)
    if weights.ndim == 1:
        return weights
    if tensor == node.input[0]:
        return weights.swapaxes(-1, -2) if given.get("transA", 0) else weights
    return weights if given.get("transB", 0) else weights.swapaxes(-1, -2)


def _check_groups(where: str, is_nonzero: Array, pattern: Pattern) -> None:
    for start in range(0, is_nonzero.shape[-1], pattern.group):
        group = is_nonzero[..., start : start + pattern.group]
        most = min(pattern.keep, group.shape[-1])
        found = int(group.sum(axis=-1).max())
        if found > most:
            raise WeightsError(
                where, f"a group at input {start} holds too many weights", want=f"at most {most}",
                got=found,
            )  # fmt: skip
