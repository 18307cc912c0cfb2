"""Do recipes train what they say, as long as they say, and the same whatever ran before?"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from simulator.errors import SimulatorError, TrainingError
from simulator.sparsity import Pattern, parse_pattern
from simulator.training import loop
from simulator.training.choice import Choice
from simulator.training.recipes import RECIPES, Recipe
from simulator.training.setup import Setup
from simulator.training.shrinking import shrunk
from simulator.training.train import State, train_dense, train_recipe
from simulator.weights.compliance import check_compliance
from simulator.weights.layout import channel_rows

MLP = Setup.of({"task": "digits", "network": "mlp", "epochs": 2, "dense": ["head"]})
CNN = Setup.of({"task": "digits", "network": {"patch-cnn": {"patch": 2}}, "epochs": 1})


@pytest.fixture(scope="module")
def starts() -> dict[Setup, State]:
    return {setup: train_dense(setup, 0) for setup in (MLP, CNN)}


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize("pattern", ["2:4", "3:16", "unstructured:0.3"])
@pytest.mark.parametrize("kind", [kind for kind in RECIPES if kind != "dense"])
@pytest.mark.parametrize("setup", [MLP, CNN], ids=["mlp", "patch-cnn"])
def test_every_recipe_complies_and_keeps_its_share(
    starts: dict[Setup, State], setup: Setup, kind: str, pattern: str
) -> None:
    """Counted from the outcome's arrays alone; layers without a whole group stay as they are."""
    asked = parse_pattern(pattern)
    outcome = train_recipe(setup, 0, Recipe.parse(kind), pattern, starts[setup])
    first, later = ({"fc1": 64}, {"fc2": 32, "fc3": 32}) if setup is MLP else (
        {"patch": 1}, {"conv1": 16, "conv2": 32, "head": 64}
    )  # fmt: skip
    fewer = 2 if kind == "channels" else 1
    inputs = first | {name: count // fewer for name, count in later.items()}
    group = asked.group if isinstance(asked, Pattern) else 16
    held = {name: cost for name, cost in outcome.layers.items() if cost.pattern != "1:1"}
    assert held.keys() == {name for name, count in inputs.items() if count >= group}
    for name, cost in outcome.layers.items():
        rows = channel_rows(outcome.state[f"{name}.weight"])
        assert cost.weights == rows.size
        assert cost.nonzeros == np.count_nonzero(rows)
        if name not in held:
            assert cost.nonzeros == rows.size
        elif isinstance(asked, Pattern):
            assert check_compliance(rows, asked).complies
            assert cost.nonzeros == len(rows) * asked.useful_slots(rows.shape[1])
        else:
            assert cost.nonzeros == int(asked.density * rows.size + 0.5)
    assert outcome.nonzeros == sum(cost.nonzeros for cost in outcome.layers.values())
    assert not [name for name in outcome.state if "parametrizations" in name]
    assert 0 <= outcome.figures["accuracy"].value <= 1
    assert outcome.figures["loss"].value > 0


@pytest.mark.parametrize("kind", RECIPES)
def test_budgets_are_equal(starts: dict[Setup, State], kind: str) -> None:
    """1347 samples are 11 batches; one_shot is not trained."""
    outcome = train_recipe(MLP, 0, Recipe.parse(kind), "2:4", starts[MLP])
    assert outcome.steps == (0 if kind == "one_shot" else 2 * 11)


def test_all_recipes_of_a_seed_see_the_same_batches(
    starts: dict[Setup, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[Any]] = {}
    real = loop._loss
    for kind in ("dense", "rewind", "targeted_dropout", "finetune"):
        batches = seen.setdefault(kind, [])
        monkeypatch.setattr(
            loop, "_loss", lambda m, x, y, batches=batches: (batches.append(y), real(m, x, y))[1]
        )
        train_recipe(MLP, 0, Recipe.parse(kind), "2:4", starts[MLP])
    first = torch.cat(seen.pop("dense"))
    assert all(torch.equal(first, torch.cat(batches)) for batches in seen.values())


def test_learning_rates_are_the_original_ones_or_the_last(
    starts: dict[Setup, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []

    class Noting(torch.optim.SGD):
        def step(self, *_: Any) -> None:  # type: ignore[override]  # of torch's signature
            rates.append(self.param_groups[0]["lr"])

    monkeypatch.setattr(torch.optim, "SGD", Noting)
    for kind in ("dense", "rewind", "finetune"):
        train_recipe(MLP, 0, Recipe.parse(kind), "2:4", starts[MLP])
    dense, rewind, finetune = rates[:22], rates[22:44], rates[44:]
    assert dense == rewind == sorted(rewind, reverse=True)
    assert rewind[0] == MLP.learning_rate
    assert rewind[11] == pytest.approx(MLP.learning_rate * (0.01 + 0.99 / 2))
    assert finetune == [MLP.learning_rate * 0.01] * 22


@pytest.mark.parametrize("kind", ["dense", "iterative", "targeted_dropout", "sr_ste", "channels"])
def test_the_same_whatever_ran_before(starts: dict[Setup, State], kind: str) -> None:
    """And without moving random states or threads that are the caller's."""
    recipe = Recipe.parse(kind)
    first = train_recipe(MLP, 3, recipe, "2:4", starts[MLP])
    torch.manual_seed(123)
    threads, drawn = torch.get_num_threads(), torch.get_rng_state()
    train_recipe(CNN, 1, Recipe.parse("targeted_dropout"), "1:4", starts[CNN])
    assert torch.equal(drawn, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    second = train_recipe(MLP, 3, recipe, "2:4", starts[MLP])
    assert same(first.state, second.state)
    assert (first.figures, first.trace) == (second.figures, second.trace)


def test_the_same_from_a_dense_network_that_was_stored(
    tmp_path: Path, starts: dict[Setup, State]
) -> None:
    np.savez(tmp_path / "dense.npz", **starts[MLP])
    with np.load(tmp_path / "dense.npz", allow_pickle=False) as stored:
        read = {name: stored[name] for name in reversed(stored.files)}
    recipe = Recipe.parse("rewind")
    assert same(
        train_recipe(MLP, 0, recipe, "1:8", read).state,
        train_recipe(MLP, 0, recipe, "1:8", starts[MLP]).state,
    )
    assert same(train_dense(MLP, 0), starts[MLP])
    assert not same(train_dense(MLP, 1), starts[MLP])


def test_the_dense_network_is_not_changed(starts: dict[Setup, State]) -> None:
    before = {name: value.copy() for name, value in starts[MLP].items()}
    train_recipe(MLP, 0, Recipe.parse("rewind"), "2:4", starts[MLP])
    assert same(before, starts[MLP])


def test_channels_make_a_smaller_network() -> None:
    wide = Setup.of({"task": "digits", "network": {"mlp": {"width": 64, "depth": 2}}, "epochs": 1})
    recipe = Recipe.parse({"channels": {"keep": 0.5}})
    outcome = train_recipe(wide, 0, recipe, "2:4", train_dense(wide, 0))
    assert outcome.network.name == "mlp(depth=2, width=32)"
    assert outcome.weights == 64 * 32 + 32 * 32 + 32 * 10
    assert outcome.nonzeros == outcome.weights // 2
    assert "fc1,linear,32,1,64,2:4" in outcome.trace


def test_the_strongest_channels_stay_with_what_reads_them() -> None:
    """Channels of magnitudes 3, 1, 5, 3: the third, and the first of the equal ones."""
    first = np.array([[1.0, -2], [0, 1], [5, 0], [-3, 0]])
    second = np.arange(8.0).reshape(2, 4)
    state = {"a.weight": first, "a.bias": np.arange(4.0), "b.weight": second, "b.bias": np.ones(2)}
    small = shrunk(state, {"a.weight": (2, 2), "b.weight": (2, 2)})
    assert small["a.weight"].tolist() == [[1, -2], [5, 0]]
    assert small["a.bias"].tolist() == [0, 2]
    assert small["b.weight"].tolist() == [[0, 2], [4, 6]]
    assert small["b.bias"].tolist() == [1, 1]


NETWORK = """
import torch
from torch import nn
def convolutions(shape, classes):
    return nn.Sequential(nn.Conv2d(1, 16, 3, groups=1), nn.ReLU(), nn.BatchNorm2d(16),
        nn.Conv2d(16, 32, 3, groups=2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(512, classes))
def raises(shape, classes):
    raise OSError("no luck")
def number(shape, classes):
    return 3
def wrong(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(7, classes))
def single(shape, classes):
    return nn.Linear(8, classes)
def nothing(shape, classes):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scores = nn.Parameter(torch.zeros(10))
        def forward(self, x):
            return self.scores.expand(len(x), -1) * 1.0
    return Model()
"""


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_networks.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)
    return "my_networks"


def of(network: str) -> Setup:
    return Setup.of({"task": "digits", "network": network, "epochs": 1})


def test_a_function_is_a_network(networks: str) -> None:
    """Grouped convolutions, batch normalisation and dropout: the same again, and pruned."""
    setup, recipe = of(f"{networks}:convolutions"), Recipe.parse("rewind")
    dense = train_dense(setup, 0)
    assert same(dense, train_dense(setup, 0))
    one, two = (train_recipe(setup, 0, recipe, "2:4", dense) for _ in range(2))
    assert same(one.state, two.state)
    patterns = {name: cost.pattern for name, cost in one.layers.items()}
    assert patterns == {"0": "1:1", "3": "2:4", "6": "2:4"}


@pytest.mark.parametrize(
    ("function", "what"),
    [("raises", "raised: OSError: no luck"), ("number", "returns something else, want a torch.nn."),
     ("wrong", "network: fails on (128, 1, 8, 8)"), ("absent", "has no such function")],
)  # fmt: skip
def test_what_is_no_network_is_refused(networks: str, function: str, what: str) -> None:
    with pytest.raises(TrainingError) as caught:
        train_dense(of(f"{networks}:{function}"), 0)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def refused(setup: Setup, recipe: object, pattern: str, dense: State) -> str:
    with pytest.raises(SimulatorError) as caught:
        train_recipe(setup, 0, Recipe.parse(recipe), pattern, dense)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_trained_is_refused(starts: dict[Setup, State], networks: str) -> None:
    dense = starts[MLP]
    assert "no layer can hold it" in refused(MLP, "rewind", "2:128", dense)
    assert "no layer can hold it" in refused(replace(MLP, dense=("",)), "rewind", "2:4", dense)
    assert "of another network" in refused(CNN, "rewind", "2:4", dense)
    line = refused(MLP, {"channels": {"keep": 0.9}}, "2:4", dense)
    assert "keeps all channels at a share of 0.9" in line
    line = refused(of(f"{networks}:convolutions"), "channels", "2:4", dense)
    assert "cannot be made smaller by the recipe channels, want mlp or patch-cnn" in line
    nothing = of(f"{networks}:nothing")
    assert "no linear layer" in refused(nothing, "dense", "1:1", train_dense(nothing, 0))
    with pytest.raises(TrainingError, match="no number any more"):
        train_dense(replace(MLP, learning_rate=1e9), 0)
    with pytest.raises(TrainingError, match="no images, want images"):
        train_dense(replace(CNN, network=Choice("patch-cnn", (("patch", 9), ("width", 16)))), 0)


def test_a_missing_torch_is_named(
    monkeypatch: pytest.MonkeyPatch, starts: dict[Setup, State]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(TrainingError, match=r'needs the package torch \(pip install "nmsim\['):
        train_dense(MLP, 0)
    with pytest.raises(TrainingError, match="needs the package torch"):
        train_recipe(MLP, 0, Recipe.parse("rewind"), "2:4", starts[MLP])


def test_digests_tell_what_decides_figures(networks: str, tmp_path: Path) -> None:
    again = Setup.of({"task": "digits", "network": "mlp", "epochs": 2, "dense": ["head"]}, tmp_path)
    assert again.digest == MLP.digest
    others = [
        replace(MLP, epochs=3), replace(MLP, dense=()), replace(MLP, batch=64), CNN,
        replace(MLP, learning_rate=0.2), of(f"{networks}:convolutions"), of(f"{networks}:wrong"),
    ]  # fmt: skip
    assert len({setup.digest for setup in [MLP, *others]}) == len(others) + 1
    assert replace(MLP, epochs=3).network_digest == MLP.network_digest != CNN.network_digest
