"""``SweepSpec -> Plan``: everything read and checked, before anything is run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

from simulator.errors import CombinationError, ConfigError, SimulatorError, SpecError, did_you_mean
from simulator.exploration.constraints import Constraint
from simulator.exploration.space import (
    Settings,
    Space,
    check_size,
    few_of,
    is_continuous,
)
from simulator.exploration.spec import SweepSpec, WorkloadChoice
from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.run.simulate import ENGINES
from simulator.sparsity import asked_name, parse_asked
from simulator.store.digest import code_digest
from simulator.workload import Workload
from simulator.workload.stack import stack_of

ORIGIN = "parameters"
CHECKED_VALUES = 1000
"""So many values of an axis are tried on the base machine before a sweep starts."""

MODEL = frozenset(
    ("engine", "exploration/row", "hardware", "jit", "report", "run", "schedule", "sparsity",
     "traffic", "units", "weights", "workload")
)  # fmt: skip
"""What computes the figures of a row: folders and modules, whose edit makes a row another.

Importers are none of it: they make layers, and a key has the layers themselves.
"""

_LACKING = (("accumulate", False), ("epilogue", ()), ("inputs", ()))
"""Fields of layers, as they are where a layer lacks what came to layers later: digests, and with
them what stores hold of such layers, stay as they were."""


@dataclass(frozen=True)
class Point:
    """One simulation: settings of the base machine, a workload by its number, a stack, a pattern.

    ``setup`` is the SHA-256 of all that decides its figures but the pattern, ``key`` of that and
    the pattern.
    """

    settings: Settings
    workload: int
    stack: str
    pattern: str | None
    setup: bytes
    key: bytes


@dataclass(frozen=True)
class Shared:
    """What all points of a sweep share; it travels to the workers."""

    base: Hardware
    workloads: tuple[Workload, ...]
    engine: str
    accuracy: str
    library: str | None = None
    """One of the base machine's for all layers; None: as the machine chooses."""


@dataclass(frozen=True)
class Plan:
    """A sweep that can run."""

    shared: Shared
    patterns: tuple[str | None, ...]
    space: Space
    stacks: tuple[str, ...] = ()
    """Those that the spec names; without any, each workload's own."""
    baseline: str | None = None
    """The pattern that the spec compares with, if it names one, ``trace`` among them."""

    @cached_property
    def _digests(self) -> tuple[str, ...]:
        return tuple(_digest(workload) for workload in self.shared.workloads)

    @property
    def combinations(self) -> int:
        """Points that every setting gives: workloads times stacks times patterns."""
        return len(self.shared.workloads) * max(1, len(self.stacks)) * len(self.patterns)

    def count(self) -> int:
        """Points in all, those that constraints drop apart."""
        if not self.space.constraints:
            return self.space.size * self.combinations
        return sum(1 for _ in self.space) * self.combinations

    def points(self) -> Iterator[Point]:
        """In order of the spec: points of one machine follow each other."""
        for settings in self.space:
            yield from self.points_at(settings, self.patterns)

    def points_at(self, settings: Settings, patterns: tuple[str | None, ...]) -> Iterator[Point]:
        """Every workload, stack and pattern at one setting."""
        settings, machine = _resolved(self.shared.base, settings)
        for (number, digest), stack in self._run:
            what = (digest, stack, self.shared.engine, self.shared.accuracy, code_digest(MODEL))
            named = () if self.shared.library is None else (self.shared.library,)
            setup = _sha256((machine + json.dumps((*what, *named))).encode())
            for pattern in patterns:
                key = _sha256(setup + json.dumps(pattern).encode())
                yield Point(settings, number, stack, pattern, setup, key)

    @property
    def _run(self) -> Iterator[tuple[tuple[int, str], str]]:
        """The number and the digest of every workload, with every stack that it is run as."""
        for number, digest in enumerate(self._digests):
            for stack in self.stacks or (self.shared.workloads[number].stack,):
                yield (number, digest), stack


def plan_of(spec: SweepSpec, *, sampled: bool = False) -> Plan:
    """Read what a spec names and check it.

    Parameters
    ----------
    sampled : bool
        For a search, which draws its points itself: ranges need no steps, a grid may be huge.

    Raises
    ------
    SimulatorError
        SpecError, ConfigError or WorkloadError, with the place in the spec that caused it.
    """
    if spec.engine not in ENGINES:
        hint = did_you_mean(spec.engine, ENGINES)
        raise SpecError(spec.where("engine"), "unknown engine", got=spec.engine, hint=hint)
    base = _base(spec)
    workloads = tuple(w for i, c in enumerate(spec.workloads) for w in _workloads(spec, i, c))
    _refuse_twice([w.name for w in workloads], spec.where("workloads"), "workload")
    patterns = _patterns(spec)
    _check_stacks(spec)
    flat = _flat(base.model_dump(mode="json"))
    for key in spec.parameters:
        if key in spec.settings:
            raise SpecError(spec.where("parameters", key), "stands under settings, too")
        for value in _tried(spec, key, sampled):
            _check_value(spec, base, key, value)
    space = Space(dict(spec.parameters), _constraints(spec, flat), spec.sample, flat)
    if not sampled:
        combinations = len(workloads) * max(1, len(spec.stack)) * len(patterns)
        check_size(space, combinations, spec.where("parameters"))
    shared = Shared(base, workloads, spec.engine, spec.accuracy)
    return Plan(shared, patterns, space, spec.stack, _baseline(spec, patterns))


def _base(spec: SweepSpec) -> Hardware:
    name = _beside(spec, spec.hardware)
    try:
        base = load_hardware(name)
    except ConfigError as error:
        if isinstance(name, str) and error.where == name:  # no such machine
            raise SpecError(spec.where("hardware"), error.what, got=name, hint=error.hint) from None
        raise
    origins = {key: spec.where("settings", key).rsplit(" ", 1)[0] for key in spec.settings}
    return load_hardware(base, spec.settings, origins)


def _beside(spec: SweepSpec, name: Any) -> Any:
    """A file beside the spec goes before one of the same name elsewhere."""
    if isinstance(name, str) and spec.folder is not None and (spec.folder / name).is_file():
        return spec.folder / name
    return name


def _workloads(spec: SweepSpec, index: int, choice: WorkloadChoice) -> Iterator[Workload]:
    """One a combination of parameters, and named after them."""
    name = _beside(spec, choice.workload)
    for values in product(*choice.parameters.values()):
        parameters = dict(zip(choice.parameters, values, strict=True))
        try:
            workload = load_workload(name, **parameters)
        except SimulatorError as error:
            raise type(error)(spec.where("workloads", index), str(error)) from None
        if parameters:
            said = ",".join(f"{key}={value}" for key, value in parameters.items())
            workload = replace(workload, name=f"{workload.name}[{said}]")
        yield workload


def _patterns(spec: SweepSpec) -> tuple[str | None, ...]:
    patterns: list[str | None] = []
    for index, pattern in enumerate(spec.patterns):
        try:
            asked = parse_asked(pattern)
        except SimulatorError as error:
            raise SpecError(spec.where("patterns", index), str(error)) from None
        patterns.append(None if asked is None else str(asked))
    _refuse_twice([asked_name(pattern) for pattern in patterns], spec.where("patterns"), "pattern")
    return tuple(patterns)


def _check_stacks(spec: SweepSpec) -> None:
    for index, name in enumerate(spec.stack):
        stack_of(name, spec.where("stack", index), SpecError)
    _refuse_twice([*spec.stack], spec.where("stack"), "stack")


def _baseline(spec: SweepSpec, patterns: tuple[str | None, ...]) -> str | None:
    if spec.baseline is None:
        return None
    try:
        pattern = asked_name(parse_asked(spec.baseline))
    except SimulatorError as error:
        raise SpecError(spec.where("baseline"), str(error)) from None
    names = [asked_name(one) for one in patterns]
    if pattern not in names:
        where, hint = spec.where("baseline"), did_you_mean(pattern, names)
        raise SpecError(where, "is none of the patterns", got=pattern, hint=hint)
    return pattern


def _refuse_twice(names: list[Any], where: str, what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise SpecError(where, f"the same {what} twice", got=name)


def _tried(spec: SweepSpec, key: str, sampled: bool) -> list[Any]:
    """Values of an axis to try on the base machine: all, or the ends of what is long."""
    axis = spec.parameters[key]
    if is_continuous(axis) and not sampled and spec.sample is None:
        raise SpecError(
            spec.where("parameters", key),
            "a grid needs steps between start and stop",
            want="step or factor",
            hint="a sample or a search does without",
        )
    return few_of(axis, CHECKED_VALUES)


def _check_value(spec: SweepSpec, base: Hardware, key: str, value: object) -> None:
    """Refuse a key that no machine has, and a value that it can have on none.

    What only fails together with other values is an error of single points.
    """
    try:
        load_hardware(base, {key: value}, ORIGIN)
    except CombinationError:
        return
    except ConfigError as error:
        about = error.where.rsplit(" ", 1)[-1]
        unknown = error.what == "unknown key" and key.startswith(f"{about}.")
        if unknown or about == key or about.startswith(f"{key}."):
            where = spec.where("parameters", key)
            raise SpecError(where, error.what, got=error.got, hint=error.hint) from None


def _constraints(spec: SweepSpec, flat: Mapping[str, Any]) -> tuple[Constraint, ...]:
    constraints = []
    for index, text in enumerate(spec.constraints):
        constraint = Constraint.parse(text, spec.where("constraints", index))
        for key in constraint.keys:
            if key not in flat and key not in spec.parameters:
                hint = did_you_mean(key, flat)
                raise SpecError(constraint.where, f"unknown key '{key}'", got=text, hint=hint)
        constraints.append(constraint)
    return tuple(constraints)


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _resolved(base: Hardware, settings: Settings) -> tuple[Settings, str]:
    """Settings as the machine takes them (64 and 64.0 are one), and the whole machine as text."""
    try:
        machine = load_hardware(base, settings, ORIGIN)
    except SimulatorError:
        return settings, json.dumps([base.model_dump_json(), settings], default=str)
    return {key: _value_at(machine, key) for key in settings}, machine.model_dump_json()


def _value_at(machine: Hardware, key: str) -> Any:
    node: Any = machine
    for part in key.split("."):
        if node is None:  # the key, or a section above it, was taken away
            return None
        node = node.get(part) if isinstance(node, dict) else getattr(node, part)
    return list(node) if isinstance(node, tuple) else node


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _digest(workload: Workload) -> str:
    """Of a workload's name and layers; what most layers lack is left out of theirs."""
    layers = [
        (type(layer).__name__, {k: v for k, v in asdict(layer).items() if (k, v) not in _LACKING})
        for layer in workload.layers
    ]
    text = json.dumps([workload.name, layers], default=str)
    return hashlib.sha256(text.encode()).hexdigest()
