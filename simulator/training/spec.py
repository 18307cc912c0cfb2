"""``YAML -> TrainSpec``: which network learns what, and how it is pruned meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema, field_validator

from simulator.hardware.schema import NUMBER, TEXT, Also, Schema
from simulator.hardware.written import Written
from simulator.training import choices

MAX_SEEDS = 1000
MAX_EPOCHS = 10_000


def _is_choice(given: object) -> object:
    """A name, or a mapping of one name to its parameters; which ones, its table knows."""
    if isinstance(given, str | Mapping):
        return given
    raise ValueError("must be a name, or a name with its parameters")


def _is_share(given: object) -> object:
    if isinstance(given, int | float) and type(given) is not bool and 0 < given < 1:
        return float(given)
    raise ValueError("must be a share above 0 and below 1")


def _is_rate(given: object) -> object:
    if isinstance(given, int | float) and type(given) is not bool and 0 < given <= 100:
        return float(given)
    raise ValueError("must be a number above 0 and at most 100")


def _is_seed(given: object) -> object:
    if type(given) is int and 0 <= given < 2**32:
        return given
    raise ValueError("must be a whole number from 0 to 4294967295")


_SHARE: Final[Schema] = {**NUMBER, "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_RATE: Final[Schema] = {**NUMBER, "exclusiveMinimum": 0, "maximum": 100}
_SEED: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
_SEEDS: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": MAX_SEEDS}

Choice = Annotated[str | dict[str, Any], PlainValidator(_is_choice)]
Share = Annotated[float, PlainValidator(_is_share), WithJsonSchema(_SHARE)]
Rate = Annotated[float, PlainValidator(_is_rate), WithJsonSchema(_RATE)]
Seed = Annotated[int, PlainValidator(_is_seed), WithJsonSchema(_SEED)]


class TrainSpec(Written):
    """Which network learns what, by which recipes, to which patterns: what `nmsim train` reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    called: ClassVar[str] = "recipe"
    kind: ClassVar[str] = "recipe"

    task: Annotated[Choice, WithJsonSchema(choices.TASK)] = Field(
        description="What is learnt: digits, fashion, or module:function, which returns x_train, "
        "y_train, x_test, y_test."
    )
    network: Annotated[Choice, WithJsonSchema(choices.NETWORK)] = Field(
        description="What learns it: mlp, patch-cnn, or module:function; with parameters as in "
        "{mlp: {width: 32}}."
    )
    dense: Annotated[tuple[str, ...], Also(TEXT)] = Field(
        (), description="Regular expressions: layers whose names hold one of them stay dense."
    )
    epochs: Annotated[int, Field(ge=1, le=MAX_EPOCHS, strict=True)] = Field(
        description="Passes over the data of the dense network, and as many more of every recipe "
        "that trains."
    )
    learning_rate: Rate | None = Field(
        None,
        description="The highest, at the start of a training; it falls to a hundredth. Default: "
        "0.1.",
    )
    batch: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        None, description="Samples of a training step; default: 128."
    )
    seeds: Annotated[tuple[Seed, ...], Also(_SEEDS)] = Field(
        (0, 1, 2),
        min_length=1,
        max_length=MAX_SEEDS,
        description="How many, counted from 0, or a list of them; every recipe and pattern is run "
        "with each. Default: 3.",
    )
    patterns: Annotated[tuple[str, ...], Also(TEXT)] = Field(
        (),
        description="What is pruned to: keep:group or unstructured:density, each by every recipe "
        "that prunes.",
    )
    recipes: Annotated[
        tuple[Annotated[Choice, WithJsonSchema(choices.RECIPE)], ...], Also(choices.RECIPE)
    ] = Field(
        min_length=1,
        description="What happens after dense training: dense, one_shot, finetune, rewind, "
        "iterative, targeted_dropout, sr_ste or channels.",
    )
    channels: Annotated[tuple[Share, ...], Also(_SHARE)] = Field(
        (), description="Shares of channels that the recipe 'channels' keeps; default: 0.5."
    )
    simulate: str | None = Field(
        None, description="A machine, preset or YAML file, that every network is timed on."
    )
    samples: Annotated[int, Field(ge=1, le=2**20, strict=True)] = Field(
        1, description="Samples that run at once where networks are timed."
    )

    @field_validator("seeds", mode="before")
    @classmethod
    def _count_or_list(cls, given: object) -> object:
        if type(given) is not int:
            return given
        if not 1 <= given <= MAX_SEEDS:
            raise ValueError(f"want 1 to {MAX_SEEDS} seeds, or a list of them")
        return list(range(given))

    @field_validator("dense", "patterns", "recipes", "channels", mode="before")
    @classmethod
    def _one_or_more(cls, given: object) -> object:
        return [given] if isinstance(given, str | int | float | Mapping) else given

    @field_validator("seeds", "channels")
    @classmethod
    def _distinct(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        for value in given:
            if given.count(value) > 1:
                raise ValueError(f"{value} is there twice")
        return given

    @property
    def setup(self) -> dict[str, Any]:
        """What all runs share, of the keys that are given."""
        shared = ("task", "network", "dense", "epochs", "learning_rate", "batch")
        said = {key: getattr(self, key) for key in shared}
        return {key: value for key, value in said.items() if value is not None}
