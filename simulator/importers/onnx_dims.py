"""Which symbolic dimension of an ONNX model a parameter fixes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.errors import WorkloadError, did_you_mean
from simulator.importers.onnx_expressions import free_names, size_of
from simulator.importers.onnx_habits import UNNAMED, Axis, Layout, habit_of, is_usual, means

if TYPE_CHECKING:
    import onnx

HYPHEN = re.compile(r"[^\W\d]-[^\W\d]")
NHWC_TO_NCHW = (0, 3, 1, 2)


@dataclass
class _Dimension:
    """A dimension of an input; free unless the model fixes it."""

    input: str
    layout: Layout
    axis: int
    proto: onnx.TensorShapeProto.Dimension

    @property
    def place(self) -> str:
        return f"{self.input}.{self.axis}"

    @property
    def name(self) -> str:
        """Empty if it has none."""
        return self.layout.axes[self.axis].label

    @property
    def label(self) -> str:
        """Its name, or its place if it has none."""
        return self.name or self.place

    @property
    def names(self) -> frozenset[str]:
        return frozenset({self.label, self.place})

    def usual(self, label: str) -> int:
        """A size to propose for it, or for a name in the expression that it is."""
        return self.layout.usual(self.axis, "" if label == self.place else label)

    @property
    def is_free(self) -> bool:
        return not (self.proto.HasField("dim_value") and self.proto.dim_value > 0)


@dataclass(frozen=True)
class Fixed:
    """Sizes of symbolic dimensions.

    Attributes
    ----------
    sizes : dict of str to int
        By name, or by place for those without one.
    warnings : list of str
        One an input with dimensions that became 1 for want of a size, with the options to set.
    """

    sizes: dict[str, int]
    warnings: list[str]


def fix_dimensions(
    path: Path, graph: onnx.GraphProto, constants: set[str], parameters: Mapping[str, int]
) -> Fixed:
    """Give every dimension of every input a size, in place.

    A parameter fixes the dimensions of its name; ``input.axis`` names one by its place; and
    ``batch``, ``seq``, ``height`` and ``width`` also mean the dimensions where they usually stand.
    Expressions of names follow from those. What is left becomes 1.

    Raises
    ------
    WorkloadError
        If a parameter names no dimension, or one that the model fixes at another size.
    """
    dimensions = _dimensions(graph, constants)
    labels = {dimension.label for dimension in dimensions if dimension.is_free}
    bases = _bases(labels, parameters)
    sizes: dict[str, int] = {}
    own = {name for dimension in dimensions for name in dimension.names}.union(*bases.values())
    for name in sorted(parameters, key=own.__contains__):  # names of the model win over usual ones
        for label in _meant(path, name, parameters[name], dimensions, bases):
            sizes[label] = parameters[name]
    free = [dimension for dimension in dimensions if dimension.is_free]
    missing: dict[str, dict[str, int]] = {}
    for dimension in free:
        ones = missing.setdefault(dimension.input, {})
        for name in sorted(bases[dimension.label] - sizes.keys()):
            if dimension.label not in sizes:
                sizes[name] = 1
                ones[name] = dimension.usual(name)
    for dimension in free:
        follows = size_of(dimension.label, sizes)
        if follows is None:
            missing[dimension.input][dimension.label] = dimension.usual(dimension.label)
        dimension.proto.dim_value = sizes[dimension.label] = 1 if follows is None else follows
    shapes = {d.input: d.layout for d in dimensions}
    warnings = [_warning(name, shapes[name], ones) for name, ones in missing.items() if ones]
    return Fixed(sizes, [*warnings, *_without_shapes(graph, constants)])


def _without_shapes(graph: onnx.GraphProto, constants: set[str]) -> list[str]:
    """A warning for each input of which not even the number of dimensions is known."""
    return [
        f"WARNING: input {value.name} has no shape in the model: export it with one"
        for value in graph.input
        if value.name not in constants
        and value.type.HasField("tensor_type")
        and not value.type.tensor_type.HasField("shape")
    ]


def noted_types(graph: onnx.GraphProto, sizes: Mapping[str, int]) -> dict[str, onnx.TypeProto]:
    """Types that the exporter wrote beside the operators, open where a size does not follow.

    Shapes hold for the sizes that the exporter had: they serve only where nothing else does.
    """
    found = {}
    for value in [*graph.value_info, *graph.output]:
        noted = type(value.type)()
        noted.CopyFrom(value.type)
        for dim in noted.tensor_type.shape.dim if noted.HasField("tensor_type") else ():
            if not dim.HasField("dim_value") or dim.dim_value < 0:
                size = size_of(dim.dim_param, sizes)
                dim.Clear()
                if size is not None:
                    dim.dim_value = size
        found[value.name] = noted
    return found


def _dimensions(graph: onnx.GraphProto, constants: set[str]) -> list[_Dimension]:
    turned = {
        node.input[0]
        for node in graph.node
        if node.op_type == "Transpose"
        and any(tuple(attribute.ints) == NHWC_TO_NCHW for attribute in node.attribute)
    }
    found = []
    for value in graph.input:
        if value.name in constants:
            continue
        dims = value.type.tensor_type.shape.dim
        layout = Layout(tuple(map(_axis, dims)), turned=value.name in turned)
        found += [_Dimension(value.name, layout, axis, dim) for axis, dim in enumerate(dims)]
    return found


def _axis(dim: onnx.TensorShapeProto.Dimension) -> Axis:
    if dim.HasField("dim_value") and dim.dim_value > 0:
        return Axis("", dim.dim_value)
    return Axis("" if dim.dim_param.strip().lower() in UNNAMED else dim.dim_param, None)


def _bases(labels: set[str], parameters: Mapping[str, int]) -> dict[str, frozenset[str]]:
    """The names that decide each label: itself, or those of the expression that it is.

    Something else must be called like one of the names; like both of ``height-px``, where nothing
    but a hyphen says that it is an expression.
    """
    known = labels | set(parameters)
    bases = {}
    for label in labels:
        names = free_names(label)
        is_name = label in names | parameters.keys() or is_usual(label)
        wanted = names if HYPHEN.search(label) else names & known
        is_expression = not is_name and (not names or (wanted and wanted <= known))
        bases[label] = names if is_expression else frozenset({label})
    return bases


def _meant(
    path: Path,
    name: str,
    size: int,
    dimensions: list[_Dimension],
    bases: Mapping[str, frozenset[str]],
) -> list[str]:
    """The labels of the free dimensions that a parameter fixes."""
    found = [dimension for dimension in dimensions if name in dimension.names]
    if not found and any(name in names for names in bases.values()):
        return [name]
    found = found or _usual(name, dimensions, bases)
    if not found:
        valid = {n for d in dimensions if d.is_free for n in d.names | bases[d.label]}
        raise WorkloadError(
            f"{path} {name}",
            "the model has no such dimension",
            hint=did_you_mean(name, sorted(valid)) if valid else "it fixes all of them",
        )
    for dimension in found:
        if not dimension.is_free and dimension.proto.dim_value != size:
            raise WorkloadError(
                f"{path} {name}",
                f"the model fixes this dimension at {dimension.proto.dim_value}",
                got=size,
                hint="export it with a dynamic axis",
            )
    return [d.label for d in found if d.is_free]


def _usual(
    name: str, dimensions: list[_Dimension], bases: Mapping[str, frozenset[str]]
) -> list[_Dimension]:
    """The dimensions that a usual name means where none is called so: by name, then by place."""
    habit = habit_of(name)
    if habit is None:
        return []
    single = [d for d in dimensions if bases.get(d.label, {d.label}) == {d.label}]
    for whole in (True, False):
        known = [d for d in single if d.is_free and means(d.name, habit, whole=whole)]
        if known:
            return known
    placed = [d for d in single if d.layout.place(habit) == d.axis]
    return [d for d in placed if d.is_free] or placed


def _warning(name: str, layout: Layout, ones: Mapping[str, int]) -> str:
    shape = ", ".join(str(axis.size or axis.label or "?") for axis in layout.axes)
    options = " ".join(f"--dim {shlex.quote(f'{one}={usual}')}" for one, usual in ones.items())
    return (
        f"WARNING: input {name} ({shape}): dimensions taken as 1: {', '.join(ones)}; "
        f"set with {options}"
    )
