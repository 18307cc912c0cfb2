"""Prune the weights of an ONNX model, a few layers at a time, on what earlier pruning leaves.

PrunableModel, PruneSpec, Calibration -> PrunedModel -> a file
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from simulator.errors import WeightsError, writing
from simulator.quality.calibration import Calibration
from simulator.quality.inputs import add_inputs, data_tensor, empty_gram
from simulator.quality.measured import LayerCost
from simulator.quality.memory import require_memory
from simulator.quality.model import PrunableLayer, PrunableModel
from simulator.quality.recount import recount
from simulator.quality.spec import Asked, PruneSpec, asked_of, gram_bytes, steps_of
from simulator.quality.tensors import Tensors
from simulator.quality.walk import Walk
from simulator.sparsity import DENSE, Prunable
from simulator.weights.layout import Array
from simulator.weights.masks import all_finite, unstructured_mask
from simulator.weights.methods import Method, method_named, prune_rows, reconstruction_error
from simulator.weights.prune import Kept, kept_of

if TYPE_CHECKING:
    import onnx

Progress = Callable[[int, int, str], None]
"""Layers done, layers in all, and the name of the next one."""

NOTHING_KEPT = Kept(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class PrunedLayer:
    """What became of a layer.

    Attributes
    ----------
    shape : tuple of int
        Of the weights as the operator reads them.
    magnitude, energy : Kept
        Of the weights before pruning, what lies where weights are left.
    error : float or None
        ``|(W - W') X|^2 / |W X|^2`` over the layer's inputs X; None without calibration.
    output : float
        ``|W X|^2``, 0 without calibration.
    twin : str
        An earlier layer with the same weights.
    """

    name: str
    tensor: str
    shape: tuple[int, ...]
    pattern: Prunable
    weights: int
    nonzeros: int
    magnitude: Kept
    energy: Kept
    error: float | None = None
    output: float = 0.0
    note: str = ""
    twin: str = ""


@dataclass(frozen=True)
class PrunedModel:
    """A pruned model in memory.

    Attributes
    ----------
    layers : tuple of PrunedLayer
        All that could be pruned, dense ones too, in the order of the graph.
    kept_bytes : int
        The most that activations between layers took.
    """

    model: PrunableModel
    proto: onnx.ModelProto
    layers: tuple[PrunedLayer, ...]
    method: str
    kept_bytes: int = 0

    @property
    def pruned(self) -> tuple[PrunedLayer, ...]:
        """Layers that are not dense, each tensor once."""
        return tuple(one for one in self.layers if not (one.pattern.is_dense or one.twin))

    @property
    def magnitude(self) -> Kept:
        """|w| of what was pruned."""
        return sum((one.magnitude for one in self.pruned), NOTHING_KEPT)

    @property
    def energy(self) -> Kept:
        """w^2 of what was pruned."""
        return sum((one.energy for one in self.pruned), NOTHING_KEPT)

    @property
    def error(self) -> float | None:
        """``|(W - W') X|^2`` over ``|W X|^2``, each added up over what was pruned."""
        known = [(one.error, one.output) for one in self.pruned if one.error is not None]
        total = sum(output for _, output in known)
        return sum(error * output for error, output in known if output) / total if total else None

    def layer_costs(self) -> dict[str, LayerCost]:
        """As rows of quality keep them."""
        return {
            one.name: LayerCost(str(one.pattern), one.weights, one.nonzeros, one.error)
            for one in self.layers
        }

    def write(self, path: Path | str) -> None:
        """Write the model, whole or not at all, once what is in the file was counted anew.

        External data becomes one file beside it, ``<name>.data``.

        Raises
        ------
        SimulatorError
            If it cannot be written, or what is in the file is not what was asked for.
        """
        path = Path(path).resolve()
        data = f"{path.name}.data" if self.model.files else None
        with writing(path), TemporaryDirectory(dir=path.parent, prefix=".nmsim.") as folder:
            temporary = Path(folder) / path.name
            _save(self.proto, temporary, data)
            recount(temporary, self.model, self.layers)
            mode = os.umask(0)
            os.umask(mode)
            for file in sorted(Path(folder).iterdir(), reverse=True):  # the data before the model
                os.chmod(file, 0o666 & ~mode)  # onnx writes for its owner alone
                os.replace(file, path.with_name(file.name))


def prune_model(
    model: PrunableModel,
    spec: PruneSpec,
    calibration: Calibration | None = None,
    progress: Progress | None = None,
) -> PrunedModel:
    """Prune a model.

    Parameters
    ----------
    calibration : Calibration, optional
        Inputs of the model; methods that look at the inputs of layers need it, and reconstruction
        errors are known only with it.

    Raises
    ------
    SimulatorError
        If the spec does not fit the model, the method needs a calibration, or weights or inputs
        are none that it can work with.
    """
    method = method_named(spec.method)
    if method.needs_gram and calibration is None:
        raise WeightsError(
            f"--method {method.name}", "looks at the inputs of layers",
            hint="--calibrate INPUTS.npz or module:function",
        )  # fmt: skip
    asked = asked_of(model, spec)
    pruner = _Pruner(model, spec, method, calibration)
    report = progress or (lambda _done, _layers, _name: None)
    steps = steps_of(asked, spec)
    total = sum(map(len, steps))
    for step in steps:
        pruner.prune(step, lambda done, name: report(done, total, name))
    layers = tuple(pruner.result(one) for one in asked)
    report(total, total, "")
    return PrunedModel(model, pruner.proto, layers, method.name, pruner.kept_bytes)


@dataclass
class _Pruner:
    """A copy of a model that is pruned step by step, and what became of its layers so far."""

    model: PrunableModel
    spec: PruneSpec
    method: Method
    calibration: Calibration | None
    proto: onnx.ModelProto = field(init=False)
    done: dict[str, PrunedLayer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.proto = type(self.model.proto)()
        self.proto.CopyFrom(self.model.proto)
        self.tensors = Tensors(self.proto)
        self.walk = None
        if self.calibration is not None:
            self.walk = Walk(self.model.path, self.proto, self.calibration.feeds)

    @property
    def kept_bytes(self) -> int:
        return self.walk.kept_bytes if self.walk is not None else 0

    def prune(self, step: Sequence[Asked], report: Callable[[int, str], None]) -> None:
        """Prune some layers on inputs that none of them has changed."""
        report(len(self.done), step[0].layer.name)
        grams = self._grams(step) if self.walk is not None else {}
        for one in step:
            report(len(self.done), one.layer.name)
            self.done[one.layer.name] = self._pruned(one, grams.pop(one.layer.name, None))

    def result(self, one: Asked) -> PrunedLayer:
        """What became of a layer, pruned or dense."""
        layer = one.layer
        if layer.twin:
            return replace(self.done[layer.twin], name=layer.name, twin=layer.twin)
        if layer.name not in self.done:
            self.done[layer.name] = self._dense(one)
        return self.done[layer.name]

    def _grams(self, step: Sequence[Asked]) -> dict[str, Array]:
        """Gram matrices of the inputs of some layers, and of their twins'."""
        assert self.walk is not None
        require_memory(
            "--layers-at-once",
            "Gram matrices",
            gram_bytes(step),
            "fewer layers at once, or --dense",
        )
        names = {one.layer.name for one in step}
        using = [one for one in self.model.layers if names & {one.name, one.twin}]
        nodes = {one.name: self.model.node(one) for one in using}
        ends = {one.name: self.walk.place(one.operand.output) for one in using}
        if self.spec.layers_at_once:
            self.walk.advance(min(ends.values()))
        wanted = {one.name: data_tensor(one, nodes[one.name]) for one in using}
        grams = {one.layer.name: empty_gram(one.layer) for one in step}
        for batch in self.walk.tensors(wanted.values(), max(ends.values())):
            for one in using:
                data = batch[wanted[one.name]]
                add_inputs(grams[one.twin or one.name], one, nodes[one.name], data)
        return grams

    def _pruned(self, one: Asked, gram: Array | None) -> PrunedLayer:
        layer, places = one.layer, self.model.places(one.layer)
        before = self._finite(layer)
        rows = before.reshape(-1)[places]
        sections = [
            prune_rows(
                rows[at], one.pattern, self.method.name, None if gram is None else gram[at],
                self.spec.damping, run=layer.inputs, where=layer.name,
            )
            for at in range(layer.sections)
        ]  # fmt: skip
        after = before.copy()
        after.reshape(-1)[places] = np.stack(sections)
        self.tensors.replace(layer.tensor, after)
        written = self.tensors.array(layer.tensor).reshape(-1)[places]
        error, output = _reconstruction(rows, written, gram)
        mask = written != 0
        kept = _kept(rows, mask, one.pattern)
        return replace(self._made(one, mask, kept), error=error, output=output)

    def _dense(self, one: Asked) -> PrunedLayer:
        rows = self._finite(one.layer).reshape(-1)[self.model.places(one.layer)]
        kept = _kept(rows, np.ones(rows.shape, dtype=np.bool_), DENSE)
        return self._made(one, rows != 0, kept)

    def _finite(self, layer: PrunableLayer) -> Array:
        """A layer's tensor, of which nothing is kept or left out if it holds no numbers."""
        tensor = self.tensors.array(layer.tensor)
        if not all_finite(tensor):
            raise WeightsError(layer.name, "has weights that are not finite")
        return tensor

    def _made(self, one: Asked, mask: Array, kept: tuple[Kept, Kept]) -> PrunedLayer:
        """A layer of which ``mask`` (sections, rows, k) is not zero."""
        layer = one.layer
        return PrunedLayer(
            name=layer.name,
            tensor=layer.tensor,
            shape=layer.shape,
            pattern=one.pattern,
            weights=layer.weights,
            nonzeros=int(np.count_nonzero(mask)),
            magnitude=kept[0],
            energy=kept[1],
            error=None if self.walk is None else 0.0,
            note=one.note,
        )


def _kept(rows: Array, mask: Array, pattern: Prunable) -> tuple[Kept, Kept]:
    flat = rows.reshape(-1, rows.shape[-1])
    return kept_of(flat, mask.reshape(flat.shape), unstructured_mask(flat, pattern.density))


def _reconstruction(rows: Array, pruned: Array, gram: Array | None) -> tuple[float | None, float]:
    """The error over all sections, and ``|W X|^2``."""
    if gram is None:
        return None, 0.0
    sections = list(zip(rows, pruned, gram, strict=True))
    outputs = [float(np.einsum("rk,rk->", w @ g, w, dtype=np.float64)) for w, _, g in sections]
    errors = [reconstruction_error(w, p, g) for w, p, g in sections]
    total = sum(outputs)
    if not total:
        return max(errors), 0.0
    return sum(e * o for e, o in zip(errors, outputs, strict=True) if o) / total, total


def _save(proto: onnx.ModelProto, path: Path, data: str | None) -> None:
    """Into one file, or with the values of tensors in a file ``data`` beside it."""
    import onnx

    if data is None:
        path.write_bytes(proto.SerializeToString())
        return
    copy = onnx.ModelProto()  # saving takes the values out
    copy.CopyFrom(proto)
    onnx.save_model(copy, path, save_as_external_data=True, location=data)
