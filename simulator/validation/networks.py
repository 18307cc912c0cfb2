"""Published times of whole transformers, as software stacks run them, and what the model says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from statistics import mean
from typing import Final, NamedTuple

from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.run.simulate import simulate
from simulator.validation import tables
from simulator.validation.decisions import gain_label, timed
from simulator.validation.decoders import DECODERS
from simulator.validation.fitted import A100, V100, condition
from simulator.validation.gemms import Row
from simulator.validation.measurement import DataSet, Measurement
from simulator.validation.sparse_stacks import FASTER_TRANSFORMER
from simulator.workload import Workload
from simulator.workload.stack import STACKS, Stack

TABLE: Final = "networks"

SMALL_TOKENS: Final = 512
"""Up to so many tokens an encoder's kernels are short, and what starts them decides."""


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
        FASTER_TRANSFORMER,
        prompt=replace(FASTER_TRANSFORMER, fuses_attention=False, is_eager=True),
    ),
    "TensorRT-LLM": Software(FASTER_TRANSFORMER),  # cuBLASLt behind its plug-ins
}

APART: Final = replace(FASTER_TRANSFORMER, merges_products=False, epilogues=frozenset({"bias"}))
"""On a V100 the timing of products, `isFuseBatchGemm`, is taken to prefer three for queries, keys
and values; the kernel that then adds their biases is left out, where three would be too many."""

CLOCKS: Final = {V100: 1_380_000_000}
"""That a source had its machine set to, where that is not the preset's."""

BERT_SMALL, BERT_LARGE = "networks-bert-small", "networks-bert-large"
FIRST_TOKEN, GENERATION = "networks-first-token", "networks-generation"


def regime(row: Row) -> str:
    """What decides a row's time: the data set that it belongs to."""
    if row["generated"]:
        return FIRST_TOKEN if row["generated"] == "1" else GENERATION
    return BERT_SMALL if int(row["batch"]) * int(row["seq"]) <= SMALL_TOKENS else BERT_LARGE


@cache
def machine(preset: str, whole_heads_of: int | None) -> Hardware:
    """A machine as a source had it, in a network; thread blocks may take heads of so many tokens
    whole."""
    own: dict[str, object] = {"memory.l2.start": "carried"}
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


def stack_of(row: Row, is_prompt: bool) -> Stack:
    """The stack that runs a prompt, or what follows it, or an encoder."""
    software = SOFTWARE[row["software"]]
    if row["preset"] == V100:
        return APART
    return software.prompt if is_prompt and software.prompt is not None else software.stack


class Run(NamedTuple):
    """A run of a network by itself, and how long it would keep tensor cores busy at full clock."""

    alone_ms: float
    busy_ms: float

    def within(self, busy_ratio: float) -> float:
        """Its time in a loop that lasts.

        Model: a board's power leaves tensor cores that busy on average, and no busier, whatever
        their clock then is: their work takes as much longer.
        """
        return max(self.alone_ms, self.busy_ms / busy_ratio)


class Request(NamedTuple):
    """What a row asked for: one run, and for a request one a token more.

    Attributes
    ----------
    first : Run
        Of an encoder, or of the prompt, which gives the first token.
    others : tuple of Run
        Of the second token and of the last one; times between grow in a straight line, as the
        context does.
    tokens : int
        That are chosen; of an encoder none.
    """

    first: Run
    others: tuple[Run, ...]
    tokens: int

    def time_ms(self, busy_ratio: float, token_ms: float) -> float:
        """Of all; ``token_ms`` is what choosing a token takes besides."""
        once = self.first.within(busy_ratio) + self.tokens * token_ms
        if not self.others:
            return once
        return once + (self.tokens - 1) * mean(run.within(busy_ratio) for run in self.others)


def request_of(row: Row) -> Request:
    """The runs of a row."""
    seq, generated = int(row["seq"]), int(row["generated"] or 0)
    contexts = (seq + 1, seq + generated - 1) if generated > 1 else ()
    others = tuple(_run(row, 1, context) for context in contexts)
    return Request(_run(row, seq, seq), others, generated)


def _run(row: Row, seq: int, context: int) -> Run:
    """A row's stack on ``seq`` tokens of each sequence, launches included."""
    software = SOFTWARE[row["software"]]
    hardware = machine(row["preset"], seq if software.takes_heads_whole else None)
    stack = stack_of(row, is_prompt=bool(row["generated"]) and seq > 1)
    layers = network(row, seq, context)
    total = simulate(
        hardware, layers, stack=stack, accuracy="sampled", allow_overflow=True
    ).total  # fmt: skip
    alone_ns = total.time_ns if software.is_graph else total.time_with_launch_ns
    account = total.core_time_ps
    busy_ps = (account.mac_useful + account.mac_padding) / hardware.core.count
    return Run(alone_ns / 1e6, busy_ps / 1e9)


def measured_ms(row: Row) -> float:
    """A row's time; sources give times or throughputs."""
    figure = float(row["measured"])
    if row["unit"] == "out tok/s":
        return 1e3 * int(row["batch"]) * int(row["generated"]) / figure
    return figure


def is_fitted(row: Row) -> bool:
    """Whether a fit has seen a row: FasterTransformer on A100s, many tokens or short prompts."""
    if (row["software"], row["preset"]) != ("FasterTransformer", A100):
        return False
    return regime(row) == BERT_LARGE or row["generated"] == "8"


def networks(name: str) -> Iterable[Measurement]:
    """The rows of a regime."""
    busy_ratio, token_ms = (condition(GENERATION, key) for key in ("busy_ratio", "token_ms"))
    for row in tables.read(TABLE):
        if regime(row) == name:
            yield Measurement(
                label(row),
                measured_ms(row),
                request_of(row).time_ms(busy_ratio, token_ms),
                part=f"{row['software']}, {row['preset']}, {row['dtype']}",
                fitted=is_fitted(row),
                preset=row["preset"],
            )


HELD: Final = ("FasterTransformer", "fp16", "dense")
"""Rows of `decisions` whose times `networks` holds."""


def network_times() -> Iterable[Measurement]:
    """The times that gains of `decisions` are ratios of, but those that `networks` holds."""
    for row, times in timed():
        for which, us in zip(("dense", "sparse"), times, strict=True):
            is_held = (row["software"], row["dtype"], which) == HELD
            if row["unit"] == "ratio" or is_held:
                continue
            figure, batch = float(row[which]), int(row["batch"])
            yield Measurement(
                f"{gain_label(row)}, {which}",
                1e3 * batch / figure if row["unit"] == "img/s" else figure,
                us / 1e3,
                part=f"{row['software']} {row['dtype']}, {which}",
                preset=row["preset"],
            )


def label(row: Row) -> str:
    """What ran: a network, its batch and tokens."""
    after = f"+{row['generated']}" if row["generated"] else ""
    return f"{row['network']} {row['batch']}x{row['seq']}{after}, {row['software']} {row['dtype']}"


_STACKS = "which kernels stacks launch, where their sources leave it open"
_LIMITED = "times of loops that last: tensor cores are busy for 56.5 % of them at most"

DATA_SETS: Final = (
    DataSet(
        BERT_SMALL,
        "BERT-base of up to 512 tokens",
        TABLE,
        "ms",
        lambda: networks(BERT_SMALL),
        bound=0.10,
        chosen=_STACKS,
        note="TensorRT launches a CUDA graph, FasterTransformer kernel by kernel",
    ),
    DataSet(
        BERT_LARGE,
        "BERT-base of more tokens",
        TABLE,
        "ms",
        lambda: networks(BERT_LARGE),
        bound=0.07,
        chosen=_STACKS,
        note=_LIMITED,
    ),
    DataSet(
        FIRST_TOKEN,
        "first tokens, TensorRT-LLM",
        TABLE,
        "ms",
        lambda: networks(FIRST_TOKEN),
        bound=0.12,
        chosen=_STACKS,
        note="whole milliseconds; choosing a token takes as long as in networks-generation",
    ),
    DataSet(
        GENERATION,
        "GPT-6.7B and GPT-J, whole requests",
        TABLE,
        "ms",
        lambda: networks(GENERATION),
        bound=0.08,
        chosen=_STACKS,
        note=f"{_LIMITED}; sampling and the host take 2.9 ms a token; of contexts after the prompt "
        "two are simulated, and times between lie on a line",
    ),
    DataSet(
        "networks-times",
        "times behind networks-24",
        "decisions",
        "ms",
        network_times,
        note="no limit on tensor cores; eager rows hold their host, which is not modelled",
    ),
)
