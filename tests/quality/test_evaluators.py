"""Do functions of one's own become figures, and whatever else they do one clear line?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from perceptron import inputs_file, perceptron

from simulator.errors import SimulatorError
from simulator.quality.calibration import calibration_of
from simulator.quality.evaluators import Question, checked_figures, evaluator_of
from simulator.quality.measured import Figure


def test_figures_are_floats_pairs_or_figures() -> None:
    given = {
        "accuracy": 0.5,
        "loss": (1.25, 0.5),
        "wer": Figure(0.25, 0.125, higher_is_better=False),
        "count": np.int64(3),
        "mean": [np.float32(0.5), 0],
    }
    assert checked_figures(given, "mine") == {
        "accuracy": Figure(0.5),
        "loss": Figure(1.25, 0.5, higher_is_better=False),
        "wer": Figure(0.25, 0.125, higher_is_better=False),
        "count": Figure(3.0),
        "mean": Figure(0.5),
    }


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("accuracy", True),
        ("loss", False),
        ("test_loss", False),
        ("word error rate", False),
        ("Perplexity", False),
        ("glossary", True),
        ("terror", True),
    ],
)
def test_names_say_whether_higher_is_better(name: str, better: bool) -> None:
    assert checked_figures({name: 1.0}, "mine")[name].higher_is_better is better


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "mine: returned no figures, want a mapping of names to figures"),
        (0.5, "mine: returned no figures, want a mapping of names to figures, got 0.5"),
        ({}, "mine: returned no figures: its mapping is empty"),
        ({"accuracy": math.nan}, "mine: accuracy: no figure, want finite numbers"),
        ({"accuracy": (0.5, math.inf)}, "mine: accuracy: no figure, want finite numbers"),
        ({"accuracy": (0.5, -0.1)}, "mine: accuracy: no figure, want finite numbers"),
        ({"accuracy": Figure(math.inf)}, "mine: accuracy: no figure, want finite numbers"),
        ({"accuracy": Figure("much")}, "mine: accuracy: no figure, want a number"),  # type: ignore[arg-type]  # a user's mistake
        ({"accuracy": "much"}, "mine: accuracy: no figure, want a number, or"),
        ({"accuracy": (0.5, 0.1, 0.2)}, "mine: accuracy: no figure, want a number, or"),
        ({"accuracy": 10**400}, "mine: accuracy: no figure, want finite numbers"),
        ({3: 0.5}, "mine: a figure's name is no text in one line, got 3"),
        ({"a\nb": 0.5}, "mine: a figure's name is no text in one line"),
    ],
)
def test_what_is_no_figure_is_one_line(given: Any, says: str) -> None:
    with pytest.raises(SimulatorError) as error:
        checked_figures(given, "mine")
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)


def module(folder: Path, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module in the current folder; its name must be a new one."""
    monkeypatch.chdir(folder)
    (folder / f"{name}.py").write_text(code)


def test_a_function_takes_the_path_and_its_prints_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "def size(path):\n    print('reading')\n    return {'bytes': path.stat().st_size}\n"
    module(tmp_path, "measures_sizes", code, monkeypatch)
    model = perceptron(tmp_path / "made.onnx")
    evaluator = evaluator_of("measures_sizes:size", Question(model))
    assert evaluator.figures(model) == {"bytes": Figure(float(model.stat().st_size))}
    assert capsys.readouterr().out == ""
    assert (evaluator.name, evaluator.seed) == ("measures_sizes:size", None)


def test_a_function_that_leaves_the_folder_takes_nobody_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import os\n\ndef f(path):\n    os.chdir('/')\n    return {'accuracy': 1}\n"
    module(tmp_path, "wanders", code, monkeypatch)
    before = Path.cwd()
    evaluator_of("wanders:f", Question(tmp_path)).figures(tmp_path)
    assert Path.cwd() == before


@pytest.mark.parametrize("what", ["ValueError('much\\nmore')", "SystemExit(3)"])
def test_a_function_that_raises_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    name = f"raises_{what[:5].lower()}"
    module(tmp_path, name, f"def f(path):\n    raise {what}\n", monkeypatch)
    evaluator = evaluator_of(f"{name}:f", Question(tmp_path))
    with pytest.raises(SimulatorError, match=f"^--measure {name}:f: raised: ") as error:
        evaluator.figures(tmp_path)
    assert "\n" not in str(error.value)


def test_an_evaluator_is_known_by_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        code = f"def f(path):\n    return {{'a': {number}}}\n"
        module(folder, f"edited_{number}", code, monkeypatch)
        digests.add(evaluator_of(f"edited_{number}:f", Question(folder)).digest)
    assert len(digests) == 2


def test_drift_says_when_it_measures_on_what_was_calibrated_on(tmp_path: Path) -> None:
    model = perceptron(tmp_path / "made.onnx")
    one, same, other = (
        calibration_of(str(inputs_file(tmp_path / f"{name}.npz", seed=seed)), model)
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    both = evaluator_of("drift", Question(model, calibration=one))
    assert both.digest == one.digest
    assert "measured on what methods calibrate on" in both.notes[0]
    assert evaluator_of("drift", Question(model, same, one)).notes
    assert not evaluator_of("drift", Question(model, other, one)).notes
    assert not evaluator_of("drift", Question(model, other)).notes
