"""What becomes a kernel: the layers of a network as a software stack runs them.

A network is described once: its products with what follows each (``epilogue``), its streaming
operators, and what each layer reads (``inputs``). What a stack does not fold stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Final

from simulator.errors import ConfigError, SimulatorError, closest
from simulator.workload.eager import composed, with_copies
from simulator.workload.folding import (
    Alike,
    into_epilogues,
    merged_products,
    merged_streams,
    out_of_epilogues,
    over_loops,
)
from simulator.workload.graph import Node, graph_of
from simulator.workload.heads import fused_attention
from simulator.workload.layer import LISTED, Conv, Gemm, Layer, Workload

ACTIVATIONS: Final = frozenset({"relu", "gelu", "silu", "tanh", "sigmoid", "hardswish"})
SCORES: Final = frozenset({"scale", "mask", "causal"})


@dataclass(frozen=True)
class Stack:
    """A software stack, by what it makes one kernel of.

    Attributes
    ----------
    name : str
    epilogues : frozenset of str
        Operators that the kernel of a product applies before it writes; others are kernels.
    adds_in_convolutions : bool
        A residual is added in the epilogue of the convolution before: read there, and the sum is
        written in its place.
    merges_products : bool
        Linear layers that follow each other, read the same and are alike are one.
    merges_streams : bool
        Elementwise operators that follow each other are one kernel, with the softmax or the
        normalization that they end in; it writes what others read of what is between, too.
    fuses_attention : bool
        Two products with a softmax between them are one `Attention`.
    is_eager : bool
        Heads are copied apart and together, since batched products want their operands contiguous,
        and operators that PyTorch has no kernel for are several (`eager`).
    """

    name: str
    epilogues: frozenset[str] = frozenset({"bias"})
    adds_in_convolutions: bool = False
    merges_products: bool = False
    merges_streams: bool = False
    fuses_attention: bool = False
    is_eager: bool = False


STACKS: Final[dict[str, Stack]] = {
    stack.name: stack
    for stack in (
        # PyTorch, operator by operator: cuBLASLt adds a bias, and nothing else is folded.
        Stack("eager", is_eager=True),
        # torch.compile: cuBLAS and cuDNN for products, scaled_dot_product_attention where it finds
        # its pattern, and one Triton kernel for elementwise operators and what reduces them.
        Stack("compiled", merges_streams=True, fuses_attention=True),
        # TensorRT, with the plug-ins of its transformers: activations and batch normalisation in
        # the epilogues, one product for queries, keys and values, skip layer norms.
        Stack(
            "fused",
            epilogues=frozenset({"bias", "batchnorm"}) | ACTIVATIONS | SCORES,
            adds_in_convolutions=True,
            merges_products=True,
            merges_streams=True,
            fuses_attention=True,
        ),
    )
}
"""By name; ``listed`` is none of them: every layer is a kernel."""

NAMES: Final = (*STACKS, LISTED)


def stack_of(
    asked: Stack | str, where: str = "stack", error: type[SimulatorError] = ConfigError
) -> Stack | None:
    """A stack by its name; None for ``listed``.

    Raises
    ------
    SimulatorError
        If there is none of that name: of the class that is asked for.
    """
    if isinstance(asked, Stack) or asked == LISTED:
        return asked if isinstance(asked, Stack) else None
    if not isinstance(asked, str) or asked not in STACKS:
        hint = closest(asked, NAMES) if isinstance(asked, str) else None
        want = ", ".join(NAMES)
        raise error(where, "unknown stack", got=asked, want=want, hint=hint)
    return STACKS[asked]


def name_of(stack: Stack | str) -> str:
    """What a stack is called."""
    return stack.name if isinstance(stack, Stack) else stack


def pattern_of(layer: Layer) -> Hashable:
    """The pattern of a layer's weights."""
    return layer.pattern if isinstance(layer, Gemm | Conv) else None


def stacked(
    workload: Workload, stack: Stack | str | None = None, alike: Alike = pattern_of
) -> Workload:
    """The kernels that a stack makes of a network, as a workload that lists them.

    Parameters
    ----------
    stack : Stack or str, optional
        Default: the one that the workload names.
    alike : callable
        Of a linear layer: equal for those that may be merged, beside their sizes.

    Returns
    -------
    Workload
        Its ``members`` say what each kernel holds.

    Raises
    ------
    ConfigError
        If there is no such stack.
    """
    chosen = stack_of(workload.stack if stack is None else stack)
    if chosen is None:
        return workload if workload.stack == LISTED else replace(workload, stack=LISTED)
    nodes = graph_of(workload.layers)
    for applies, step in _steps(chosen, workload, alike):
        nodes = step(nodes) if applies else nodes
    layers = tuple(node.built for node in nodes)
    members = tuple(node.members for node in nodes)
    return replace(workload, layers=layers, stack=LISTED, members=members)


def _steps(
    stack: Stack, workload: Workload, alike: Alike
) -> tuple[tuple[bool, Callable[[list[Node]], list[Node]]], ...]:
    """What is done to the graph, in order, and whether this stack does it."""
    is_loop = workload.blocks > 1
    return (
        (stack.is_eager, with_copies),
        (stack.is_eager, composed),
        (stack.fuses_attention, fused_attention),
        (stack.merges_products, lambda nodes: merged_products(nodes, alike)),
        (True, lambda nodes: out_of_epilogues(nodes, stack.epilogues)),
        (True, lambda nodes: into_epilogues(nodes, stack.epilogues, stack.adds_in_convolutions)),
        (stack.merges_streams, merged_streams),
        (stack.merges_streams, lambda nodes: over_loops(nodes, is_loop)),
    )
