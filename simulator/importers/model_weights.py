"""``model, weights file -> Workload, {layer: weights}``: every layer with its own tensor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from simulator.errors import WeightsError
from simulator.importers.imported import Blocks, Imported, Stored
from simulator.importers.onnx_weights import read_onnx_weights
from simulator.weights.compressed import left_alone, summary
from simulator.weights.files import Tensor, read_weights
from simulator.weights.layout import Array
from simulator.workload import Layer, Workload

LONGEST_END = 10
"""Parts of a name that a model's prefix may stand before; more than any family's have."""


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
    tensors, notes = _plain(path)
    named = imported.workload
    workload = replace(named, notes=(*named.notes, *notes))
    if not imported.stored:
        return workload, {name: tensor.values() for name, tensor in tensors.items()}
    index = _Index(tensors)
    layers, found = [], {}
    for layer, stored in _apart(imported):
        layers.append(layer)
        array = index.rows(stored) if stored is not None else None
        if array is not None:
            found[layer.name] = array
    if not found:
        first = next(iter(imported.stored.values())).of(0).names[0]
        raise WeightsError(
            str(path), "; ".join(["no tensor is named as in the model", *notes]),
            want=f"such as {first}", got=", ".join(list(tensors)[:3]),
        )  # fmt: skip
    return replace(workload, layers=tuple(layers)), found


def _plain(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of a file that are weights as they stand, and notes of those that are not.

    Raises
    ------
    WeightsError
        If there is none, or none that is not compressed.
    """
    tensors = read_weights(path)
    parts = left_alone(tensors)
    plain = {
        name: tensor
        for name, tensor in tensors.items()
        if tensor.is_weights and name not in parts
    }  # fmt: skip
    notes = summary(parts)
    if not plain:
        what = f"holds no weights to read: {'; '.join(notes)}" if notes else "holds no weights"
        hint = "decompress or dequantise them first" if notes else None
        raise WeightsError(str(path), what, hint=hint)
    return plain, [f"{path.name}: {note}" for note in notes]


class _Index:
    """Tensors by name, whatever prefix the model was saved under."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.by_end: dict[str, list[str]] = defaultdict(list)
        for name in tensors:
            parts = name.rsplit(".", LONGEST_END)
            self.by_end[name].append(name)
            for start in range(1, len(parts)):
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
    inside: dict[int, list[tuple[Layer, Stored | None]]] = defaultdict(list)
    after: list[tuple[Layer, Stored | None]] = []
    for layer in imported.workload.layers:
        stored, blocks = imported.stored.get(layer.name), imported.blocks.get(layer.name)
        if blocks is None:
            if inside:
                after.append((layer, stored))
            else:
                yield layer, stored
            continue
        for block in blocks.numbers:
            one = replace(layer, name=blocks.name_in(block), repeat=1)
            inside[block].append((one, stored.of(block) if stored else None))
    lasts = {block: parts[-1][0].name for block, parts in inside.items()}
    for block in sorted(inside):
        for one, stored in inside[block]:
            yield _reading(one, imported.blocks, block, lasts), stored
    for one, stored in after:
        yield _reading(one, imported.blocks, len(lasts), lasts), stored


def _reading(
    layer: Layer, blocks: Mapping[str, Blocks], block: int, lasts: Mapping[int, str]
) -> Layer:
    """A layer of one block that reads those of the same, and of the last layer before them."""

    def one(name: str) -> str:
        if name in blocks and block in blocks[name].numbers:
            return blocks[name].name_in(block)
        is_before = name in blocks or block in lasts
        return lasts.get(block - 1, name) if is_before else name

    return replace(layer, inputs=tuple(one(name) for name in layer.inputs))
