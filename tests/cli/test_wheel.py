"""Does the source archive hold the project, and the wheel made of it its presets and no more?"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from simulator import __version__

REPOSITORY = Path(__file__).parents[2]

LOAD_PRESETS = """
import simulator
from simulator import catalog, load_hardware, load_workload, simulate
print(simulator.__file__)
print(*[load_hardware(name).name for name in catalog.presets("configs", ".yaml")])
print(*[load_workload(name).name for name in catalog.presets("workloads", ".csv")])
print(simulate("nm-edge", "gemm:128x128x512", "2:4", engine="reference").layers[0].executed_as)
from simulator.cli.schemas import SCHEMAS, text_of
kept = catalog.folder("configs") / "schemas"
print(*[name for name in SCHEMAS if text_of(name) == (kept / f"{name}.schema.json").read_text()])
print(simulate("nm-edge", "gemm:128x128x512", "2:4", engine="reference").to_html()[:15])
"""


def _python(*arguments: str | Path, **options: object) -> str:
    """Run this Python; its standard error is shown if it fails."""
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


DISTRIBUTIONS = {"ruamel": "ruamel-yaml", "pydantic_core": "pydantic", "sklearn": "scikit-learn"}
"""Distributions whose modules have another name, or that bring another one of their own."""


def _imported(package: Path) -> Iterator[str]:
    """Distributions that the package imports, wherever in its files."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names and top != package.name:
                    yield DISTRIBUTIONS.get(top, top)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive."""
    target = tmp_path_factory.mktemp("source")
    _python("-m", "hatchling", "build", "-t", "sdist", "-d", target, cwd=REPOSITORY)
    (archive,) = target.iterdir()
    return archive


@pytest.mark.slow
def test_the_source_archive_holds_every_file(source: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert listed.returncode == 0, "not a checkout: what should be in the archive?"
    kept = {line for line in listed.stdout.splitlines() if not line.startswith(".")}
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in kept if (REPOSITORY / name).exists()} - held == set()


@pytest.mark.slow
def test_an_installed_wheel_finds_its_presets(source: Path, tmp_path: Path) -> None:
    wheels, target, empty = tmp_path / "wheels", tmp_path / "target", tmp_path / "empty"
    empty.mkdir()
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels]
    _python(*pip, *build, source)
    (wheel,) = wheels.iterdir()
    _python(*pip, "install", "--no-deps", "--target", target, wheel)

    environment = {**os.environ, "PYTHONPATH": str(target), "PYTHONSAFEPATH": "1"}
    lines = _python("-c", LOAD_PRESETS, cwd=empty, env=environment).splitlines()
    assert Path(lines[0]) == target / "simulator" / "__init__.py"
    for line, folder in ((lines[1], "configs"), (lines[2], "workloads")):
        files = [path for path in (REPOSITORY / folder).iterdir() if path.is_file()]
        assert set(line.split()) == {path.stem for path in files}
    assert lines[3] == "2:4"
    assert lines[4] == "machine sweep recipe"
    assert lines[5] == "<!DOCTYPE html>"  # its style and scripts came along
    assert (target / "simulator" / "py.typed").is_file()

    parts = {part for path in target.rglob("*") for part in path.relative_to(target).parts}
    assert not {"tests", "notebooks", "conftest.py", "pyproject.toml"} & parts
    top = {path.name for path in target.iterdir()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"simulator", "bin"}

    (metadata,) = target.glob("*.dist-info")
    requires = PathDistribution(metadata).requires or []
    # An extra that users ask for by name is imported where it is needed, and only there.
    requires = [one for one in requires if "extra == 'dev'" not in one.replace('"', "'")]
    names = [re.split(r"[^\w.-]", one)[0] for one in requires]
    normalized = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
    assert set(_imported(target / "simulator")) - normalized == set()


def test_the_version_has_one_source() -> None:
    """Of other files only the citation repeats it."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "simulator/version.py"
    assert f"\nversion: {__version__}\n" in (REPOSITORY / "CITATION.cff").read_text()


def _named_extras() -> Iterator[tuple[str, str]]:
    """Extras that documents and messages name, and where."""
    folders = [REPOSITORY / name for name in ("docs", "simulator", "notebooks")]
    paths = [path for folder in folders for path in folder.rglob("*")]
    for path in [*REPOSITORY.glob("*.md"), REPOSITORY / "Makefile", *paths]:
        if path.suffix in (".md", ".py", ".ipynb", "") and path.is_file():
            for extras in re.findall(r"(?:nmsim|-e \"?\.|\"\.)\[([\w,]+)\]", path.read_text()):
                yield from ((extra, path.name) for extra in extras.split(","))


def test_every_extra_that_is_named_exists() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    named = set(_named_extras())
    assert {"onnx", "quality", "train", "search", "dev"} <= {extra for extra, _ in named}
    known = project["project"]["optional-dependencies"]
    assert {(extra, where) for extra, where in named if extra not in known} == set()
