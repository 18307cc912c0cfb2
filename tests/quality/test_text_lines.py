"""Are lines of text what they should be, and are characters counted as Levenshtein did?"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perceptron import perceptron

from simulator.errors import WorkloadError
from simulator.quality.recogniser import Recogniser, character_accuracy, edit_distance
from simulator.quality.text_lines import FONTS, SIZES_PX, WORDS, digest_of, text_lines

HEIGHT = 48
TEXTS = st.text("abc", max_size=6)


def test_the_same_seed_draws_the_same_lines_and_another_use_others() -> None:
    lines = text_lines(30, HEIGHT, seed=3, use=0)
    assert digest_of(lines) == digest_of(text_lines(30, HEIGHT, seed=3, use=0))
    for seed, use in ((3, 1), (4, 0)):
        others = text_lines(30, HEIGHT, seed=seed, use=use)
        assert not {line.text for line in lines} & {line.text for line in others}


def test_every_letter_occurs_and_every_font_in_every_size() -> None:
    assert set("".join(WORDS)) == set("abcdefghijklmnopqrstuvwxyz")
    assert len(set(WORDS)) == len(WORDS)
    alike = [text_lines(len(FONTS) * len(SIZES_PX), HEIGHT, seed, 0) for seed in (0, 1)]
    assert len(alike[0]) == len({line.image.tobytes() for line in alike[0]})


@pytest.mark.parametrize("height", [32, 48])
def test_a_line_is_black_on_white_with_margins(height: int) -> None:
    for line in text_lines(24, height, seed=0, use=0):
        assert line.image.shape[0] == height
        inked = np.flatnonzero((line.image < 128).any(axis=0))
        assert inked[0] >= height // 6 - 1
        assert line.image.shape[1] - inked[-1] >= height // 6 - 1
        assert 0.02 < (line.image < 128).mean() < 0.4


@given(TEXTS, TEXTS)
def test_the_edit_distance_is_levenshtein_s(text: str, other: str) -> None:
    @cache
    def defined(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        if a[0] == b[0]:
            return defined(a[1:], b[1:])
        return 1 + min(defined(a[1:], b), defined(a, b[1:]), defined(a[1:], b[1:]))

    assert edit_distance(text, other) == defined(text, other)


def test_the_accuracy_of_lines_and_its_error() -> None:
    pairs = [("abcd", "abcd"), ("abcdef", "abxdef"), ("ab", ""), ("ab", "somewhat longer")]
    figure = character_accuracy(pairs)
    wrong, lengths = [0, 1, 2, 2], [4, 6, 2, 2]
    assert figure.value == pytest.approx(1 - 5 / 14)
    residuals = [w - 5 / 14 * n for w, n in zip(wrong, lengths, strict=True)]
    variance = sum(r**2 for r in residuals) / 3
    assert figure.error == pytest.approx(math.sqrt(variance / 4) / fmean(lengths))
    assert character_accuracy([("ab", "ab")]).error == 0


def test_the_error_is_what_repeated_draws_spread_by() -> None:
    """Lines of different lengths, of which the long ones are read worse."""
    random = np.random.default_rng(0)

    def drawn() -> list[tuple[str, str]]:
        lengths = random.integers(1, 30, size=60)
        wrong = random.binomial(lengths, 0.02 + 0.01 * lengths)
        return [("a" * n, "b" * w + "a" * (n - w)) for n, w in zip(lengths, wrong, strict=True)]

    figures = [character_accuracy(drawn()) for _ in range(300)]
    spread = np.std([figure.value for figure in figures], ddof=1)
    assert fmean(figure.error for figure in figures) == pytest.approx(spread, rel=0.15)


def test_what_is_no_recogniser_says_so(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match=r"no text recogniser: .*--measure drift"):
        Recogniser(perceptron(tmp_path / "made.onnx"))
