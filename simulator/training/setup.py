"""What all runs of a training share: cheap to send to another process."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.errors import SpecError
from simulator.names import expression
from simulator.store.digest import code_digest
from simulator.training.choice import Choice, read_choice
from simulator.training.foreign import function_named, source_of
from simulator.training.networks import NETWORKS
from simulator.training.tasks import TASKS, Data, load_task

FIGURES = frozenset(
    ("sparsity", "weights", "training/choice", "training/export", "training/loop",
     "training/masks", "training/networks", "training/ramps", "training/rates",
     "training/recipes", "training/setup", "training/shrinking", "training/tasks",
     "training/train")
)  # fmt: skip
"""What decides the figures of a run: an edit of it makes another run of it."""

BUILDS = frozenset({"training/networks"})
"""What decides what a built-in network is."""


@dataclass(frozen=True)
class Setup:
    """A task, a network, and how long it is trained.

    Attributes
    ----------
    task, network : Choice
        Out of `TASKS` and `NETWORKS`, or ``module:function``.
    epochs : int
        Of the dense training, and once more of a recipe's.
    dense : tuple of str
        Regular expressions; layers whose names they find stay dense.
    learning_rate : float
        The highest.
    batch : int
        Samples a step.
    folder : Path
        Paths and modules of tasks and networks are found beside it.
    """

    task: Choice
    network: Choice
    epochs: int
    dense: tuple[str, ...] = ()
    learning_rate: float = 0.1
    batch: int = 128
    folder: Path = field(default=Path(), compare=False)

    @classmethod
    def of(
        cls,
        given: Mapping[str, Any],
        folder: Path = Path(),
        where: Callable[[str], str] = lambda key: key,
    ) -> Setup:
        """Read the keys of a YAML file, whose names are those of the fields.

        Parameters
        ----------
        given : mapping
            Values of the right type but for the task and the network, which are names, or one
            name with its parameters.
        where : callable
            From a key to the place that errors name.

        Raises
        ------
        SpecError
            If a task, a network or a parameter is unknown, or an expression is none.
        """
        for text in given.get("dense", ()):
            expression(text, where("dense"), SpecError)
        read = dict(given)
        read["task"] = read_choice(given["task"], TASKS, where("task"), foreign=True)
        read["network"] = read_choice(given["network"], NETWORKS, where("network"), foreign=True)
        read["dense"] = tuple(given.get("dense", ()))
        return cls(**read, folder=folder)

    def stays_dense(self, layer: str) -> bool:
        """Whether one of the expressions finds a layer."""
        return any(re.search(text, layer) for text in self.dense)

    @property
    def data(self) -> Data:
        """Of the task, remembered.

        Raises
        ------
        TrainingError
            If it cannot be read.
        """
        return load_task(self.task, self.folder)

    @property
    def network_digest(self) -> str:
        """SHA-256 of what the network is built from: its name, its code, sizes of input and output.

        Raises
        ------
        TrainingError
            If it cannot be found, or the task cannot be read.
        """
        if self.network.is_foreign:
            function = function_named(self.network.kind, self.folder, "network")
            code = hashlib.sha256(source_of(function)).hexdigest()
        else:
            code = code_digest(BUILDS)
        return _sha256(self.network.name, code, self.data.shape, self.data.classes)

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides the figures of a run besides seed, recipe and pattern.

        Raises
        ------
        TrainingError
            As `network_digest`.
        """
        how = (self.epochs, self.dense, self.learning_rate, self.batch, code_digest(FIGURES))
        return _sha256(self.task.kind, self.data.digest, self.network_digest, *how)


def _sha256(*what: object) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()
