"""Are long names shortened in their middle, and never in a number?"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from simulator.names import shortened, words


@pytest.mark.parametrize(
    ("name", "most", "want"),
    [
        ("layer3.0.downsample.conv2", 18, "layer3.0.…conv2"),
        ("encoder.layer.11.attention.self.query", 24, "encoder.…11.…self.query"),
        ("encoder.layer.11.attention.query_key_value_projection", 24, "encoder.…11.…projection"),
        ("features.18.depthwise", 20, "features.…depthwise"),
        ("a" * 30, 11, "aaaaa…aaaaa"),
        ("short", 8, "short"),
        ("gemm:4096x4096x4096", 8, "gemm:4096x4096x4096"),
        ("gemm:64x64x64:int8", 8, "gemm:64x64x64:int8"),
        ("conv123456789012345", 11, "conv…"),
    ],
)
def test_shortened(name: str, most: int, want: str) -> None:
    assert shortened(name, most) == want


@given(st.text("ab0189._-é", min_size=1, max_size=60), st.integers(6, 40))
def test_a_shortened_name_fits_and_cuts_no_number(name: str, most: int) -> None:
    short = shortened(name, most)
    assert len(short) <= most or short == name
    if short != name:
        head, *_, tail = short.split("…")
        assert name.startswith(head)
        assert name.endswith(tail)
        numbers = re.findall("[0-9]+", name)
        assert all(number in numbers for number in re.findall("[0-9]+", short))


def test_wide_characters_count_as_they_are_drawn() -> None:
    short = shortened("エンコーダ層の注意機構の問い合わせ", 12, cell_len)
    assert cell_len(short) <= 12
    assert "…" in short


def test_words() -> None:
    assert [words(key) for key in ("mac_useful", "dram", "register_file")] == [
        "MAC useful", "DRAM", "register file",
    ]  # fmt: skip
