"""Published times of whole transformers, as software stacks run them, and what the model says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Final

from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.run.simulate import simulate
from simulator.validation import tables
from simulator.validation.decoders import DECODERS
from simulator.validation.fitted import V100
from simulator.validation.gemms import Row
from simulator.validation.measurement import Measurement
from simulator.workload import Workload
from simulator.workload.stack import SCORES, STACKS, Stack, stacked

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

SOFTWARE: Final[dict[str, Stack]] = {
    "TensorRT": STACKS["fused"],
    "FasterTransformer": _FASTER_TRANSFORMER,
    "TensorRT-LLM": replace(_FASTER_TRANSFORMER, name="TensorRT-LLM"),
    "PyTorch eager": STACKS["eager"],
    "PyTorch compiled": STACKS["compiled"],
}

PROMPTS: Final[dict[str, Stack]] = {
    # Prompts take products and a softmax: layers/attention_layers/GptContextAttentionLayer.cc.
    "FasterTransformer": replace(_FASTER_TRANSFORMER, fuses_attention=False, copies_heads=True),
}
"""What runs the prompt, where that is not what runs the tokens after it."""

CONDITIONS: Final[dict[str, dict[str, object]]] = {
    V100: {"clock_hz": 1_380_000_000},  # as its authors set it
}
"""What a source says of the machines that it measured."""


def regime(row: Row) -> str:
    """What decides a row's time."""
    if row["software"].startswith("PyTorch"):
        return "eager"
    if row["software"] == "FasterTransformer" and row["dtype"] == "int8":
        return "host"
    if row["generated"]:
        return "first-token" if row["generated"] == "1" else "generation"
    return "bert-small" if tokens(row) <= SMALL_TOKENS else "bert-large"


def tokens(row: Row) -> int:
    """Tokens that pass the network at once."""
    return int(row["batch"]) * int(row["seq"])


def rows_of(name: str) -> list[Row]:
    """The rows of a regime."""
    return [row for row in tables.read(TABLE) if regime(row) == name]


@cache
def machine(preset: str) -> Hardware:
    """The machine, as the sources of whole networks had it."""
    return load_hardware(preset, CONDITIONS.get(preset, {}))


def kernels(row: Row, seq: int, context: int) -> Workload:
    """What a row's stack launches for ``seq`` tokens of each sequence."""
    batch = int(row["batch"])
    if row["network"] in DECODERS:
        whole = DECODERS[row["network"]].workload(batch, seq, context, row["dtype"])
    else:
        preset = load_workload(row["network"], batch=batch, seq=seq)
        whole = replace_dtype(preset, row["dtype"])
    runs = PROMPTS if row["generated"] and seq > 1 else SOFTWARE
    return stacked(whole, runs.get(row["software"], SOFTWARE[row["software"]]))


def replace_dtype(workload: Workload, dtype: str) -> Workload:
    """The same layers in another format."""
    layers = [replace(layer, dtype=dtype) for layer in workload.layers]
    return Workload(workload.name, layers, workload.notes, workload.blocks, workload.stack)


def time_ms(row: Row, seq: int, context: int) -> float:
    """Device time of what a row's stack launches for ``seq`` tokens of each sequence."""
    report = simulate(machine(row["preset"]), kernels(row, seq, context), row["pattern"],
                      allow_overflow=True)  # fmt: skip
    return report.total.time_ns / 1e6


def whole_ms(row: Row) -> float:
    """Of an encoder or a first token one run; of a request its prompt, which gives the first token,
    and a run a token more, whose time grows in a straight line with the context."""
    seq, generated = int(row["seq"]), int(row["generated"] or 1)
    prompt = time_ms(row, seq, seq)
    if generated == 1:
        return prompt
    first, last = (time_ms(row, 1, context) for context in (seq + 1, seq + generated - 1))
    return prompt + (generated - 1) * (first + last) / 2


def figure(row: Row, ms: float) -> float:
    """A time in the unit that the row's source gives."""
    batch = int(row["batch"])
    if row["unit"] == "out tok/s":
        return 1e3 * batch * int(row["generated"]) / ms
    return 1e3 * batch / ms if row["unit"] == "img/s" else ms


def networks(name: str) -> Iterable[Measurement]:
    """The rows of a regime."""
    for row in rows_of(name):
        yield Measurement(
            label(row),
            float(row["measured"]),
            figure(row, whole_ms(row)),
            part=f"{row['software']}, {row['preset']}, {row['dtype']} {row['pattern']}",
        )


def label(row: Row) -> str:
    """What ran: a network, its batch and tokens."""
    after = f"+{row['generated']}" if row["generated"] else ""
    return f"{row['network']} {row['batch']}x{row['seq']}{after} {row['pattern']}"
