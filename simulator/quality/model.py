"""An ONNX model whose weights can be pruned: its layers, and where in the file each weight is.

Exporters leave transposes, reshapes and casts between a stored tensor and the operator that reads
it, convolutions have their channels before the kernel, and a matrix may stand either way. All that
is one thing here: `PrunableModel.places`, the place in the stored tensor of every weight of a
layer's rows.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.importers.onnx_graph import Operand
from simulator.importers.onnx_model import parse, read_with_operands
from simulator.importers.onnx_values import evaluate
from simulator.importers.onnx_weights import Constants
from simulator.quality.inputs import INPUTS
from simulator.quality.tensors import Tensors, load_external
from simulator.weights.layout import Array
from simulator.workload import Conv, Gemm, Layer

if TYPE_CHECKING:
    import onnx

LEAST_INPUTS = 16
"""Inputs along which groups run that a layer must have: stems and depthwise layers have fewer."""

MOVING = frozenset(
    {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice", "Split"}
)
"""Operators that only move weights; of a Cast, which changes their format, none is lost."""

Places = npt.NDArray[np.int64]


class _StaysDenseError(Exception):
    """Why a layer cannot be pruned."""


def _made_by(node: onnx.NodeProto | None) -> _StaysDenseError:
    if node is not None and node.op_type == "DequantizeLinear":
        return _StaysDenseError("with quantised weights")
    return _StaysDenseError(f"whose weights {node.op_type if node else 'the model'} makes")


@dataclass(frozen=True)
class PrunableLayer:
    """A layer that can be pruned.

    Attributes
    ----------
    name : str
        As the importer calls it.
    tensor : str
        The stored tensor that its weights are in.
    operand : Operand
        What its operator reads, and the operator's first output.
    sections : int
        Groups of a convolution, or matrices of a stack: each has inputs of its own.
    rows : int
        Of all sections.
    k : int
        Weights of a row: of a convolution, taps times inputs, inputs fastest.
    shape : tuple of int
        Of the weights as the operator reads them.
    inputs : int
        Weights of a row after which groups start anew.
    twin : str
        An earlier layer with the same weights; empty if there is none.
    """

    name: str
    tensor: str
    operand: Operand
    sections: int
    rows: int
    k: int
    inputs: int
    shape: tuple[int, ...]
    twin: str = ""

    @property
    def weights(self) -> int:
        return self.rows * self.k

    @property
    def gram_bytes(self) -> int:
        """Of the Gram matrices of its inputs in fp64."""
        return self.sections * self.k**2 * np.dtype(np.float64).itemsize


@dataclass(frozen=True)
class PrunableModel:
    """A model in memory, external data and all.

    Attributes
    ----------
    layers : tuple of PrunableLayer
        In the order of the graph.
    left : dict of str to str
        Layers with weights that cannot be pruned, and why.
    parameters : dict of str to int
        Sizes of symbolic dimensions that it was read with.
    files : tuple of Path
        External data.
    """

    path: Path
    parameters: Mapping[str, int]
    proto: onnx.ModelProto
    layers: tuple[PrunableLayer, ...]
    left: Mapping[str, str]
    files: tuple[Path, ...]

    @classmethod
    def read(cls, path: Path | str, parameters: Mapping[str, int] | None = None) -> PrunableModel:
        """Read a model and find what can be pruned.

        Parameters
        ----------
        path : Path or str
        parameters : mapping of str to int, optional
            Sizes of symbolic input dimensions, as `load_workload` takes them.

        Raises
        ------
        SimulatorError
            If the model cannot be read, or nothing in it can be pruned.
        """
        path = Path(path)
        imported, operands = read_with_operands(path, parameters or {})
        proto = parse(path)
        files = load_external(path, proto)
        bare = cls(path, dict(parameters or {}), proto, (), {}, tuple(files))
        layers, left = _sorted_out(bare, imported.workload.layers, operands)
        if not layers:
            why = "; ".join(_reasons(left)) or "no weights in it"
            raise WeightsError(str(path), f"has no layer that can be pruned: {why}")
        return replace(bare, layers=layers, left=left)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file and of its external data."""
        digest = hashlib.sha256()
        for path in (self.path, *self.files):
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()

    @property
    def notes(self) -> list[str]:
        """What was left alone: ``stay dense: 13 with fewer than 16 inputs``."""
        reasons = _reasons(self.left)
        return [f"stay dense: {'; '.join(reasons)}"] if reasons else []

    @cached_property
    def tensors(self) -> Tensors:
        return Tensors(self.proto)

    @cached_property
    def makers(self) -> dict[str, onnx.NodeProto]:
        """The operator that writes each tensor."""
        return {name: node for node in self.proto.graph.node for name in node.output if name}

    @cached_property
    def _constants(self) -> Constants:
        return Constants(self.path, self.proto)

    def node(self, layer: PrunableLayer) -> onnx.NodeProto:
        return self.makers[layer.operand.output]

    def places(self, layer: PrunableLayer) -> Places:
        """Where in the stored tensor, counted along it, the weights of a layer's rows are.

        Returns
        -------
        array (sections, rows / section, k)
        """
        places = self.moved(layer.operand.tensor)
        if layer.k != layer.inputs:
            places = np.moveaxis(places, 1, -1)
        shape = (layer.sections, layer.rows // layer.sections, layer.k)
        if layer.operand.inputs_first:
            return places.reshape(shape[0], shape[2], shape[1]).swapaxes(1, 2)
        return places.reshape(shape)

    def source(self, tensor: str) -> str:
        """The stored tensor that a moved one is made of."""
        return tensor if tensor in self.tensors else self.source(self.makers[tensor].input[0])

    def moved(self, tensor: str) -> Places:
        """Places of all elements of a tensor in the stored one that it is made of."""
        if tensor in self.tensors:
            shape = self.tensors.shape(tensor)
            return np.arange(prod(shape)).reshape(shape)
        node = self.makers.get(tensor)
        if node is None or node.op_type not in MOVING | {"Cast"}:
            raise _made_by(node)
        moved = self.moved(node.input[0])
        if node.op_type == "Cast":
            return moved
        inputs: dict[str, Array] = {node.input[0]: moved}
        for name in filter(None, node.input[1:]):
            value = self._constants.of(name)
            if value is None:
                raise _made_by(node)
            inputs[name] = value
        outputs = evaluate(self.proto, node, inputs)
        if outputs is None:
            raise _made_by(node)
        return outputs[list(node.output).index(tensor)]

    def readers(self, tensor: str) -> Iterator[onnx.NodeProto]:
        """Operators that read a stored tensor, as it is or moved."""
        for node in self._readers.get(tensor, ()):
            if node.op_type in MOVING | {"Cast"} and node.input[0] == tensor:
                for output in node.output:
                    yield from self.readers(output)
            else:
                yield node

    @cached_property
    def _readers(self) -> dict[str, list[onnx.NodeProto]]:
        found = defaultdict(list)
        for node in self.proto.graph.node:
            for name in names_read(node):
                found[name].append(node)
        return found


def names_read(node: onnx.NodeProto) -> set[str]:
    """Tensors that an operator reads, those read in the bodies of control flow included."""
    names = set(filter(None, node.input))
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                names |= names_read(inner)
            names |= {value.name for value in body.output}
    return names


def _sorted_out(
    model: PrunableModel, layers: tuple[Layer, ...], operands: Mapping[str, Operand]
) -> tuple[tuple[PrunableLayer, ...], dict[str, str]]:
    """What can be pruned, and what cannot, with the reason."""
    found: list[PrunableLayer] = []
    left: dict[str, str] = {}
    for layer in layers:
        if isinstance(layer, Gemm | Conv):
            try:
                found.append(_prunable(model, layer, operands.get(layer.name)))
            except _StaysDenseError as reason:
                left[layer.name] = str(reason)
    by_tensor = defaultdict(list)
    for one in found:
        by_tensor[one.tensor].append(one)
    own = {one.operand.output for one in found}
    twins: dict[str, str] = {}
    for tensor, sharing in by_tensor.items():
        try:
            for node in model.readers(tensor):
                if node.output[0] not in own:
                    raise _StaysDenseError(f"whose weights {node.op_type} reads, too")
            twins |= _twins(model, sharing)
        except _StaysDenseError as reason:
            left |= dict.fromkeys((one.name for one in sharing), str(reason))
    kept = (one for one in found if one.name not in left)
    return tuple(replace(one, twin=twins.get(one.name, "")) for one in kept), left


def _prunable(model: PrunableModel, layer: Gemm | Conv, operand: Operand | None) -> PrunableLayer:
    if operand is None:
        raise _StaysDenseError("with packed weights")
    if isinstance(layer, Conv):
        sections, rows, inputs = layer.groups, layer.out_channels, layer.in_channels // layer.groups
        k = inputs * prod(layer.pair("kernel"))
    else:
        sections, rows, inputs, k = layer.batch, layer.batch * layer.m, layer.k, layer.k
    if inputs < LEAST_INPUTS:
        raise _StaysDenseError(f"with fewer than {LEAST_INPUTS} inputs")
    node = model.makers.get(operand.output)
    if node is None or node.op_type not in INPUTS:
        raise _StaysDenseError(f"whose inputs nothing reads ({node.op_type if node else 'folded'})")
    shape = model.moved(operand.tensor).shape
    stored = model.source(operand.tensor)
    if not model.tensors.is_float(stored):
        raise _StaysDenseError("with quantised weights")
    if prod(shape) != rows * k:
        raise _StaysDenseError("whose weights have another size than its operator")
    return PrunableLayer(layer.name, stored, operand, sections, rows, k, inputs, shape)


def _twins(model: PrunableModel, sharing: list[PrunableLayer]) -> dict[str, str]:
    """Of layers that share a tensor, those with all weights of an earlier one, by name."""
    if len(sharing) == 1:
        return {}
    taken = np.zeros(prod(model.tensors.shape(sharing[0].tensor)), dtype=np.bool_)
    first: list[tuple[PrunableLayer, Places]] = []
    twins = {}
    for layer in sharing:
        places = model.places(layer)
        same = (one for one, others in first if np.array_equal(others, places))
        if (twin := next(same, None)) is not None:
            twins[layer.name] = twin.name
        elif taken[places].any():
            raise _StaysDenseError("whose weights another layer groups in another way")
        else:
            first.append((layer, places))
            taken[places] = True
    return twins


def _reasons(left: Mapping[str, str]) -> list[str]:
    """``13 with fewer than 16 inputs``."""
    counts: dict[str, int] = defaultdict(int)
    for reason in left.values():
        counts[reason] += 1
    return [f"{count} {reason}" for reason, count in counts.items()]
