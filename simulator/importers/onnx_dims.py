"""Which symbolic dimension of an ONNX model a parameter fixes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import WorkloadError, did_you_mean

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Alias:
    """What a common parameter name means where no dimension is called so."""

    names: frozenset[str]
    axis: int
    ranks: frozenset[int]


ALIASES: dict[str, Alias] = {
    "batch": Alias(
        frozenset({"batch_size", "batchsize", "bs", "n"}), axis=0, ranks=frozenset(range(1, 9))
    ),
    "seq": Alias(
        frozenset({"seq_len", "seq_length", "seqlen", "sequence", "sequence_length", "length"}),
        axis=1,
        ranks=frozenset({2, 3}),
    ),
    "height": Alias(frozenset({"h"}), axis=2, ranks=frozenset({4})),
    "width": Alias(frozenset({"w"}), axis=3, ranks=frozenset({4})),
}


@dataclass
class _Dimension:
    """A dimension of an input; free unless the model fixes it."""

    names: tuple[str, ...]
    axis: int
    rank: int
    proto: onnx.TensorShapeProto.Dimension

    @property
    def label(self) -> str:
        return self.names[0]

    @property
    def is_free(self) -> bool:
        return not (self.proto.HasField("dim_value") and self.proto.dim_value > 0)


def fix_dimensions(
    path: Path, graph: onnx.GraphProto, constants: set[str], parameters: Mapping[str, int]
) -> list[str]:
    """Give every dimension of every input a size, in place.

    A parameter fixes the dimensions of its name; ``input.axis`` names one by its place; and
    ``batch``, ``seq``, ``height`` and ``width`` also mean the dimensions where they usually stand.
    What is left becomes 1.

    Returns
    -------
    list of str
        A note that names the dimensions taken as 1.

    Raises
    ------
    WorkloadError
        If a parameter names no dimension, or one that the model fixes at another size.
    """
    dimensions = [
        _dimension(value, axis)
        for value in graph.input
        if value.name not in constants
        for axis in range(len(value.type.tensor_type.shape.dim))
    ]
    sizes: dict[str, int] = {}
    chosen: dict[int, int] = {}
    for name, size in parameters.items():
        for dimension in _meant(path, name, size, dimensions):
            chosen[id(dimension)] = size
            sizes[dimension.label] = size
    ones = []
    for dimension in dimensions:
        if not dimension.is_free:
            continue
        if id(dimension) not in chosen and dimension.label not in sizes:
            ones.append(dimension.label)
        dimension.proto.dim_value = chosen.get(id(dimension), sizes.get(dimension.label, 1))
        sizes.setdefault(dimension.label, dimension.proto.dim_value)
    _substitute(graph, sizes)
    left = ", ".join(dict.fromkeys(ones))
    return [f"dimensions taken as 1: {left}"] if left else []


def _dimension(value: onnx.ValueInfoProto, axis: int) -> _Dimension:
    shape = value.type.tensor_type.shape.dim
    proto = shape[axis]
    place = f"{value.name}.{axis}"
    names = (proto.dim_param, place) if proto.dim_param else (place,)
    return _Dimension(names, axis, len(shape), proto)


def _meant(path: Path, name: str, size: int, dimensions: list[_Dimension]) -> list[_Dimension]:
    """The free dimensions that a parameter fixes."""
    found = [dimension for dimension in dimensions if name in dimension.names]
    alias = ALIASES.get(name)
    if not found and alias is not None:
        known = [d for d in dimensions if d.label.lower() in alias.names]
        placed = [d for d in dimensions if d.axis == alias.axis and d.rank in alias.ranks]
        found = known or [d for d in placed if d.is_free] or placed
    if not found:
        valid = [label for d in dimensions if d.is_free for label in d.names]
        raise WorkloadError(
            f"{path} {name}",
            "the model has no such dimension",
            hint=did_you_mean(name, valid) if valid else "it fixes all of them",
        )
    fixed = [d for d in found if not d.is_free]
    for dimension in fixed:
        if dimension.proto.dim_value != size:
            raise WorkloadError(
                f"{path} {name}",
                f"the model fixes this dimension at {dimension.proto.dim_value}",
                got=size,
                hint="export it with a dynamic axis",
            )
    return [d for d in found if d.is_free]


def _substitute(graph: onnx.GraphProto, sizes: Mapping[str, int]) -> None:
    """The same names in shapes that the exporter noted; expressions of them are inferred again."""
    for value in [*graph.value_info, *graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in sizes:
                dim.dim_value = sizes[dim.dim_param]
            elif not dim.HasField("dim_value") or dim.dim_value < 0:
                dim.Clear()
