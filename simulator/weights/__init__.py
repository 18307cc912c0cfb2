"""Real weights: files, masks, layouts, compression, permutations; what a pattern keeps of them.

A mask is an array (rows, k) of bool or of uint8 zeros and ones: true is kept, and patterns run
along k. Patterns are given as ``"2:4"`` or as a `Pattern`.
"""

from simulator.weights.channels import prune_channels
from simulator.weights.compliance import Compliance, check_compliance
from simulator.weights.files import Tensor, read_weights, write_safetensors
from simulator.weights.layout import channel_rows, from_channel_rows
from simulator.weights.masks import (
    kept_energy,
    kept_magnitude,
    magnitude_mask,
    random_mask,
    random_unstructured_mask,
    unstructured_mask,
)
from simulator.weights.methods import METHODS, Method, prune_rows, reconstruction_error
from simulator.weights.permutation import Permutation, search_permutation
from simulator.weights.prune import Pruning, prune_tensors

__all__ = [
    "METHODS",
    "Compliance",
    "Method",
    "Permutation",
    "Pruning",
    "Tensor",
    "channel_rows",
    "check_compliance",
    "from_channel_rows",
    "kept_energy",
    "kept_magnitude",
    "magnitude_mask",
    "prune_channels",
    "prune_rows",
    "prune_tensors",
    "random_mask",
    "random_unstructured_mask",
    "read_weights",
    "reconstruction_error",
    "search_permutation",
    "unstructured_mask",
    "write_safetensors",
]
