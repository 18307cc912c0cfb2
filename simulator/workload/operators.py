"""What frameworks call operators, other than products: what each takes of a vector unit.

A streaming layer is one of them (its ``op``), and products may be followed by some (``epilogue``).
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Operator(NamedTuple):
    """What an operator computes for an element that it reads.

    Attributes
    ----------
    macs : float
        Multiply-adds, or single operations, of a vector lane.
    specials : float
        Exponentials, reciprocals, roots and the like.
    reductions : int
        Sums, or maxima, over a row that its outputs wait for.
    """

    macs: float
    specials: float
    reductions: int = 0


# Model: counted from each operator's definition, in fp32.
OPERATORS: Final[dict[str, Operator]] = {
    "elementwise": Operator(1, 0),  # of unknown kind
    "add": Operator(1, 0),
    "bias": Operator(1, 0),
    "scale": Operator(1, 0),
    "mask": Operator(1, 0),
    "causal": Operator(1, 0),  # the mask of what comes later
    "relu": Operator(1, 0),
    "batchnorm": Operator(1, 0),
    "gelu": Operator(10, 2),  # x (1 + erf) / 2: a polynomial, an exponential, a reciprocal
    "silu": Operator(2, 2),  # x / (1 + exp(-x))
    "tanh": Operator(2, 2),
    "rotary": Operator(2, 0),  # sine and cosine are tables
    "copy": Operator(0, 0),  # transposes, splits, concatenations
    "cast": Operator(1, 0),
    "pool": Operator(1, 0),
    "softmax": Operator(4, 2, 2),  # maximum; subtract, exponential, sum; the same again, and scale
    "normalization": Operator(5, 0, 1),  # two moments at once; scale and shift
}


def parts_of(op: str) -> tuple[str, ...]:
    """The operators of a kernel, in order: ``add+normalization`` are two."""
    return tuple(op.split("+"))


def operator_of(op: str) -> Operator:
    """What a kernel of one or several operators computes for an element.

    Raises
    ------
    KeyError
        If one is no operator.
    """
    parts = [OPERATORS[part] for part in parts_of(op)]
    return Operator(*map(sum, zip(*parts, strict=True)))
