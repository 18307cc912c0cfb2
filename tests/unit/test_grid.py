"""Do tables fit their width, leave out columns in their order, and cut no figure?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from simulator.cli.grid import Column, Grid, headings, sentence

ORDER = ("mapping", "cycles", "MAC util.")


def grid() -> Grid:
    made = Grid(
        "A net on a machine",
        headings(
            ["layer", "time µs", "MAC util.", "cycles", "mapping"], name=["layer"], word=["mapping"]
        ),
        drops=ORDER,
    )
    made.add_row("encoder.layer.11.attention.self.query", "12,345.67", "12.3 %", "123,456,789",
                 "128x256x64, 4 splits")  # fmt: skip
    made.add_row("fc", "0.81", "1.0 %", "12", "32x32x64")
    return made


def shown(made: Grid, width: int | None, *, plain: bool = False) -> list[str]:
    return [line.plain for line in made.printed(width, plain=plain)]


def test_in_a_pipe_a_table_is_whole() -> None:
    _, header, *rows = shown(grid(), None, plain=True)
    assert header.split("  ")[0] == "layer"
    assert "encoder.layer.11.attention.self.query" in rows[0]
    assert "128x256x64, 4 splits" in rows[0]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("width", "left_out"),
    [(200, 0), (86, 0), (70, 1), (50, 2), (40, 3), (34, 3)],
)
def test_columns_are_left_out_in_their_order(width: int, left_out: int) -> None:
    lines = shown(grid(), width)
    text = "\n".join(lines)
    for number, name in enumerate(ORDER):
        assert any(name.split()[0] in line for line in lines[1:3]) == (number >= left_out)
    said = f"Left out for want of room: {', '.join(ORDER[:left_out])} (--wide shows all)"
    assert (said in " ".join(text.split())) == bool(left_out)


@given(st.integers(34, 130))
def test_no_line_is_too_long_and_no_figure_is_cut(width: int) -> None:
    lines = shown(grid(), width)
    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    assert "12,345.67" in text
    assert "0.81" in text
    note = " ".join(text.split()).partition("Left out")[2]
    for name, figure in (("cycles", "123,456,789"), ("mapping", "128x256x64, 4 splits")):
        assert (figure in text) == (name not in note)


def test_what_cannot_be_left_out_is_set_in_parts() -> None:
    made = Grid("", [Column("layer", "name"), *(Column(f"1:{n} µs") for n in range(2, 30))])
    made.add_row("fc", *(f"{n}.00" for n in range(2, 30)))
    lines = shown(made, 40)
    assert max(map(cell_len, lines)) <= 40
    text = " ".join(lines)
    assert all(f" {n}.00" in text for n in range(2, 30))
    assert len([line for line in lines if line.startswith("fc ")]) > 2


def test_prose_is_broken_over_lines_and_titles_of_keys_at_their_dots() -> None:
    made = Grid("", headings(["core.scratchpad.bytes_per_cycle", "what"], prose=["what"]))
    made.add_row("128", "a machine with any group up to sixteen and a wide path")
    lines = shown(made, 45)
    assert max(map(cell_len, lines)) <= 45
    assert "what" in "".join(lines)
    words = " ".join(lines).split()
    assert {"sixteen", "path"} <= set(words)
    assert "core.scratchpad.bytes_per_cycle" in shown(made, 200)[0]


def test_sentences_break_between_words() -> None:
    text = "2:4 is 1.37x 1:1, where density alone would give 2.00x."
    lines = [line.plain for line in sentence(text, 24)]
    assert max(map(len, lines)) <= 24
    assert " ".join(" ".join(lines).split()) == text
    (whole,) = sentence(text, None)
    assert whole.plain == text


def test_wide_characters_take_two_cells() -> None:
    made = Grid("", headings(["層", "n"], name=["層"]))
    made.add_row("注意", "1")
    header, rule, row = shown(made, 40)
    assert cell_len(header) == cell_len(rule) == cell_len(row)
