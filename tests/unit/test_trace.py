"""Are native traces read as written, mistakes pointed at, and presets the published networks?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator import catalog
from simulator.errors import SimulatorError, WorkloadError
from simulator.importers import load_workload
from simulator.workload import Conv, Gemm, Matmul, Stream, Workload
from simulator.workload.expressions import evaluate

PRESETS = catalog.presets("workloads", ".csv")
HEADER = "name,kind,m,n,k,batch,repeat,dtype,pattern"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a trace and return its path."""

    def to_file(text: str | bytes, name: str = "trace.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to_file


def message(path: Path, **parameters: int) -> str:
    """The one line that reading a bad trace ends in."""
    with pytest.raises(SimulatorError) as caught:
        load_workload(path, **parameters)
    text = str(caught.value)
    assert "\n" not in text
    return text


# What is read


def test_every_kind_of_layer(write: Write) -> None:
    path = write(
        "name,kind,m,n,k,batch,in_channels,out_channels,in_h,in_w,kernel,stride,padding,dilation,"
        "groups,reads,writes,repeat,dtype,pattern\n"
        "fc,linear,8,16,32,2,,,,,,,,,,,,3,int8,2:4\n"
        "qk,matmul,8,16,32,12,,,,,,,,,,,,,,\n"
        "c1,conv,,,,2,4,8,16,18,3x1,2x1,1x0,2x1,2,,,,bf16,1:2\n"
        "c2,conv,,,,,4,8,16,18,,,,,,,,,,unstructured:0.25\n"
        "c3,conv,,,,,4,8,16,18,3,,1x0x2x0,,,,,,,\n"
        "sm,softmax,,,,,,,,,,,,,,100,200,4,,\n"
    )
    workload = load_workload(path)
    assert workload.name == "trace"
    assert workload.notes == ()
    assert workload.layers == (
        Gemm("fc", 8, 16, 32, batch=2, dtype="int8", pattern="2:4", repeat=3),
        Matmul("qk", 8, 16, 32, batch=12),
        Conv("c1", 4, 8, 16, 18, kernel=(3, 1), stride=(2, 1), padding=(1, 0), dilation=(2, 1),
             groups=2, batch=2, dtype="bf16", pattern="1:2"),
        Conv("c2", 4, 8, 16, 18, pattern="unstructured:0.25"),
        Conv("c3", 4, 8, 16, 18, kernel=3, padding=(1, 0, 2, 0)),
        Stream("sm", 100, 200, op="softmax", repeat=4),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["elementwise", "pool", "softmax", "normalization"])
def test_streaming_kinds_keep_their_name(write: Write, kind: str) -> None:
    path = write(f"name,kind,reads,writes\ns,{kind},10,20\n")
    assert load_workload(path).layers == (Stream("s", 10, 20, op=kind),)


def test_columns_may_stand_in_any_order(write: Write) -> None:
    path = write("k,repeat,kind,n,name,m\n5,2,linear,3,fc,4\n")
    assert load_workload(path).layers == (Gemm("fc", 4, 3, 5, repeat=2),)


@pytest.mark.parametrize(
    "text",
    [
        b"name,kind,m,n,k\nfc,linear,4,3,5\n",
        b"name,kind,m,n,k\nfc,linear,4,3,5",
        b"name,kind,m,n,k\r\nfc,linear,4,3,5\r\n",
        b"\xef\xbb\xbfname,kind,m,n,k\nfc,linear,4,3,5\n",
        b"\xef\xbb\xbf# a comment\r\nname,kind,m,n,k\r\nfc,linear,4,3,5\r\n",
        b"\n\n# about\n\nname,kind,m,n,k\n\n,,,,\n   \n# more\nfc,linear,4,3,5\n\n",
        b"name,kind,m,n,k\nfc,linear,4,3,5,,,\n",
        b"name, kind, m, n, k\nfc,\tlinear , 4, 3 ,5\n",
        b'name,kind,m,n,k\n"fc",linear,"4",3,5\n',
        b"  # indented\nname,kind,m,n,k\nfc,linear,4,3,5\n",
    ],
    ids=["plain", "no last newline", "crlf", "bom", "bom crlf comment", "blank rows",
         "trailing commas", "spaces", "quotes", "indented comment"],
)  # fmt: skip
def test_csv_as_it_really_is(write: Write, text: bytes) -> None:
    assert load_workload(write(text)).layers == (Gemm("fc", 4, 3, 5),)


def test_what_a_spreadsheet_makes_of_comments(write: Write) -> None:
    """It saves as many cells a line as the longest has."""
    path = write(
        "# nmsim trace 2,,,,\n# parameter: rows = 4,,,,\n# blocks: 3,,,,\n"
        "name,kind,m,n,k\nfc,linear,rows,3,5\n"
    )
    workload = load_workload(path)
    assert workload.layers == (Gemm("fc", 4, 3, 5),)
    assert workload.blocks == 3


# Versions and what they reserve

LAYER = "name,kind,m,n,k{}\nfc,linear,4,3,5{}\n"


@pytest.mark.parametrize(
    "line", ["", "# nmsim trace 1\n", "# nmsim trace 2\n", "#NMSIM Trace 02\r\n"]
)
def test_versions_that_are_read(write: Write, line: str) -> None:
    assert load_workload(write(line + LAYER.format("", ""))).layers == (Gemm("fc", 4, 3, 5),)


@pytest.mark.parametrize("version", ["0", "4", "10"])
def test_other_versions_are_refused_before_all_else(write: Write, version: str) -> None:
    path = write(f"# by a newer one\n# nmsim trace {version}\nlayer,form\nfc,of another kind\n")
    assert message(path) == (
        f"{path}:2: a version of traces that this nmsim does not know, want 1 to 3, "
        f"got {version} (a newer nmsim may read it)"
    )


def test_a_version_is_said_once(write: Write) -> None:
    path = write("# nmsim trace 1\n# nmsim trace 2\n" + LAYER.format("", ""))
    assert message(path).startswith(f"{path}:2: the version is said twice")


@pytest.mark.parametrize(
    "line",
    ["# nmsim trace 3.1", "# nmsim trace v3", "# nmsim trace: 3", "# nmsim trace -1",
     "# nmsim trace version 3", "## nmsim trace 3", f"# nmsim trace {10**12}"],
)  # fmt: skip
def test_a_version_that_cannot_be_read_is_no_comment(write: Write, line: str) -> None:
    path = write(f"{line}\n" + LAYER.format("", ""))
    assert message(path) == f"{path}:1: not a version, want # nmsim trace 3, got '{line}'"


def test_a_comment_that_names_nmsim_says_no_version(write: Write) -> None:
    path = write("# nmsim trace of a network\n" + LAYER.format("", ""))
    assert load_workload(path).layers == (Gemm("fc", 4, 3, 5),)


def test_reserved_columns_may_be_empty(write: Write) -> None:
    path = write("# nmsim trace 2\n" + LAYER.format(",inputs,weights,pattern", ",, ,2:4"))
    assert load_workload(path).layers == (Gemm("fc", 4, 3, 5, pattern="2:4"),)


@pytest.mark.parametrize("line", ["", "# nmsim trace 2\n"])
def test_what_stands_in_a_reserved_column_is_refused(write: Write, line: str) -> None:
    path = write(line + LAYER.format(",weights", ",int4"))
    assert message(path) == (
        f"{path}:{2 + bool(line)}:17 weights: is reserved: this nmsim does not simulate it yet, "
        "want an empty cell, got 'int4'"
    )


def test_a_quoted_name_may_hold_a_comma(write: Write) -> None:
    path = write('name,kind,m,n,k\n"fc, first",linear,4,3,5\n')
    assert load_workload(path).layers[0].name == "fc, first"


# Parameters and expressions

SIZED = "# parameter: batch = 2\n# parameter: seq = 3*batch\nname,kind,m,n,k\nfc,linear,8,{},4\n"


@pytest.mark.parametrize(
    ("cell", "parameters", "n"),
    [
        ("batch*seq", {}, 12),
        ("batch * seq", {}, 12),
        ("batch*seq", {"batch": 4}, 48),
        ("batch*seq", {"seq": 5}, 10),
        ("batch*seq", {"batch": 1, "seq": 7}, 7),
        ("(seq+2)*batch - 1", {}, 15),
        ("seq//4", {}, 1),
        ("seq+2*batch", {}, 10),
        ("7", {}, 7),
    ],
)
def test_expressions_of_parameters(
    write: Write, cell: str, parameters: dict[str, int], n: int
) -> None:
    (layer,) = load_workload(write(SIZED.format(cell)), **parameters).layers
    assert layer == Gemm("fc", 8, n, 4)


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("0", 0), ("2+3*4", 14), ("(2+3)*4", 20), ("7//2", 3), ("10-3-2", 5), ("a*b", 6)],
)
def test_evaluate(text: str, value: int) -> None:
    assert evaluate(text, {"a": 2, "b": 3}, "here") == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "1.5", "1e3", "two words", "'8'", "2**40", "7/2", "8 8", "-", "f(2)", "a.b", "[1]",
     "1 if 1 else 2", "__import__('os')", "True", "None", "2 < 3", "~1", "lambda: 1", "1,2",
     "7//0", "1+" * 150 + "1", "9" * 150, "a if a else a", "8;8",
     "1\x00", "0x", "08", "٨", "1" * 25 + "-" + "1" * 25],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        evaluate(text, {"a": 2}, "trace.csv:2:3 m")
    assert str(caught.value).startswith("trace.csv:2:3 m: ")


@pytest.mark.parametrize("text", ["2-3", "a-9", "1099511627777", "a*1099511627776"])
def test_numbers_out_of_range(text: str) -> None:
    with pytest.raises(WorkloadError, match="here: out of range, want 0 to 1099511627776"):
        evaluate(text, {"a": 2}, "here")


def test_an_unknown_parameter_in_an_expression(write: Write) -> None:
    path = write(SIZED.format("batch*sequ"))
    found = message(path)
    assert found.startswith(f"{path}:4:13 n: unknown parameter 'sequ'")
    assert "did you mean 'seq'?" in found


def test_a_parameter_that_the_trace_does_not_declare(write: Write) -> None:
    path = write(SIZED.format("batch"))
    assert message(path, sek=3).startswith(f"{path} sek: the trace has no such parameter")
    assert "did you mean 'seq'?" in message(path, sek=3)
    bare = write("name,kind,m,n,k\nfc,linear,8,8,8\n")
    assert "it declares none" in message(bare, batch=3)


@pytest.mark.parametrize("value", [0, -1, 2**31 + 1, 2.0, True, "4"])
def test_parameters_are_counts(value: int) -> None:
    with pytest.raises(WorkloadError, match="resnet50 batch: out of range, want 1 to 2147483648"):
        load_workload("resnet50", batch=value)


@pytest.mark.parametrize(
    "line", ["# parameter: batch", "# parameter batch = 2", "# parameter: = 2", "# parameter: 2"]
)
def test_a_garbled_parameter_is_no_comment(write: Write, line: str) -> None:
    path = write(f"# about\n{line}\nname,kind,m,n,k\nfc,linear,8,8,8\n")
    found = message(path)
    assert found.startswith(f"{path}:2: want '# parameter: name = value'")


def test_a_parameter_whose_default_is_no_number(write: Write) -> None:
    path = write("# parameter: batch = many\nname,kind,m,n,k\nfc,linear,8,8,8\n")
    assert message(path).startswith(f"{path}:1: ")


def test_a_parameter_s_name_may_hold_an_x(write: Write) -> None:
    """``3x1`` means height and width, but a parameter's name is not to be cut in two."""
    path = write(
        "# parameter: context = 3\nname,kind,in_channels,out_channels,in_h,in_w,kernel\n"
        "c,conv,4,4,8,8,context\n"
    )
    assert load_workload(path).layers == (Conv("c", 4, 4, 8, 8, kernel=3),)


# Mistakes are pointed at


@pytest.mark.parametrize(
    ("row", "where", "what"),
    [
        ("fc,linear,8,x,8", "2:13 n", "unknown parameter 'x', got 'x'"),
        ("fc,linear,eight,8,8", "2:11 m", "unknown parameter 'eight'"),
        ("fc,linear,8,8.5,8", "2:13 n", "not a number, want a whole number, got '8.5'"),
        ("fc,linear,8,8,-8", "2:15 k", "not a number"),
        ("fc,linear,8,8,8,,1 2", "2:18 repeat", "not a number"),
        ("fc,linear,8,,8", "2:13", "a linear needs 'n'"),
        ("fc,linear,8", "2", "a linear needs 'n'"),
        (",linear,8,8,8", "2:1", "a linear needs 'name'"),
        ("fc,linaer,8,8,8", "2:4 kind", "unknown kind, got 'linaer' (did you mean 'linear'?)"),
        ("fc,,8,8,8", "2:4 kind", "unknown kind, got ''"),
        ("fc,Linear,8,8,8", "2:4 kind", "did you mean 'linear'?"),
        ("fc", "2 kind", "unknown kind"),
        ("fc,linear,8,8,8,,,,,5", "2:21", "more cells than columns, got '5'"),
        ("qk,matmul,8,8,8,,,,2:4", "2:20 pattern", "a matmul has no 'pattern', got '2:4'"),
        ("sm,softmax,8", "2:12 m", "a softmax has no 'm', got '8'"),
        ("sm,softmax", "2", "a softmax needs 'reads'"),
        ("add,elementwise", "2", "an elementwise needs 'reads'"),
        ("fc,linear,8,8,8,,,fp17", "2", "unknown dtype, got 'fp17' (did you mean 'fp16'?)"),
        ("fc,linear,8,8,8,,,,5:4", "2", "1 <= keep <= group, got '5:4'"),
        ("fc,linear,8,8,8,,,,24", "2", "not a pattern"),
        ("fc,linear,8,8,8,,,,unstructured:0", "2", "fc.pattern: a density is above 0"),
        ("fc,linear,0,8,8", "2", "fc.m: out of range, want 1 to"),
        ("fc,linear,8,8,9999999999999", "2:15 k", "out of range"),
        ("fc,linear,8,8,8,0", "2", "fc.batch: out of range"),
    ],
)
def test_bad_cells_are_pointed_at(write: Write, row: str, where: str, what: str) -> None:
    path = write(f"{HEADER}\n{row}\n")
    found = message(path)
    assert found.startswith(f"{path}:{where}: ")
    assert what in found


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("fc, linear, 8, x, 8", 16),
        ("fc,   linear,   8,x,8", 19),
        ('"fc",linear,8,x,8', 15),
        ('"a ""b"" c",linear,8,x,8', 22),
        ("fc ,linear ,8 ,x ,8", 16),
    ],
)
def test_the_column_is_where_the_cell_stands_in_the_line(
    write: Write, row: str, column: int
) -> None:
    """Spaces after commas, and quotes, are characters of the line as well."""
    assert row[column - 1] == "x"
    path = write(f"name,kind,m,n,k\n{row}\n")
    where = message(path).removeprefix(f"{path}:").split(" ")[0]
    line, shown = where.split(":")
    assert line == "2"
    # A cell may be taken to begin right after its comma or at its first character.
    blanks = len(row[: column - 1]) - len(row[: column - 1].rstrip(" "))
    assert column - blanks <= int(shown) <= column


def test_the_line_counts_blank_rows_and_comments(write: Write) -> None:
    path = write("# one\n\nname,kind,m,n,k\n,,,\n# five\nfc,linear,8,8,oops\n")
    assert message(path).startswith(f"{path}:6:15 k: ")


@pytest.mark.parametrize(
    ("row", "where", "what"),
    [
        ("c,conv,3,8,8,8,9,,,,", "2", "the kernel is larger than the padded input"),
        ("c,conv,3,8,8,8,3x3x3,,,,", "2", "c.kernel: not a size"),
        ("c,conv,3,8,8,8,3x,,,,", "2:16 kernel", "not a number"),
        ("c,conv,3,8,8,8,0,,,,", "2", "c.kernel: not a size"),
        ("c,conv,3,8,8,8,3,1,1x2x3,,", "2", "c.padding: not a padding"),
        ("c,conv,3,8,8,8,3,1,one,,", "2:20 padding", "unknown parameter 'one'"),
        ("c,conv,3,8,8,8,3,1,1,1,2", "2", "c.groups: must divide in_channels"),
        ("c,conv,3,8,8,,3,,,,", "2:14", "a conv needs 'in_w'"),
    ],
)
def test_bad_convolutions_are_pointed_at(write: Write, row: str, where: str, what: str) -> None:
    header = "name,kind,in_channels,out_channels,in_h,in_w,kernel,stride,padding,dilation,groups"
    path = write(f"{header}\n{row}\n")
    found = message(path)
    assert found.startswith(f"{path}:{where}: ")
    assert what in found


@pytest.mark.parametrize(
    ("header", "where", "what"),
    [
        ("name,kind,m,n,kk", "1:15", "unknown column, got 'kk' (did you mean 'k'?)"),
        ("name,kind,in_chanels", "1:11", "did you mean 'in_channels'?"),
        ("name,kind,m,n,m", "1:11", "column occurs twice, got 'm'"),
        ("name,kind,m,,n", "1:13", "unknown column, got ''"),
        ("kind,m,n,k", "1", "no column 'name'"),
    ],
)
def test_bad_headers_are_pointed_at(write: Write, header: str, where: str, what: str) -> None:
    path = write(f"{header}\nfc,linear,8,8,8\n")
    found = message(path)
    assert found.startswith(f"{path}:{where}: ")
    assert what in found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b",,,\n", "is empty"),
        (b"name,kind,m,n,k\n", "has no layers"),
        (b"# x\nname,kind,m,n,k\n\n,,,,\n", "has no layers"),
        (b"name,kind\n\xe9,linear\n", "not UTF-8 text: byte 10"),
        (b"\xff\xfen\x00", "not UTF-8 text"),
        (b"name,kind\nfc\x00,linear\n", "control character"),
        (b"name,kind\n\x1b[31mfc,linear\n", "control character, got '\\x1b'"),
        (b"name,kind\n" + b"a" * 200_000 + b",linear\n", "not CSV"),
    ],
)
def test_files_that_are_no_trace(write: Write, text: bytes, what: str) -> None:
    path = write(text)
    found = message(path)
    assert found.startswith(str(path))
    assert what in found


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    assert message(missing).startswith(f"{missing}: no such preset and no such file")
    assert message(tmp_path).startswith(f"{tmp_path}: is a folder")
    with pytest.raises(WorkloadError, match=r"did you mean 'resnet50'\?"):
        load_workload("resnet-50")


# A GEMM in a word


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("gemm:64x32x16", Gemm("gemm", 64, 32, 16)),
        ("gemm:64x32x16:int8", Gemm("gemm", 64, 32, 16, dtype="int8")),
    ],
)
def test_a_gemm_in_a_word(text: str, layer: Gemm) -> None:
    assert load_workload(text) == Workload(text, [layer])


@pytest.mark.parametrize(
    "text",
    ["gemm:", "gemm:64", "gemm:64x64", "gemm:64x64x64x64", "gemm:axbxc", "gemm:64x64x-1",
     "gemm:64x64x6.4", "gemm:0x1x1", "gemm:64x64x64:fp17", "gemm:64x64x64:", "gemm: 64x64x64",
     "gemm:64x64x64:2:4", "gemm:9999999999999x9999999999999x9999999999999",
     "gemm:99999999999999999999x1x1"],
)  # fmt: skip
def test_a_word_that_is_no_gemm(text: str) -> None:
    with pytest.raises(WorkloadError):
        load_workload(text)


def test_a_workload_and_a_gemm_take_no_parameters() -> None:
    workload = load_workload("gemm:8x8x8")
    assert load_workload(workload) is workload
    for name in (workload, "gemm:8x8x8"):
        with pytest.raises(WorkloadError, match="has no parameters"):
            load_workload(name, batch=2)


# Presets

PUBLISHED_GMACS = {
    # torchvision's table of weights: ResNet50_Weights 4.09 GFLOPS, counted as MACs. v1.5 has its
    # stride in the 3x3 convolutions: 4.089 G (v1: 3.86 G).
    "resnet50": (4.089, 0.001),
    # Sandler et al., CVPR 2018, table 4: 300 M multiply-adds; torchvision: 0.301.
    "mobilenetv2": (0.3008, 0.001),
    # torchvision's ViT_B_16_Weights: 17.56.
    "vit-b16": (17.56, 0.001),
    # MobileBERT, ACL 2020, table 4: 22.5 GFLOP at 128 tokens; half of that, with rounding.
    "bert-base": (11.17, 0.007),
    # ELECTRA, ICLR 2020, table 1: 79 GFLOP at 128 tokens.
    "bert-large": (79 / 2, 0.01),
    # One MAC a weight and token, 12 d^2 weights a layer (Radford et al. 2019, table 2: 48 layers,
    # d = 1600), 2 d a token, layer and position of context for scores and values, and the
    # vocabulary of 50257 once for the last token.
    "gpt2-xl": (
        (48 * (12 * 1600**2 * 1024 + 2 * 1600 * 1024 * 1024) + 50257 * 1600) / 1e9,
        1e-9,
    ),
    # One block of GPT-3 (Brown et al. 2020, table 2.1: d = 12288): 12 d^2 weights.
    "gpt3-175b-prefill": ((12 * 12288**2 * 2048 + 2 * 12288 * 2048 * 2048) / 1e9, 1e-9),
    "gpt3-175b-decode": (32 * (12 * 12288**2 + 2 * 12288 * 2048) / 1e9, 1e-9),
    # One block of LLaMA-7B (Touvron et al. 2023, table 2: d = 4096, gated MLP of 11008):
    # 4 d^2 + 3 d 11008 weights.
    "llama-7b": (
        ((4 * 4096**2 + 3 * 4096 * 11008) * 2048 + 2 * 4096 * 2048 * 2048) / 1e9,
        1e-9,
    ),
}


def test_every_preset_has_a_published_total() -> None:
    assert set(PUBLISHED_GMACS) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_the_published_macs(name: str) -> None:
    gmacs, tolerance = PUBLISHED_GMACS[name]
    assert load_workload(name).macs / 1e9 == pytest.approx(gmacs, rel=tolerance)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_scales_with_batch(name: str) -> None:
    one, three = load_workload(name, batch=1), load_workload(name, batch=3)
    assert three.macs == 3 * one.macs
    assert len(three.layers) == len(one.layers)
    moved = [
        sum((s.reads + s.writes) * s.repeat for s in workload.layers if isinstance(s, Stream))
        for workload in (one, three)
    ]
    assert moved[1] == 3 * moved[0] > 0
    # Weights do not grow with the batch.
    for before, after in zip(one.layers, three.layers, strict=True):
        if isinstance(before, Gemm):
            assert (before.m, before.k, before.batch) == (after.m, after.k, after.batch)


WEIGHTS_M = {
    # Millions of weights, biases and embeddings left out: torchvision 25.56, 3.50 and 86.57 with
    # them; BERT 12 x 12 x 768^2 and 24 x 12 x 1024^2; GPT-2 XL 48 x 12 x 1600^2 and the head.
    "resnet50": (25.50, 0.001),
    "mobilenetv2": (3.47, 0.002),
    "vit-b16": (86.3, 0.001),
    "bert-base": (12 * 12 * 768**2 / 1e6, 1e-9),
    "bert-large": (24 * 12 * 1024**2 / 1e6, 1e-9),
    "gpt2-xl": ((48 * 12 * 1600**2 + 50257 * 1600) / 1e6, 1e-9),
    "gpt3-175b-prefill": (12 * 12288**2 / 1e6, 1e-9),
    "gpt3-175b-decode": (12 * 12288**2 / 1e6, 1e-9),
    "llama-7b": ((4 * 4096**2 + 3 * 4096 * 11008) / 1e6, 1e-9),
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_the_published_weights(name: str) -> None:
    weights = 0
    for layer in load_workload(name).layers:
        if isinstance(layer, Gemm):
            weights += layer.m * layer.k * layer.batch * layer.repeat
        elif isinstance(layer, Conv):
            inputs = layer.positions * layer.in_channels // layer.groups
            weights += inputs * layer.out_channels * layer.repeat
    millions, tolerance = WEIGHTS_M[name]
    assert weights / 1e6 == pytest.approx(millions, rel=tolerance)


def test_a_sequence_length_reaches_attention_quadratically() -> None:
    def attention(workload: Workload) -> int:
        return sum(x.macs * x.repeat for x in workload.layers if isinstance(x, Matmul))

    short, long = load_workload("bert-base", seq=128), load_workload("bert-base", seq=384)
    assert attention(long) == 9 * attention(short)
    assert long.macs - attention(long) == 3 * (short.macs - attention(short))


def test_a_context_may_be_longer_than_the_new_tokens() -> None:
    """Decoding: one token, all of the context in scores and values."""
    workload = load_workload("llama-7b", seq=1, context=4096)
    assert workload.macs == 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096 * 4096


@pytest.mark.parametrize("cell", ["1if 1 else 2", "0x10", "'\\d'", "2 (3)", "1_", "()", "1\t+"])
def test_what_looks_like_code_is_not_parsed_with_a_warning(
    write: Write, recwarn: pytest.WarningsRecorder, cell: str
) -> None:
    found = message(write(f"name,kind,m,n,k\na,linear,8,{cell},8\n"))
    assert "trace.csv:2:12 n: not a number" in found
    assert not recwarn.list


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\n" * 200_001, "too many lines, want at most 200000"),
        ("name,kind\na" + "," * 32 + "\n", "trace.csv:2: too many cells"),
        ("#" * 2**24 + "\n", "too large for a layer trace"),
        ("name,kind\n" + "a" * 200_000 + "\n", "trace.csv:2: not CSV"),
    ],
)
def test_small_files_do_not_fill_memory(write: Write, text: str, says: str) -> None:
    assert says in message(write(text))


GRAPH = "# stack: {}\nname,kind,m,n,k,reads,writes,inputs,epilogue\n"
FIRST = "fc,linear,8,8,8,,,input,bias+gelu\n"


def test_a_trace_says_what_layers_read_and_what_follows_them(write: Write) -> None:
    rows = "sum,add+normalization,,,,128,64,fc input,\nnext,linear,8,8,8,,,sum;,\n"
    read = load_workload(write(GRAPH.format("fused") + FIRST + rows))
    assert read.stack == "fused"
    assert [layer.inputs for layer in read.layers] == [("input",), ("fc", "input"), ("sum",)]
    assert read.layers[0].epilogue == ("bias", "gelu")  # type: ignore[union-attr]
    assert read.layers[1].op == "add+normalization"  # type: ignore[union-attr]


def test_a_trace_that_names_no_stack_lists_kernels(write: Write) -> None:
    assert load_workload(write(LAYER.format("", ""))).stack == "listed"
    assert load_workload(write(GRAPH.format("listed") + FIRST)).stack == "listed"


WRONG_GRAPHS = {
    "an input below": ("a,linear,8,8,8,,,b,\nb,linear,8,8,8,,,,\n",
                       "3:18 inputs: no layer above is called 'b', got 'b'"),
    "a misspelt input": (FIRST + "a,linear,8,8,8,,,inptu fc,\n",
                         "4:18 inputs: no layer above is called 'inptu', got 'inptu fc' "
                         "(did you mean 'input'?)"),
    "itself": ("a,linear,8,8,8,,,a,\n", "3:18 inputs: no layer above is called 'a', got 'a'"),
    "no operator": ("a,linear,8,8,8,,,,bias+gleu\n",
                    "3:19 epilogue: unknown operator 'gleu', got 'bias+gleu' "
                    "(did you mean 'gelu'?)"),
    "a product among operators": ("a,add+linear,,,,8,8,,\n",
                                  "3:3 kind: unknown kind, got 'add+linear'"),
    "an epilogue of a stream": ("a,add,,,,8,8,,relu\n",
                                "3:15 epilogue: an add has no 'epilogue', got 'relu'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_GRAPHS)
def test_wrong_graphs_are_refused(write: Write, case: str) -> None:
    rows, want = WRONG_GRAPHS[case]
    path = write(GRAPH.format("fused") + rows)
    assert message(path).startswith(f"{path}:{want}")


@pytest.mark.parametrize(
    ("line", "want"),
    [("# stack: fusd", "unknown stack, want eager, compiled, fused, listed, got 'fusd' "
      "(did you mean 'fused'?)"),
     ("# stack:", "unknown stack, want eager, compiled, fused, listed, got ''"),
     ("# stack: fused\n# stack: eager", "the stack is said twice, got '# stack: eager'")],
)  # fmt: skip
def test_wrong_stacks_are_refused(write: Write, line: str, want: str) -> None:
    path = write(f"{line}\n" + LAYER.format("", ""))
    assert message(path).startswith(f"{path}:{1 + line.count(chr(10))}: {want}")
