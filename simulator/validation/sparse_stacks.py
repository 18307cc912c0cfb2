"""Published software, as it runs a network dense and with sparse weights: kernels and their times.

What each does is told by its source: FasterTransformer's layers (`FusedAttentionLayer.cu`,
`FfnLayer.cc`, their int8 fellows and `cublasMMWrapper.cc`), PyTorch's
`torch/sparse/semi_structured.py`, torchao's `_models/sam/eval_combo.py`, and VENOM's
`end2end/gpt2_pytorch.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.report.layer import LayerReport
from simulator.run.simulate import simulate
from simulator.units import DTYPE_BITS
from simulator.validation.fitted import condition
from simulator.validation.pacing import Call, paced_us
from simulator.workload import Attention, Gemm, Layer, Stream, Workload
from simulator.workload.operators import parts_of
from simulator.workload.stack import STACKS, Stack, stacked

Row = dict[str, str]
Reports = tuple[LayerReport, ...]
Times = tuple[float, float]
"""Of a network, dense and sparse, in microseconds."""

TRACES: Final = Path(__file__).parent / "traces"
"""Networks that are no presets."""

OF_ONE_SIZE: Final = frozenset({"sam-vit-h"})
"""Networks whose images, and so whose tokens, are of one size."""

HEAD: Final = "head"
"""The layer of a language model that gives the logits, which nobody prunes."""

FASTER_TRANSFORMER: Final = Stack(
    "faster-transformer",
    epilogues=frozenset(),
    merges_products=True,
    merges_streams=True,
    fuses_attention=True,
)
"""Biases and what follows them, up to a layer norm, are a kernel of their own behind a product."""

LAUNCH_US: Final = 3.8
"""Of a kernel that is launched behind another: NVIDIA blog "Getting Started with CUDA Graphs"."""

BOOST_HZ: Final = 1_695_000_000
"""Of an RTX 3090: NVIDIA's product page. Model: kernels that wait for memory leave it the power."""

LOOPS: Final = 100
"""How often one layer is called: often enough for the host's pace to show."""

AUTOCAST: Final = {"mask": 0.5, "add": 0.75, "softmax": 1.0, "normalization": 1.0}
"""Operators that write fp32 under PyTorch's autocast, and which share of what they read in fp32
they read: a mask adds to scores of half the width, a residual in fp32 to a product of half."""

FEEDS_PRODUCTS: Final = {"softmax": 0.5, "normalization": 1.5}
"""Operators whose outputs are cast before a product reads them, and what they write of their fp32
outputs where the cast is in their kernel: nothing but the cast, or both, since a residual is next.
"""

PYTORCH: Final = {
    "PyTorch eager": STACKS["eager"],
    "PyTorch compiled": replace(STACKS["compiled"], fuses_attention=False, is_eager=True),
}
"""Of 2024. Model: autocast's casts keep compiled attention from being found."""


def faster_transformer(row: Row) -> Times:
    """BERT, whose host makes a plan for each sparse product, each time."""
    machine, dense, sparse = faster_transformer_kernels(row)
    call_us = condition("networks-24", "sparse_call_us")
    return paced(machine, dense, call_us), paced(machine, sparse, call_us)


def faster_transformer_kernels(row: Row) -> tuple[Hardware, Reports, Reports]:
    """The machine as its libraries use it, and what it runs dense and sparse.

    Queries, keys and values are one batched product where weights are dense fp16, three where they
    are sparse, or int8. In fp16 a product is sparse where that is faster by itself, in int8 always.
    Sparse products take activations in rows: int8 ones need no copy into cuBLASLt's columns of 32.
    """
    is_int8 = row["dtype"] == "int8"
    libraries = {
        "library.sparse": "cusparselt",
        "library.dtypes": {"dense int8": "imma"},
        "library.dense_where_faster": not is_int8,
    }
    machine = load_hardware(row["preset"], libraries)
    whole = stacked(network_of(row), FASTER_TRANSFORMER)
    apart = _listed(whole, map(_in_three, whole.layers))
    dense = _reports(machine, _listed(apart, _with_columns32(apart)) if is_int8 else whole, "1:1")
    by_name = {report.name: report for report in dense}
    sparse = [
        by_name[report.name] if report.executed_as == "1:1" else report
        for report in _reports(machine, apart, row["pattern"])
    ]
    return machine, dense, tuple(sparse)


def pytorch(row: Row) -> Times:
    """BERT: dense in fp32 under autocast, with half precision where it casts; sparse in fp16.

    A sparse product comes transposed: PyTorch makes the sparse operand the first one. What reads it
    in rows copies it.
    """
    stack = PYTORCH[row["software"]]
    machine = load_hardware(row["preset"], _libraries("cutlass"))
    network = stacked(network_of(row), stack)
    cast = _listed(network, _under_autocast(network, casts=not stack.merges_streams))
    turned = _listed(network, _with_transposed_outputs(network, but="intermediate"))
    return _summed(_reports(machine, cast, "1:1")), _summed(
        _reports(machine, turned, row["pattern"])
    )


def torchao(row: Row) -> Times:
    """SAM's encoder; where dense products are int8, the second of an MLP is sparse in bf16."""
    machine = load_hardware(row["preset"], _libraries("cusparselt"))
    network = stacked(network_of({**row, "dtype": "bf16"}))
    dense = sparse = network
    if row["dtype"] == "int8":
        dense = _listed(network, (_quantised(layer) for layer in network.layers))
        sparse = _listed(network, (_quantised(layer, but="lin2") for layer in network.layers))
    stays = stays_dense(row, sparse)
    turned = _listed(sparse, _with_transposed_outputs(sparse, but="lin1|" + (stays or "lin1")))
    return _summed(_reports(machine, dense, "1:1")), _summed(
        _reports(machine, turned, row["pattern"], stays)
    )


def venom(row: Row) -> Times:
    """A network in eager PyTorch; a sparse layer first copies its input, transposed."""
    machine = load_hardware(row["preset"], {"clock_hz": BOOST_HZ})
    network = stacked(network_of(row), STACKS["eager"])
    wrapped = _listed(network, _with_transposed_inputs(network, but=HEAD))
    stays = stays_dense(row, network)
    return _summed(_reports(machine, network, "1:1")), _summed(
        _reports(machine, wrapped, row["pattern"], stays)
    )


def linear(row: Row) -> Times:
    """One layer of PyTorch's, called in a loop: few tokens are padded before each sparse call.

    What Python takes to call a sparse layer is not modelled.
    """
    machine = load_hardware(row["preset"], _libraries("cusparselt"))
    gemm = _layer_of(row)
    least = machine.libraries["cusparselt"].padded("n", gemm.n, DTYPE_BITS[gemm.dtype])
    padding = Stream("padding", gemm.n * gemm.k, least * gemm.k, op="copy", dtype=gemm.dtype)
    call_us = condition("networks-24", "sparse_call_us")
    dense = _reports(machine, Workload("linear", [replace(gemm, repeat=LOOPS)]), "1:1")
    calls = [replace(one, repeat=LOOPS) for one in (padding, replace(gemm, n=least))]
    sparse = _reports(machine, Workload("linear", calls), row["pattern"])
    return paced(machine, dense, call_us), paced(machine, sparse, call_us)


SOFTWARE: Final[dict[str, Callable[[Row], Times]]] = {
    "FasterTransformer": faster_transformer,
    "PyTorch eager": pytorch,
    "PyTorch compiled": pytorch,
    "torchao": torchao,
    "VENOM": venom,
    "PyTorch linear": linear,
}
"""By the name that rows give."""


def _libraries(sparse: str) -> dict[str, object]:
    """What PyTorch calls: cublasLt, and one for sparse products, however long they take."""
    return {
        "library.dense": "tensorop",
        "library.sparse": sparse,
        "library.dense_where_faster": False,
    }


def network_of(row: Row) -> Workload:
    """The network of a row, of a trace beside this module or a preset, in the row's format; or a
    layer by itself."""
    if is_layer(row):
        return Workload("linear", [_layer_of(row)])
    own = TRACES / f"{row['network']}.csv"
    sizes = {"batch": int(row["batch"])}
    if row["network"] not in OF_ONE_SIZE:
        sizes["seq"] = int(row["seq"])
    return _in_dtype(load_workload(own if own.exists() else row["network"], **sizes), row["dtype"])


def is_layer(row: Row) -> bool:
    """Whether a row is of a layer by itself: ``linear 4096x4096``."""
    return row["network"].startswith("linear")


def _layer_of(row: Row) -> Gemm:
    m, k = (int(size) for size in row["network"].split()[-1].split("x"))
    return Gemm("linear", m=m, n=int(row["batch"]) * int(row["seq"]), k=k, dtype=row["dtype"])


def stays_dense(row: Row, network: Workload) -> str | None:
    """What finds the layers that were not pruned, by name."""
    if row["sparse_layers"] != "all":
        return "attn"
    return f"^{HEAD}$" if any(layer.name == HEAD for layer in network.layers) else None


def _in_dtype(network: Workload, dtype: str) -> Workload:
    return replace(network, layers=tuple(replace(one, dtype=dtype) for one in network.layers))


def _listed(network: Workload, kernels: Iterable[Layer]) -> Workload:
    return Workload(network.name, kernels)


def _in_three(layer: Layer) -> Layer:
    """A product of several layers as one of each, a launch each."""
    parts = layer.name.count("+") + 1
    if not isinstance(layer, Gemm) or parts == 1:
        return layer
    return replace(layer, m=layer.m // parts, repeat=layer.repeat * parts)


def _with_columns32(network: Workload) -> Iterator[Layer]:
    """After attention, the copy into the layout of cuBLASLt's int8 products."""
    for layer in network.layers:
        yield layer
        if isinstance(layer, Attention):
            size = layer.batch * layer.heads * layer.seq * layer.head_dim
            yield _copy("columns32", layer, size)


def _copy(name: str, layer: Layer, size: int) -> Stream:
    """A copy of so many elements, as often as a layer occurs."""
    return Stream(name, size, size, op="copy", dtype=layer.dtype, repeat=layer.repeat)


def _under_autocast(network: Workload, *, casts: bool) -> Iterator[Layer]:
    """Kernels in fp32 where autocast wants that; what products read is cast, in a kernel or not."""
    for layer in network.layers:
        ops = parts_of(layer.op) if isinstance(layer, Stream) else ()
        share = next((AUTOCAST[op] for op in ops if op in AUTOCAST), None)
        if share is None or not isinstance(layer, Stream):
            yield layer
            continue
        is_read = ops[-1] in FEEDS_PRODUCTS
        written = FEEDS_PRODUCTS[ops[-1]] if is_read and not casts else 1.0
        reads, writes = int(layer.reads * share), int(layer.writes * written)
        yield replace(layer, dtype="fp32", reads=reads, writes=writes)
        if is_read and casts:
            name = f"{layer.name}.cast"
            half = layer.writes // 2
            yield Stream(name, layer.writes, half, op="cast", dtype="fp32", repeat=layer.repeat)


def _quantised(layer: Layer, but: str = "none") -> Layer:
    """A linear layer in int8, unless its name ends so."""
    is_int8 = isinstance(layer, Gemm) and not layer.name.endswith(but)
    return replace(layer, dtype="int8") if is_int8 else layer


def _with_transposed_outputs(network: Workload, but: str) -> Iterator[Layer]:
    """After each linear layer whose name does not have such a part, the copy of its output."""
    for layer in network.layers:
        yield layer
        if isinstance(layer, Gemm) and not re.search(but, layer.name):
            yield _copy(f"{layer.name}.output", layer, layer.m * layer.n)


def _with_transposed_inputs(network: Workload, but: str) -> Iterator[Layer]:
    """Before each linear layer of another name, the copy of its transposed input."""
    for layer in network.layers:
        if isinstance(layer, Gemm) and layer.name != but:
            yield _copy(f"{layer.name}.input", layer, layer.n * layer.k)
        yield layer


def _reports(
    machine: Hardware, kernels: Workload, pattern: str, dense: str | None = None
) -> Reports:
    return simulate(machine, kernels, pattern, dense=dense, accuracy="sampled").layers


def _summed(reports: Iterable[LayerReport]) -> float:
    return sum(report.repeat * report.time_ns for report in reports) / 1e3


def paced(machine: Hardware, reports: Reports, sparse_call_us: float) -> float:
    """Time of blocks whose kernels the host issues one by one, in microseconds."""
    blocks = min(report.repeat for report in reports)
    gap_us = float(machine.launch_ns) / 1e3
    block = [
        Call(
            LAUNCH_US if report.executed_as in ("1:1", "-") else sparse_call_us,
            report.time_ns / 1e3 + gap_us,
        )
        for report in reports
        for _ in range(report.repeat // blocks)
    ]
    return paced_us(block * blocks)
