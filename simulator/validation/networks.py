"""Published times of whole transformers, as software stacks run them, and what the model says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
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

A_HEAD_A_BLOCK: Final[dict[str, object]] = {
    "attention": {"tiles": [{"rows": 384, "context": 64, "head_dim": 64}], "splits": [1]}
}
"""A thread block takes a head of a sequence whole: plugin/bertQKVToContextPlugin of TensorRT's
repository launches heads x batch. Model: in blocks of 64 keys, which fit beside 384 rows."""


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
    machine : dict
        What its kernels ask of the machine.
    """

    stack: Stack
    prompt: Stack | None = None
    is_graph: bool = False
    machine: dict[str, object] | None = None

    def of(self, is_prompt: bool) -> Stack:
        """The stack of a prompt, or of what follows it, or of an encoder."""
        return self.prompt if is_prompt and self.prompt is not None else self.stack


SOFTWARE: Final[dict[str, Software]] = {
    # demo/BERT/scripts/inference_benchmark.sh asks for a graph.
    "TensorRT": Software(STACKS["fused"], is_graph=True, machine=A_HEAD_A_BLOCK),
    # Prompts take products and a softmax: layers/attention_layers/GptContextAttentionLayer.cc.
    "FasterTransformer": Software(
        _FASTER_TRANSFORMER,
        prompt=replace(_FASTER_TRANSFORMER, fuses_attention=False, copies_heads=True),
    ),
    "TensorRT-LLM": Software(_FASTER_TRANSFORMER),  # cuBLASLt behind its plug-ins
    "PyTorch eager": Software(STACKS["eager"]),
    "PyTorch compiled": Software(STACKS["compiled"], is_graph=True),
}

CLOCKS: Final = {V100: 1_380_000_000}
"""That a source had its machine set to, where that is not the preset's."""

HOST: Final = "the host launches more slowly than the device works: more tokens take no longer"


def regime(row: Row) -> str:
    """What decides a row's time: the data set that it belongs to."""
    if row["software"].startswith("PyTorch"):
        return "networks-pytorch"
    if row["generated"]:
        return "networks-first-token" if row["generated"] == "1" else "networks-generation"
    return "networks-bert-small" if tokens(row) <= SMALL_TOKENS else "networks-bert-large"


def tokens(row: Row) -> int:
    """Tokens that pass the network at once."""
    return int(row["batch"]) * int(row["seq"])


@cache
def machine(preset: str, software: str, clock_ratio: float) -> Hardware:
    """A machine as a source had it, at the clock that its load left."""
    clock_hz = CLOCKS.get(preset, load_hardware(preset).clock_hz)
    own = SOFTWARE[software].machine or {}
    return load_hardware(preset, {"clock_hz": round(clock_hz * clock_ratio), **own})


def network(row: Row, seq: int, context: int) -> Workload:
    """A row's network with ``seq`` tokens of each sequence."""
    batch, dtype = int(row["batch"]), row["dtype"]
    if row["network"] in DECODERS:
        return DECODERS[row["network"]].workload(batch, seq, context, dtype)
    read = load_workload(row["network"], batch=batch, seq=seq)
    layers = [replace(layer, dtype=dtype) for layer in read.layers]
    return Workload(read.name, layers, read.notes, read.blocks, read.stack)


def time_ms(row: Row, seq: int, context: int, clock_ratio: float) -> float:
    """What a row's stack takes for ``seq`` tokens of each sequence, launches included."""
    software = SOFTWARE[row["software"]]
    stack = software.of(is_prompt=bool(row["generated"]) and seq > 1)
    found = simulate(
        machine(row["preset"], row["software"], clock_ratio), network(row, seq, context),
        row["pattern"], stack=stack, accuracy=ACCURACY, allow_overflow=True,
    ).total  # fmt: skip
    return (found.time_ns if software.is_graph else found.time_with_launch_ns) / 1e6


ACCURACY: Final = "exact"


def whole_ms(row: Row, clock_ratio: float, token_ms: float = 0.0) -> float:
    """Of an encoder or a first token one run; of a request its prompt, which gives the first token,
    and a run a token more, whose time grows in a straight line with the context.

    Parameters
    ----------
    token_ms : float
        What choosing a token takes beside the network.
    """
    seq, generated = int(row["seq"]), int(row["generated"] or 0)
    prompt = time_ms(row, seq, seq, clock_ratio) + token_ms * bool(generated)
    if generated < 2:
        return prompt
    first, last = (
        time_ms(row, 1, context, clock_ratio) for context in (seq + 1, seq + generated - 1)
    )
    return prompt + (generated - 1) * ((first + last) / 2 + token_ms)


def measured_ms(row: Row) -> float:
    """A row's time; sources give times or throughputs."""
    figure, batch = float(row["measured"]), int(row["batch"])
    outputs = {"out tok/s": batch * int(row["generated"] or 0), "img/s": batch}
    return 1e3 * outputs[row["unit"]] / figure if row["unit"] in outputs else figure


def set_aside(row: Row) -> str:
    """Why the model is not held to a row; empty: it is."""
    is_int8 = row["software"] == "FasterTransformer" and row["dtype"] == "int8"
    is_fp8 = row["preset"] == "h100-sxm" and tokens(row) <= SMALL_TOKENS
    return HOST if is_int8 or is_fp8 else ""


def encoders(name: str) -> Iterable[Measurement]:
    """Networks that run once."""
    return _compared(name, lambda row: whole_ms(row, condition(BERT_SET, "clock_ratio")))


def requests(name: str) -> Iterable[Measurement]:
    """First tokens, and prompts with all tokens after them."""
    clock_ratio = condition(GENERATION_SET, "clock_ratio")
    token_ms = condition(GENERATION_SET, "token_us") / 1e3
    return _compared(name, lambda row: whole_ms(row, clock_ratio, token_ms))


BERT_SET, GENERATION_SET = "networks-bert-large", "networks-generation"


def is_fitted(row: Row) -> bool:
    """Whether a fit has seen a row: FasterTransformer's of one card and dtype, and of requests
    those after short prompts."""
    return (
        (row["software"], row["preset"]) == ("FasterTransformer", "a100-sxm4-80gb")
        and (row["dtype"], row["pattern"]) == ("fp16", "1:1")
        and (row["generated"] == "8" or regime(row) == BERT_SET)
    )


def _compared(name: str, model: Callable[[Row], float]) -> Iterable[Measurement]:
    for row in tables.read(TABLE):
        if regime(row) == name:
            yield Measurement(
                label(row),
                measured_ms(row),
                model(row),
                part=f"{row['software']}, {row['preset']}, {row['dtype']} {row['pattern']}",
                set_aside=set_aside(row),
                fitted=is_fitted(row),
            )


def label(row: Row) -> str:
    """What ran: a network, its batch and tokens."""
    after = f"+{row['generated']}" if row["generated"] else ""
    return f"{row['network']} {row['batch']}x{row['seq']}{after} {row['pattern']}"
