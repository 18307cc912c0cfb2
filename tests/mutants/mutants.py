"""Mutants of the shared model code, and which of them no test notices: `make mutants`.

cosmic-ray makes the mutants, of which `draw.py` draws some. A mutant runs only tests that reach its
statement, cheapest first, until one fails; two run at a time, each in a copy of the
project. Results are kept one by one in `.mutants/`: a killed run goes on where it was. Where code
or tests changed since, it starts anew, but for `--survivors`, which after a change of tests alone
runs only those again that had survived. `equivalent.toml` lists mutants that change nothing.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import difflib
import hashlib
import importlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import pytest
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult
from draw import DRAWN, MODULES, SEED, drawn, tree

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
EQUIVALENT = HERE / "equivalent.toml"
COPIED = ("simulator", "tests", "configs", "workloads", "pyproject.toml", "README.md",
          "ARCHITECTURE.md", "CHANGELOG.md")  # fmt: skip
TESTS = ("unit", "closed_form", "differential", "properties", "golden")
WORKERS = 2
KILLED_RATIO, EQUIVALENT_RATIO = 0.9, 0.05
BATCHES_S = (2.0, 15.0, 100.0)
"""Tests are run in batches of at most so many seconds, since most mutants end in the first. Who is
noticed by none of them has survived: what guards shared code should be quick."""

REACHING = "reaching.txt"
PRELOADED = (
    "hypothesis", "matplotlib.figure", "nbformat", "numba", "onnx", "optuna", "pandas", "pyarrow",
    "pydantic", "ruamel.yaml", "safetensors", "simpy", "typer", "typer.testing",
)  # fmt: skip
MEMORY_BYTES = 12 * 2**30


# Which tests reach which line.


@dataclass(frozen=True)
class Reach:
    """Tests by file and line, and what each of them takes."""

    tests: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]

    def of(self, mutation: MutationSpec) -> list[str]:
        """Tests that reach a mutant's statement, cheapest first.

        What runs when its module is imported belongs to every test that reaches the module.
        """
        lines = self.tests.get(str(mutation.module_path), {})
        first, last, imported = _statement(mutation)
        numbers = lines if imported else range(first, last + 1)
        found: set[str] = set().union(*(lines.get(number, set()) for number in numbers))
        return sorted(found, key=lambda test: (self.seconds[test], test))


def _statement(mutation: MutationSpec) -> tuple[int, int, bool]:
    """First and last line of a mutant's statement (or its head), and whether importing runs it."""
    line = mutation.start_pos[0]
    found, imported, body = (line, line, True), True, list(tree(mutation.module_path).body)
    while body:
        node = body.pop()
        first = min([node.lineno, *(x.lineno for x in getattr(node, "decorator_list", []))])
        if not first <= line <= (node.end_lineno or node.lineno):
            continue
        inside = [x for x in ast.iter_child_nodes(node) if isinstance(x, ast.stmt)]
        inside += [y for x in getattr(node, "handlers", []) for y in x.body]
        last = min([node.end_lineno or node.lineno, *(x.lineno - 1 for x in inside)])
        found = first, max(first, last), imported
        if line > last and isinstance(node, ast.FunctionDef):
            imported = False
        body = inside
    return found


def _digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return total.hexdigest()


def _sources() -> str:
    folders = ("simulator", "configs", "workloads")
    return _digest([x for name in folders for x in (ROOT / name).rglob("*.*") if _is_source(x)])


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _tests() -> dict[str, str]:
    """Digests of test files, each with the helpers that all of them share."""
    files = [x for name in TESTS for x in (ROOT / "tests" / name).rglob("*.*") if _is_source(x)]
    shared = [x for x in files if not x.name.startswith("test_")]
    shared += (ROOT / "tests").glob("*.py")
    names = {x: str(x.relative_to(ROOT)) for x in files if x.name.startswith("test_")}
    return {name: _digest([path, *shared]) for path, name in names.items()}


def _reach(work: Path) -> Reach:
    """From a run of the tests under coverage, of which what is still true is kept."""
    path, tests = work / "reach.json", _tests()
    sources = _sources() + _digest([HERE / "reach.py"])
    kept = json.loads(path.read_text()) if path.exists() else {}
    if kept.get("sources") != sources:
        kept = {"sources": sources, "files": {}, "seconds": {}, "lines": {}}
    stale = sorted(name for name, digest in tests.items() if kept["files"].get(name) != digest)
    if stale or set(kept["files"]) - set(tests):
        fresh = {name for name in tests if name not in stale}
        lines: dict[str, dict[str, list[str]]] = {
            module: {n: [t for t in names if t.split("::")[0] in fresh] for n, names in of.items()}
            for module, of in kept["lines"].items()
        }
        seconds = {t: s for t, s in kept["seconds"].items() if t.split("::")[0] in fresh}
        for part in _recorded(work, stale):
            names = list(part["seconds"])
            seconds |= {t: s for t, s in part["seconds"].items() if t not in part["failed"]}
            for module, of in part["lines"].items():
                for line, numbers in of.items():
                    found = lines.setdefault(module, {}).setdefault(line, [])
                    found += (names[number] for number in numbers if names[number] in seconds)
        kept = {"sources": sources, "files": tests, "seconds": seconds, "lines": lines}
        path.write_text(json.dumps(kept))
    return Reach(
        {
            module: {int(line): set(names) for line, names in of.items()}
            for module, of in kept["lines"].items()
        },
        kept["seconds"],
    )


def _recorded(work: Path, files: list[str]) -> list[dict[str, dict[str, dict[str, list[int]]]]]:
    """What each process of a run of ``files`` wrote down, in a copy of the project."""
    if not files:
        return []
    copy, record = work / "copy", work / "record"
    _copy(copy)
    shutil.rmtree(record, ignore_errors=True)
    record.mkdir()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "reach", "-n", str(WORKERS), *files]
    environment = _environment(copy, MUTANTS_RECORD=str(record))
    print(f"running {len(files)} files of tests under coverage", flush=True)
    subprocess.run(command, cwd=copy, env=environment, check=False)
    parts = [json.loads(path.read_text()) for path in record.glob("*.json")]
    assert parts, "no test ran"
    for part in parts:
        for name in part["failed"]:  # could kill no mutant
            print(f"left out, since it fails without a mutant: {name}", flush=True)
    return parts


def _environment(copy: Path, **added: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{HERE}", **added}


def _copy(copy: Path) -> None:
    """The project with its compiled kernels, which are found by the age of their file."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for name in COPIED:
        duplicate = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        duplicate(ROOT / name, copy / name)
    compileall.compile_dir(copy, quiet=1)


# What becomes of them.


def run(
    work: Path, items: list[WorkItem], reach: Reach, *, again: bool = False, quick: bool = False
) -> None:
    """Run what the session still lacks, or what survived, too; results are kept one by one."""
    with use_db(str(work / "session.sqlite"), WorkDB.Mode.create) as session:
        known = {item.job_id for item in session.work_items}
        session.add_work_items([item for item in items if item.job_id not in known])
        done = {job for job, result in session.results if result.is_killed or not again}
        pending = [item for item in items if item.job_id not in done]
        spawned = multiprocessing.get_context("spawn")
        numbers = spawned.Queue()
        for number in range(WORKERS):
            numbers.put(number)
        with ProcessPoolExecutor(WORKERS, spawned, _in_a_copy, (work, numbers)) as pool:
            batches = [_batches(item, reach)[: -1 if quick else None] for item in pending]
            jobs = {
                pool.submit(_test, item.mutations[0], of): item
                for item, of in zip(pending, batches, strict=True)
            }
            for count, job in enumerate(as_completed(jobs), start=1):
                item, result = jobs[job], job.result()
                session.set_result(item.job_id, result)
                print(f"{count}/{len(pending)} {_line(item.mutations[0], result)}", flush=True)


def _batches(item: WorkItem, reach: Reach) -> list[tuple[list[str], float]]:
    """Reaching tests in batches, each with its seconds."""
    batches: list[tuple[list[str], float]] = []
    tests = reach.of(item.mutations[0])
    for longest in BATCHES_S:
        batch: list[str] = []
        spent = 0.0
        while tests and (not batch or spent + reach.seconds[tests[0]] <= longest):
            spent += reach.seconds[tests[0]]
            batch.append(tests.pop(0))
        batches.append((batch, spent))
    return batches


def _in_a_copy(work: Path, numbers: multiprocessing.Queue[int]) -> None:
    """A worker's own copy of the project, in which mutants are made and may not eat all memory.

    What tests import besides the project is imported here, once: a mutant's tests run in a fork.
    """
    copy = work / f"copy{numbers.get()}"
    _copy(copy)
    os.chdir(copy)
    os.environ.update(_environment(copy, MUTANTS_ONLY=REACHING))
    sys.path[:0] = [str(copy), str(HERE)]
    sys.dont_write_bytecode = True
    for name in PRELOADED:
        importlib.import_module(name)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _test(mutation: MutationSpec, batches: list[tuple[list[str], float]]) -> WorkResult:
    """One mutant in this worker's copy; without a test that reaches it, it survives."""
    path, outcome, output = mutation.module_path, TestOutcome.SURVIVED, "no test reaches it"
    age = path.stat()
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    with use_mutation(path, operator, mutation.occurrence) as (right, wrong):
        for tests, seconds in filter(itemgetter(0), batches):
            outcome, output = _outcome(tests, 30 + 4 * seconds)
            if outcome != TestOutcome.SURVIVED:
                break
    os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))
    lines = difflib.unified_diff(right.splitlines(), wrong.splitlines(), lineterm="", n=0)
    diff = "\n".join(line for line in list(lines)[2:] if line[0] in "+-")
    return WorkResult(WorkerOutcome.NORMAL, output[-2000:], outcome, diff)


def _outcome(tests: list[str], longest_s: float) -> tuple[TestOutcome, str]:
    """Whether one of some tests fails, or does not end, in a process of its own."""
    Path(REACHING).write_text("\n".join(tests))
    files = sorted({name.split("::")[0] for name in tests})
    child = os.fork()
    if not child:
        os.setsid()
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os._exit(int(pytest.main(["-x", "--tb=line", "--assert=plain", "-p", "reach", *files])))
    end = time.monotonic() + longest_s
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            outcome = TestOutcome.KILLED if status else TestOutcome.SURVIVED
            return outcome, Path("output.txt").read_text(errors="replace")
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TestOutcome.KILLED, "does not end"


def _line(mutation: MutationSpec, result: WorkResult) -> str:
    line, column = mutation.start_pos
    outcome = result.test_outcome.value if result.test_outcome else "not run"
    text = f"{outcome} {mutation.module_path}:{line}:{column} {mutation.operator_name}"
    return f"{text}\n{result.diff}" if outcome == "survived" else text


# What is said of them.


def report(work: Path, items: list[WorkItem]) -> int:
    """Killed of all, and every survivor with its difference; 1 where too many survived."""
    with use_db(str(work / "session.sqlite"), WorkDB.Mode.open) as session:
        results = dict(session.results)
    missing = sum(item.job_id not in results for item in items)
    known = {_named(entry) for entry in tomllib.loads(EQUIVALENT.read_text())["equivalent"]}
    by_module: Counter[tuple[str, str]] = Counter()
    for item in sorted(items, key=lambda item: str(item.mutations[0])):
        result = results.get(item.job_id)
        if result is None:
            continue
        mutation = item.mutations[0]
        kind = "killed"
        if not result.is_killed:
            kind = "equivalent" if _name(mutation, result) in known else "survived"
            print(f"\n{kind.upper()} {_line(mutation, result)}")
        elif _name(mutation, result) in known:
            print(f"\nlisted as equivalent, but {_line(mutation, result)}\n{result.diff}")
        by_module[str(mutation.module_path), kind] += 1
    print()
    for module in sorted({module for module, _ in by_module}):
        counts = {kind: by_module[module, kind] for kind in ("killed", "survived", "equivalent")}
        print(f"{module:36}" + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    killed, equivalent = (
        sum(count for (_, of), count in by_module.items() if of == kind)
        for kind in ("killed", "equivalent")
    )
    count = max(1, len(items))
    print(
        f"{killed} of {len(items)} killed ({killed / count:.1%}), {equivalent} of the others are"
        f" equivalent ({equivalent / count:.1%}), {missing} not run"
    )
    enough = killed >= KILLED_RATIO * count and equivalent <= EQUIVALENT_RATIO * count
    return 0 if enough and not missing else 1


def _name(mutation: MutationSpec, result: WorkResult) -> tuple[str, str, str]:
    changed = "\n".join(f"{x[0]} {x[1:].strip()}" for x in (result.diff or "").splitlines())
    return str(mutation.module_path), mutation.operator_name, changed


def _named(entry: dict[str, str]) -> tuple[str, str, str]:
    return entry["module"], entry["operator"], entry["change"].strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--survivors", action="store_true", help="run survivors again, no others")
    parser.add_argument("--quick", action="store_true", help="leave out the longest tests")
    parser.add_argument("--list", action="store_true", help="only list what the session holds")
    options = parser.parse_args()
    os.chdir(ROOT)
    work = ROOT / ".mutants"
    work.mkdir(exist_ok=True)
    state, path = work / "state.json", work / "session.sqlite"
    if not options.list:
        then = json.loads(state.read_text()) if state.exists() else {}
        now = {"draw": [SEED, DRAWN, *MODULES], "sources": _sources(), "tests": _tests()}
        if then != now and not (options.survivors and {**then, "tests": now["tests"]} == now):
            path.unlink(missing_ok=True)
        state.write_text(json.dumps(now))
    with use_db(str(path), WorkDB.Mode.create) as session:
        if not session.num_work_items:
            names = [Path("simulator") / f"{name}.py" for name in MODULES]
            session.add_work_items(drawn(names, DRAWN))
        items = sorted(session.work_items, key=lambda item: item.job_id)
    if not options.list:
        run(work, items, _reach(work), again=options.survivors, quick=options.quick)
    return report(work, items)


if __name__ == "__main__":
    sys.exit(main())
