"""Are SCALE-Sim's columns what its header calls them, and is nothing of a file lost?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.errors import WorkloadError
from simulator.importers import load_workload
from simulator.workload import Conv, Gemm

EIGHT = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "topology.csv"


def layers(path: Path, text: str, **parameters: int) -> tuple[object, ...]:
    path.write_text(text)
    return load_workload(path, **parameters).layers


def refused(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(WorkloadError) as caught:
        load_workload(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


def conv(**sizes: object) -> Conv:
    about = {"stride": 2, **sizes}
    return Conv("a", 6, 7, 16, 17, kernel=(3, 4), ceil_output=True, **about)  # type: ignore[arg-type]


PLAIN = "a,16,17,3,4,6,7,2"


@pytest.mark.parametrize(
    ("more", "cells", "layer"),
    [
        ("Strides", "", conv()),
        ("Stride height, Stride width", ",1", conv(stride=(2, 1))),
        ("Stride height", "", conv()),
        ("Strides, Batch Size", ",4", conv(batch=4)),
        ("Strides, Batch Size,", ",", conv()),
        ("strides,batch size,", "", conv()),
        ("Strides, Sparsity", ",2:4", conv(pattern="2:4")),
        ("Strides, SparsityRatio", ",2:4", conv(pattern="2:4")),
        ("Strides, Sparsity Ratio,", ",,", conv()),
        ("Strides, Sparsity Ratio (N:M)", ",2:4", conv(pattern="2:4")),
        ("Strides, N:M", ",2:4", conv(pattern="2:4")),
        ("Stride H, Stride W, Batch, Sparsity,", ",3,5,1:4,", conv(stride=(2, 3), batch=5,
                                                                   pattern="1:4")),
        ("Strides, Sparsity, Batch_Size", ",1:4,5", conv(batch=5, pattern="1:4")),
        ("Strides, Comment", ",the first", conv()),
        ("Strides", ",#dw", conv()),
        ("Strides,", ",#dw, stride 2, 9", conv()),
        ("Strides", " # depthwise", conv()),
        ("Strides, Batch Size", ",4,# four", conv(batch=4)),
    ],
)  # fmt: skip
def test_what_the_header_says_of_the_last_columns(
    path: Path, more: str, cells: str, layer: Conv
) -> None:
    assert layers(path, f"{EIGHT}, {more}\n{PLAIN}{cells}\n") == (layer,)


@pytest.mark.parametrize(
    "header",
    [
        f"{EIGHT}, Strides".upper(),
        "Layer,ifmap_h,ifmap_w,filter_h,filter_w,num_channels,num_filters,stride",
        "name,Input Height,Input Width,Kernel H,Kernel W,Input Channels,Output Channels,Stride",
        " Layer name , IFMAP  Height,IFMAP-Width,Filter H.,Filter W.,Channel,# Filters,Strides,",
    ],
)
def test_names_in_other_spellings(path: Path, header: str) -> None:
    path.write_text(f"{header}\n{PLAIN}\n")
    workload = load_workload(path)
    assert workload.layers == (conv(),)
    assert len(workload.notes) == 1


def test_a_name_written_twice_is_read_by_its_place_and_said(path: Path) -> None:
    header = f"{EIGHT},Strides".replace("IFMAP Height", "IFMAP Width")
    path.write_text(f"{header}\n{PLAIN}\n")
    workload = load_workload(path)
    assert workload.layers == (conv(),)
    assert workload.notes[1].endswith("column 'IFMAP Width' is read as IFMAP Height, its place")
    assert "column occurs twice" in refused(path, "Layer,K,M,M\na,1,2,3\n")


def test_columns_may_stand_in_any_order(path: Path) -> None:
    header = "Batch Size,Num Filter,Channels,Strides,Filter Width,Filter Height,IFMAP Width,Layer"
    text = f"{header},IFMAP Height\n5,7,6,2,4,3,17,a,16\n"
    assert layers(path, text) == (conv(batch=5),)


def test_tabs_and_semicolons_are_read(path: Path) -> None:
    for separator in ("\t", ";"):
        text = f"{EIGHT},Strides,\n{PLAIN},\n".replace(",", separator)
        assert layers(path, text) == (conv(),)


@pytest.mark.parametrize(
    ("header", "row", "layer"),
    [
        ("Layer,M,N,K,Batch", "g,10,20,30,4", Gemm("g", 20, 10, 30, batch=4)),
        ("Layer,M,N,K,Sparsity,Batch,", "g,10,20,30,2:4,4,",
         Gemm("g", 20, 10, 30, batch=4, pattern="2:4")),
        ("Layer,M,N,K,Batch,Sparsity", "g,10,20,30,,2:4", Gemm("g", 20, 10, 30, pattern="2:4")),
        ("Layer,K,M,N", "g,30,10,20#4", Gemm("g", 20, 10, 30)),
    ],
)  # fmt: skip
def test_columns_of_gemms(path: Path, header: str, row: str, layer: Gemm) -> None:
    assert layers(path, f"{header}\n{row}\n") == (layer,)


def test_batches_of_the_file_and_of_the_command_multiply(path: Path) -> None:
    assert layers(path, f"{EIGHT},Strides,Batch Size\n{PLAIN},4\n", batch=3) == (conv(batch=12),)
    text = "Layer,M,N,K,Batch\ng,10,20,30,4\n"
    assert layers(path, text, batch=3) == (Gemm("g", 20, 30, 30, batch=4),)
    assert any("batch counts products" in note for note in load_workload(path).notes)


# What is not known is said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{EIGHT},Strides,Padding\n{PLAIN},1\n", ":2:19 Padding: unknown column, got '1' (valid:"),
        (f"{EIGHT},Strides,Sparsty\n{PLAIN},2:4\n",
         ":2:19 Sparsty: unknown column, got '2:4' (did you mean 'Sparsity'?)"),
        (f"{EIGHT},Strides,\n{PLAIN}, 2\n", ":2:20: not a pattern, want keep:group, got '2'"),
        (f"{EIGHT},Strides,Batch Size\n{PLAIN},four\n", ":2:19: "),
        (f"{EIGHT},Strides,Batch Size\n{PLAIN},0\n", ":2: a.batch: out of range"),
        (f"{EIGHT},Strides,Sparsity\n{PLAIN},2\n", ":2:19: not a pattern, want keep:group"),
        (f"{EIGHT},Strides,Sparsity\n{PLAIN},2:4,1:4\n", ":2:23: 10 cells"),
        (f"{EIGHT},Stride height,Stride width\n{PLAIN}\n", ":2:17: 8 cells, want a name, 8 sizes"),
        (f"{EIGHT},Strides,Strides\n{PLAIN},1\n", ":1:90: column occurs twice, got 'Strides'"),
        (f"{EIGHT}\n{PLAIN}\n", ":1:79: no column 'Strides', got 'Layer name, IFMAP Height"),
        ("Layer,M,N\ng,8,8,8\n", ":1:9: no column 'K', got 'Layer, M, N'"),
        ("Layer,M,N,K,Channels\ng,8,8,8,8\n", ":1:1: columns of convolutions and of GEMMs in one"),
        ("name,m,n,k,dtype\ng,8,8,8,int8\n",
         ":2:9 dtype: unknown column, got 'int8' (a native trace has a column 'kind')"),
        (f"{EIGHT},Strides\n{PLAIN}\nb,16,17\n", ":3:6: 3 cells, want a name, 7 sizes and perhaps"),
    ],
)  # fmt: skip
def test_what_is_not_known_or_not_there_is_an_error(path: Path, text: str, says: str) -> None:
    assert refused(path, text).startswith(says)


@pytest.mark.parametrize(
    ("header", "note"),
    [
        (f"{EIGHT},Strides,FFN_up", "column 'FFN_up' is not known, and empty"),
        (EIGHT.replace("Channels", "Kanäle") + ",Strides",
         "column 'Kanäle' is read as Channels, its place"),
        (EIGHT.replace("Channels", "Chan\tnels\u2028") + ",Strides",
         r"column 'Chan\tnels' is read as Channels, its place"),
        (f"{EIGHT},Strides Sparsity", "column 'Strides Sparsity' is read as Strides, its place"),
        ("no names at all", "its header names no known column, so columns go by place"),
    ],
)  # fmt: skip
def test_names_that_are_not_known_are_noted(path: Path, header: str, note: str) -> None:
    path.write_text(f"{header}\n{PLAIN}\n", encoding="utf-8")
    workload = load_workload(path)
    assert workload.layers == (conv(),)
    assert workload.notes[1:] == (f"SCALE-Sim topology: {note}",)


# All rows of a file, counted apart

COLUMNS = {  # how a file may call a column, and values that it may hold
    "name": (["Layer name", "LAYER", "name"], st.sampled_from(["a", "conv 1", "DP2", "fc#3"])),
    "h": (["IFMAP Height", "ifmap_h"], st.integers(8, 40)),
    "w": (["IFMAP Width", "input width"], st.integers(8, 40)),
    "r": (["Filter Height", "filter h"], st.integers(1, 5)),
    "s": (["Filter Width", "kernel width"], st.integers(1, 5)),
    "c": (["Channels", "num channels"], st.integers(1, 9)),
    "f": (["Num Filter", "num filters"], st.integers(1, 9)),
    "stride": (["Strides", "Stride Height"], st.integers(1, 3)),
    "stride2": (["Stride Width", "stride_w"], st.integers(1, 3)),
    "batch": (["Batch Size", "BATCH"], st.integers(1, 4)),
    "m": (["M", "m"], st.integers(1, 99)),
    "n": (["N", "n"], st.integers(1, 99)),
    "k": (["K", "k"], st.integers(1, 99)),
}
KINDS = (["name", "h", "w", "r", "s", "c", "f", "stride"], ["name", "m", "n", "k"])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[dict[str, int]]]:
    """A topology in some order, spelling and layout, and the sizes of its rows."""
    kind = draw(st.sampled_from(KINDS))
    optional = ["batch"] if "m" in kind else ["batch", "stride2"]
    chosen = [*kind, *draw(st.lists(st.sampled_from(optional), unique=True))]
    columns = ["name", *draw(st.permutations(chosen[1:]))]
    separator = draw(st.sampled_from([",", ", ", "\t", ";", " , "]))
    ends = st.sampled_from(["", separator, separator + "#dw", " # 3x3", separator * 3])
    lines = [separator.join(draw(st.sampled_from(COLUMNS[column][0])) for column in columns)]
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        row = {column: draw(COLUMNS[column][1]) for column in columns}
        lines += draw(st.lists(st.sampled_from(["", "# a comment", separator * 4]), max_size=2))
        lines.append(separator.join(str(row[column]) for column in columns) + draw(ends))
        rows.append(row)
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines), rows


def naive_macs(row: dict[str, int]) -> int:
    """Outputs counted one by one: a window for every step that starts before it must stop, and the
    last one hangs over where the stride does not divide."""
    batch = row.get("batch", 1)
    if "m" in row:
        return row["m"] * row["n"] * row["k"] * batch
    stride = row["stride"]
    outputs = 1
    for size, kernel, step in (("h", "r", stride), ("w", "s", row.get("stride2", stride))):
        at = 0
        while at * step < row[size] - row[kernel]:
            at += 1
        outputs *= at + 1
    return outputs * row["r"] * row["s"] * row["c"] * row["f"] * batch


@given(made=files())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_row_is_imported_with_its_macs(
    path: Path, made: tuple[str, list[dict[str, int]]]
) -> None:
    text, rows = made
    path.write_bytes(text.encode())
    workload = load_workload(path)
    assert [layer.name for layer in workload.layers] == [row["name"] for row in rows]
    assert [layer.macs for layer in workload.layers] == [naive_macs(row) for row in rows]


@given(made=files(), at=st.integers(0, 4), lost=st.integers(1, 3))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
def test_a_row_that_is_cut_short_is_named(
    path: Path, made: tuple[str, list[dict[str, int]]], at: int, lost: int
) -> None:
    """What is not imported is said, with its line."""
    text, rows = made
    lines = text.replace("\r", "").split("\n")
    separator = next(one for one in ",\t;" if one in lines[0])
    columns = len(lines[0].split(separator))
    numbers = [i for i, line in enumerate(lines) if len(line.split("#")[0].strip(f"{separator} "))]
    number = numbers[1:][at % len(rows)]
    optional = sum("batch" in name.lower() for name in lines[0].split(separator))
    kept = lines[number].split("#")[0].split(separator)[: columns - optional - lost]
    lines[number] = separator.join(kept)
    says = refused(path, "\n".join(lines))
    assert says.startswith(f":{number + 1}")
