"""`make fuzz`: damaged files into every reader; each is read, or refused in one clear line.

A child process reads the files of one format, with limits on memory and file sizes and an audit of
what it opens, starts and unpickles. The parent kills it when it hangs and goes on after the file
that did it. Files are numbered: the same seed makes the same ones. Those that were neither read nor
refused are kept, and their folder is printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import mutate
import seeds

from simulator import Gemm, Workload, catalog, load_hardware, simulate
from simulator.errors import SimulatorError, WorkloadError
from simulator.importers import import_workload, load_model
from simulator.sparsity import Pattern
from simulator.weights.files import read_weights
from simulator.weights.prune import prune_tensors
from simulator.workload.trace_writer import write_trace

LONGEST_TEXT = 500
SLOWEST_CPU_S = 5.0
HANGS_AFTER_S = 30.0
MEMORY_BYTES = 2**30
ADDRESS_SPACE_BYTES = 3 * 2**30
"""Of one file, resident and reserved. The second stops what the first only notices."""

Read = Callable[[Path, Random], None]


class FindingError(Exception):
    """The reader returned something that it should not."""


def _read_workload(path: Path, random: Random) -> None:
    """Import, write as CSV, and read that back."""
    parameters = {"batch": random.choice((1, 2, 2**31))} if random.random() < 0.3 else {}
    imported = import_workload(path, parameters)
    for line in (imported.summary, *imported.workload.notes):
        if not line.isprintable():
            raise FindingError(f"a note that is not one printable line: {line[:80]!r}")
    copy = path.with_name("copy.csv")
    try:
        text = write_trace(imported.workload)
    except WorkloadError as error:
        if "cannot stand in a CSV" not in str(error):
            raise
        return
    copy.write_text(text, encoding="utf-8")
    again = import_workload(copy, {}).workload.layers
    if again != imported.workload.layers:
        pairs = zip(imported.workload.layers, again, strict=False)
        first = next((pair for pair in pairs if pair[0] != pair[1]), "another number of layers")
        raise FindingError(f"another trace after writing: {first}")


def _read_weights(path: Path, _: Random) -> None:
    """Read, and prune what is small."""
    tensors = read_weights(path)
    small = {name: t for name, t in tensors.items() if t.data.size <= 2**16}
    if any(tensor.is_weights for tensor in small.values()):
        try:
            prune_tensors(small, Pattern(2, 4))
        except SimulatorError as error:  # the command adds the file's name
            raise type(error)(str(path), str(error)) from None


def _read_model_weights(path: Path, _: Random) -> None:
    """Read a model's layers with the weights inside it, and simulate the first small one."""
    workload, weights = load_model(path, path)
    for layer in workload.layers:
        if layer.name in weights and weights[layer.name].size <= 2**14 and layer.macs <= 2**24:
            one = Workload("w", [layer])
            try:
                simulate("nm-flex", one, "2:4", weights=weights, prune=True)
            except SimulatorError as error:
                raise type(error)(str(path), str(error)) from None
            return


def _read_machine(path: Path, _: Random) -> None:
    """Read, and run one small product."""
    machine = load_hardware(path)
    try:
        simulate(machine, Workload("w", [Gemm("g", 64, 64, 64, dtype=machine.dtypes[0])]))
    except SimulatorError as error:
        raise type(error)(str(path), str(error)) from None


@dataclass(frozen=True)
class Format:
    """How one kind of file is made, damaged and read."""

    suffix: str
    seeds: Callable[[Path], list[bytes]]
    change: mutate.Mutator
    read: Read


FORMATS = {
    "native": Format(".csv", lambda _: seeds.native(), mutate.changed_csv, _read_workload),
    "scalesim": Format(".csv", lambda _: seeds.scalesim(), mutate.changed_csv, _read_workload),
    "onnx": Format(".onnx", lambda _: seeds.onnx_models(), mutate.changed_onnx, _read_workload),
    "onnx-weights": Format(
        ".onnx", lambda _: seeds.onnx_models(), mutate.changed_onnx, _read_model_weights
    ),
    "hf-config": Format(".json", lambda _: seeds.hf_config(), mutate.changed_json, _read_workload),
    "torch-trace": Format(
        ".json", lambda _: seeds.torch_trace(), mutate.changed_trace, _read_workload
    ),
    "safetensors": Format(
        ".safetensors", seeds.safetensors, mutate.changed_safetensors, _read_weights
    ),
    "npz": Format(".npz", lambda _: seeds.npz(), mutate.changed_npz, _read_weights),
    "machine": Format(".yaml", lambda _: seeds.yaml(), mutate.changed_yaml, _read_machine),
}


# The child


class Audit:
    """Notes what Python's audit events say of files, processes, sockets and pickles."""

    FORBIDDEN = re.compile(
        r"pickle\.|subprocess\.|os\.(system|exec|posix_spawn|fork|spawn|kill)|socket\.|ctypes\.dlopen"
        r"|shutil\.|urllib\.|ftplib\.|webbrowser\."
    )
    WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def __init__(self, folder: Path) -> None:
        self.seen: list[str] = []
        self.folder = str(folder.resolve())
        repository = Path(__file__).resolve().parents[2]
        roots = (
            sys.prefix,
            sys.base_prefix,
            sys.exec_prefix,
            repository,
            catalog.folder("configs"),
        )
        self.readable = tuple(str(Path(root).resolve()) for root in roots)
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            inside = path.startswith(self.folder)
            if not inside and (flags & self.WRITES or not path.startswith(self.readable)):
                self.seen.append(f"opens {path}")
        elif event in ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod"):
            if not os.path.realpath(os.fsdecode(arguments[0])).startswith(self.folder):
                self.seen.append(f"{event} {arguments[0]!r}")
        elif self.FORBIDDEN.match(event):
            self.seen.append(f"{event} {arguments!r:.80}")


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _resident() -> int:
    """The most bytes that this process has held since `_forget_resident`."""
    text = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


def _forget_resident() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _child(name: str, seed: int, first: int, until: float, folder: Path, pipe: Connection) -> None:
    """Make and read files until the time is up; tell the parent of each."""
    kind = FORMATS[name]
    originals = kind.seeds(folder)
    printed = (folder / "printed").open("wb", buffering=0)
    os.dup2(printed.fileno(), 1)
    os.dup2(printed.fileno(), 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    warnings.simplefilter("always")
    limit = _address_space() + ADDRESS_SPACE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**28, 2**28))
    audit = Audit(folder)
    index = first
    while time.monotonic() < until:
        random = Random(f"{seed}/{name}/{index}")
        change = mutate.damaged if random.random() < 0.4 else kind.change
        try:
            data = change(random, originals)
        except (ValueError, TypeError, RecursionError, OverflowError):
            index += 1  # what cannot even be written
            continue
        path = folder / f"input{kind.suffix}"
        path.write_bytes(data)
        pipe.send(("start", index))
        outcome = _outcome(kind, path, random, audit, folder / "printed")
        pipe.send(("end", index, *outcome))
        index += 1
    pipe.send(("done", index))


def _outcome(
    kind: Format, path: Path, random: Random, audit: Audit, printed: Path
) -> tuple[str, str]:
    """Accepted, refused or a finding; and the error, or what was found."""
    os.truncate(printed, 0)
    os.lseek(1, 0, os.SEEK_SET)
    os.lseek(2, 0, os.SEEK_SET)
    _forget_resident()
    before, started = _resident(), time.process_time()
    audit.seen.clear()
    outcome = _attempt(kind, path, random)
    took = time.process_time() - started
    sys.stdout.flush()
    sys.stderr.flush()
    if outcome[0] == "finding":
        return outcome
    if printed.stat().st_size:
        return "finding", f"prints {printed.read_bytes()[:200]!r}"
    if audit.seen:
        return "finding", audit.seen[0]
    if took > SLOWEST_CPU_S:
        return "finding", f"takes {took:.0f} s"
    if _resident() - before > MEMORY_BYTES:
        return "finding", f"takes {(_resident() - before) >> 20} MiB"
    return outcome


def _attempt(kind: Format, path: Path, random: Random) -> tuple[str, str]:
    try:
        kind.read(path, random)
    except SimulatorError as error:
        return _judged(str(error), error, path)
    except FindingError as error:
        return "finding", str(error)
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        last = [f for f in frames if "simulator" in f.filename][-1:] or frames[-1:]
        where = f"{Path(last[0].filename).name}:{last[0].lineno}" if last else ""
        return "finding", f"{type(error).__name__} at {where}: {str(error)[:100]!r}"
    return "accepted", ""


def _judged(text: str, error: SimulatorError, path: Path) -> tuple[str, str]:
    if not text.isprintable():
        return "finding", f"an error that is not one printable line: {text[:300]!r}"
    if len(text) >= LONGEST_TEXT:
        return "finding", f"an error of {len(text)} characters: {error.what[:80]}"
    if str(path.parent) not in text:
        return "finding", f"an error that names no file: {text[:200]}"
    kind = re.sub(r"'[^']*'|\"[^\"]*\"|[^a-zA-Z ]+|\w*\d\w*", "#", error.what)
    return "refused", kind[:60]


# The parent


@dataclass
class Tally:
    """What became of the files of one format."""

    name: str
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    findings: dict[str, tuple[int, int]] = field(default_factory=dict)
    """What was found: the number of the first file, and how many there were."""

    @property
    def inputs(self) -> int:
        return self.counts.total()


def fuzz(name: str, seconds: float, seed: int, keep: Path) -> Tally:
    """Damage and read files of one format; keep the first of every finding."""
    tally = Tally(name)
    started = time.monotonic()
    until, index = started + seconds, 0
    with tempfile.TemporaryDirectory(prefix="nmsim-fuzz-") as made:
        folder = Path(made)
        while index >= 0 and time.monotonic() < until:
            index = _watch(tally, seed, index, until, folder, keep)
    tally.seconds = time.monotonic() - started
    return tally


def _watch(tally: Tally, seed: int, first: int, until: float, folder: Path, keep: Path) -> int:
    """One child until it ends; returns the number of the next file, or -1."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_child, args=(tally.name, seed, first, until, folder, theirs))
    child.start()
    theirs.close()
    now = first
    try:
        while ours.poll(HANGS_AFTER_S):
            message = ours.recv()
            if message[0] == "done":
                return -1
            now = message[1]
            if message[0] == "end":
                _count(tally, now, message[2], message[3], folder, keep)
        _count(tally, now, "finding", f"hangs for {HANGS_AFTER_S:.0f} s", folder, keep)
    except EOFError:
        child.join()
        code = child.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        said = (folder / "printed").read_bytes()[-300:] if (folder / "printed").exists() else b""
        _count(tally, now, "finding", f"the process ends: {how} {said!r}", folder, keep)
    finally:
        if child.pid is not None and child.is_alive():
            child.kill()
        child.join()
    return now + 1


def _count(tally: Tally, index: int, outcome: str, text: str, folder: Path, keep: Path) -> None:
    tally.counts[outcome] += 1
    if outcome == "refused":
        tally.errors[text] += 1
    if outcome != "finding":
        return
    label = re.sub(r"0x[0-9a-f]+|\d{3,}|nmsim-fuzz-\w+", "#", text)[:100]
    known, times = tally.findings.get(label, (index, 0))
    tally.findings[label] = (known, times + 1)
    if times == 0:
        keep.mkdir(parents=True, exist_ok=True)
        suffix = FORMATS[tally.name].suffix
        shutil.copy(folder / f"input{suffix}", keep / f"{tally.name}-{index}{suffix}")
        print(f"  {tally.name} {index}: {text[:300]}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"of {', '.join(FORMATS)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each format")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    unknown = set(given.formats) - set(FORMATS)
    if unknown:
        parser.error(f"no such format: {', '.join(sorted(unknown))}")
    keep = Path(tempfile.gettempdir()) / f"nmsim-fuzz-found-{os.getpid()}"
    _warm_up()
    tallies = [fuzz(name, given.seconds, given.seed, keep) for name in given.formats or FORMATS]
    columns = ("format", "inputs", "inputs/s", "accepted", "refused", "errors", "findings")
    print("{:12}{:>10}{:>10}{:>10}{:>10}{:>8}{:>10}".format(*columns))
    for tally in tallies:
        print(
            f"{tally.name:12}{tally.inputs:>10,}{tally.inputs / tally.seconds:>10,.0f}"
            f"{tally.counts['accepted']:>10,}{tally.counts['refused']:>10,}{len(tally.errors):>8}"
            f"{len(tally.findings):>10}"
        )
    found = [(t.name, label, *seen) for t in tallies for label, seen in t.findings.items()]
    for name, label, index, times in found:
        print(f"{name} {index}, {times} times: {label}")
    if found:
        print(f"files: {keep}")
    return 1 if found else 0


def _warm_up() -> None:
    """Read one whole file of each format: imports and compilation are not what is measured."""
    with tempfile.TemporaryDirectory(prefix="nmsim-fuzz-") as made:
        for kind in FORMATS.values():
            for number, data in enumerate(kind.seeds(Path(made))):
                path = Path(made) / f"whole-{number}{kind.suffix}"
                path.write_bytes(data)
                with suppress(SimulatorError):  # a seed may be one that is refused
                    kind.read(path, Random(0))


if __name__ == "__main__":
    sys.exit(main())
