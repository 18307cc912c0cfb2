"""Inputs that a model is fed with: arrays of a file, or what a function gives, batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import WeightsError, did_you_mean
from simulator.importers.onnx_model import parse
from simulator.quality.foreign import foreign, function_named, users_code
from simulator.quality.walk import Batch
from simulator.weights.files import read_weights

if TYPE_CHECKING:
    import onnx

CALIBRATE = "--calibrate"

BATCH = 8
"""Samples that are run at once, where the model does not fix how many."""


@dataclass(frozen=True)
class Calibration:
    """What feeds a model.

    Attributes
    ----------
    name : str
        The file, or ``module:function``.
    digest : str
        SHA-256 of the arrays, or of the module's source and the function's name.
    batches : callable
        Gives arrays by the model's input names, anew at each call.
    inputs : tuple of Input
        Of the model.
    option : str
        That named it, for errors.
    """

    name: str
    digest: str
    batches: Callable[[], Iterator[Mapping[str, Any]]]
    inputs: tuple[Input, ...]
    option: str = CALIBRATE

    def feeds(self) -> Iterator[Batch]:
        """One batch a time, by the model's input names.

        Raises
        ------
        WeightsError
            If there is none, or one does not fit the model.
        """
        where, is_empty = f"{self.option} {self.name}", True
        for batch in self.batches():
            is_empty = False
            yield checked(where, self.inputs, batch)
        if is_empty:
            raise WeightsError(where, "gives no inputs")


@dataclass(frozen=True)
class Input:
    """An input of a model.

    Attributes
    ----------
    shape : tuple of int or None, or None
        None is a size that is not fixed; a shape of None is not known.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...] | None


def calibration_of(text: str, model: Path, option: str = CALIBRATE) -> Calibration:
    """``INPUTS.npz``, whose arrays have a sample in every place of their first axis, or
    ``module:function``, which takes nothing and gives, or yields, arrays by input names.

    Raises
    ------
    SimulatorError
        If it is neither, or cannot be read.
    """
    inputs = model_inputs(parse(model))
    if text.lower().endswith(".npz"):
        return _of_file(Path(text), inputs, option)
    if ":" not in text:
        want = "INPUTS.npz or module:function"
        raise WeightsError(option, "not a source of inputs", want=want, got=text)
    function = function_named(text, option)
    where = f"{option} {function.name}"
    batches = partial(_called, where, function.call)
    return Calibration(text, function.digest, batches, inputs, option)


def model_inputs(proto: onnx.ModelProto) -> tuple[Input, ...]:
    """Inputs that have to be fed: those without a stored tensor of their name."""
    from onnx import helper

    stored = {tensor.name for tensor in proto.graph.initializer}
    found = []
    for value in proto.graph.input:
        if value.name in stored:
            continue
        kind, shape = value.type.tensor_type, None
        if kind.HasField("shape"):
            shape = tuple(dim.dim_value or None for dim in kind.shape.dim)
        with foreign(f"input {value.name}", "is no tensor"):
            dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
        found.append(Input(value.name, dtype, shape))
    return tuple(found)


def checked(where: str, inputs: tuple[Input, ...], batch: object) -> Batch:
    """A batch that fits a model's inputs.

    Raises
    ------
    WeightsError
        That names the first array that does not.
    """
    names = [one.name for one in inputs]
    if not isinstance(batch, Mapping):
        got = type(batch).__name__
        raise WeightsError(where, "not a batch", want="a dict of arrays by input names", got=got)
    for name in batch:
        if name not in names:
            hint = did_you_mean(str(name), names)
            raise WeightsError(where, "the model has no such input", got=name, hint=hint)
    return {one.name: _checked_array(where, one, batch) for one in inputs}


def _checked_array(where: str, one: Input, batch: Mapping[str, Any]) -> Any:
    where = f"{where} {one.name}"
    if one.name not in batch:
        raise WeightsError(where, "this input is missing", got=", ".join(map(str, batch)) or None)
    with foreign(where, "not an array"):
        array = np.asarray(batch[one.name])
    if array.dtype != one.dtype:
        hint = f".astype('{one.dtype}')"
        raise WeightsError(
            where, "another dtype", want=str(one.dtype), got=str(array.dtype), hint=hint
        )
    if one.shape is not None and (
        array.ndim != len(one.shape)
        or any(want not in (None, size) for want, size in zip(one.shape, array.shape, strict=True))
    ):
        want = "x".join("?" if size is None else str(size) for size in one.shape)
        raise WeightsError(where, "another shape", want=want, got="x".join(map(str, array.shape)))
    if not array.size:
        raise WeightsError(where, "holds nothing", got="x".join(map(str, array.shape)))
    return array


def _of_file(path: Path, inputs: tuple[Input, ...], option: str) -> Calibration:
    arrays = {name: tensor.data for name, tensor in read_weights(path).items()}
    where = f"{option} {path}"
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    counts = {array.shape[0] if array.ndim else 0 for array in arrays.values()}
    if len(counts) != 1 or counts == {0}:
        want = "one first axis for all arrays: samples"
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise WeightsError(where, "not samples", want=want, got=shapes)
    samples = counts.pop()
    fixed = {one.shape[0] for one in inputs if one.shape and one.shape[0]}
    size = max(fixed, default=BATCH)
    if fixed and samples % size:
        want = f"a multiple of {size}, which the model takes at a time"
        raise WeightsError(where, "not whole batches", want=want, got=f"{samples} samples")

    def batches() -> Iterator[Mapping[str, Any]]:
        for start in range(0, samples, size):
            yield {name: array[start : start + size] for name, array in arrays.items()}

    return Calibration(str(path), digest.hexdigest(), batches, inputs, option)


_END: Any = object()
"""What stands where no batch follows; None is a batch that a function got wrong."""


def _called(where: str, call: Callable[[], Any]) -> Iterator[Mapping[str, Any]]:
    """The batches of a function, which returns one, or gives one after the other."""
    with users_code(where, "raised"):
        given = call()
        batches = iter([given] if isinstance(given, Mapping) else given)
    while True:
        with users_code(where, "raised"):
            batch = next(batches, _END)
        if batch is _END:
            return
        yield batch
