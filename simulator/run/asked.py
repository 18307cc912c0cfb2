"""What is asked of layers beside a pattern: which stay dense, and which weights they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy.typing as npt

from simulator.errors import WeightsError, WorkloadError
from simulator.names import expression
from simulator.sparsity import AnyPattern, asked_name, parse_asked
from simulator.workload import Conv, Gemm, Workload

Weights = Mapping[str, npt.NDArray[Any]]
"""By layer name, or ``name.weight``; output features first."""

PatternWeights = Mapping[AnyPattern | str | None, Weights]
"""Weights of their own for some patterns."""


def staying_dense(workload: Workload, dense: str | None) -> frozenset[str]:
    """Names of the layers that stay dense under any pattern, since ``dense`` finds their names.

    Raises
    ------
    WorkloadError
        If it is no regular expression, or finds no layer that has weights.
    """
    if dense is None:
        return frozenset()
    wanted = expression(dense, "dense", WorkloadError)
    bearing = [layer.name for layer in workload.layers if isinstance(layer, Gemm | Conv)]
    found = frozenset(filter(wanted.search, bearing))
    if not found:
        some = [*dict.fromkeys(bearing)]
        hint = f"such as {', '.join([*some[:2], *some[2:][-1:]])}" if some else None
        raise WorkloadError("dense", "finds no layer that has weights", got=dense, hint=hint)
    return found


def dense_note(workload: Workload, dense: frozenset[str]) -> str | None:
    """How many layers stay dense, and which."""
    if not dense:
        return None
    bearing = [layer.name for layer in workload.layers if isinstance(layer, Gemm | Conv)]
    named = [name for name in bearing if name in dense]
    some = ", ".join(named[:3]) + (", ..." if len(named) > 3 else "")
    return f"{len(named)} of {len(bearing)} layers stay dense: {some}"


def weights_by_pattern(
    weights: Weights | PatternWeights | None, patterns: Sequence[AnyPattern | None]
) -> list[Weights | None]:
    """The weights that each pattern is timed with; None where it has none.

    Parameters
    ----------
    weights : mapping, optional
        Of names to arrays, for all patterns; or of patterns to such mappings.
    patterns : sequence of Pattern
        As `parse_asked` reads them.

    Raises
    ------
    WeightsError
        If there are weights of a pattern that is not compared, or of one pattern twice.
    """
    if not weights or not all(isinstance(value, Mapping) for value in weights.values()):
        return [cast("Weights | None", weights)] * len(patterns)
    own: dict[AnyPattern | None, Weights] = {}
    for key, value in cast(PatternWeights, weights).items():
        asked = parse_asked(key, "weights")
        if asked not in patterns or asked in own:
            what = "are given twice" if asked in own else "are of a pattern that is not compared"
            raise WeightsError(
                "weights", what, want=", ".join(map(asked_name, patterns)), got=asked_name(asked)
            )
        own[asked] = value
    return [own.get(pattern) for pattern in patterns]
