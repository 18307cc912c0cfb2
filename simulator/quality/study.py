"""``QualityStudy -> rows``: a model pruned to each pattern by each method, and what it gets right.

A row is committed as soon as it is measured, under a key of all that decides it: who runs the same
study again measures only what is missing.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from simulator.quality.calibration import Calibration, calibration_of
from simulator.quality.evaluators import Evaluator, Question, evaluator_of
from simulator.quality.measured import Measured, Qualities, stored_figures, stored_layers
from simulator.quality.model import PrunableModel
from simulator.quality.plan import DENSE_METHOD, Point, QualityStudy, points_of
from simulator.quality.pruning import prune_model
from simulator.quality.sessions import versions
from simulator.quality.spec import PruneSpec
from simulator.quality.table import MeasuredRows
from simulator.store.digest import code_digest

DECIDING: Final = frozenset({"quality", "weights", "importers", "workload", "sparsity"})
"""The code that decides figures of quality; what older code measured is measured again."""

QualityProgress = Callable[[int, int, str], None]
"""Called with rows that are settled, rows in all, and what is being done."""


@dataclass(frozen=True)
class QualityResult(MeasuredRows):
    """The rows of a study: the dense network first, then pattern by pattern of each method.

    Attributes
    ----------
    computed, known : int
        Rows that were measured now, and that the store had before.
    notes : tuple of str
    """

    computed: int = 0
    known: int = 0
    notes: tuple[str, ...] = ()


def measure_quality(
    study: QualityStudy,
    *,
    store: str | Path | None = None,
    progress: QualityProgress | None = None,
) -> QualityResult:
    """Prune a model in every way that is asked for, and measure what it still gets right.

    Parameters
    ----------
    study : QualityStudy
    store : str or Path, optional
        File that keeps the rows; those that it has are not measured again. Default: in memory.
    progress : callable, optional
        Called with (rows settled, rows in all, what is being done).

    Raises
    ------
    SimulatorError
        If the study cannot start, or a model or an evaluator fails; rows before that are kept.

    Examples
    --------
    >>> study = QualityStudy("model.onnx", ["2:4"], ["wanda"], calibrate="inputs.npz")
    >>> measure_quality(study, store="quality.sqlite").to_frame()  # doctest: +SKIP
    """
    model = PrunableModel.read(Path(study.model), study.parameters)
    inputs = _fed(study, study.inputs, "--inputs")
    calibration = _fed(study, study.calibrate, "--calibrate")
    question = Question(model.path, inputs, calibration, study.seed)
    evaluator = evaluator_of(study.measure, question)
    points = points_of(study, model, calibration or evaluator.calibration)
    runner = _Runner(study, model, evaluator)
    keys = [runner.key(point) for point in points]
    tell = progress or (lambda _settled, _rows, _doing: None)
    with Qualities(store) as opened:
        known = opened.known(keys)
        for settled, (key, point) in enumerate(zip(keys, points, strict=True)):
            tell(settled, len(points), point.name)
            if key not in known:
                opened.add([runner.measured(key, point, partial(tell, settled, len(points)))])
                opened.flush()
        rows = opened.rows(keys)
        changed = [f"{store}: {opened.changes}; dropped"] if opened.changed else []
    tell(len(points), len(points), "done")
    notes = (*model.notes, *evaluator.notes, *changed)
    return QualityResult(tuple(rows), len(points) - len(known), len(known), notes)


def _fed(study: QualityStudy, text: str | None, option: str) -> Calibration | None:
    return None if text is None else calibration_of(text, Path(study.model), option)


@dataclass(frozen=True)
class _Runner:
    """Prunes and measures one point at a time."""

    study: QualityStudy
    model: PrunableModel
    evaluator: Evaluator

    def key(self, point: Point) -> bytes:
        """Of all that decides the figures of a point, and nothing else."""
        decided: dict[str, Any] = {
            "code": code_digest(DECIDING),
            "model": self.model.digest,
            "evaluator": [self.evaluator.name, self.evaluator.digest],
            "method": point.method,
            "pattern": [point.pattern, point.patterns, self._dense(point)],
        }
        if point.calibration is not None:
            how = [self.study.layers_at_once, self.study.damping]
            decided["calibration"] = [point.calibration.digest, *how]
        return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).digest()

    def measured(self, key: bytes, point: Point, tell: Callable[[str], None]) -> Measured:
        """The row of a point; ``tell`` is called with what is being done."""
        begun = time.monotonic()
        method = "magnitude" if point.method == DENSE_METHOD else point.method
        spec = PruneSpec(
            patterns=point.patterns,
            method=method,
            layers_at_once=self.study.layers_at_once,
            damping=self.study.damping,
        )
        pruned = prune_model(
            self.model,
            spec,
            point.calibration,
            lambda _done, _layers, name: tell(f"{point.name}: {name or 'measuring'}"),
        )
        with tempfile.TemporaryDirectory(prefix="nmsim-") as folder:
            path = Path(folder) / "pruned.onnx"
            pruned.write(path)
            figures = self.evaluator.figures(path)
        costs = pruned.layer_costs()
        return Measured(
            key=key,
            network=self.model.path.stem,
            digest=self.model.digest,
            task=self.evaluator.name,
            method=point.method,
            pattern=point.pattern,
            dense=self._dense(point),
            seed=self.evaluator.seed,
            figures=stored_figures(figures),
            layers=stored_layers(costs),
            nonzeros=sum(cost.nonzeros for cost in costs.values()),
            weights=sum(cost.weights for cost in costs.values()),
            trace=None,
            provenance=self._provenance(point),
            elapsed_s=time.monotonic() - begun,
        )

    def _dense(self, point: Point) -> str:
        """The dense network is the same one, whatever is left dense of others."""
        return "" if point.method == DENSE_METHOD else self.study.dense or ""

    def _provenance(self, point: Point) -> dict[str, Any]:
        made: dict[str, Any] = {"versions": versions()}
        if point.calibration is not None:
            made["calibration"] = point.calibration.name
            made["layers_at_once"] = self.study.layers_at_once
            made["damping"] = self.study.damping
        return made
