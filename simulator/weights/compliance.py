"""Does a mask follow a pattern, and if not, where does it break first?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.sparsity import Pattern
from simulator.weights.masks import row_blocks


@dataclass(frozen=True)
class Compliance:
    """Groups that hold more non-zeros than their pattern allows.

    Attributes
    ----------
    groups, broken : int
        All groups, and those with more than ``keep``.
    row, group, count : int
        Where the first one is, by row and then by group, and its non-zeros; -1, -1, 0 if none.
    """

    pattern: Pattern
    groups: int
    broken: int
    row: int = -1
    group: int = -1
    count: int = 0

    @property
    def complies(self) -> bool:
        """No group breaks the pattern."""
        return not self.broken


def check_compliance(mask_or_weights: npt.NDArray[Any], pattern: Pattern | str) -> Compliance:
    """Count the groups along k with more than ``keep`` non-zeros.

    Parameters
    ----------
    mask_or_weights : array (rows, k)
        Whatever is not zero counts, -0.0 does not; bf16 as raw uint16 needs a mask.

    Raises
    ------
    WeightsError
        If it is no matrix.
    """
    from simulator.weights.kernels import broken_groups

    pattern = Pattern.parse(pattern)
    if mask_or_weights.ndim != 2 or not mask_or_weights.size:
        raise WeightsError("weights", "not a matrix", want="(rows, k)", got=mask_or_weights.shape)
    rows, k = mask_or_weights.shape
    if mask_or_weights.dtype == np.bool_:
        found = broken_groups(mask_or_weights.view(np.uint8), pattern.keep, pattern.group)
        return Compliance(pattern, rows * pattern.groups(k), *found)
    broken, first = 0, (-1, -1, 0)
    for top, end in row_blocks(mask_or_weights.shape):
        mask = (mask_or_weights[top:end] != 0).view(np.uint8)
        found = broken_groups(mask, pattern.keep, pattern.group)
        if found.groups and not broken:
            first = (top + found.row, found.group, found.nonzeros)
        broken += found.groups
    return Compliance(pattern, rows * pattern.groups(k), broken, *first)


def require_compliance(
    mask_or_weights: npt.NDArray[Any], pattern: Pattern, layer: str
) -> Compliance:
    """`check_compliance` for callers that cannot go on without it.

    Raises
    ------
    WeightsError
        With layer, row, group and count of the first group that breaks the pattern.
    """
    found = check_compliance(mask_or_weights, pattern)
    if found.broken:
        raise WeightsError(
            f"layer {layer}, row {found.row}, group {found.group}",
            f"breaks {pattern}",
            want=f"at most {pattern.keep} non-zeros",
            got=found.count,
            hint=f"{found.broken} of {found.groups} groups do",
        )
    return found
