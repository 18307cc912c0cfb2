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
from math import prod
from pathlib import Path
from typing import Any

from simulator.errors import SimulatorError, WorkloadError
from simulator.importers.imported import Imported, Tally, renamed
from simulator.importers.json_file import read_json, uncollected
from simulator.importers.torch_calls import FORMATS, Arguments, Call, calls_of, events_of
from simulator.importers.torch_names import STREAMS
from simulator.importers.torch_nesting import Seen, counted
from simulator.workload.layer import LISTED, Stream

MAX_FILE_BYTES = 2**30

STEP = re.compile(r"ProfilerStep#(\d{1,18})")

NO_PRODUCTS = "holds no operators that bear MACs"
SHAPES_HINT = "profile with record_shapes=True"
CPU_HINT = "profile with ProfilerActivity.CPU, too: kernels alone do not say what they multiply"


@uncollected()
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
    tally = Tally(path)
    layers = _Layers(tally)
    for one in counted(calls):
        layers.add(one)
    if not tally.layers and not tally.skipped:
        if not calls:
            what = f"{NO_PRODUCTS}, nor any CPU operators"
            raise WorkloadError(str(path), what, hint=CPU_HINT)
        raise WorkloadError(str(path), NO_PRODUCTS, hint=hint)
    tally.notes += [*_steps(events), *_told(layers.notes)]
    return tally.result(_name(path), LISTED, hint)


def _name(path: Path) -> str:
    """The file's name without what profilers end it with."""
    name = path.name
    for ending in (".gz", ".json", ".pt.trace"):
        name = name.removesuffix(ending)
    return name


class _Layers:
    """Layers of calls; an operator that is given the same again is not made a layer of again."""

    def __init__(self, tally: Tally) -> None:
        self.tally, self.notes = tally, Counter[str]()
        self._streams: dict[tuple[str, Arguments], _Read] = {}

    def add(self, one: Seen) -> None:
        """The layers of a call, or a count of it with the reason."""
        call, tally = one.call, self.tally
        if one.is_stream:
            self._add_stream(call)
        elif one.product is None or not one.product.layers:
            tally.skip(f"{call.operator} ({one.reason})" if one.reason else call.operator)
        else:
            for number, layer in enumerate(one.product.layers):
                tally.add(renamed(layer, tally.name(call.short)), counts=number == 0)
            self._note(_widths(one.product.bits), one.product.note)
            self._note(one.ran and RAN.format(call.operator, one.ran))

    def _add_stream(self, call: Call) -> None:
        key = call.operator, call.given
        if key not in self._streams:
            self._streams[key] = _stream(call)
        layer, notes = self._streams[key]
        if layer is not None:
            self.tally.add(renamed(layer, self.tally.name(call.short)))
        self._note(*notes)

    def _note(self, *notes: str) -> None:
        for note in notes:
            if note:
                self.notes[note] += 1


_Read = tuple[Stream | None, tuple[str, ...]]
"""A layer, if it can be made, and what is to be noted of it."""


def _stream(call: Call) -> _Read:
    """What works element by element writes its largest input's size."""
    sizes = [prod(shape) for shape in call.operands]
    if not any(sizes):
        return None, () if call.has_arguments else (LEFT_OUT.format("without shapes"),)
    formats = (FORMATS[kind] for kind in call.given.kinds if kind and kind in FORMATS)
    dtype, bits = next(formats, FORMATS[""])
    kind = STREAMS[call.operator]
    try:
        layer = Stream(call.short, sum(sizes), max(sizes), op=kind, dtype=dtype)
        # Model: what is summed over lies along the last axis.
        row = (1, *call.operands[0])[-1]
        return layer.over_rows(row), (_widths(bits),)
    except SimulatorError as error:
        return None, (LEFT_OUT.format(f"({error.what})"),)


RAN = "{} read as it was called; {} ran it, perhaps with narrower or sparser weights"
LEFT_OUT = "streaming operators {} left out"


def _widths(bits: int) -> str:
    return f"fp{bits} tensors read as fp16" if bits > 16 else ""


def _told(notes: Counter[str]) -> list[str]:
    """What was assumed, and how often something was left out."""
    return [f"{text}: {count}" if text.endswith("left out") else text
            for text, count in sorted(notes.items())]  # fmt: skip


def _steps(events: Iterable[Any]) -> list[str]:
    """A note if a schedule recorded several steps of a model."""
    names = (event.get("name") for event in events if isinstance(event, dict))
    found = map(STEP.fullmatch, {name for name in names if isinstance(name, str)})
    steps = {int(match[1]) for match in found if match}
    if len(steps) < 2:
        return []
    return [f"layers are the sum of {len(steps)} profiler steps, #{min(steps)} to #{max(steps)}"]
