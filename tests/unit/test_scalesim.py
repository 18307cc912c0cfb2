"""Are SCALE-Sim topologies read as SCALE-Sim reads them, and is nothing guessed?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.errors import SimulatorError
from simulator.importers import load_workload
from simulator.workload import Conv, Gemm, Workload

# The headers that SCALE-Sim's own topologies carry (topologies/conv_nets and GEMM_mnk).
CONV_HEADER = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
    "Num Filter, Strides,"
)
GEMM_HEADER = "Layer, M, N, K,"

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a topology and return its path."""

    def to_file(text: str | bytes) -> Path:
        path = tmp_path / "topology.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to_file


def message(path: Path, **parameters: int) -> str:
    """The one line that reading a bad topology ends in."""
    with pytest.raises(SimulatorError) as caught:
        load_workload(path, **parameters)
    text = str(caught.value)
    assert "\n" not in text
    return text


CONV = Conv("Conv1", 3, 64, 224, 224, kernel=7, stride=2, ceil_output=True)


@pytest.mark.parametrize(
    "text",
    [
        f"{CONV_HEADER}\nConv1, 224, 224, 7, 7, 3, 64, 2,\n",
        f"{CONV_HEADER}\nConv1,224,224,7,7,3,64,2\n",
        f"{CONV_HEADER}\nConv1,224,224,7,7,3,64,2,,,,\n",
        f"{CONV_HEADER}\r\nConv1, 224, 224, 7, 7, 3, 64, 2,\r\n",
        f"\ufeff{CONV_HEADER}\nConv1,224,224,7,7,3,64,2,\n",
        f"\n{CONV_HEADER}\n\n\nConv1,224,224,7,7,3,64,2,\n,,,,,,,,\n\n",
        f"# converted\n{CONV_HEADER}\n# first\nConv1,224,224,7,7,3,64,2,\n",
        "a,b\nConv1,224,224,7,7,3,64,2,\n",
        "whatever it says\nConv1,224,224,7,7,3,64,2,\n",
        "1,2,3,4,5,6,7,8\nConv1,224,224,7,7,3,64,2,\n",
        f"{CONV_HEADER[:-1]}\nConv1\t,\t224,224,7,7,3,64,2",
    ],
    ids=["as published", "no trailing comma", "many commas", "crlf", "bom", "blank rows",
         "comments", "short header", "words", "numbers as header", "tabs"],
)  # fmt: skip
def test_convolutions_as_files_really_are(write: Write, text: str) -> None:
    workload = load_workload(write(text))
    assert workload.name == "topology"
    assert workload.layers == (CONV,)


@pytest.mark.parametrize(
    "text",
    [
        f"{GEMM_HEADER}\nfc, 10, 20, 30,\n",
        f"{GEMM_HEADER}\nfc,10,20,30\n",
        f"{GEMM_HEADER}\r\nfc,10,20,30,\r\n",
        f"\ufeff{GEMM_HEADER}\n\nfc,10,20,30,,,\n\n",
        "whatever it says\nfc,10,20,30,\n",
        "layer,m,n,k\nfc,10,20,30\n",
        "K,N,Layer,M\n30,20,fc,10\n",
    ],
)
def test_its_n_is_our_m_and_its_m_our_n(write: Write, text: str) -> None:
    """SCALE-Sim multiplies [M, K] activations by [K, N] filters."""
    workload = load_workload(write(text))
    assert workload.layers == (Gemm("fc", m=20, n=10, k=30),)
    assert any("its N is read as m" in note for note in workload.notes)


def test_several_layers_keep_their_order_and_names(write: Write) -> None:
    path = write(f"{CONV_HEADER}\nb, 8, 8, 3, 1, 4, 5, 1,\na 1, 6, 7, 1, 1, 5, 6, 1,\n")
    assert load_workload(path) == Workload(
        "topology",
        [
            Conv("b", 4, 5, 8, 8, kernel=(3, 1), ceil_output=True),
            Conv("a 1", 5, 6, 6, 7, ceil_output=True),
        ],
        ["SCALE-Sim topology: no padding, output sizes rounded up"],
    )


@pytest.mark.parametrize(
    ("row", "out_h", "out_w"),
    [
        # ceil((ifmap - filter + stride) / stride), as in SCALE-Sim's topology_utils.py
        ("c, 224, 224, 7, 7, 3, 64, 2,", 110, 110),
        ("c, 227, 227, 11, 11, 3, 96, 4,", 55, 55),
        ("c, 8, 9, 3, 3, 4, 4, 2,", 4, 4),
        ("c, 8, 8, 8, 8, 4, 4, 3,", 1, 1),
        ("c, 9, 9, 1, 1, 4, 4, 4,", 3, 3),
    ],
)
def test_outputs_are_rounded_up(write: Write, row: str, out_h: int, out_w: int) -> None:
    (layer,) = load_workload(write(f"{CONV_HEADER}\n{row}\n")).layers
    assert isinstance(layer, Conv)
    assert (layer.out_h, layer.out_w) == (out_h, out_w)
    h, w, r, s, _, _, stride = (int(cell) for cell in row.split(",")[1:8])
    assert out_h == -(-(h - r + stride) // stride)
    assert out_w == -(-(w - s + stride) // stride)


@pytest.mark.parametrize("name", ["DP1", "Conv2_DP", "xDPx"])
def test_a_layer_named_dp_is_depthwise(write: Write, name: str) -> None:
    workload = load_workload(write(f"{CONV_HEADER}\n{name}, 114, 114, 3, 3, 32, 1, 1,\n"))
    expected = Conv(name, 32, 32, 114, 114, kernel=3, groups=32, ceil_output=True)
    assert workload.layers == (expected,)
    assert expected.macs == 112 * 112 * 9 * 32
    assert any("depthwise" in note for note in workload.notes)


def test_a_lower_case_dp_is_a_convolution(write: Write) -> None:
    workload = load_workload(write(f"{CONV_HEADER}\nmidpoint, 8, 8, 3, 3, 32, 1, 1,\n"))
    assert workload.layers == (Conv("midpoint", 32, 1, 8, 8, kernel=3, ceil_output=True),)
    assert not any("depthwise" in note for note in workload.notes)


def test_a_pattern_stands_in_the_last_column(write: Write) -> None:
    path = write(
        f"{CONV_HEADER} Sparsity\na,8,8,3,3,4,4,1,2:4\nb,8,8,3,3,4,4,1,1:4,\nc,8,8,3,3,4,4,1\n"
    )
    assert [str(layer.pattern) for layer in load_workload(path).layers] == ["2:4", "1:4", "None"]
    path = write(f"{GEMM_HEADER} Sparsity\na,8,8,8,2:4\nb,8,8,8,\n")
    assert load_workload(path).layers == (
        Gemm("a", 8, 8, 8, pattern="2:4"),
        Gemm("b", 8, 8, 8),
    )


def test_batch_multiplies_images_and_rows_of_activations(write: Write) -> None:
    path = write(f"{CONV_HEADER}\na,8,8,3,3,4,4,1,\n")
    (layer,) = load_workload(path, batch=5).layers
    assert layer == Conv("a", 4, 4, 8, 8, kernel=3, ceil_output=True, batch=5)
    path = write(f"{GEMM_HEADER}\na,10,20,30,\n")
    assert load_workload(path, batch=5).layers == (Gemm("a", m=20, n=50, k=30),)


def test_there_is_no_other_parameter(write: Write) -> None:
    path = write(f"{GEMM_HEADER}\na,10,20,30,\n")
    assert message(path, seq=5) == f"{path} seq: a SCALE-Sim topology has only 'batch'"


@pytest.mark.parametrize(
    ("rows", "where", "what"),
    [
        ("c,8,8,3,3,x,4,1", "2:11", "got 'x'"),
        ("c,8,8,3,3,four,4,1,", "2:11", "got 'four'"),
        ("c,8,8,3,3,4.5,4,1,", "2:11", "not a number, want a whole number, got '4.5'"),
        ("c,8,8,3,3,-4,4,1,", "2:11", "not a number"),
        ("c,8,8,3,3,,4,1,", "2:11", "not a number"),
        ("c,8,8,3,3,0,4,1,", "2", "c.in_channels: out of range"),
        ("c,8,8,3,3,4,4,0,", "2", "c.stride: not a size"),
        ("c,2,2,3,3,4,4,1,", "2", "the kernel is larger than the padded input"),
        ("c,8,8,3,3,4,4", "2:13", "7 cells, want a name, 7 sizes and perhaps keep:group"),
        ("c,8,8,3,3,4,4,1,9", "2:17", "not a pattern, want keep:group, got '9'"),
        ("c,8,8,3,3,4,4,1,24,", "2:17", "not a pattern, want keep:group, got '24'"),
        ("c,8,8,3,3,4,4,1,5:4", "2", "1 <= keep <= group, got '5:4'"),
        ("c,8,8,3,3,4,4,1,2:4,7", "2:21", "10 cells"),
        ("c,8,8,3,3,4,4,1,\ng,8,8,8,", "3:7", "rows of one file must be all convolutions or all"),
        ("g,8,8,8,", "2:7", "4 cells, want a name, 7 sizes and perhaps keep:group (no Filter Wid"),
        ("c,8,8,3,3,4,4,#1", "2:13", "7 cells, want a name, 7 sizes and perhaps keep:group (no St"),
        ("c 8 8 3 3 4 4 1", "2:1", "1 cells"),
        ("c\t8\t8\t3", "2", "cells are separated by tabs, want commas, as in the header"),
    ],
)
def test_nothing_is_guessed(write: Write, rows: str, where: str, what: str) -> None:
    path = write(f"{CONV_HEADER}\n{rows}\n")
    found = message(path)
    assert found.startswith(f"{path}:{where}: ")
    assert what in found


@pytest.mark.parametrize("header", [GEMM_HEADER, "whatever it says"])
@pytest.mark.parametrize(
    ("rows", "where", "what"),
    [
        ("g,8,8,8,\nc,8,8,3,3,4,4,1,", "3:15", "rows of one file must be all convolutions or all"),
        ("g,8,8,x,", "2:7", "got 'x'"),
        ("g,8,8,", "2:5", "3 cells, want a name, 3 sizes"),
        ("g", "2:1", "1 cells"),
        ("g,8,8,8,5:4", "2", "1 <= keep <= group, got '5:4'"),
        ("g,8,8,8\ng,8,8,8,4", "3:9", "not a pattern, want keep:group, got '4'"),
        ("g,8,8,0", "2", "g.k: out of range"),
        ("g,8,8,99999999999999", "2:7", "out of range"),
    ],
)
def test_nothing_is_guessed_of_a_gemm(
    write: Write, header: str, rows: str, where: str, what: str
) -> None:
    path = write(f"{header}\n{rows}\n")
    found = message(path)
    assert found.startswith(f"{path}:{where}: ")
    assert what in found


def test_the_column_counts_the_spaces_that_topologies_have(write: Write) -> None:
    row = "Conv1, 224, 224, 7, 7, three, 64, 2,"
    path = write(f"{CONV_HEADER}\n{row}\n")
    first = row.index("three") + 1
    line, column = message(path).removeprefix(f"{path}:").split(": ")[0].split(":")
    assert line == "2"
    assert int(column) in (first - 1, first)  # after the comma, or at the first letter


def test_an_unnamed_layer_is_refused(write: Write) -> None:
    path = write(f"{GEMM_HEADER}\n,8,8,8,\n")
    assert message(path).startswith(f"{path}:2")


def test_a_header_alone_has_no_layers(write: Write) -> None:
    path = write(f"{CONV_HEADER}\n\n,,,\n")
    assert message(path).startswith(f"{path}: has no layers")


def test_a_file_without_a_header_does_not_lose_its_first_layer(tmp_path: Path) -> None:
    path = tmp_path / "topology.csv"
    path.write_text("g1,64,64,64\ng2,64,64,64\n")
    with pytest.raises(SimulatorError, match=r"topology\.csv:1: the first row .* is its header"):
        load_workload(path)
