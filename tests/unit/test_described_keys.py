"""Is every key of every YAML described, in words that say more than its name does?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from simulator import catalog, hardware_schema
from simulator.exploration.spec import SweepSpec
from simulator.hardware.schema import schema_of
from simulator.hardware.yaml_file import read
from simulator.training import choices
from simulator.training.networks import NETWORKS
from simulator.training.recipes import RECIPES
from simulator.training.spec import TrainSpec
from simulator.training.tasks import TASKS

REPOSITORY = Path(__file__).parents[2]

SCHEMAS = {
    "machine": hardware_schema(),
    "sweep": schema_of(SweepSpec),
    "recipe": schema_of(TrainSpec),
}

LEAST_WORDS = 6
LEAST_NEW_WORDS = 3
"""Of a description, those that the key does not say already, and that are no filling."""

FILLING = {"a", "an", "and", "are", "as", "at", "by", "for", "from", "in", "is", "it", "of", "on",
           "or", "per", "that", "the", "this", "to", "what", "which"}  # fmt: skip


def sections() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping whose keys are the program's: the whole file, and its parts."""
    for kind, schema in SCHEMAS.items():
        yield kind, schema
        for name, section in schema.get("$defs", {}).items():
            yield f"{kind}.{name}", section


def keys(schema: Any, where: str) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    """Every key that a schema knows, however deep, but for what it refers to."""
    if isinstance(schema, list):
        for part in schema:
            yield from keys(part, where)
    elif isinstance(schema, dict):
        for key, value in schema.get("properties", {}).items():
            yield f"{where}.{key}", (key, value)
            yield from keys(value, f"{where}.{key}")
        for word in ("anyOf", "allOf", "items", "additionalProperties"):
            yield from keys(schema.get(word), where)


SECTIONS = dict(sections())
KEYS = dict(key for name, section in SECTIONS.items() for key in keys(section, name))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def repeats(key: str, text: str) -> bool:
    """Whether a text says little more than the key does."""
    return len({*words(text)} - {*words(key)} - FILLING) < LEAST_NEW_WORDS


def test_there_are_keys_of_all_three_files_to_ask_for() -> None:
    parts = {name.split(".")[0] for name in KEYS}
    assert parts == set(SCHEMAS)
    assert {"machine.Core.count", "sweep.Axis.step", "recipe.seeds"} <= set(KEYS)
    assert {"recipe.recipes.iterative.ramp", "recipe.network.mlp.width"} <= set(KEYS)


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_described_in_words_that_are_not_its_own(name: str) -> None:
    key, value = KEYS[name]
    text = value.get("description", "")
    assert len(words(text)) >= LEAST_WORDS, text
    assert not repeats(key, text), text
    assert text.endswith("."), text


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_is_described(name: str) -> None:
    text = SECTIONS[name]["description"]
    assert len(words(text)) >= LEAST_WORDS, text
    assert not repeats(name.split(".")[-1], text), text
    assert "\n" not in text


def test_every_choice_of_recipes_and_every_parameter_is_described_and_nothing_else_is() -> None:
    tables = (TASKS, NETWORKS, RECIPES)
    assert set(choices.ABOUT) == {name for table in tables for name in table}
    kinds = [kind for table in tables for kind in table.values()]
    assert set(choices.MEANINGS) == {name for kind in kinds for name in kind.parameters}


def test_what_only_repeats_its_key_is_told_apart() -> None:
    assert repeats("bytes_per_cycle", "The bytes of it per cycle.")
    assert not repeats("bytes_per_cycle", "Peak bandwidth of the port to L2.")


NEWER = {"prefixItems", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems",
         "minContains", "maxContains", "$dynamicRef", "$anchor"}  # fmt: skip
"""What draft 7 does not know, the newest that yaml-language-server reads."""


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            yield from parts(part)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_one_that_editors_know(kind: str) -> None:
    Draft7Validator.check_schema(SCHEMAS[kind])
    for part in parts(SCHEMAS[kind]):
        assert NEWER.isdisjoint(part)
        assert "$ref" not in part or len(part) == 1, part


def wrong(kind: str, data: Any) -> list[str]:
    errors = Draft7Validator(SCHEMAS[kind]).iter_errors(data)
    return [f"{error.json_path}: {error.message}" for error in errors]


@pytest.mark.parametrize("path", ["notebooks/fashion.yaml", "tests/training/digits.yaml"])
def test_the_schema_of_recipes_accepts_those_of_this_repository(path: str) -> None:
    assert wrong("recipe", read(REPOSITORY / path).data) == []


@pytest.mark.parametrize("path", catalog.presets("configs", ".yaml").values(), ids=lambda p: p.stem)
def test_the_schema_of_machines_accepts_every_preset(path: Path) -> None:
    assert wrong("machine", read(path).data) == []


SWEEPS: dict[str, dict[str, Any]] = {
    "shortest": {"hardware": "nm-edge", "workloads": "resnet50"},
    "short forms": {
        "hardware": "nm-edge",
        "workloads": ["resnet50", {"workload": "bert-base", "parameters": {"batch": 8}}],
        "patterns": "2:4",
        "stack": "fused",
        "parameters": {"core.count": [4, 8], "memory.l2.start": "cold"},
        "constraints": "core.count <= 8",
    },
    "ranges, lists, nulls": {
        "hardware": "nm-edge",
        "workloads": [{"workload": "bert-base", "parameters": {"seq": [128, 384]}}],
        "patterns": ["1:1", None],
        "parameters": {"clock_hz": {"start": 10**9, "stop": 2 * 10**9, "step": 10**8}},
        "sample": {"points": 9},
        "baseline": None,
        "search": {"algorithm": "tpe", "objectives": ["time_ns", "area_mm2"]},
    },
}


@pytest.mark.parametrize("name", SWEEPS)
def test_the_schema_of_sweeps_accepts_what_is_read(name: str) -> None:
    SweepSpec.load(SWEEPS[name])
    assert wrong("sweep", SWEEPS[name]) == []


RECIPE: dict[str, Any] = {"task": "digits", "network": "mlp", "epochs": 1, "recipes": "dense"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"seeds": 4, "dense": "head", "channels": 0.5, "patterns": "2:4"},
        {"task": {"fashion": {"path": "x"}}, "recipes": ["dense", {"sr_ste": {"decay": 0.1}}]},
        {"seeds": [3, 5], "learning_rate": 0.2, "batch": None},
        {"task": "mine:data", "network": "mine:build", "recipes": {"iterative": None}},
    ],
)
def test_the_schema_of_recipes_accepts_what_is_read(given: dict[str, Any]) -> None:
    TrainSpec.load(RECIPE | given)
    assert wrong("recipe", RECIPE | given) == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("sweep", {"workloads": "resnet50"}),
        ("sweep", {"hardware": "nm-edge", "workloads": "resnet50", "samples": 3}),
        ("sweep", {"hardware": "nm-edge", "workloads": [{"workload": "a", "batch": 8}]}),
        ("recipe", RECIPE | {"channels": [1.5]}),
        ("recipe", RECIPE | {"recipe": "dense"}),
        ("recipe", RECIPE | {"seeds": 0}),
        ("recipe", RECIPE | {"recipes": ["rewound"]}),
        ("recipe", RECIPE | {"recipes": [{"iterative": {"rampp": 0.5}}]}),
        ("recipe", RECIPE | {"network": {"mlp": {"width": 32}, "patch-cnn": {}}}),
        ("machine", {"core": {"vector": {"macs_per_cycle": {"fp32": "64"}}}}),
    ],
)
def test_a_schema_rejects_what_is_not_read(kind: str, data: dict[str, Any]) -> None:
    assert wrong(kind, data)
