"""The columns of a native layer trace: whose they are, what an empty cell means, what they say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

STREAM: Final = "stream"
"""Stands for every operator of `operators.OPERATORS` among kinds."""

EVERY: Final = ("linear", "matmul", "conv", "attention", STREAM)
"""All kinds of layers."""

GEMMS: Final = ("linear", "matmul")
PRUNED: Final = ("linear", "conv")
PRODUCTS: Final = ("linear", "matmul", "conv", "attention")


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes
    ----------
    kinds : tuple of str
        Layers that have it; of others its cells are empty.
    meaning : str
        A sentence or two.
    default : str
        What an empty cell means; empty where it means what ``meaning`` says, or is no value.
    """

    name: str
    kinds: tuple[str, ...]
    meaning: str
    default: str = ""


COLUMNS: Final = (
    Column("name", EVERY, "What the layer is called: in reports, as an input of others, and by the "
           "tensor that its real weights have."),
    Column("kind", EVERY, "linear, matmul, conv, attention (one kernel), or an operator that "
           "streams, such as softmax; add+normalization where several are one kernel."),
    Column("m", GEMMS, "Rows of the first operand: outputs of a linear layer."),
    Column("n", GEMMS, "Columns of the second operand: tokens or samples of a linear layer."),
    Column("k", GEMMS, "Depth of the product: inputs of a linear layer, along which it is pruned."),
    Column("heads", ("attention",), "Heads of queries, of one sequence."),
    Column("kv_heads", ("attention",), "Heads of keys and values, each shared by as many of "
           "queries; empty: as many as heads."),
    Column("seq", ("attention",), "Positions of queries in a sequence."),
    Column("context", ("attention",), "Positions of keys and values, those of earlier tokens "
           "included; empty: as many as seq."),
    Column("head_dim", ("attention",), "Features of a head, of queries, keys and values alike."),
    Column("batch", PRODUCTS, "Independent products of a linear or matmul; images of a conv; "
           "sequences of attention.", "1"),
    Column("causal", ("attention",), "1 where queries see no later keys, else 0.", "0"),
    Column("cached", ("matmul", "attention"), "1 where keys and values of a decoder are kept from "
           "token to token: of a matmul its first operand, m x k.", "0"),
    Column("in_channels", ("conv",), "Channels of the input, of all groups together."),
    Column("in_h", ("conv",), "Height of the input in pixels, without padding."),
    Column("in_w", ("conv",), "Width of the input in pixels, without padding."),
    Column("out_channels", ("conv",), "Channels of the output, of all groups together."),
    Column("kernel", ("conv",), "Height and width of the window: 3, or 3x1 where they differ.",
           "1"),
    Column("stride", ("conv",), "Pixels from one window to the next: 2, or 2x1 by height and "
           "width.", "1"),
    Column("padding", ("conv",), "Pixels of zeros around the input: 1; 1x0 by height and width; or "
           "1x1x0x0: top, left, bottom, right.", "0"),
    Column("dilation", ("conv",), "Pixels from one tap of the window to the next, as stride is "
           "written.", "1"),
    Column("groups", ("conv",), "Parts of the channels that see nothing of each other; depthwise: "
           "as many as in_channels.", "1"),
    Column("ceil_output", ("conv",), "1 rounds sizes of the output up, as SCALE-Sim does; 0 down.",
           "0"),
    Column("reads", (STREAM,), "Elements that are read of all inputs, in one pass over them."),
    Column("writes", (STREAM,), "Elements of all outputs, which the last pass writes."),
    Column("passes", (STREAM,), "How often inputs are read, row by row where a row is given; "
           "empty: once, and again where rows are too wide to stay on the chip."),
    Column("row", (STREAM,), "Elements of what is summed over, such as a row of a softmax; empty: "
           "not known."),
    Column("repeat", EVERY, "How often the layer occurs, one launch each time.", "1"),
    Column("dtype", EVERY, "Number format of weights and activations, in which it is computed.",
           "fp16"),
    Column("pattern", PRUNED, "keep:group, rows:keep:group or unstructured:density; empty: dense."),
    Column("accumulate", PRUNED, "1 where the product is added to what Y holds, which is read "
           "first, else 0.", "0"),
    Column("inputs", EVERY, "Names of layers above that are read, with blanks between (; where "
           "names hold blanks), a matmul's first operand first; input is the network's own. Empty: "
           "not known; where no layer says any, each reads the one above, if sizes fit. Layers "
           "that follow each other and are repeated as often are a block: what comes from above it "
           "comes, from its second run on, from its end."),
    Column("epilogue", PRODUCTS, "Operators that follow the product, as bias+gelu. A stack decides "
           "whether they are part of its kernel; where each layer is one, they are."),
    Column("weights", EVERY, "Reserved for dtypes of their own; a cell that is not empty is "
           "refused, since nothing simulates it yet."),
)  # fmt: skip
"""In the order in which they are written."""

RESERVED: Final = frozenset({"weights"})

DEFAULTS: Final = {column.name: column.default for column in COLUMNS if column.default}
"""What empty cells mean, where that is a value."""


@cache
def columns_of(kind: str) -> frozenset[str]:
    """Names of the columns that layers of a kind have."""
    return frozenset(column.name for column in COLUMNS if kind in column.kinds)
