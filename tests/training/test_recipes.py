"""Are recipes, tasks and networks read as they are written, or refused in a line?"""

from __future__ import annotations

import subprocess
import sys

import pytest

from simulator.errors import SpecError
from simulator.training.ramps import Ramp
from simulator.training.recipes import RECIPES, Recipe
from simulator.training.setup import Setup


@pytest.mark.parametrize("kind", RECIPES)
def test_a_name_alone_is_a_recipe(kind: str) -> None:
    recipe = Recipe.parse(kind)
    assert recipe.kind == kind
    assert dict(recipe.parameters).keys() == RECIPES[kind].parameters.keys()
    assert recipe.name.startswith(kind)


@pytest.mark.parametrize(
    ("given", "name"),
    [("rewind", "rewind"), ({"rewind": None}, "rewind"),
     ("iterative", "iterative(ramp=0.5, round=nearest, shape=cubic)"),
     ({"iterative": {"round": "up", "ramp": 1}}, "iterative(ramp=1, round=up, shape=cubic)"),
     ({"targeted_dropout": {"ramp": 0.25}}, "targeted_dropout(ramp=0.25, shape=linear)"),
     ({"channels": {"keep": 0.25}}, "channels(keep=0.25)"), ("sr_ste", "sr_ste(decay=0.0002)")],
)  # fmt: skip
def test_names_tell_every_parameter(given: object, name: str) -> None:
    assert Recipe.parse(given).name == name


def test_equal_recipes_are_equal_however_they_are_written() -> None:
    written = Recipe.parse({"iterative": {"shape": "cubic", "round": "nearest", "ramp": 0.5}})
    assert written == Recipe.parse("iterative")


def test_ramps_are_those_of_their_recipes() -> None:
    assert Recipe.parse({"iterative": {"ramp": 0.2, "round": "up"}}).ramp == Ramp(
        0.2, "cubic", "up"
    )
    assert Recipe.parse("targeted_dropout").ramp == Ramp(0.5, "linear", "nearest")


@pytest.mark.parametrize(
    ("given", "line"),
    [("rewinding", "recipe: unknown name, got 'rewinding' (did you mean 'rewind'?)"),
     ({"iterative": {"rmp": 1}},
      "recipe.iterative: unknown parameter, got 'rmp' (did you mean 'ramp'?)"),
     ({"rewind": {"ramp": 1}},
      "recipe.rewind: unknown parameter, got 'ramp' (rewind has no parameters)"),
     ({"iterative": {"ramp": 0}},
      "recipe.iterative.ramp: not accepted, want a number above 0 and at most 1, got 0.0"),
     ({"iterative": {"ramp": "half"}},
      "recipe.iterative.ramp: not accepted, want a number above 0 and at most 1, got 'half'"),
     ({"iterative": {"round": "even"}},
      "recipe.iterative.round: not accepted, want nearest or up or down, got 'even'"),
     ({"iterative": {"ramp": True}},
      "recipe.iterative.ramp: not accepted, want a number above 0 and at most 1, got True"),
     (["rewind"], "recipe: not a choice, want a name, or one name with its parameters, got"
      " ['rewind']"),
     ({"rewind": {}, "dense": {}}, "recipe: not a choice, want a name, or one name with its"
      " parameters, got {'rewind': {}, 'dense': {}}")],
)  # fmt: skip
def test_other_recipes_are_refused(given: object, line: str) -> None:
    with pytest.raises(SpecError) as caught:
        Recipe.parse(given)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("keys", "line"),
    [({"task": "digit"}, "task: unknown name, want a name, or module:function without parameters,"
      " got 'digit' (did you mean 'digits'?)"),
     ({"task": {"digits": {"path": "x"}}},
      "task.digits: unknown parameter, got 'path' (digits has no parameters)"),
     ({"network": {"mlp": {"width": 20}}},
      "network.mlp.width: not accepted, want a multiple of 8 up to 4096, got 20"),
     ({"network": {"patch-cnn": {"patch": 0}}},
      "network.patch-cnn.patch: not accepted, want a whole number from 1 to 64, got 0"),
     ({"dense": ["["]}, "dense: not a regular expression: unterminated character set at position"
      " 0, got '['")],
)  # fmt: skip
def test_other_setups_are_refused(keys: dict[str, object], line: str) -> None:
    with pytest.raises(SpecError) as caught:
        Setup.of({"task": "digits", "network": "mlp", "epochs": 1} | keys)
    assert str(caught.value) == line


def test_names_are_read_without_torch() -> None:
    """Whoever checks a file need not wait for it, or have it."""
    code = (
        "import sys; from simulator.training.recipes import Recipe;"
        "from simulator.training.setup import Setup; import simulator.training.train;"
        "Recipe.parse('rewind'); Setup.of({'task': 'digits', 'network': 'mlp', 'epochs': 1});"
        "sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
