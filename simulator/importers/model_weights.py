"""``model, weights file -> Workload, {layer: weights}``: every layer with its own tensor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.importers.imported import Imported, Stored
from simulator.importers.onnx_weights import read_onnx_weights
from simulator.weights.files import Tensor, read_weights
from simulator.workload import Layer, Workload

Array = npt.NDArray[Any]


def model_weights(
    imported: Imported, weights: Path | str, parameters: Mapping[str, int]
) -> tuple[Workload, dict[str, Array]]:
    """The workload with one layer a tensor, and the weights by layer.

    Parameters
    ----------
    imported : Imported
    weights : Path or str
        ``.safetensors`` or ``.npz``; or the ``.onnx`` model that was imported.
    parameters : mapping of str to int
        As the model was imported with.

    Returns
    -------
    Workload
        Layers that stand for several blocks are taken apart where each has tensors of its own.
    dict of str to array
        Output features first. Tensors of a plain trace keep their names.

    Raises
    ------
    WeightsError
        If the file cannot be read, or holds nothing for the workload.
    """
    path = Path(weights)
    if path.suffix.lower() == ".onnx":
        return imported.workload, read_onnx_weights(path, parameters)
    tensors = {name: tensor for name, tensor in read_weights(path).items() if tensor.is_weights}
    if not imported.stored:
        return imported.workload, {name: tensor.values() for name, tensor in tensors.items()}
    index = _Index(tensors)
    layers, found = [], {}
    for layer, stored in _apart(imported):
        layers.append(layer)
        array = index.rows(stored) if stored is not None else None
        if array is not None:
            found[layer.name] = array
    if not found:
        first = next(iter(imported.stored.values())).names[0].format(0)
        raise WeightsError(
            str(path), "no tensor is named as in the model", want=f"such as {first}",
            got=", ".join(list(tensors)[:3]) or "no weights",
        )  # fmt: skip
    return replace(imported.workload, layers=tuple(layers)), found


class _Index:
    """Tensors by name, whatever prefix the model was saved under."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.by_end: dict[str, list[str]] = defaultdict(list)
        for name in tensors:
            parts = name.split(".")
            for start in range(len(parts)):
                self.by_end[".".join(parts[start:])].append(name)

    def rows(self, stored: Stored) -> Array | None:
        """The weights of a layer, output features first; None if a tensor is missing."""
        names = stored.names
        if stored.tied and names[0] not in self.by_end:
            names = (stored.tied,)
        if any(name not in self.by_end for name in names):
            return None
        parts = [self.tensors[self._only(name)].values() for name in names]
        parts = [part.T if stored.inputs_first else part for part in parts]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def _only(self, end: str) -> str:
        """The one tensor of that name, or the one whose name ends so."""
        found = self.by_end[end]
        if end in found:
            return end
        if len(found) > 1:
            raise WeightsError(
                f"tensor {end}", "several tensors end so", got=", ".join(sorted(found)[:3]),
                hint="keep one model a file",
            )  # fmt: skip
        return found[0]


def _apart(imported: Imported) -> Iterator[tuple[Layer, Stored | None]]:
    """Layers in the order of their blocks; those of a repeated block under its number."""

    def in_blocks(layer: Layer) -> int:
        return layer.repeat

    for repeat, group in groupby(imported.workload.layers, key=in_blocks):
        layers = list(group)
        stored = [imported.stored.get(layer.name) for layer in layers]
        if not any(one is not None and "{}" in one.names[0] for one in stored):
            yield from zip(layers, stored, strict=True)
            continue
        for block in range(repeat):
            for layer, one in zip(layers, stored, strict=True):
                names = tuple(name.format(block) for name in one.names) if one else ()
                yield (
                    replace(layer, name=f"{block}.{layer.name}", repeat=1) if repeat > 1 else layer,
                    replace(one, names=names) if one else None,
                )
