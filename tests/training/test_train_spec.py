"""Is a bad recipe file one clear line, with its place in the file, before anything is trained?"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator import SimulatorError
from simulator.training import train as core
from simulator.training.execute import train
from simulator.training.plan import plan_of
from simulator.training.spec import TrainSpec

HEAD = "task: digits\nnetwork: mlp\nepochs: 2\n"
GOOD = HEAD + "recipes: [dense, rewind]\npatterns: [2:4]\n"


@dataclass(frozen=True)
class Bad:
    """A recipe file and what its line must say."""

    yaml: str
    says: str


BAD = {
    "empty": Bad("", "r.yaml: not a recipe"),
    "not YAML": Bad("a: [", "r.yaml:1:"),
    "a key twice": Bad(GOOD + "epochs: 3\n", 'r.yaml:6:1: duplicate key "epochs"'),
    "unknown key": Bad(
        GOOD + "recipe: dense\n", "r.yaml:6:1 recipe: unknown key (did you mean 'recipes'?)"
    ),
    "no task": Bad("network: mlp\nepochs: 1\nrecipes: dense\n", "r.yaml task: is missing"),
    "no recipes": Bad(HEAD, "r.yaml recipes: is missing"),
    "an empty list of recipes": Bad(HEAD + "recipes: []\n", "r.yaml:4:1 recipes: must not be"),
    "unknown task": Bad(
        GOOD.replace("digits", "digit"),
        "r.yaml:1:1 task: unknown name, want a name, or module:function without parameters, "
        "got 'digit' (did you mean 'digits'?)",
    ),
    "unknown network": Bad(GOOD.replace("mlp", "mpl"), "r.yaml:2:1 network: unknown name"),
    "unknown parameter of a network": Bad(
        GOOD.replace("mlp", "{mlp: {widht: 64}}"), "(did you mean 'width'?)"
    ),
    "a number as a task": Bad(GOOD.replace("digits", "3"), "r.yaml:1:1 task: must be a name, or"),
    "unknown recipe": Bad(
        HEAD + "recipes: [dense, rewound]\n",
        "r.yaml:4:18 recipes.1: unknown name, got 'rewound' (did you mean 'rewind'?)",
    ),
    "unknown parameter of a recipe": Bad(
        HEAD + "recipes: [{iterative: {rampp: 1}}]\npatterns: 2:4\n",
        "r.yaml:4:11 recipes.0.iterative: unknown parameter, got 'rampp' (did you mean 'ramp'?)",
    ),
    "a parameter out of range": Bad(
        HEAD + "recipes: [{iterative: {ramp: 2}}]\npatterns: 2:4\n", "recipes.0.iterative.ramp"
    ),
    "the same recipe twice": Bad(
        HEAD + "recipes: [rewind, rewind]\npatterns: 2:4\n",
        "r.yaml:4:19 recipes.1: the same recipe twice, got 'rewind'",
    ),
    "the same recipe in other words": Bad(
        HEAD + "recipes: [iterative, {iterative: {shape: cubic}}]\npatterns: 2:4\n",
        "recipes.1: the same recipe twice, got 'iterative(",
    ),
    "no pattern to prune to": Bad(
        HEAD + "recipes: [dense, rewind]\n",
        "r.yaml:4:18 recipes.1: has no pattern to prune to, got 'rewind' (patterns: [2:4])",
    ),
    "only dense patterns": Bad(
        HEAD + "recipes: [rewind]\npatterns: [1:1]\n", "recipes.0: has no pattern to prune to"
    ),
    "no pattern": Bad(GOOD.replace("2:4", "2to4"), "r.yaml:5:12 patterns.0: not a pattern"),
    "more than a group": Bad(GOOD.replace("2:4", "5:4"), "(did you mean '4:5'?)"),
    "the same pattern twice": Bad(
        GOOD.replace("[2:4]", "[2:4, 2:4]"), "r.yaml:5:17 patterns.1: the same pattern twice"
    ),
    "dense twice": Bad(GOOD.replace("[2:4]", "[1:1, 4:4]"), "the same pattern twice, got '4:4'"),
    "a number as a pattern": Bad(GOOD.replace("2:4", "24"), "patterns.0: must be text, got 24"),
    "no epochs": Bad(GOOD.replace("epochs: 2", "epochs: 0"), "r.yaml:3:1 epochs: must be greater"),
    "half an epoch": Bad(GOOD.replace("epochs: 2", "epochs: 2.5"), "must be a whole number"),
    "no seeds": Bad(GOOD + "seeds: 0\n", "r.yaml:6:1 seeds: want 1 to 1000 seeds"),
    "a seed twice": Bad(GOOD + "seeds: [1, 1]\n", "r.yaml:6:1 seeds: 1 is there twice"),
    "a seed below 0": Bad(GOOD + "seeds: [-1]\n", "seeds.0: must be a whole number from 0"),
    "true as a seed": Bad(GOOD + "seeds: true\n", "r.yaml:6:1 seeds: must be a list, got True"),
    "no expression": Bad(
        GOOD + "dense: '('\n", "r.yaml:6:1 dense: not a regular expression: missing )"
    ),
    "a rate of 0": Bad(GOOD + "learning_rate: 0\n", "learning_rate: must be a number above 0"),
    "channels that nothing takes": Bad(
        GOOD + "channels: [0.5]\n", "r.yaml:6:1 channels: no recipe takes them"
    ),
    "channels said twice": Bad(
        HEAD + "recipes: [{channels: {keep: 0.5}}]\npatterns: 2:4\nchannels: 0.25\n",
        "r.yaml:6:1 channels: are named at the recipe, too",
    ),
    "all channels": Bad(
        HEAD + "recipes: channels\npatterns: 2:4\nchannels: [1]\n", "channels.0: must be a share"
    ),
    "no such machine": Bad(
        GOOD + "simulate: nm-edgy\n",
        "r.yaml:6:1 simulate: no such preset and no such file, got 'nm-edgy' "
        "(did you mean 'nm-edge'?)",
    ),
    "a task that cannot be imported": Bad(
        GOOD.replace("digits", "no_such_module:task"), "cannot be imported: ModuleNotFoundError"
    ),
    "no such folder": Bad(
        GOOD.replace("digits", "{fashion: {path: nowhere}}"), "nowhere: no such folder of IDX files"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recipe_file_is_one_clear_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(BAD[name].yaml)
    with pytest.raises(SimulatorError) as caught:
        train("r.yaml", store="runs.sqlite")
    assert BAD[name].says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["r.yaml"]


def test_a_bad_mapping_is_one_clear_line_too() -> None:
    with pytest.raises(SimulatorError, match=r"^recipe epoch: unknown key \(did you mean"):
        TrainSpec.load({"task": "digits", "network": "mlp", "epoch": 1, "recipes": ["dense"]})


def test_one_of_something_needs_no_list_and_a_count_is_seeds_from_0() -> None:
    spec = TrainSpec.load(
        {"task": "digits", "network": "mlp", "epochs": 1, "recipes": "rewind", "patterns": "2:4",
         "dense": "head", "seeds": 2}
    )  # fmt: skip
    assert (spec.recipes, spec.patterns, spec.dense) == (("rewind",), ("2:4",), ("head",))
    assert spec.seeds == (0, 1)


def test_null_is_as_good_as_leaving_out(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(GOOD + "seeds:\ndense:\nchannels:\nsimulate:\n")
    spec = TrainSpec.load(tmp_path / "r.yaml")
    assert (spec.seeds, spec.dense, spec.simulate) == ((0, 1, 2), (), None)


def test_without_torch_a_recipe_file_is_still_read_and_training_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.yaml").write_text(GOOD)
    monkeypatch.setattr(core, "find_spec", lambda _: None)
    spec = TrainSpec.load(tmp_path / "r.yaml")
    with pytest.raises(SimulatorError) as caught:
        plan_of(spec)
    assert 'pip install "nmsim[train]"' in str(caught.value)


def test_a_plan_is_made_without_torch_being_imported() -> None:
    code = (
        "import sys\n"
        "from simulator.training.plan import plan_of\n"
        "from simulator.training.spec import TrainSpec\n"
        "plan_of(TrainSpec.load(dict(task='digits', network='mlp', epochs=1, recipes='dense')))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
