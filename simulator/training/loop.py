"""The loop that trains, and what is tested; all of it seeded, on one thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from simulator.errors import TrainingError
from simulator.quality.measured import Figure
from simulator.training.choice import Choice
from simulator.training.setup import Setup
from simulator.training.shrinking import State
from simulator.training.tasks import load_task

MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
TESTED_AT_ONCE = 1000
DIVERGED = "the loss is no number any more"

Rates = Callable[[float], float]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """One thread and a random state of one's own; what was before is put back.

    Sums of several threads depend on how many there are, and random numbers on what drew before.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@dataclass(frozen=True)
class Samples:
    """The data of a task as tensors."""

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor


@lru_cache(maxsize=1)
def samples_of(task: Choice, folder: Path) -> Samples:
    """Copied: where numpy's memory begins would decide how sums are vectorised."""
    data = load_task(task, folder)
    arrays = (data.x_train, data.y_train, data.x_test, data.y_test)
    return Samples(*(torch.tensor(array) for array in arrays))


def load_state(model: nn.Module, state: State) -> None:
    """Copy arrays into a model that was built alike.

    Raises
    ------
    TrainingError
        If they are of another network.
    """
    try:
        model.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    except RuntimeError as error:
        raise TrainingError("dense network", f"of another network: {error}") from None


def state_of(model: nn.Module) -> State:
    """All parameters and buffers, copied."""
    return {name: value.detach().numpy().copy() for name, value in model.state_dict().items()}


def fit(
    model: nn.Module,
    setup: Setup,
    rates: Rates,
    order_seed: int,
    at: Callable[[float], None] = lambda _: None,
) -> int:
    """Train for the setup's epochs, by SGD with momentum, on the cross entropy.

    Parameters
    ----------
    rates : callable
        From the share of steps that are over to the learning rate, as a share of the highest.
    order_seed : int
        Of the order of samples: equal seeds see equal batches, whatever the recipe.
    at : callable
        Called before every step with the share of steps that are over.

    Returns
    -------
    int
        Steps.

    Raises
    ------
    TrainingError
        If the loss is no number any more.
    """
    samples = samples_of(setup.task, setup.folder)
    order = torch.Generator().manual_seed(order_seed)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=setup.learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    count = len(samples.y_train)
    steps, step = setup.epochs * math.ceil(count / setup.batch), 0
    model.train()
    for _ in range(setup.epochs):
        for batch in torch.split(torch.randperm(count, generator=order), setup.batch):
            progress = step / steps
            at(progress)
            for group in optimizer.param_groups:
                group["lr"] = setup.learning_rate * rates(progress)
            loss = _loss(model, samples.x_train[batch], samples.y_train[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
            step += 1
        if not math.isfinite(loss.item()):
            raise TrainingError("training", DIVERGED, hint="lower learning_rate")
    return step


def tested(model: nn.Module, setup: Setup) -> dict[str, Figure]:
    """Accuracy and cross entropy (nats) on the samples to test with, with standard errors.

    Raises
    ------
    TrainingError
        If a loss is no number.
    """
    samples = samples_of(setup.task, setup.folder)
    model.eval()
    with torch.no_grad():
        parts = [model(part) for part in torch.split(samples.x_test, TESTED_AT_ONCE)]
    scores = torch.cat(parts).double()
    losses = nn.functional.cross_entropy(scores, samples.y_test, reduction="none")
    if not losses.isfinite().all():
        raise TrainingError("training", DIVERGED, hint="lower learning_rate")
    right = (scores.argmax(1) == samples.y_test).double()
    return {
        "accuracy": Figure(right.mean().item(), _error_of_mean(right)),
        "loss": Figure(losses.mean().item(), _error_of_mean(losses), higher_is_better=False),
    }


def _loss(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Of one batch; what a user's network gets wrong is one line."""
    try:
        return nn.functional.cross_entropy(model(inputs), labels)
    except Exception as error:  # foreign code runs
        raise TrainingError("network", f"fails on {tuple(inputs.shape)}: {error}") from None


def _error_of_mean(values: Tensor) -> float:
    if len(values) < 2:
        return 0.0
    return values.std().item() / math.sqrt(len(values))
