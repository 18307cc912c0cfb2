"""``TrainSpec -> Plan``: every network that is to be trained, before any is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from simulator.errors import SimulatorError, SpecError
from simulator.hardware import load_hardware
from simulator.sparsity import DENSE as DENSE_PATTERN
from simulator.sparsity import Pattern, Prunable, parse_prunable
from simulator.training.recipes import Recipe
from simulator.training.setup import Setup
from simulator.training.spec import TrainSpec
from simulator.training.timed import Timing
from simulator.training.train import require_torch

THREADS = 1
"""Of a worker: sums are added up in one order, and the cores go to other runs."""


@dataclass(frozen=True)
class Job:
    """One network to train and prune.

    Attributes
    ----------
    key : bytes
        SHA-256 of all that decides its figures.
    """

    recipe: Recipe
    pattern: str
    seed: int
    key: bytes

    @property
    def name(self) -> str:
        """``rewind 2:4, seed 0``."""
        return f"{self.recipe.name} {self.pattern}, seed {self.seed}"

    @property
    def file_name(self) -> str:
        """``rewind-2_4-0.onnx``: recipe, pattern and seed without what a shell would read."""
        parts = (self.recipe.name, self.pattern, str(self.seed))
        return "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", part).strip("_") for part in parts) + ".onnx"


@dataclass(frozen=True)
class Start:
    """The dense network that all jobs of a seed start from."""

    seed: int
    key: bytes


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Attributes
    ----------
    digest : str
        SHA-256 of all that the jobs share: runs of one digest compare.
    jobs : tuple of Job
        In the order in which they are shown.
    timing : Timing or None
        That the networks are timed on.
    """

    setup: Setup
    digest: str
    jobs: tuple[Job, ...]
    timing: Timing | None = None

    @property
    def recipes(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(dict.fromkeys(job.recipe.name for job in self.jobs))

    def start(self, seed: int) -> Start:
        return Start(seed, _key(self.digest, "start", seed))


def plan_of(spec: TrainSpec, timing: Timing | None = None) -> Plan:
    """Read what a spec names and check it.

    Parameters
    ----------
    timing : Timing, optional
        Instead of the one that the spec names.

    Raises
    ------
    SpecError
        With file, line, column and key.
    TrainingError
        If torch is not installed, or the task cannot be read.
    """
    recipes, patterns = _recipes(spec), _patterns(spec)
    cells = [
        (recipe, pattern)
        for pattern in (DENSE_PATTERN, *(p for p in patterns if p != DENSE_PATTERN))
        for recipe in recipes
        if _makes_sense(recipe, pattern, patterns)
    ]
    for index, recipe in enumerate(recipes):
        if recipe not in [used for used, _ in cells]:
            raise SpecError(spec.where("recipes", index), "has no pattern to prune to",
                            got=recipe.name, hint="patterns: [2:4]")  # fmt: skip
    timing = _timing(spec) if timing is None else timing
    torch = torch_version()
    setup = Setup.of(spec.setup, spec.folder or Path(), spec.where)
    digest = hashlib.sha256(json.dumps([setup.digest, torch, THREADS]).encode()).hexdigest()
    jobs = tuple(_jobs(cells, spec.seeds, digest))
    return Plan(setup, digest, jobs, timing)


def _makes_sense(recipe: Recipe, pattern: Prunable, asked: list[Prunable]) -> bool:
    """`dense` knows no pattern; others need one that prunes, or are `dense` by another name.

    Where channels go, a network that is dense beside it is one more to compare, if asked for.
    """
    if recipe.kind == "dense":
        return pattern == DENSE_PATTERN
    if pattern == DENSE_PATTERN:
        return recipe.kind == "channels" and DENSE_PATTERN in asked
    return True


def _jobs(
    cells: list[tuple[Recipe, Prunable]], seeds: tuple[int, ...], digest: str
) -> Iterator[Job]:
    for recipe, pattern in cells:
        for seed in seeds:
            key = _key(digest, recipe.name, str(pattern), seed)
            yield Job(recipe, str(pattern), seed, key)


def _recipes(spec: TrainSpec) -> list[Recipe]:
    """As they were named; `channels` once for each share of channels that is asked for."""
    recipes: list[Recipe] = []
    for index, given in enumerate(spec.recipes):
        where = spec.where("recipes", index)
        recipe = Recipe.parse(given, where)
        some = [recipe]
        if recipe.kind == "channels" and spec.channels:
            if not isinstance(given, str):
                raise SpecError(spec.where("channels"), "are named at the recipe, too")
            some = [Recipe.parse({"channels": {"keep": s}}, where) for s in spec.channels]
        for one in some:
            if one in recipes:
                raise SpecError(where, "the same recipe twice", got=one.name)
            recipes.append(one)
    if spec.channels and not any(recipe.kind == "channels" for recipe in recipes):
        where = spec.where("channels")
        raise SpecError(where, "no recipe takes them", hint="recipes: [dense, rewind, channels]")
    return recipes


def _patterns(spec: TrainSpec) -> list[Prunable]:
    """As they were named; 4:4 is 1:1."""
    patterns: list[Prunable] = []
    for index, text in enumerate(spec.patterns):
        where = spec.where("patterns", index)
        try:
            pattern = parse_prunable(text, where)
        except SimulatorError as error:
            raise SpecError(error.where, error.what, got=error.got, want=error.want,
                            hint=error.hint) from None  # fmt: skip
        if isinstance(pattern, Pattern) and pattern.is_dense:
            pattern = DENSE_PATTERN
        if pattern in patterns:
            raise SpecError(where, "the same pattern twice", got=text)
        patterns.append(pattern)
    return patterns


def _timing(spec: TrainSpec) -> Timing | None:
    """A preset, a file, or a file beside the spec."""
    if spec.simulate is None:
        return None
    beside = (spec.folder or Path()) / spec.simulate
    try:
        machine = load_hardware(beside if beside.is_file() else spec.simulate)
    except SimulatorError as error:
        if error.where != spec.simulate:
            raise
        raise SpecError(spec.where("simulate"), error.what, got=spec.simulate,
                        hint=error.hint) from None  # fmt: skip
    return Timing(machine, spec.samples)


def torch_version() -> str:
    """Part of every key, since another one may add up in another order.

    Raises
    ------
    TrainingError
        If torch is not installed.
    """
    require_torch()
    return version("torch")


def _key(*parts: object) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()
