"""``PyTorch profiler trace -> Imported``: what a model's operators were called with.

Of products that call each other, as ``conv2d`` calls ``convolution``, the outermost that can be
read counts. What may be a product and cannot be read is counted by name: whatever takes two
operands of two or more dimensions, or is named like a product, and is not known to be harmless.

Layers are the kernels that ran. A trace does not say which tensor is which, so that none names what
it reads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from simulator.errors import SimulatorError, WorkloadError
from simulator.importers.imported import Imported, Tally
from simulator.importers.json_file import read_json
from simulator.importers.torch_calls import FORMATS, Call, calls_of, events_of
from simulator.importers.torch_names import STREAMS
from simulator.importers.torch_nesting import Seen, counted
from simulator.workload.layer import LISTED, Stream

MAX_FILE_BYTES = 2**30

STEP = re.compile(r"ProfilerStep#(\d{1,18})")

NO_PRODUCTS = "holds no operators that bear MACs"
SHAPES_HINT = "profile with record_shapes=True"
CPU_HINT = "profile with ProfilerActivity.CPU, too: kernels alone do not say what they multiply"


def read_torch_trace(path: Path, parameters: Mapping[str, int]) -> Imported:
    """Read the layers that a profiler saw, in the order of their time.

    Raises
    ------
    WorkloadError
        If the file is not such a trace, holds no operators that bear MACs, or no shapes.
    """
    for name in parameters:
        raise WorkloadError(f"{path} {name}", "a trace was recorded with its sizes")
    events = events_of(read_json(path, MAX_FILE_BYTES))
    if events is None:
        raise WorkloadError(str(path), "not a profiler trace", want="a list 'traceEvents'")
    calls = list(calls_of(events))
    hint = None if any(call.has_arguments for call in calls) else SHAPES_HINT
    tally, notes = Tally(path), Counter[str]()
    for one in counted(calls):
        _add(one, tally, notes)
    if not tally.layers and not tally.skipped:
        if not calls:
            what = f"{NO_PRODUCTS}, nor any CPU operators"
            raise WorkloadError(str(path), what, hint=CPU_HINT)
        raise WorkloadError(str(path), NO_PRODUCTS, hint=hint)
    tally.notes += [*_steps(events), *_told(notes)]
    return tally.result(_name(path), LISTED, hint)


def _name(path: Path) -> str:
    """The file's name without what profilers end it with."""
    name = path.name
    for ending in (".gz", ".json", ".pt.trace"):
        name = name.removesuffix(ending)
    return name


def _add(one: Seen, tally: Tally, notes: Counter[str]) -> None:
    """The layers of a call, or a count of it with the reason."""
    call = one.call
    if one.is_stream:
        _add_stream(call, tally, notes)
    elif one.product is None or not one.product.layers:
        tally.skip(f"{call.operator} ({one.reason})" if one.reason else call.operator)
    else:
        for number, layer in enumerate(one.product.layers):
            tally.add(replace(layer, name=tally.name(call.short)), counts=number == 0)
        notes.update(_widths(one.product.bits))
        notes.update([one.product.note] if one.product.note else [])
        notes.update([RAN.format(call.operator, one.ran)] if one.ran else [])


def _add_stream(call: Call, tally: Tally, notes: Counter[str]) -> None:
    """What works element by element writes its largest input's size."""
    sizes = [prod(shape) for shape in call.operands]
    if not any(sizes):
        if not call.has_arguments:
            notes[LEFT_OUT.format("without shapes")] += 1
        return
    types = call.given.get("Input type") or call.given.get("Input Types")
    kinds = map(str, types if isinstance(types, list) else [])
    dtype, bits = next((FORMATS[kind] for kind in kinds if kind and kind in FORMATS), FORMATS[""])
    kind = STREAMS[call.operator]
    try:
        layer = Stream(call.short, sum(sizes), max(sizes), op=kind, dtype=dtype)
        # Model: what is summed over lies along the last axis.
        row = (1, *call.operands[0])[-1]
        layer = layer.over_rows(row)
    except SimulatorError as error:
        notes[LEFT_OUT.format(f"({error.what})")] += 1
        return
    tally.add(replace(layer, name=tally.name(call.short)))
    notes.update(_widths(bits))


RAN = "{} read as it was called; {} ran it, perhaps with narrower or sparser weights"
LEFT_OUT = "streaming operators {} left out"


def _widths(bits: int) -> list[str]:
    return [f"fp{bits} tensors read as fp16"] if bits > 16 else []


def _told(notes: Counter[str]) -> list[str]:
    """What was assumed, and how often something was left out."""
    return [f"{text}: {count}" if text.endswith("left out") else text
            for text, count in sorted(notes.items())]  # fmt: skip


def _steps(events: Iterable[Any]) -> list[str]:
    """A note if a schedule recorded several steps of a model."""
    names = (event.get("name") for event in events if isinstance(event, dict))
    found = (STEP.fullmatch(name) for name in names if isinstance(name, str))
    steps = {int(match[1]) for match in found if match}
    if len(steps) < 2:
        return []
    return [f"layers are the sum of {len(steps)} profiler steps, #{min(steps)} to #{max(steps)}"]
