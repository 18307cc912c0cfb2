"""Does the command do what its help says: formats, files, pipes, listings and examples?"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from simulator import catalog, cli, compare, load_hardware, load_workload, simulate
from simulator.cli import output
from simulator.errors import OutputError
from simulator.quantities import time
from simulator.workload.columns import COLUMNS
from tests.cli.example_files import BERT_CONFIG, SWEEP, make
from tests.validation.results import remember

NMSIM = Path(sys.executable).with_name("nmsim")
ESCAPE = "\x1b"

RUN = ["run", "nm-edge", "gemm:64x48x96", "--pattern", "2:4"]
COMPARE = ["compare", "nm-edge", "gemm:64x48x96", "--patterns", "1:1,2:4"]


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


def installed(*arguments: str, **environment: str) -> Ended:
    """Run the installed command in a process of its own, with pipes."""
    done = subprocess.run(
        [NMSIM, *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    return Ended(done.returncode, done.stdout, done.stderr.decode())


Nmsim = Callable[..., Ended]


@pytest.fixture
def nmsim(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> Nmsim:
    """Run the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["nmsim", *arguments])
        capfdbinary.readouterr()
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        assert isinstance(code, int)
        out, err = capfdbinary.readouterr()
        return Ended(code, out, err.decode())

    return call


def fine(ended: Ended) -> Ended:
    """A command that worked and had nothing to complain about."""
    assert (ended.code, ended.err) == (0, "")
    return ended


def row_of(text: str, name: str) -> str:
    """The first row of a table of that name; sentences begin with the same words."""
    return next(line for line in text.splitlines() if line.startswith(f"{name}  "))


def words(text: str) -> str:
    """Text without its line breaks, as help is wrapped to the terminal's width."""
    return " ".join(text.split())


# The installed command


def test_the_installed_command_prints_json_alone() -> None:
    ended = fine(installed(*RUN, "--format", "json", FORCE_COLOR="1"))
    report = simulate("nm-edge", "gemm:64x48x96", "2:4")
    assert json.loads(ended.out) == json.loads(report.to_json())


def test_a_table_in_a_pipe_has_no_escape_codes() -> None:
    ended = fine(installed(*COMPARE, FORCE_COLOR="1", CLICOLOR_FORCE="1", TERM="xterm-256color"))
    assert ESCAPE not in ended.text
    assert "gemm:64x48x96 on nm-edge, by layer" in ended.text
    assert not [line for line in ended.text.splitlines() if line != line.rstrip()]


def test_help_shows_examples() -> None:
    text = words(fine(installed("--help", FORCE_COLOR="1")).text)
    assert "Examples: nmsim compare nm-flex resnet50 --patterns 1:1,2:4,1:8" in text
    assert ESCAPE not in text
    for command in ("run", "compare", "hardware", "workloads", "schema"):
        assert f" {command} " in text


def test_bad_input_is_one_line_and_code_2() -> None:
    ended = installed("run", "nm-edgy", "gemm:64x64x64")
    assert (ended.code, ended.out) == (2, b"")
    assert re.fullmatch(
        r"nmsim: nm-edgy: no such preset .*\(did you mean 'nm-edge'\?\)\n", ended.err
    )


def test_a_reader_that_has_enough_is_no_error() -> None:
    process = subprocess.Popen([NMSIM, *COMPARE], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert complaint == b""


def test_help_waits_for_no_heavy_import() -> None:
    """`import simulator` and the command line itself bring in neither numba nor pandas."""
    code = "import sys, simulator, simulator.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert not {"numba", "pandas", "numpy", "simpy", "matplotlib"} & set(done.stdout.split())


# Help and usage


@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_command_s_help_shows_examples_and_options(nmsim: Nmsim, command: str) -> None:
    text = words(fine(nmsim(command, "--help")).text)
    assert f"Examples: nmsim {command} " in text
    for option in ("--set", "--param", "--batch", "--engine", "--library", "--format", "-o"):
        assert f" {option}" in text


def test_no_command_at_all_prints_the_help(nmsim: Nmsim) -> None:
    ended = nmsim()
    assert "Usage: nmsim" in ended.text + ended.err
    assert "Traceback" not in ended.err


def test_version(nmsim: Nmsim) -> None:
    assert fine(nmsim("--version")).text == f"nmsim {version('nmsim')}\n"


@pytest.mark.parametrize("command", [[], ["run"], ["sweep"], ["hardware"]])
def test_h_is_help(nmsim: Nmsim, command: list[str]) -> None:
    assert fine(nmsim(*command, "-h")).out == fine(nmsim(*command, "--help")).out


def test_help_is_in_groups_and_leaves_no_command_out(nmsim: Nmsim) -> None:
    text = fine(nmsim("--help")).text
    groups = re.findall(r"^([A-Z][a-z ]+):\n((?:  .+\n)+)", text, re.MULTILINE)
    listed = {name: re.findall(r"^  (\w+) ", body, re.MULTILINE) for name, body in groups}
    assert list(listed)[1:] == ["Simulate", "Decide", "Explore", "Models and weights", "Check"]
    assert listed["Simulate"] == ["run", "compare", "hardware", "workloads"]
    assert "tradeoff" in listed["Decide"]
    assert listed["Explore"] == ["sweep", "search", "results", "pareto"]
    assert listed["Models and weights"] == ["import", "prune", "quality", "train"]
    assert listed["Check"][:3] == ["validate", "calibrate", "microbench"]
    shown = [name for names in listed.values() for name in names]
    assert len(shown) == len(cli.app.registered_commands)
    assert "..." not in text.partition("Simulate:")[2]  # no sentence is cut


@pytest.mark.parametrize("arguments", [["-q", *COMPARE], [*COMPARE, "--quiet"]])
def test_quiet_leaves_out_notes(nmsim: Nmsim, arguments: list[str]) -> None:
    pattern = ["--patterns", "1:1,1:16"]
    loud, quiet = fine(nmsim(*COMPARE, *pattern)), fine(nmsim(*arguments, *pattern))
    notes = [line for line in loud.text.splitlines(keepends=True) if line.startswith("Note: ")]
    assert notes
    assert quiet.text == "".join(
        line for line in loud.text.splitlines(keepends=True) if line not in notes
    )
    assert "Note: " in fine(nmsim(*COMPARE, *pattern)).text  # forgotten by the next command


def test_a_quiet_import_says_nothing(nmsim: Nmsim) -> None:
    Path("config.json").write_text(BERT_CONFIG)
    assert nmsim("import", "config.json").err
    fine(nmsim("import", "config.json", "-q"))


def examples() -> list[str]:
    """Every command that the help gives; those of pages are run by ``tests/docs``."""
    epilogs = [cli.app.info.epilog, *(command.epilog for command in cli.app.registered_commands)]
    found = (
        example
        for epilog in epilogs
        if isinstance(epilog, str)
        for example in epilog.removeprefix("Examples: ").split("; ")
    )
    return list(dict.fromkeys(found))


def test_there_are_examples() -> None:
    assert len(examples()) >= 6


LONG = re.compile(r"8192x|validate")
"""What examples name that takes minutes where kernels are not compiled."""


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(example, marks=[pytest.mark.slow] * bool(LONG.search(example)))
        for example in examples()
    ],
)
def test_examples_run(nmsim: Nmsim, example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(monkeypatch)
    command, *arguments = shlex.split(example, comments=True)
    assert command == "nmsim"
    command = "claims" if "--claims" in arguments else arguments[0]
    for name in arguments[1:]:
        make(name, command, lambda *before: fine(nmsim(*before)).out)
    ended = nmsim(*arguments)
    assert ended.code == 0, ended.err
    if command not in ("quality", "prune", "train", "tradeoff"):  # these may have something to note
        # An import accounts for what it read on standard error.
        assert bool(ended.err) == (command == "import"), ended.err
    assert ended.out or any(Path(name).is_file() for name in arguments[1:])


# Formats


def test_run_in_every_format(nmsim: Nmsim) -> None:
    frame = simulate("nm-edge", "gemm:64x48x96", "2:4").to_frame()
    read = pd.read_csv(io.BytesIO(fine(nmsim(*RUN, "--format", "csv")).out))
    assert list(read.columns) == list(frame.columns)
    assert list(read["time_ps"]) == list(frame["time_ps"])
    read = pd.read_parquet(io.BytesIO(fine(nmsim(*RUN, "--format", "parquet")).out))
    assert list(read.columns) == list(frame.columns)
    assert list(read["time_ps"]) == list(frame["time_ps"])
    assert fine(nmsim(*RUN, "--format", "table")) == fine(nmsim(*RUN))


def test_compare_in_every_format(nmsim: Nmsim) -> None:
    comparison = compare("nm-edge", "gemm:64x48x96", ["1:1", "2:4"])
    data = json.loads(fine(nmsim(*COMPARE, "--format", "json")).out)
    assert data == json.loads(comparison.to_json())
    read = pd.read_csv(io.BytesIO(fine(nmsim(*COMPARE, "--format", "csv")).out))
    assert list(read["pattern"]) == ["1:1", "2:4"]
    assert list(read["speedup"]) == pytest.approx(list(comparison.to_frame()["speedup"]))
    read = pd.read_parquet(io.BytesIO(fine(nmsim(*COMPARE, "--format", "parquet")).out))
    assert list(read["speedup"]) == list(comparison.to_frame()["speedup"])


def test_trace_is_a_pattern_to_ask_for(nmsim: Nmsim) -> None:
    Path("net.csv").write_text("name,kind,m,n,k,pattern\nfc,linear,64,48,96,2:4\n")
    asked = ("run", "nm-edge", "net.csv", "--brief")
    assert fine(nmsim(*asked, "--pattern", "trace")) == fine(nmsim(*asked))
    text = fine(nmsim("compare", "nm-edge", "net.csv", "--patterns", "trace,1:1", "-v")).text
    assert "speed-up over trace" in " ".join(text.split())
    assert "None" not in text
    ended = nmsim("compare", "nm-edge", "net.csv", "--patterns", "trace,1:1,trace")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "patterns: the same pattern twice, got 'trace,1:1,trace'" in ended.err
    for command in ("run", "compare"):
        assert "as the trace says" in " ".join(fine(nmsim(command, "--help")).text.split())


def test_a_run_s_table_shows_layers_total_traffic_and_core_time(nmsim: Nmsim) -> None:
    report = simulate("nm-edge", "gemm:64x48x96", "2:4")
    (layer,) = report.layers
    text = fine(nmsim(*RUN)).text
    row = next(line for line in text.splitlines() if line.startswith("gemm "))
    for cell in ("64", "48", "96", "2:4", f"{layer.cycles:,}"):
        assert cell in row.split()
    assert (layer.bound, layer.work_bound) == ("launch", "dram")
    assert row.endswith("launch, dram")
    assert f"Total: {time(report.total.time_ns)}, {report.total.cycles:,} cycles, with 1 l" in text
    for title in ("Bound by: ", "Energy: ", "Traffic, kB", "Where an average core's time goes"):
        assert title in text


def test_what_bounds_the_work_is_said_where_launches_hide_it(nmsim: Nmsim) -> None:
    """Not where they bound a hundredth of the time: the list would come twice."""
    Path("long.csv").write_text(
        "name,kind,m,n,k,reads,writes\nfc,linear,4096,4096,4096,,\nrelu,elementwise,,,,64,64\n"
    )
    bounds = [
        next(line for line in fine(nmsim(*run)).text.splitlines() if line.startswith("Bound by: "))
        for run in (RUN, ["run", "nm-flex", "long.csv"])
    ]
    hidden, plain = bounds
    assert hidden == "Bound by: launch 100%; work: dram 100%"
    assert "launch <1%" in plain
    assert "work:" not in plain


def test_warnings_stand_before_notes(nmsim: Nmsim) -> None:
    Path("assumed.csv").write_text(
        "# Note: fp32 tensors read as fp16\n# Note: WARNING: batch taken as 1\n"
        "name,kind,m,n,k\nfc,linear,64,64,64\n"
    )
    text = fine(nmsim("run", "nm-edge", "assumed.csv")).text
    assert "\nWARNING: batch taken as 1\nNote: fp32 tensors read as fp16\n" in text
    said = nmsim("import", "assumed.csv").err
    assert said.index("WARNING: batch taken as 1") < said.index("fp32 tensors read as fp16")


def test_a_comparison_s_table_shows_speedups_and_the_reason(nmsim: Nmsim) -> None:
    comparison = compare("nm-edge", "gemm:64x48x96", ["1:1", "2:4"])
    text = fine(nmsim(*COMPARE)).text
    for sentence in comparison.explanation():
        assert sentence in text
    speedup = f"{comparison.speedup(comparison.reports[1]):.2f}"
    assert speedup in row_of(text, "2:4").split()


def test_a_verbose_comparison_shows_mappings(nmsim: Nmsim) -> None:
    comparison = compare("nm-edge", "gemm:64x48x96", ["1:1", "2:4"])
    mappings = [report.layers[0].mapping for report in comparison.reports]
    text = fine(nmsim(*COMPARE, "-v")).text
    assert row_of(text.partition("Mappings\n")[2], "gemm").split() == ["gemm", *mappings]
    assert "Mappings" not in fine(nmsim(*COMPARE)).text


def test_brief_is_the_total_alone(nmsim: Nmsim) -> None:
    for command in (RUN, COMPARE):
        whole, brief = fine(nmsim(*command)).text, fine(nmsim(*command, "--brief")).text
        assert whole.startswith(brief)
        assert "by layer" not in brief
        assert "peak" in brief


def test_no_pattern_asked_is_the_trace_s(nmsim: Nmsim) -> None:
    text = fine(nmsim("run", "nm-edge", "gemm:64x48x96")).text
    assert text.startswith("gemm:64x48x96 on nm-edge, pattern: trace\n")


def test_one_launch_is_one(nmsim: Nmsim) -> None:
    assert "with 1 launch " in fine(nmsim(*RUN)).text
    assert "launches" not in fine(nmsim(*RUN)).text
    Path("two.csv").write_text("name,kind,m,n,k,repeat\nfc,linear,32,32,64,2\n")
    assert "with 2 launches " in fine(nmsim("run", "nm-edge", "two.csv")).text


def test_one_of_several_blocks_says_so(nmsim: Nmsim) -> None:
    Path("block.csv").write_text("# blocks: 12\nname,kind,m,n,k\nfc,linear,32,32,64\n")
    for command in ("run", "compare"):
        text = fine(nmsim(command, "nm-edge", "block.csv")).text
        assert text.startswith("block (one of 12 blocks) on nm-edge")


def test_what_does_not_fit_is_an_error_with_the_numbers(nmsim: Nmsim) -> None:
    sizes = ("--param", "seq=1", "--param", "context=512", "--set", "memory.dram.bytes=400000000")
    for command in ("run", "compare"):
        ended = nmsim(command, "nm-edge", "llama-7b", *sizes)
        assert (ended.code, ended.out) == (2, b"")
        # A block of 4 * 4096^2 + 3 * 4096 * 11008 weights; keys and values of 512 tokens.
        for part in ("413 MB", "weights 405 MB", "KV cache 8.39 MB", "400 MB"):
            assert part in ended.err
        assert ended.err.count("\n") == 1
    ended = fine(nmsim("run", "nm-edge", "llama-7b", *sizes, "--allow-overflow"))
    assert "does not fit: needs 413 MB" in ended.text
    ended = fine(nmsim("run", "nm-edge", "llama-7b", "--param", "seq=1"))
    assert "one of 32 blocks, which together need 13.0 GB" in ended.text


def test_the_default_patterns_are_dense_2_4_and_1_8(nmsim: Nmsim) -> None:
    data = json.loads(fine(nmsim("compare", "nm-edge", "gemm:64x48x96", "--format", "json")).out)
    assert [report["pattern"] for report in data] == ["1:1", "2:4", "1:8"]


# Options


def run_json(nmsim: Nmsim, *arguments: str) -> dict[str, object]:
    data = json.loads(fine(nmsim("run", *arguments, "--format", "json")).out)
    assert isinstance(data, dict)
    return data


def test_set_overrides_the_machine_s_yaml(nmsim: Nmsim) -> None:
    settings = ["--set", "core.count=2", "--set", "sparsity.largest_group=0"]
    settings += ["--set", "sparsity.patterns=[2:4]", "--set", "name=mine"]
    data = run_json(nmsim, "nm-edge", "gemm:64x48x96", "--pattern", "1:8", *settings)
    machine = load_hardware(
        "nm-edge",
        {
            "core.count": 2,
            "sparsity.largest_group": 0,
            "sparsity.patterns": ["2:4"],
            "name": "mine",
        },
    )
    assert data == json.loads(simulate(machine, "gemm:64x48x96", "1:8").to_json())
    assert data["layers"][0]["executed_as"] == "2:4"  # type: ignore[index]


@pytest.mark.parametrize(
    "arguments",
    [["--batch", "2", "--param", "seq=16"], ["--param", "batch=2", "--param", "seq=16"]],
)
def test_batch_and_param_set_the_trace_s_parameters(nmsim: Nmsim, arguments: list[str]) -> None:
    data = run_json(nmsim, "nm-edge", "bert-base", *arguments)
    assert data["total"]["macs"] == load_workload("bert-base", batch=2, seq=16).macs  # type: ignore[index]


def test_both_engines_print_the_same_figures(nmsim: Nmsim) -> None:
    fast = run_json(nmsim, "nm-edge", "gemm:64x48x96", "--engine", "fast")
    reference = run_json(nmsim, "nm-edge", "gemm:64x48x96", "--engine", "reference")
    assert fast.pop("engine") == "fast"
    assert reference.pop("engine") == "reference"
    assert fast == reference


def test_files_of_one_s_own(nmsim: Nmsim, tmp_path: Path) -> None:
    (tmp_path / "machine.yaml").write_text("base: nm-edge\nname: mine\ncore: {count: 3}\n")
    (tmp_path / "trace.csv").write_text("name,kind,m,n,k,pattern\nfc,linear,128,128,1024,2:4\n")
    data = run_json(nmsim, "machine.yaml", "trace.csv")
    assert (data["hardware"], data["workload"], data["pattern"]) == ("mine", "trace", None)
    (layer,) = data["layers"]  # type: ignore[misc]
    assert (layer["name"], layer["executed_as"]) == ("fc", "2:4")


# Files


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("r.json", lambda path: json.loads(path.read_text())["layers"][0]["time_ps"]),
        ("r.csv", lambda path: pd.read_csv(path)["time_ps"][0]),
        ("r.parquet", lambda path: pd.read_parquet(path)["time_ps"][0]),
        ("R.JSON", lambda path: json.loads(path.read_text())["layers"][0]["time_ps"]),
    ],
)
def test_output_files_have_the_format_of_their_name(
    nmsim: Nmsim, tmp_path: Path, name: str, read: Callable[[Path], int]
) -> None:
    ended = fine(nmsim(*RUN, "-o", name))
    assert ended.out == b""
    time_ps = simulate("nm-edge", "gemm:64x48x96", "2:4").total.time_ps
    assert read(tmp_path / name) == time_ps
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_text_is_a_table_and_format_beats_the_name(nmsim: Nmsim, tmp_path: Path) -> None:
    table = fine(nmsim(*RUN)).out
    fine(nmsim(*RUN, "--output", "r.txt"))
    assert (tmp_path / "r.txt").read_bytes() == table
    fine(nmsim(*RUN, "-o", "r.log", "--format", "table"))
    assert (tmp_path / "r.log").read_bytes() == table
    fine(nmsim(*RUN, "-o", "r.csv", "--format", "json"))
    assert json.loads((tmp_path / "r.csv").read_text())["workload"] == "gemm:64x48x96"


@pytest.mark.parametrize("name", ["r.xlsx", "r.jsn", "r.", "r", ".json", "r.json.gz"])
@pytest.mark.parametrize("command", [RUN, COMPARE, ["sweep", "sweep.yaml"]])
def test_an_unknown_ending_is_refused_before_any_work(
    nmsim: Nmsim, tmp_path: Path, command: list[str], name: str
) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    ended = nmsim(*command, "-o", name)
    assert (ended.code, ended.out) == (2, b"")
    assert ended.err.startswith(f"nmsim: -o {name}: its ending says no format, want .json or .csv ")
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


def test_what_import_writes_is_csv(nmsim: Nmsim, tmp_path: Path) -> None:
    ended = nmsim("import", "bert-base", "-o", "trace.json")
    assert (ended.code, list(tmp_path.iterdir())) == (2, [])
    assert "-o trace.json: its ending says no format, want .csv, got '.json'" in ended.err


def test_a_device_needs_no_ending(nmsim: Nmsim) -> None:
    assert fine(nmsim(*RUN, "-o", "/dev/null")).out == b""


@pytest.mark.parametrize(
    ("refused", "target", "said"),
    [
        ("/dev", "/dev/null", None),  # as for everybody but root
        ("/dev/null", "/dev/null", "-o /dev/null: is not writable"),
        (".", "r.json", "-o r.json: its folder is not writable"),
    ],
)
def test_a_folder_must_be_writable_for_a_file_and_a_device_itself(
    monkeypatch: pytest.MonkeyPatch, refused: str, target: str, said: str | None
) -> None:
    monkeypatch.setattr("os.access", lambda path, _: str(path) != refused)
    with pytest.raises(OutputError) if said else nullcontext() as caught:
        output.check_target(Path(target))
    assert said is None or str(caught.value) == said


def test_a_file_is_replaced_as_a_whole(nmsim: Nmsim, tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    target.write_text("x" * 1_000_000)
    fine(nmsim(*RUN, "-o", "r.json"))
    json.loads(target.read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_a_new_file_has_the_permissions_of_any_other(nmsim: Nmsim, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        fine(nmsim(*RUN, "-o", "r.json"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "r.json").stat().st_mode) == 0o640


@pytest.mark.parametrize("step", ["replace", "chmod"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str
) -> None:
    target = tmp_path / "r.json"
    target.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.os, step, full)
    with pytest.raises(OutputError, match=r"cannot be written: No space left on device"):
        output.write(b"after", target)
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """``-o /dev/null`` and named pipes are no files that a rename may take the place of."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        output.write(b"after", pipe)
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert os.read(reader, 100) == b"after"
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        (KeyboardInterrupt(), "interrupted: nothing was written; run the command again"),
        (KeyboardInterrupt("rows are kept in a.sqlite"), "rows are kept in a.sqlite"),
    ],
)
def test_an_interrupt_ends_with_a_line(
    nmsim: Nmsim, monkeypatch: pytest.MonkeyPatch, raised: BaseException, says: str
) -> None:
    """Control-C says what is kept and how to go on: exit code 130, and no traceback."""

    def interrupted(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("simulator.run.simulate.simulate", interrupted)
    ended = nmsim(*RUN, "-o", "r.json")
    assert (ended.code, ended.out) == (130, b"")
    assert ended.err == f"nmsim: {says}\n"
    assert list(Path.cwd().iterdir()) == []


def test_control_c_before_a_command_begins_ends_with_a_line(
    nmsim: Nmsim, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simulator.cli.begin", interrupted)
    ended = nmsim(*RUN)
    assert (ended.code, ended.out) == (130, b"")
    assert ended.err == "nmsim: interrupted: nothing was written; run the command again\n"


def test_control_c_ends_a_run_that_takes_long(tmp_path: Path) -> None:
    """The reference engine takes minutes for this; a signal ends it at once."""
    command = ["run", "nm-flex", "gemm:8192x8192x8192", "--engine", "reference", "-o", "r.json"]
    process = subprocess.Popen(
        [NMSIM, *command], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (130, "")
    assert err == "nmsim: interrupted: nothing was written; run the command again\n"
    assert list(tmp_path.iterdir()) == []


# Listings


def test_hardware_lists_every_machine(nmsim: Nmsim) -> None:
    text = fine(nmsim("hardware")).text
    header, *rows = text.splitlines()
    assert header.split()[:2] == ["machine", "cores"]
    assert [row.split()[0] for row in rows] == list(catalog.presets("configs", ".yaml"))
    edge = next(row for row in rows if row.startswith("nm-edge "))
    assert edge.split()[1:3] == ["4", "1,000"]
    assert "area of parts mm²" in header
    assert "any up to group 8" in edge
    assert any("dense only" in row for row in rows if row.startswith("v100"))


def test_workloads_lists_every_network(nmsim: Nmsim) -> None:
    text = fine(nmsim("workloads")).text
    _, *rows = text.splitlines()
    assert [row.split()[0] for row in rows] == list(catalog.presets("workloads", ".csv"))
    resnet = next(row for row in rows if row.startswith("resnet50 "))
    assert "4.089" in resnet.split()
    assert "batch = 1" in resnet


@pytest.mark.parametrize(
    ("command", "name", "file"),
    [("hardware", "nm-edge", "nm-edge.yaml"), ("workloads", "resnet50", "resnet50.csv")],
)
def test_a_preset_is_printed_as_it_is_and_works_as_a_file(
    nmsim: Nmsim, tmp_path: Path, command: str, name: str, file: str
) -> None:
    printed = fine(nmsim(command, name)).out
    kind = {"hardware": "configs", "workloads": "workloads"}[command]
    assert printed == (catalog.folder(kind) / file).read_bytes()
    copy = tmp_path / file
    copy.write_bytes(printed)
    if command == "hardware":
        assert load_hardware(copy) == load_hardware(name)
    else:
        assert load_workload(copy) == load_workload(name)


def test_schema_prints_json_schema(nmsim: Nmsim) -> None:
    schema = json.loads(fine(nmsim("schema")).out)
    Draft202012Validator.check_schema(schema)
    assert "base" in schema["properties"]


def test_columns_of_traces_are_listed(nmsim: Nmsim) -> None:
    text = fine(nmsim("workloads", "--columns")).text
    for column in COLUMNS:
        cells = re.split(r" {2,}", row_of(text, column.name))
        assert cells[2:] == [column.default or "-", column.meaning]
    assert re.search("^batch +all products +1 ", text, re.MULTILINE)
    refused = nmsim("workloads", "bert-base", "--columns")
    assert (refused.code, refused.text) == (2, "")
    assert "--columns: are those of every trace" in refused.err


def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [NMSIM, *RUN], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert ended.returncode == 2
    assert ended.stderr.decode().splitlines() == [
        "nmsim: standard output: cannot be written: No space left on device"
    ]
