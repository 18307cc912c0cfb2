"""The page of layer traces: columns, kinds of layers, comments."""

from __future__ import annotations

from generate.reference.markdown import block, code, link, page, prose, table
from simulator.workload.columns import COLUMNS, EVERY, STREAM, Column, columns_of
from simulator.workload.comments import VERSION_LINE
from simulator.workload.operators import OPERATORS
from simulator.workload.stack import NAMES

ABOUT = """A network is a CSV: a layer a line, columns by name, in any order. A column that no layer
needs may be left out. `nmsim workloads --columns` lists the columns on a terminal, `nmsim import
model.onnx -o trace.csv` writes such a file from another tool's model."""

EXAMPLE = f"""{VERSION_LINE}
# Two layers that meet in a sum.
# stack: fused
# parameter: tokens = 128
name,kind,m,n,k,reads,writes,inputs,epilogue
fc1,linear,3072,tokens,768,,,input,bias+gelu
fc2,linear,768,tokens,3072,,,fc1,bias
add,add,,,,2*tokens*768,tokens*768,fc2 input,
"""

SIZES = """Every size is a whole number or an expression of the trace's parameters, with `+`, `-`,
`*`, `//` and brackets: `batch*seq`."""

KINDS = {
    "linear": "A product of weights and activations, m x k by k x n. Its weights may be pruned.",
    "conv": "A 2-D convolution, run as the GEMM of its windows. Its weights may be pruned, unless "
    "it is depthwise.",
    "matmul": "A product of two activations, batch of them: scores of attention, say.",
    "attention": "Both products of attention and the softmax between them, as one kernel.",
    STREAM: "An operator that multiplies no matrices. It reads, computes in vector lanes, and "
    "writes. Several in one kernel are joined by +, as add+normalization.",
}
"""What kinds of layers there are."""

COMMENTS = {
    VERSION_LINE: "Version of the format; a file without it is of version 1.",
    "# stack: fused": "As which software stack it runs unless another is asked for: "
    f"{', '.join(map(code, NAMES))}. Without it each layer is a kernel.",
    "# parameter: seq = 128": "A parameter and its default; one line each. A default may be an "
    "expression of those above.",
    "# blocks: 32": "The layers are one of so many equal blocks of their network; figures are of "
    "one.",
    "# Note: text": "What was assumed when the trace was written; reports repeat it.",
}
"""Comments that are read. Others are for people; the first is the network's description."""


def pages() -> dict[str, str]:
    """One page."""
    text = page(
        "# Layer traces",
        ABOUT,
        block("text", EXAMPLE),
        SIZES,
        "## Kinds of layers",
        *(_kind(kind) for kind in EVERY),
        "## Columns",
        *(_column(column) for column in COLUMNS),
        "## Comments that are read",
        "Lines that start with `#`, before the header or between layers. Other comments are for "
        "people; the first of them is the network's description.",
        table(("line", "meaning"), [(code(line), text) for line, text in COMMENTS.items()]),
    )
    return {"reference/trace.md": text}


def _kind(kind: str) -> str:
    own = sorted(columns_of(kind), key=[column.name for column in COLUMNS].index)
    operators = ", ".join(map(code, OPERATORS))
    title = "operators that stream" if kind == STREAM else code(kind)
    return page(
        f"### {title}",
        prose(KINDS[kind]) + (f" Operators: {operators}." if kind == STREAM else ""),
        "Columns: " + ", ".join(link(code(name), f"#{_anchor(name)}") for name in own) + ".",
    )


def _column(column: Column) -> str:
    of = "every layer" if column.kinds == EVERY else ", ".join(map(code, column.kinds))
    of = of.replace(code(STREAM), "operators that stream")
    empty = f" · empty: {code(column.default)}" if column.default else ""
    return page(
        f"({_anchor(column.name)})=\n### {code(column.name)}",
        f"{{.facts}}\nof {of}{empty}",
        prose(column.meaning),
    )


def _anchor(name: str) -> str:
    """Columns may be called as kinds are."""
    return f"column-{name}"
