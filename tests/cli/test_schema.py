"""Does `nmsim schema` give editors what they need, and do the files here name it?"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from test_cli import Nmsim, fine, nmsim

from simulator import catalog
from simulator.cli.schemas import SCHEMAS, text_of

__all__ = ["nmsim"]  # the fixture

REPOSITORY = Path(__file__).parents[2]
KEPT = REPOSITORY / "configs" / "schemas"
NAMES = {f"{name}.schema.json" for name in ("machine", "sweep", "recipe")}
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
WRITTEN = [*(REPOSITORY / "configs").glob("*.yaml"), REPOSITORY / "tests/training/digits.yaml"]


@pytest.mark.parametrize("name", [None, "machine", "sweep", "recipe"])
def test_a_schema_is_printed(nmsim: Nmsim, name: str | None) -> None:
    text = fine(nmsim("schema", *filter(None, [name]))).text
    assert text == text_of(name or "machine")
    Draft7Validator.check_schema(json.loads(text))


def test_schemas_are_written_into_a_folder_that_is_there(nmsim: Nmsim) -> None:
    Path("schemas").mkdir()
    assert fine(nmsim("schema", "--write", "schemas")).text == ""
    assert {path.name for path in Path("schemas").iterdir()} == NAMES
    for name in SCHEMAS:
        assert Path(f"schemas/{name}.schema.json").read_text() == text_of(name)


def test_one_schema_is_written(nmsim: Nmsim) -> None:
    Path("sweep.schema.json").write_text("of an older version")
    fine(nmsim("schema", "sweep", "--write", "."))
    assert [path.name for path in Path().iterdir()] == ["sweep.schema.json"]
    assert Path("sweep.schema.json").read_text() == text_of("sweep")


def refused(nmsim: Nmsim, *arguments: str) -> str:
    ended = nmsim("schema", *arguments)
    assert (ended.code, ended.text) == (2, "")
    assert ended.err.count("\n") == 1
    return ended.err


def test_a_folder_that_is_not_there_is_refused(nmsim: Nmsim) -> None:
    assert "--write schemas: no such folder" in refused(nmsim, "--write", "schemas")
    assert list(Path().iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(nmsim: Nmsim) -> None:
    Path("schemas").write_text("mine")
    assert "--write schemas: is a file, want a folder" in refused(nmsim, "--write", "schemas")
    assert Path("schemas").read_text() == "mine"


def test_a_folder_in_the_place_of_a_file_is_refused_before_any_is_written(nmsim: Nmsim) -> None:
    Path("sweep.schema.json").mkdir()
    assert "sweep.schema.json: is a folder" in refused(nmsim, "--write", ".")
    assert [path.name for path in Path().iterdir()] == ["sweep.schema.json"]


def test_a_folder_that_may_not_be_written_to_is_refused(
    nmsim: Nmsim, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("schemas").mkdir()
    # The superuser may write anywhere.
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    assert "--write schemas: is not writable" in refused(nmsim, "--write", "schemas")


def test_what_no_folder_can_be_called_is_refused(nmsim: Nmsim) -> None:
    assert "--write" in refused(nmsim, "--write", "x" * 5000)


def test_an_unknown_schema_is_refused_with_a_hint(nmsim: Nmsim) -> None:
    text = refused(nmsim, "recipes", "--write", ".")
    assert "schema: no such schema, got 'recipes' (did you mean 'recipe'?)" in text
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_that_are_kept_are_those_of_the_code(name: str) -> None:
    """`nmsim schema --write configs/schemas` writes them anew."""
    assert (KEPT / f"{name}.schema.json").read_text() == text_of(name)
    assert {path.name for path in KEPT.iterdir()} == NAMES


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_a_file_names_its_schema_in_its_first_line(path: Path) -> None:
    found = MODELINE.match(path.read_text())
    assert found, "no comment that yaml-language-server reads"
    named = (path.parent / found[1]).resolve()
    kind = "machine" if path.parent.name == "configs" else "recipe"
    assert named == KEPT / f"{kind}.schema.json"


def test_schemas_are_no_machines() -> None:
    assert "schemas" not in catalog.presets("configs", ".yaml")
