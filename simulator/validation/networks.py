"""Published times of whole transformers, as software stacks run them, and what the model says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.report.total import Total
from simulator.run.simulate import simulate
from simulator.validation import tables
from simulator.validation.decoders import DECODERS
from simulator.validation.fitted import V100, condition
from simulator.validation.gemms import Row
from simulator.validation.measurement import Measurement
from simulator.workload import Workload
from simulator.workload.stack import SCORES, STACKS, Stack

TABLE: Final = "networks"

SMALL_TOKENS: Final = 512
"""Up to so many tokens an encoder's kernels are short, and what starts them decides."""

_FASTER_TRANSFORMER = Stack(
    "FasterTransformer",
    epilogues=SCORES,
    merges_products=True,
    merges_streams=True,
    fuses_attention=True,
)
"""cuBLAS for products; kernels of its own add biases, with the activation, or with the residual and
the normalisation, that follow: src/fastertransformer/models/bert/Bert.cc and layers/ of its
repository."""

@dataclass(frozen=True)
class Software:
    """How a published stack runs a network.

    Attributes
    ----------
    stack : Stack
    prompt : Stack, optional
        What it runs the prompt of a request as, where that differs.
    is_graph : bool
        Kernels are launched together, as a CUDA graph, and not one by one.
    takes_heads_whole : bool
        A thread block of its attention works on a head of a sequence, whatever its length.
    """

    stack: Stack
    prompt: Stack | None = None
    is_graph: bool = False
    takes_heads_whole: bool = False


SOFTWARE: Final[dict[str, Software]] = {
    # demo/BERT/scripts/inference_benchmark.sh asks for a graph, and the attention of
    # plugin/bertQKVToContextPlugin launches heads x batch thread blocks.
    "TensorRT": Software(STACKS["fused"], is_graph=True, takes_heads_whole=True),
    # Prompts take products and a softmax: layers/attention_layers/GptContextAttentionLayer.cc.
    "FasterTransformer": Software(
        _FASTER_TRANSFORMER,
        prompt=replace(_FASTER_TRANSFORMER, fuses_attention=False, copies_heads=True),
    ),
    "TensorRT-LLM": Software(_FASTER_TRANSFORMER),  # cuBLASLt behind its plug-ins
    "PyTorch eager": Software(STACKS["eager"]),
    "PyTorch compiled": Software(STACKS["compiled"], is_graph=True),
}

APART: Final = {
    V100: replace(
        _FASTER_TRANSFORMER, merges_products=False, epilogues=SCORES | {"bias"}
    )
}
"""Machines on which FasterTransformer's timing of products prefers three for queries, keys and
values to one of three; their biases stay one kernel, which is left out here."""

CLOCKS: Final = {V100: 1_380_000_000}
"""That a source had its machine set to, where that is not the preset's."""

BERT_SMALL, BERT_LARGE = "networks-bert-small", "networks-bert-large"
BERT_SPARSE, PYTORCH = "networks-bert-24", "networks-pytorch"
FIRST_TOKEN, GENERATION = "networks-first-token", "networks-generation"

HOST: Final = "FasterTransformer's int8: the host launches, and small batches take equally long"


def regime(row: Row) -> str:
    """What decides a row's time: the data set that it belongs to."""
    if row["software"].startswith("PyTorch"):
        return PYTORCH
    if row["generated"]:
        return FIRST_TOKEN if row["generated"] == "1" else GENERATION
    if row["pattern"] != "1:1":
        return BERT_SPARSE
    return BERT_SMALL if int(row["batch"]) * int(row["seq"]) <= SMALL_TOKENS else BERT_LARGE


@cache
def machine(preset: str, whole_heads_of: int | None) -> Hardware:
    """A machine as a source had it; thread blocks may take heads of so many tokens whole."""
    own: dict[str, object] = {}
    if preset in CLOCKS:
        own["clock_hz"] = CLOCKS[preset]
    if whole_heads_of:
        # Model: blocks of 64 keys fit beside so many rows.
        tile = {"rows": whole_heads_of, "context": 64, "head_dim": 64}
        own["attention"] = {"tiles": [tile], "splits": [1]}
    return load_hardware(preset, own)


def network(row: Row, seq: int, context: int) -> Workload:
    """A row's network with ``seq`` tokens of each sequence."""
    batch, dtype = int(row["batch"]), row["dtype"]
    if row["network"] in DECODERS:
        return DECODERS[row["network"]].workload(batch, seq, context, dtype)
    read = load_workload(row["network"], batch=batch, seq=seq)
    layers = [replace(layer, dtype=dtype) for layer in read.layers]
    return Workload(read.name, layers, read.notes, read.blocks, read.stack)


def run(row: Row, seq: int, context: int) -> Total:
    """What the model says of a row's stack for ``seq`` tokens of each sequence."""
    software = SOFTWARE[row["software"]]
    hardware = machine(row["preset"], seq if software.takes_heads_whole else None)
    stack = software.stack
    if row["generated"] and seq > 1 and software.prompt is not None:
        stack = software.prompt
    if row["software"] == "FasterTransformer":
        stack = APART.get(row["preset"], stack)
    layers = network(row, seq, context)
    return simulate(hardware, layers, row["pattern"], stack=stack, allow_overflow=True).total


def time_ms(row: Row, seq: int, context: int) -> float:
    """What a row's stack takes for ``seq`` tokens of each sequence, launches included.

    Model: in a loop that lasts, a board's power leaves tensor cores so busy, on average, and no
    busier: their work takes as much longer as its clock is lower then.
    """
    total = run(row, seq, context)
    is_graph = SOFTWARE[row["software"]].is_graph
    alone_ns = total.time_ns if is_graph else total.time_with_launch_ns
    account = total.core_time_ps
    cores = machine(row["preset"], None).core.count
    busy_ns = (account.mac_useful + account.mac_padding) / cores / 1e3
    return max(alone_ns, busy_ns / condition(BERT_LARGE, "busy_ratio")) / 1e6


def whole_ms(row: Row) -> float:
    """Of an encoder one run; of a request its prompt, which gives the first token, and a run a
    token more, whose time grows in a straight line with the context."""
    seq, generated = int(row["seq"]), int(row["generated"] or 0)
    prompt = time_ms(row, seq, seq)
    if not generated:
        return prompt
    token_ms = condition(GENERATION, "token_ms")
    if generated == 1:
        return prompt + token_ms
    ends = [time_ms(row, 1, context) for context in (seq + 1, seq + generated - 1)]
    return prompt + (generated - 1) * sum(ends) / 2 + generated * token_ms


def measured_ms(row: Row) -> float:
    """A row's time; sources give times or throughputs."""
    figure, batch = float(row["measured"]), int(row["batch"])
    outputs = {"out tok/s": batch * int(row["generated"] or 0), "img/s": batch}
    return 1e3 * outputs[row["unit"]] / figure if row["unit"] in outputs else figure


def set_aside(row: Row) -> str:
    """Why the model is not held to a row; empty: it is."""
    is_host = row["software"] == "FasterTransformer" and row["dtype"] == "int8"
    return HOST if is_host else ""


def is_fitted(row: Row) -> bool:
    """Whether a fit has seen a row: of encoders, those in fp16 on A100s; of requests, those after
    short prompts."""
    if regime(row) == BERT_LARGE:
        return row["dtype"] == "fp16" and row["preset"] != V100
    return row["generated"] == "8"


def networks(name: str) -> Iterable[Measurement]:
    """The rows of a regime."""
    for row in tables.read(TABLE):
        if regime(row) == name:
            yield Measurement(
                label(row),
                measured_ms(row),
                whole_ms(row),
                part=f"{row['software']}, {row['preset']}, {row['dtype']}",
                set_aside=set_aside(row),
                fitted=is_fitted(row),
            )


def label(row: Row) -> str:
    """What ran: a network, its batch and tokens."""
    after = f"+{row['generated']}" if row["generated"] else ""
    return f"{row['network']} {row['batch']}x{row['seq']}{after} {row['pattern']}"
