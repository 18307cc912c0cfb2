"""Which networks does a recipe file ask for, and what makes one another?"""

from __future__ import annotations

from typing import Any

import pytest

from simulator.hardware import load_hardware
from simulator.training import plan as planned
from simulator.training.plan import Plan, plan_of
from simulator.training.spec import TrainSpec
from simulator.training.timed import Timing


def plan(**changes: Any) -> Plan:
    spec: dict[str, Any] = {
        "task": "digits", "network": "mlp", "epochs": 1, "seeds": [3, 5],
        "patterns": ["2:4", "1:8"], "recipes": ["dense", "rewind"],
    }  # fmt: skip
    return plan_of(TrainSpec.load({**spec, **changes}))


def cells(made: Plan) -> list[tuple[str, str, int]]:
    return [(job.recipe.name, job.pattern, job.seed) for job in made.jobs]


def test_dense_is_trained_once_a_seed_and_others_once_a_pattern_too() -> None:
    assert cells(plan()) == [
        ("dense", "1:1", 3), ("dense", "1:1", 5),
        ("rewind", "2:4", 3), ("rewind", "2:4", 5),
        ("rewind", "1:8", 3), ("rewind", "1:8", 5),
    ]  # fmt: skip


def test_recipes_of_one_pattern_stand_side_by_side() -> None:
    made = plan(recipes=["rewind", "one_shot"], seeds=1)
    assert [cell[:2] for cell in cells(made)] == [
        ("rewind", "2:4"), ("one_shot", "2:4"), ("rewind", "1:8"), ("one_shot", "1:8"),
    ]  # fmt: skip
    assert made.recipes == ("rewind", "one_shot")


def test_a_dense_pattern_is_for_channels_alone() -> None:
    made = plan(patterns=["dense", "2:4"], recipes=["dense", "rewind", "channels"], seeds=1)
    assert [cell[:2] for cell in cells(made)] == [
        ("dense", "1:1"), ("channels(keep=0.5)", "1:1"),
        ("rewind", "2:4"), ("channels(keep=0.5)", "2:4"),
    ]  # fmt: skip


def test_channels_once_a_share() -> None:
    made = plan(patterns="2:4", recipes="channels", channels=[0.75, 0.25], seeds=1)
    assert [cell[0] for cell in cells(made)] == ["channels(keep=0.75)", "channels(keep=0.25)"]


def test_a_pattern_has_one_name() -> None:
    made = plan(patterns=["unstructured:.50", " 2:4 "], recipes="rewind", seeds=1)
    assert [cell[1] for cell in cells(made)] == ["unstructured:0.5", "2:4"]


def test_keys_are_of_what_decides_the_figures() -> None:
    made = plan()
    keys = {job.key for job in made.jobs}
    assert len(keys) == len(made.jobs)
    same = plan(seeds=[5, 3], patterns=["1:8", "2:4"], simulate="nm-edge", recipes=[
        "rewind", "dense"])  # fmt: skip
    assert {job.key for job in same.jobs} == keys
    for change in (
        {"epochs": 2}, {"dense": "head"}, {"network": {"mlp": {"width": 64}}}, {"batch": 32},
        {"learning_rate": 0.05},
    ):  # fmt: skip
        other = plan(**change)
        assert not {job.key for job in other.jobs} & keys
        assert other.start(3).key != made.start(3).key


def test_another_torch_or_another_number_of_threads_makes_other_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = plan().digest
    monkeypatch.setattr(planned, "torch_version", lambda: "1.0")
    assert plan().digest != before


def test_one_dense_network_a_seed() -> None:
    made = plan()
    assert made.start(3) == made.start(3)
    assert made.start(3).key != made.start(5).key
    assert made.start(3).key not in {job.key for job in made.jobs}


def test_names_of_files_speak_and_stay_apart() -> None:
    recipes = ["rewind", {"iterative": {"ramp": 0.25}}, {"iterative": {"ramp": 0.5}}]
    names = [job.file_name for job in plan(recipes=recipes, seeds=1).jobs]
    assert names[0] == "rewind-2_4-0.onnx"
    assert names[1] == "iterative_ramp_0.25_round_nearest_shape_cubic-2_4-0.onnx"
    assert len(set(names)) == len(names)


def test_a_machine_by_name_and_one_of_the_caller_s() -> None:
    assert plan().timing is None
    named = plan(simulate="nm-edge", samples=4).timing
    assert named is not None
    assert (named.machine.name, named.samples) == ("nm-edge", 4)
    spec = {"task": "digits", "network": "mlp", "epochs": 1, "recipes": "dense",
            "simulate": "nm-edge"}  # fmt: skip
    other = Timing(load_hardware("nm-flex"), 8)
    assert plan_of(TrainSpec.load(spec), other).timing == other
