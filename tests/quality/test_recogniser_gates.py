"""Does a real text recogniser lose what it is known to lose, by pattern and by method?"""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_models import OCR

from simulator import QualityStudy, measure_quality
from simulator.quality.measured import Measured
from simulator.quality.model import PrunableModel
from simulator.sparsity import Pattern

RECOGNISER = OCR / "ch_PP-OCRv4_rec_infer.onnx"
METHODS = {"magnitude": ["3:4", "12:16", "2:4"], "sparsegpt": ["2:4"]}

Rows = dict[tuple[str, str], Measured]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The recogniser, dense and pruned, on lines of the seed 0."""
    store = Path(tmp_path_factory.mktemp("recogniser")) / "q.sqlite"
    found: Rows = {}
    for method, patterns in METHODS.items():
        study = QualityStudy(RECOGNISER, patterns, [method], measure="text-lines")
        result = measure_quality(study, store=store)
        found |= {(row.method, row.pattern): row for row in result.rows}
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "pattern", "least", "most"),
    [
        ("dense", "1:1", 0.98, 1.0),
        ("magnitude", "3:4", 0.0, 0.60),
        ("magnitude", "12:16", 0.95, 1.0),
        ("magnitude", "2:4", 0.0, 0.10),
        ("sparsegpt", "2:4", 0.95, 1.0),
    ],
)
def test_characters_that_are_read(
    rows: Rows, method: str, pattern: str, least: float, most: float
) -> None:
    figure = rows[method, pattern].figures_of["character_accuracy"]
    assert least <= figure.value <= most
    assert figure.error < 0.04


@pytest.mark.slow
def test_rows_hold_what_their_patterns_keep(rows: Rows) -> None:
    layers = {layer.name: layer for layer in PrunableModel.read(RECOGNISER).layers}
    for (_, pattern), row in rows.items():
        assert row.seed == 0
        assert list(row.layers_of) == list(layers)
        for name, cost in row.layers_of.items():
            layer = layers[name]
            runs = layer.weights // layer.inputs
            most = runs * Pattern.parse(pattern).useful_slots(layer.inputs)
            assert cost.pattern == pattern
            assert 0.95 * most <= cost.nonzeros <= most
