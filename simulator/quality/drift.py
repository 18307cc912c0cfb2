"""How far the outputs of a pruned model are from those of the dense one, on the same inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.errors import WorkloadError
from simulator.quality.foreign import foreign
from simulator.quality.measured import Figure
from simulator.quality.sessions import session_of

Array = npt.NDArray[Any]
Feed = Mapping[str, Array]


def drift(dense: Path, pruned: Path, feeds: Iterable[Feed]) -> dict[str, Figure]:
    """Figures of `FIGURES`, each a mean over samples with its standard error.

    A sample is one along the first axis that inputs and outputs share; where they share none, all
    that a feed holds is one sample. Of several outputs those of floating point count, one behind
    the other; top-1 agreement is of the first of them along its last axis. Both models run feed by
    feed, so that only the outputs of one feed are held.

    Parameters
    ----------
    dense, pruned : Path
        ONNX models of the same inputs and outputs.
    feeds : iterable
        Batches by the names of the inputs.

    Raises
    ------
    WorkloadError
        If a model cannot run, or gives nothing of floating point, or none that is a number.
    """
    sessions = session_of(dense), session_of(pruned)
    samples: dict[str, list[float]] = {name: [] for name in FIGURES}
    for feed in feeds:
        before, after = (_outputs(session, feed, dense) for session in sessions)
        for one, other in zip(_samples(feed, before), _samples(feed, after), strict=True):
            for name, (measure, _) in FIGURES.items():
                samples[name] += measure(one, other)
    return {
        name: mean_figure(values, higher_is_better=FIGURES[name][1])
        for name, values in samples.items()
        if values
    }


def mean_figure(values: Sequence[float], *, higher_is_better: bool = True) -> Figure:
    """The mean and its standard error, which one value alone does not show: then it is 0."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Figure(float(np.mean(values)), spread / math.sqrt(len(values)), higher_is_better)


def _cosine(before: Sequence[Array], after: Sequence[Array]) -> list[float]:
    """Of the angle between all outputs as one vector; 1 of equal ones, however sums are rounded."""
    one, other = _vector(before), _vector(after)
    if np.array_equal(one, other):
        return [1.0]
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return [float(one @ other) / lengths if lengths else 0.0]


def _relative_error(before: Sequence[Array], after: Sequence[Array]) -> list[float]:
    """``|after - before| / |before|``, Euclidean."""
    one, other = _vector(before), _vector(after)
    length, off = float(np.linalg.norm(one)), float(np.linalg.norm(other - one))
    return [off / length if length else (math.inf if off else 0.0)]


def _top1_agreement(before: Sequence[Array], after: Sequence[Array]) -> list[float]:
    """Share of places where the largest along the last axis is the same; nothing without one."""
    one, other = before[0], after[0]
    if one.ndim == 0 or one.shape[-1] < 2:
        return []
    return [float(np.mean(one.argmax(axis=-1) == other.argmax(axis=-1)))]


FIGURES: Final[
    dict[str, tuple[Callable[[Sequence[Array], Sequence[Array]], list[float]], bool]]
] = {
    "cosine": (_cosine, True),
    "relative_error": (_relative_error, False),
    "top1_agreement": (_top1_agreement, True),
}
"""What one sample's outputs before and after give, and whether higher is better."""


def _vector(outputs: Sequence[Array]) -> Array:
    return np.concatenate([output.ravel() for output in outputs]).astype(np.float64)


def _outputs(session: Any, feed: Feed, model: Path) -> list[Array]:
    """Outputs of floating point."""
    with foreign(model, "ONNX Runtime cannot run it"):
        found = session.run(None, dict(feed))
    floats = [one for one in found if isinstance(one, np.ndarray) and one.dtype.kind == "f"]
    if not any(one.size for one in floats):
        raise WorkloadError(str(model), "gives no output of floating point to compare")
    if not all(np.isfinite(one).all() for one in floats):
        hint = "do its inputs hold any?"
        raise WorkloadError(str(model), "gives outputs that are NaN or infinite", hint=hint)
    return floats


def _samples(feed: Feed, outputs: Sequence[Array]) -> Iterator[list[Array]]:
    """The outputs of each sample."""
    firsts = {one.shape[:1] for one in (*feed.values(), *outputs)}
    (count,) = next(iter(firsts)) or (0,)
    if len(firsts) > 1 or not count:
        yield list(outputs)
        return
    for at in range(count):
        yield [output[at] for output in outputs]
