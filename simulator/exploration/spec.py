"""``YAML -> SweepSpec``: what to vary, on which machine, for which workloads and patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from simulator.hardware import Hardware
from simulator.hardware.schema import NUMBER, TEXT, Also
from simulator.hardware.section import Section
from simulator.hardware.written import Written
from simulator.workload import Workload

MAX_POINTS = 10**6


def _is_number(given: object) -> object:
    if isinstance(given, int | float) and type(given) is not bool and abs(given) < 1e18:
        return given
    raise ValueError("must be a number")


def _names(*kinds: type) -> PlainValidator:
    """A name, or an object that it could have named: an error says one thing, not one a kind."""

    def check(given: object) -> object:
        if isinstance(given, (str, Path, *kinds)):
            return given
        raise ValueError("must be a name or a file")

    return PlainValidator(check)


Number = Annotated[int | float, PlainValidator(_is_number), WithJsonSchema(NUMBER)]


SHORT_AXES: Final = ({"type": "array"}, {"type": ["number", "string", "boolean"]})
"""How the values of an axis may be written besides: a list of them, or the only one."""


class Axis(Section):
    """The values of one key: a list; or from ``start`` to ``stop``, both included.

    With ``step`` they are added up, with ``factor`` multiplied. With neither, any value between
    may be drawn, which only a sample or a search can do.
    """

    values: tuple[Any, ...] | None = Field(
        None, description="All values, in their order; a bare list means the same."
    )
    start: Number | None = Field(None, description="The first value of a range, with stop.")
    stop: Number | None = Field(
        None, description="The end of a range, part of it where its steps arrive there."
    )
    step: Number | None = Field(
        None, description="What is added from one value to the next, above 0."
    )
    factor: Number | None = Field(
        None, description="By what each value is multiplied for the next, above 1."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: object) -> object:
        given = _plain(given)
        if isinstance(given, Mapping | Axis):
            return given
        return {"values": given if isinstance(given, list) else [given]}

    @model_validator(mode="after")
    def _one_form(self) -> Axis:
        if self.values is not None:
            self._check_list(self.values)
        else:
            self._check_range()
        return self

    def _check_list(self, values: tuple[Any, ...]) -> None:
        if any(part is not None for part in (self.start, self.stop, self.step, self.factor)):
            raise ValueError("want a list of values or a range, not both")
        if not values:
            raise ValueError("has no values")
        for value in values:
            if isinstance(value, dict):
                raise ValueError("a value cannot be a mapping: write keys dotted, as core.count")
        if len({repr(value) for value in values}) < len(values):
            raise ValueError("the same value twice")

    def _check_range(self) -> None:
        if self.start is None or self.stop is None:
            raise ValueError("want a list of values, or a range with start and stop")
        if self.stop < self.start:
            raise ValueError(f"stop {self.stop} is below start {self.start}: nothing to try")
        if self.step is not None and self.factor is not None:
            raise ValueError("want step or factor, not both")
        if self.step is not None and self.step <= 0:
            raise ValueError("step must be above 0")
        if self.factor is not None and (self.factor <= 1 or self.start <= 0):
            raise ValueError("factor must be above 1, and start above 0")


class Sample(Section):
    """So many points of a Latin hypercube instead of the whole grid."""

    points: Annotated[int, Field(ge=1, le=MAX_POINTS, strict=True)] = Field(
        description="Machines that are drawn; those that constraints refuse are dropped."
    )
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)] = Field(
        0, description="Of the draw: the same one gives the same points."
    )


class WorkloadChoice(Section):
    """A workload, and values of its parameters; where lists are given, every combination."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    workload: Annotated[str | Path | Workload, _names(Workload), WithJsonSchema(TEXT)] = Field(
        description="A preset, a file (layer trace, ONNX model, config.json, profiler trace), or "
        "gemm:MxNxK."
    )
    parameters: dict[str, Annotated[tuple[int, ...], Also({"type": "integer"})]] = Field(
        {}, description="Values of what the trace leaves open, such as batch; one or a list each."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: object) -> object:
        return given if isinstance(given, Mapping | WorkloadChoice) else {"workload": given}

    @field_validator("parameters", mode="before")
    @classmethod
    def _lists(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        plain = {name: _plain(value) for name, value in given.items()}
        for name, value in plain.items():
            if value == []:
                raise ValueError(f"{name}: name at least one value")
        return {n: value if isinstance(value, list) else [value] for n, value in plain.items()}


class Search(Section):
    """How `nmsim search` looks for good points instead of trying all."""

    algorithm: Literal["nsga2", "tpe"] = Field(
        "nsga2",
        description="Which sampler of Optuna draws trials: a genetic one, or tree-structured "
        "Parzen estimators.",
    )
    objectives: tuple[Literal["time_ns", "energy_pj", "area_mm2"], ...] = Field(
        ("time_ns", "energy_pj"),
        min_length=1,
        description="Figures to make small, all at once; time and energy are sums over workloads.",
    )
    trials: Annotated[int, Field(ge=1, le=MAX_POINTS, strict=True)] = Field(
        200, description="Machines and patterns that are tried in all."
    )
    batch: Annotated[int, Field(ge=2, le=1000, strict=True)] = Field(
        20, description="Trials evaluated at a time, and a generation of nsga2."
    )
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)] = Field(
        0, description="Of all draws: the same one tries the same points."
    )

    @field_validator("objectives")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("the same objective twice")
        return value


class SweepSpec(Written):
    """A base machine, what varies, and how the points are picked."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    called: ClassVar[str] = "spec"
    kind: ClassVar[str] = "sweep"

    hardware: Annotated[str | Path | Hardware, _names(Hardware), WithJsonSchema(TEXT)] = Field(
        description="The base machine of all points: a preset, or a YAML file."
    )
    settings: dict[str, Any] = Field(
        {},
        description="Dotted keys of the base machine, and the values that all points share.",
    )
    workloads: Annotated[tuple[Annotated[WorkloadChoice, Also(TEXT)], ...], Also(TEXT)] = Field(
        min_length=1, description="Networks that every machine runs, one or a list."
    )
    patterns: Annotated[tuple[str | None, ...], Also(TEXT)] = Field(
        (None,),
        min_length=1,
        description="Patterns of the weights: keep:group, rows:keep:group, unstructured:density, "
        "or trace (or null): as the trace says. Default: trace.",
    )
    stack: Annotated[tuple[str, ...], Also(TEXT)] = Field(
        (), description="Software stacks, one or a list. Default: the one that a workload names."
    )
    baseline: str | None = Field(
        None, description="The pattern that speed-ups are over. Default: dense, else the first."
    )
    parameters: dict[str, Annotated[Axis, Also(*SHORT_AXES)]] = Field(
        {}, description="Dotted keys of the machine that vary, and their values."
    )
    constraints: Annotated[tuple[str, ...], Also(TEXT)] = Field(
        (), description="Comparisons of dotted keys that every point has to fulfil."
    )
    sample: Sample | None = Field(
        None, description="So many points instead of all combinations; default: the full grid."
    )
    engine: str = Field(
        "fast", description="What simulates: fast, or the model of record, reference; they agree."
    )
    accuracy: Literal["exact", "sampled"] = Field(
        "exact",
        description="Whether every event is simulated, or parts of what is large, with an "
        "estimate of the error.",
    )
    search: Search | None = Field(
        None, description="How `nmsim search` draws points; a sweep does not read it."
    )

    @field_validator("settings", mode="before")
    @classmethod
    def _plain_settings(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        return {key: _plain(value) for key, value in given.items()}

    @field_validator("workloads", "patterns", "stack", "constraints", mode="before")
    @classmethod
    def _one_or_more(cls, given: object) -> object:
        return [given] if isinstance(given, str) else given


def _plain(value: object) -> object:
    """Lists and numbers of Python, whatever sequence or numpy type they came as."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    return value
