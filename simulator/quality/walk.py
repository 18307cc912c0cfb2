"""A model run in parts, by onnxruntime: what lies between parts is kept, batch by batch.

So pruning layer by layer costs one run of the model, not one a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.errors import WeightsError
from simulator.importers.onnx_kinds import RANDOM
from simulator.quality.foreign import foreign
from simulator.quality.memory import require_memory
from simulator.quality.model import names_read
from simulator.weights.layout import Array

if TYPE_CHECKING:
    import onnx

ROOM = "give fewer inputs, or --layers-at-once all, which keeps none"

Batch = dict[str, Array]
"""Tensors of one batch, by name."""


class Walk:
    """Goes through the operators of a model in order, for all batches.

    Parameters
    ----------
    path : Path
        For errors.
    model : ModelProto
        Its weights may change while the walk stands: those of operators before do not matter.
    feeds : callable
        Gives the batches, by the model's input names, anew at each call.
    """

    def __init__(
        self, path: Path, model: onnx.ModelProto, feeds: Callable[[], Iterator[Batch]]
    ) -> None:
        self.path, self.model = path, model
        self.kept_bytes = 0
        self._nodes = list(model.graph.node)
        self._fixed = _independent(model)
        self._batches: Callable[[], Iterable[Batch]] = feeds
        self._at = 0

    def place(self, output: str) -> int:
        """Where in the order the operator stands that writes a tensor."""
        return next(at for at, node in enumerate(self._nodes) if output in node.output)

    def advance(self, end: int) -> None:
        """Go to the operator number ``end``, and keep what it or a later one reads."""
        if end <= self._at:
            return
        later = set().union(*(names_read(node) for node in self._nodes[end:]))
        kept = list(self._run(end, sorted(later - self._fixed), passes=True))
        self._at, self._batches = end, lambda: kept

    def tensors(self, names: Iterable[str], end: int) -> Iterator[Batch]:
        """What the operators before ``end`` write, batch by batch; the walk stands still."""
        return self._run(end, sorted(set(names)), passes=False)

    def _run(self, end: int, wanted: list[str], *, passes: bool) -> Iterator[Batch]:
        """Of each batch the tensors ``wanted`` that are there; ``passes``: they are to be kept."""
        part: _Part | None = None
        held = 0
        for batch in self._batches():
            part = part or self._part(end, [name for name in wanted if name not in batch], batch)
            found = {name: batch[name] for name in wanted if name in batch} | part.run(batch)
            if passes:
                held += self._kept(found)
                self.kept_bytes = max(self.kept_bytes, held)
            yield found

    def _kept(self, found: Batch) -> int:
        """Bytes of a batch that is to be kept, if there is room for another."""
        for name, value in found.items():
            if not isinstance(value, np.ndarray):
                raise WeightsError(
                    str(self.path), f"{name} is no tensor and cannot be kept between layers",
                    hint="--layers-at-once all",
                )  # fmt: skip
        size_bytes = sum(value.nbytes for value in found.values())
        require_memory("--calibrate", "activations between layers", size_bytes, ROOM)
        return size_bytes

    def _part(self, end: int, wanted: list[str], batch: Batch) -> _Part:
        """The operators up to ``end`` that a batch has not met and that ``wanted`` needs."""
        needed, nodes = set(wanted), []
        for at in reversed(range(end)):
            node = self._nodes[at]
            is_fixed = not self._fixed.isdisjoint(node.output)
            if needed.intersection(node.output) and (at >= self._at or is_fixed):
                nodes.append(node)
                needed |= names_read(node)
        written = {name for node in nodes for name in node.output}
        return _Part(
            self.path,
            self.model,
            nodes[::-1],
            {name: value for name, value in batch.items() if name in needed},
            [name for name in wanted if name in written],
        )


class _Part:
    """Some operators of a model as a session of onnxruntime.

    Parameters
    ----------
    inputs : mapping of str to array
        Tensors of a first batch that they read.
    outputs : sequence of str
    """

    def __init__(
        self,
        path: Path,
        model: onnx.ModelProto,
        nodes: Sequence[onnx.NodeProto],
        inputs: Batch,
        outputs: Sequence[str],
    ) -> None:
        from onnx import helper

        self.path, self.inputs, self.outputs = path, list(inputs), list(outputs)
        if not outputs:
            return
        read = set().union(*map(names_read, nodes))
        part = helper.make_graph(
            nodes,
            "part",
            [helper.make_tensor_value_info(n, _type(v), None) for n, v in inputs.items()],
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            [tensor for tensor in model.graph.initializer if tensor.name in read],
        )
        whole = helper.make_model(
            part, opset_imports=model.opset_import, ir_version=model.ir_version
        )
        with foreign(path, "onnxruntime cannot run it"):
            self._session = session(whole.SerializeToString())

    def run(self, batch: Batch) -> Batch:
        if not self.outputs:
            return {}
        with foreign(self.path, "onnxruntime cannot run it on these inputs"):
            values = self._session.run(self.outputs, {name: batch[name] for name in self.inputs})
        return dict(zip(self.outputs, values, strict=True))


def session(model: bytes | str) -> Any:
    """A session of onnxruntime that writes nothing on standard error.

    Raises
    ------
    WeightsError
        If onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise WeightsError(
            "onnxruntime", "running a model needs this package",
            hint='pip install "nmsim[quality]"',
        ) from None  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Idle threads of onnxruntime would take the cores that products of matrices need in between.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _independent(model: onnx.ModelProto) -> set[str]:
    """Tensors that are the same for all inputs."""
    known = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in RANDOM and names_read(node) <= known:
            known.update(filter(None, node.output))
    return known


def _type(value: Array) -> int:
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(value.dtype)
