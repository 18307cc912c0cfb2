"""Does a store forget what an older model computed, and nothing else?"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.exploration.plan import MODEL
from simulator.store.digest import PACKAGE, code_digest

NO_FIGURES = {
    "catalog": "finds the files of presets",
    "colours": "of figures, in pictures and pages",
    "described": "says what figures are",
    "errors": "what is raised",
    "frozen": "dictionaries that do not change",
    "importers": "make layers, and a key has the layers",
    "names": "what may be a name",
    "pages": "show figures",
    "pictures": "draw figures",
    "quantities": "write figures for people",
    "version": "is in every digest",
}
"""Parts that a simulation imports and that decide nothing about a row."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, to be edited."""
    copy = tmp_path_factory.mktemp("package") / "simulator"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def changes(package: Path, name: str) -> bool:
    """Whether one more line in a file, which may be new, changes the digest."""
    before = digest_of(package)
    path = package / name
    was = path.read_text() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{was or ''}# edited\n")
    try:
        return digest_of(package) != before
    finally:
        path.unlink() if was is None else path.write_text(was)


def digest_of(package: Path) -> str:
    return code_digest.__wrapped__(MODEL, package)


@pytest.mark.parametrize(
    "name",
    [
        "engine/fast.py",
        "engine/new.py",
        "exploration/row.py",
        "hardware/area.py",
        "jit.py",
        "report/report.py",
        "run/simulate.py",
        "schedule/timing.py",
        "sparsity.py",
        "units.py",
        "weights/masks.py",
        "workload/lowering.py",
    ],
)
def test_an_edit_of_the_model_changes_the_digest(name: str, whole: Path) -> None:
    assert changes(whole, name)


@pytest.mark.parametrize(
    "name",
    ["cli/tables.py", "exploration/sweep.py", "importers/onnx_model.py", "validation/gemms.py",
     "quality/new.py", "new.py", "engine/notes.txt"],
)  # fmt: skip
def test_an_edit_elsewhere_does_not(name: str, whole: Path) -> None:
    assert not changes(whole, name)


def test_a_copy_of_the_package_has_its_digest(whole: Path) -> None:
    assert digest_of(whole) == code_digest(MODEL)


def test_whatever_a_simulation_imports_is_of_the_model_or_computes_nothing() -> None:
    """However late it is imported."""
    found: dict[str, str] = {}
    left = [("simulator.run.simulate", ""), ("simulator.hardware.area", "")]
    while left:
        name, by = left.pop()
        if name not in found:
            found[name] = by
            left += [(other, name) for other in imported_by(name)]
    assert len(found) > 40  # else nothing was found out
    parts = {name.split(".")[1]: f"{name}, imported by {by}" for name, by in found.items()}
    unnamed = {part: how for part, how in parts.items() if part not in MODEL | NO_FIGURES.keys()}
    assert unnamed == {}
    assert MODEL.isdisjoint(NO_FIGURES)


def imported_by(name: str) -> Iterator[str]:
    """Modules of the package that a module imports, in functions, too."""
    for node in ast.walk(ast.parse(source_of(name).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("simulator."):
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                yield deeper if is_module(deeper) else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("simulator."))


def source_of(name: str) -> Path:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def is_module(name: str) -> bool:
    return source_of(name).exists()
