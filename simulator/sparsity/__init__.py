"""Patterns of weights: what they store, which contains which, and which a machine executes.

``keep:group`` is `Pattern`, ``rows:keep:group`` (V:N:M) `VectorPattern`, and zeros anywhere are
`Unstructured`.
"""

from simulator.sparsity.asked import (
    FASTEST,
    TRACE,
    AnyPattern,
    Prunable,
    Unstructured,
    asked_name,
    parse_asked,
    parse_pattern,
    parse_prunable,
)
from simulator.sparsity.capability import Capability
from simulator.sparsity.groups import (
    DENSE,
    LARGEST_GROUP,
    EveryColumn,
    MetadataCode,
    Pattern,
)
from simulator.sparsity.vectors import CHOSEN, VectorPattern

__all__ = [
    "CHOSEN",
    "DENSE",
    "FASTEST",
    "LARGEST_GROUP",
    "TRACE",
    "AnyPattern",
    "Capability",
    "EveryColumn",
    "MetadataCode",
    "Pattern",
    "Prunable",
    "Unstructured",
    "VectorPattern",
    "asked_name",
    "parse_asked",
    "parse_pattern",
    "parse_prunable",
]
