"""Does bad input end with code 2 and one clear line, before anything is written?"""

from __future__ import annotations

import os
import resource
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from test_cli import NMSIM, Ended, Nmsim, nmsim

__all__ = ["nmsim"]  # the fixture

GEMM = "gemm:64x64x64"
HEADER = "name,kind,m,n,k\n"


@dataclass(frozen=True)
class Bad:
    """Arguments, the files that they name, and what the line must say."""

    name: str
    arguments: list[str]
    says: str
    files: dict[str, str | bytes] = field(default_factory=dict)


def machine(name: str, yaml: str | bytes, says: str) -> Bad:
    """A run on a bad machine.yaml."""
    return Bad(name, ["run", "machine.yaml", GEMM], says, {"machine.yaml": yaml})


def trace(name: str, csv: str | bytes, says: str, *arguments: str) -> Bad:
    """A run of a bad trace.csv."""
    return Bad(name, ["run", "nm-edge", "trace.csv", *arguments], says, {"trace.csv": csv})


def run(name: str, says: str, *arguments: str, workload: str = GEMM) -> Bad:
    """A run of nm-edge with bad arguments."""
    return Bad(name, ["run", "nm-edge", workload, *arguments], says)


MACHINES = [
    machine("unknown key", "base: nm-edge\ncore: {cout: 4}\n",
            "machine.yaml:2:8 core.cout: unknown key (did you mean 'count'?)"),
    machine("wrong unit", "base: nm-edge\nclock_mhz: 1410\n", "did you mean 'clock_hz'?"),
    machine("size with a unit", 'base: nm-edge\ncore: {scratchpad: {bytes: "128 KiB"}}\n',
            "core.scratchpad.bytes: must be a whole number, got '128 KiB'"),
    machine("pattern as YAML 1.1 integer",
            "%YAML 1.1\n---\nbase: nm-edge\nsparsity: {patterns: [2:4]}\n", "write '2:4'"),
    machine("pattern 5:4", "base: nm-edge\nsparsity: {patterns: [5:4]}\n", "got '5:4'"),
    machine("no cores", "base: nm-edge\ncore: {count: 0}\n",
            "core.count: must be greater than or equal to 1, got 0"),
    machine("small register file", "base: nm-edge\ncore: {register_file: {bytes: 1000}}\n",
            "bytes too small"),
    machine("small scratchpad", "base: nm-edge\ncore: {scratchpad: {bytes: 100}}\n",
            "bytes too small"),
    machine("tag", "base: nm-edge\nsparsity: {patterns: !mine [2:4]}\n",
            "machine.yaml:2:22: has the tag !mine"),
    Bad("tag in a sweep", ["sweep", "s.yaml"], "s.yaml:2:12: has the tag !mine",
        {"s.yaml": "hardware: nm-edge\nworkloads: !mine [resnet50]\n"}),
    machine("missing key", "name: x\nclock_hz: 1000000000\n", "core: is missing"),
    machine("missing library", "base: nm-edge\nlibrary: {dense: edgy}\n", "no library 'edgy'"),
    machine("empty machine", "", "not a machine"),
    machine("not YAML", "core: {count: 4\n", "machine.yaml:"),
    machine("not UTF-8", b"name: \xe9\n", "not UTF-8"),
    machine("duplicate key", "base: nm-edge\nname: a\nname: b\n", "duplicate key"),
    machine("base is itself", "base: machine.yaml\n", "leads back to itself"),
    machine("base is missing", "base: nm-edgy\n", "did you mean 'nm-edge'?"),
    machine("deep nesting", "a: " + "[" * 700, "machine.yaml"),
    Bad("missing machine", ["run", "missing.yaml", GEMM], "missing.yaml: no such preset"),
    Bad("folder as machine", ["run", ".", GEMM], "is a folder"),
    Bad("misspelt preset", ["compare", "nm-edgy", GEMM], "did you mean 'nm-edge'?"),
]  # fmt: skip

TRACES = [
    trace("letters for numbers", HEADER + "a,linear,8,eight,8\n", "trace.csv:2:12 n: "),
    trace("letters in SCALE-Sim", "L,h,w,fh,fw,c,f,s\nc,8,8,3,3,four,4,1,\n", "trace.csv:2:11: "),
    trace("letters in SCALE-Sim GEMM", "L,M,N,K\ng,8,8,x\n", "trace.csv:2:7: "),
    trace("empty trace", "", "trace.csv: is empty"),
    trace("header alone", HEADER, "has no layers"),
    trace("comment alone", "# nothing\n", "is empty"),
    trace("unknown column", "name,kind,m,n,kk\na,linear,8,8,8\n", "did you mean 'k'?"),
    trace("unknown kind", HEADER + "a,dense,8,8,8\n", "unknown kind"),
    trace("missing size", HEADER + "a,linear,8,,8\n", "a linear needs 'n'"),
    trace("zero size", HEADER + "a,linear,8,0,8\n", "a.n: out of range"),
    trace("division by zero", HEADER + "a,linear,8//0,8,8\n", "not a number"),
    trace("huge size", HEADER + "a,linear,8,8,99999999999999\n", "out of range"),
    trace("huge batch", "name,kind,m,n,k,batch\na,linear,8,8,8,1000000000000\n", "too large"),
    trace("huge stream", "name,kind,reads,writes\na,softmax,1000000000000,1000000000000\n",
          "too large"),
    trace("kernel larger than input",
          "name,kind,in_channels,out_channels,in_h,in_w,kernel\nc,conv,3,3,8,8,9\n",
          "larger than the padded input"),
    trace("bad pattern in a cell", "name,kind,m,n,k,pattern\na,linear,8,8,8,5:4\n", "got '5:4'"),
    trace("dtype that the machine lacks", "name,kind,m,n,k,dtype\na,linear,8,8,8,bf16\n",
          "does not compute in this dtype, want fp16 or int8"),
    trace("not text", b"\xff\xfe\x00", "not UTF-8"),
    trace("undeclared parameter", HEADER + "a,linear,8,8,8\n", "no such parameter",
          "--batch", "2"),
    trace("a row longer than all inputs", "name,kind,reads,writes,row\ns,softmax,64,64,65\n",
          "trace.csv:2: s.row: is longer than all inputs, want at most reads = 64, got 65"),
    trace("quote that is not closed", HEADER + 'a,linear,"8,8,8\n', "trace.csv:2"),
    run("missing trace", "missing.csv: no such preset and no such file", workload="missing.csv"),
    run("folder as trace", "is a folder", workload="."),
    run("no name as trace", "want a preset name or a .csv file", workload=""),
]  # fmt: skip

NINES = "9999999999999"

GEMMS = [
    run("does not fit in memory", "too large", workload="gemm:1000000x1000000x1000000"),
    run("does not fit in int64", "out of range", workload=f"gemm:{NINES}x{NINES}x{NINES}"),
    run("one size does not fit", "not a GEMM", workload="gemm:1x1x" + "9" * 30),
    run("no size", "not a GEMM", workload="gemm:64x64"),
    run("size zero", "out of range", workload="gemm:0x64x64"),
    run("unknown dtype", "did you mean 'fp16'?", workload="gemm:64x64x64:fp17"),
    run("a word behind it", "not a GEMM", workload="gemm:64x64x64:fp16:add"),
    run("a word misspelt", "unknown dtype, got 'accumulat' (did you mean 'accumulate'?)",
        workload="gemm:64x64x64:accumulat"),
    run("parameters for a GEMM", "has no parameters", "--batch", "2"),
    run("time does not fit", "simulated time: could reach", "--set",
        "memory.dram.bytes_per_second=1000", workload="gemm:4096x4096x4096"),
]  # fmt: skip

OPTIONS = [
    run("unknown option", "--patern", "--patern", "2:4"),
    run("option without value", "--pattern", "--pattern"),
    run("number that is none", "--batch", "--batch", "two"),
    run("extra argument", "extra", "extra"),
    Bad("unknown command", ["simulate", "nm-edge", GEMM], "simulate"),
    Bad("no workload", ["run", "nm-edge"], "WORKLOAD"),
    Bad("no arguments", ["compare"], "HARDWARE"),
    Bad("argument for schema", ["schema", "x"], "x"),
    Bad("unknown machine to print", ["hardware", "nm-edgy"], "did you mean 'nm-edge'?"),
    Bad("unknown network to print", ["workloads", "resnet-50"], "did you mean 'resnet50'?"),
    Bad("machine to print is not UTF-8", ["hardware", "x.yaml"], "UTF-8", {"x.yaml": b"# \xe9"}),
    Bad("network to print is not UTF-8", ["workloads", "x.csv"], "UTF-8", {"x.csv": b"# \xe9"}),
    run("bad pattern", "1 <= keep <= group, got '5:4'", "--pattern", "5:4"),
    run("pattern is no pattern", "not a pattern", "--pattern", "half"),
    run("rows that keep 1 of the columns they choose", "want keep 2", "--pattern", "128:1:20"),
    run("rows that choose 4 of 3", "a group of 4 to 4096", "--pattern", "128:2:3"),
    run("no rows that choose", "want 1 to 4096 rows, got '0:2:8'", "--pattern", "0:2:8"),
    Bad("pruning to a pattern of rows", ["prune", "w.safetensors", "--pattern", "128:2:20"],
        "only simulated", {"w.safetensors": b""}),
    Bad("a machine that lists a pattern of rows", ["run", "machine.yaml", GEMM],
        "not a pattern, want 'keep:group'",
        {"machine.yaml": 'base: nm-edge\nsparsity: {patterns: ["128:2:20"]}\n'}),
    Bad("rows without a tile", ["run", "machine.yaml", GEMM], "no tile's m divides 24",
        {"machine.yaml": "base: rtx3090\nlibraries: {spatha: {vector_rows: [24]}}\n"}),
    Bad("no pattern", ["compare", "nm-edge", GEMM, "--patterns", ","], "name at least one"),
    Bad("same pattern twice", ["compare", "nm-edge", GEMM, "--patterns", "2:4,2:4"], "twice"),
    run("unknown engine", "unknown engine, got 'quick'", "--engine", "quick"),
    run("unknown library", "no such library, got 'cublas'", "--library", "cublas"),
    run("unknown format", "--format: unknown format, got 'xml'", "--format", "xml"),
    run("set without value", "--set core.count: want KEY=VALUE", "--set", "core.count"),
    run("set without key", "want KEY=VALUE", "--set", "=4"),
    run("set unknown key", "did you mean 'count'?", "--set", "core.coutn=4"),
    run("set no cores", "--set core.count: must be", "--set", "core.count=0"),
    run("set with words", "--set core.count: must be", "--set", "core.count=many"),
    run("set nothing", "core.count", "--set", "core.count="),
    run("set below a number", "has no keys below it", "--set", "core.count.x=4"),
    run("set twice", "--set core.count=5: 'core.count' is given twice",
        "--set", "core.count=4", "--set", "core.count=5"),
    run("set with a tag", "--set core.count: has the tag !!set", "--set", "core.count=!!set {4}"),
    run("set a library that is not there", "--set library.dense: library: no library 'edgy'",
        "--set", "core.count=4", "--set", "library.dense=edgy"),
    run("set with dots", "not a dotted key", "--set", "core..count=4"),
    run("set unknown library", "no library 'edgy'", "--set", "library.sparse=edgy"),
    run("set deep nesting", "core.count", "--set", "core.count=" + "[" * 700),
    run("set huge number", "core.count", "--set", "core.count=0x" + "f" * 5000),
    run("set not a number", "nan", "--set", "memory.dram.latency_ns=.nan"),
    run("param without value", "want NAME=NUMBER", "--param", "seq", workload="bert-base"),
    run("param with words", "want NAME=NUMBER", "--param", "seq=long", workload="bert-base"),
    run("param negative", "want NAME=NUMBER", "--param", "seq=-1", workload="bert-base"),
    run("param zero", "seq: out of range", "--param", "seq=0", workload="bert-base"),
    run("param unknown", "did you mean 'seq'?", "--param", "sek=4", workload="bert-base"),
    run("param named name", "name", "--param", "name=4", workload="bert-base"),
    run("param named self", "self", "--param", "self=4", workload="bert-base"),
    run("param huge", "seq", "--param", "seq=" + "1" * 5000, workload="bert-base"),
    run("batch twice", "--param batch=3: 'batch' is given twice", "--batch", "2", "--param",
        "batch=3", workload="resnet50"),
    run("param twice", "--param seq=4: 'seq' is given twice", "--param", "seq=4", "--param",
        "seq=4", workload="bert-base"),
    run("batch zero", "batch: out of range", "--batch", "0", workload="resnet50"),
    run("batch negative", "batch: out of range", "--batch", "-1", workload="resnet50"),
]  # fmt: skip

TARGETS = [
    run("missing folder", "-o missing/r.json: its folder does not exist", "-o", "missing/r.json"),
    run("folder as target", "-o .: is a folder", "-o", "."),
    run("file as folder", "out.json/r.json: its folder does not exist", "-o", "out.json/r.json"),
    run("no name as target", "is a folder", "-o", ""),
    run("name too long", "-o ", "-o", "r" * 300 + ".json"),
]

TABLE = [*MACHINES, *TRACES, *GEMMS, *OPTIONS, *TARGETS]


def refused(ended: Ended, says: str) -> None:
    """Code 2, nothing on stdout, and one line on stderr that says what is wrong."""
    assert "Traceback" not in ended.err
    assert ended.code == 2
    assert ended.out == b""
    assert ended.err.startswith("nmsim: ")
    assert ended.err.endswith("\n")
    assert ended.err.count("\n") == 1
    assert says in ended.err


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_bad_input_is_refused_in_one_line(nmsim: Nmsim, tmp_path: Path, bad: Bad) -> None:
    (tmp_path / "out.json").write_text("before")
    for name, content in bad.files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    arguments = list(bad.arguments)
    writes = arguments[0] in ("run", "compare") and "-o" not in arguments
    # Before the other arguments, so that an option that lacks its value stays the last.
    arguments[1:1] = ["-o", "out.json"] if writes else []
    refused(nmsim(*arguments), bad.says)
    assert (tmp_path / "out.json").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", *bad.files}


def _limit() -> None:
    """What a refusal must do with: it takes half a second of CPU time."""
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
    resource.setrlimit(resource.RLIMIT_CPU, (8, 8))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@pytest.mark.parametrize(
    "row", ["c,conv,8,8,1000000000000,1,1,2,0", "c,conv,8,8,8,8,1,2,1000000000000"]
)
def test_a_convolution_too_large_to_simulate_is_refused_before_it_is_walked(
    tmp_path: Path, row: str
) -> None:
    """In a process of its own: what is not refused would use up memory or never end."""
    trace_csv = tmp_path / "trace.csv"
    header = "name,kind,in_channels,out_channels,in_h,in_w,kernel,stride,padding"
    trace_csv.write_text(f"{header}\n{row}\n")
    done = subprocess.run(
        [NMSIM, "run", "nm-edge", trace_csv],
        capture_output=True,
        check=False,
        preexec_fn=_limit,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    refused(Ended(done.returncode, done.stdout, done.stderr.decode()), "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["import", "trace.csv", "-o", "trace.csv"], "-o trace.csv: is read by this command"),
        (["run", "nm-edge", "trace.csv", "-o", "trace.csv"], "-o trace.csv: is read by"),
        (["run", "nm-edge", "trace.csv", "--plot", "a.png", "-o", "a.png"],
         "--plot a.png: is the file of -o, too"),
        (["run", "nm-edge", "trace.csv", "--timeline", "a.json", "-o", "a.json"],
         "--timeline a.json: is the file of -o, too"),
        (["compare", "nm-edge", "trace.csv", "-o", "link.csv"], "-o trace.csv: is read by"),
    ],
)  # fmt: skip
def test_no_input_is_written_over(
    nmsim: Nmsim, arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trace = Path("trace.csv")
    trace.write_text("name,kind,m,n,k\nfc,linear,64,64,64\n")
    Path("link.csv").symlink_to(trace)
    before = trace.read_bytes()
    ended = nmsim(*arguments)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, b"", 1)
    assert says in ended.err
    assert trace.read_bytes() == before
    assert not Path("a.png").exists()
    assert not Path("a.json").exists()
