"""What does a file or an override replace, what does null take away, and who is to blame?"""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from simulator import Hardware, load_hardware, simulate
from simulator.errors import ConfigError, SpecError
from simulator.exploration.plan import plan_of
from simulator.exploration.spec import SweepSpec
from simulator.exploration.sweep import sweep
from simulator.hardware import hardware_schema
from simulator.hardware.yaml_file import read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "machine.yaml"


def says(machine: Hardware) -> tuple[tuple[str, ...], int]:
    return machine.sparsity.patterns, machine.sparsity.largest_group


# Patterns and the largest group say one thing in two ways

REPLACED = {
    "listed patterns": ("nm-flex", {"patterns": ["1:4", "2:8"]}, (("1:4", "2:8"), 0)),
    "no patterns": ("nm-flex", {"patterns": []}, ((), 0)),
    "a group": ("a100-sxm4-80gb", {"largest_group": 8}, ((), 8)),
    "a group of 0: only the listed": ("a100-sxm4-80gb", {"largest_group": 0}, (("2:4",), 0)),
    "another group": ("nm-flex", {"largest_group": 4}, ((), 4)),
    "both": ("nm-flex", {"patterns": ["8:32"], "largest_group": 4}, (("8:32",), 4)),
    "both, the other way round": (
        "nm-flex", {"largest_group": 4, "patterns": ["8:32"]}, (("8:32",), 4)),
    "patterns and null": ("nm-flex", {"patterns": ["1:4"], "largest_group": None}, (("1:4",), 0)),
    "null alone": ("nm-flex", {"largest_group": None}, ((), 0)),
    "null patterns": ("a100-sxm4-80gb", {"patterns": None}, ((), 0)),
    "null patterns beside a group": ("nm-flex", {"patterns": None}, ((), 16)),
    "something else": ("nm-flex", {"skip": "none"}, ((), 16)),
}  # fmt: skip


def as_yaml(sparsity: dict[str, object]) -> str:
    texts = {key: "null" if value is None else value for key, value in sparsity.items()}
    return "sparsity:\n" + "".join(f"  {key}: {text}\n" for key, text in texts.items())


@pytest.mark.parametrize("name", REPLACED)
def test_what_is_given_replaces_what_was_inherited(path: Path, name: str) -> None:
    base, given, expected = REPLACED[name]
    path.write_text(f"base: {base}\n{as_yaml(given)}")
    overrides = {f"sparsity.{key}": value for key, value in given.items()}
    assert says(load_hardware(path)) == expected
    assert says(load_hardware(base, overrides)) == expected
    assert says(load_hardware(load_hardware(base), overrides)) == expected
    spec = {"hardware": base, "workloads": "gemm:8x8x8", "settings": overrides}
    assert says(plan_of(SweepSpec.load(spec)).shared.base) == expected


def test_the_nearest_file_decides(tmp_path: Path, path: Path) -> None:
    (tmp_path / "listed.yaml").write_text('base: nm-flex\nsparsity: {patterns: ["2:8"]}\n')
    path.write_text("base: listed.yaml\nsparsity: {largest_group: 4}\n")
    assert says(load_hardware(path)) == ((), 4)
    assert says(load_hardware(path, {"sparsity.patterns": ["1:2"]})) == (("1:2",), 0)


def test_a_machine_with_listed_patterns_runs_others_dense(path: Path) -> None:
    path.write_text('base: nm-edge\nsparsity: {patterns: ["1:4"]}\n')
    (layer,) = simulate(path, "gemm:64x64x64", "1:2").layers
    assert layer.executed_as == "1:1"


def test_an_axis_of_patterns_replaces_the_group_at_every_point() -> None:
    spec = {
        "hardware": "nm-edge",
        "workloads": "gemm:64x64x64",
        "patterns": ["1:2"],
        "parameters": {"sparsity.patterns": [["1:4"], ["1:2"]]},
    }
    assert [row.executed_as for row in sweep(spec).rows] == ["1:1 x1", "1:2 x1"]
    for text, left in (("== 0", 2), ("> 0", 0)):
        constrained = SweepSpec.load({**spec, "constraints": f"sparsity.largest_group {text}"})
        assert len(list(plan_of(constrained).points())) == left


# Null

OPTIONAL = {
    "energy": None,
    "memory.l2.halves": None,
    "core.barrier_cycles": 0,
    "launch_ns": 0,
    "description": "",
    "libraries.tensorop.splits": (1,),
    "core.tensor_cores.issue": None,
}


@pytest.mark.parametrize("key", OPTIONAL)
def test_null_takes_an_inherited_value_away(path: Path, key: str) -> None:
    *sections, last = key.split(".")
    nested = "".join(f"{'  ' * i}{part}:\n" for i, part in enumerate(sections))
    for null in ("null", "~", ""):
        path.write_text(f"base: a100-sxm4-80gb\n{nested}{'  ' * len(sections)}{last}: {null}\n")
        for machine in (load_hardware(path), load_hardware("a100-sxm4-80gb", {key: None})):
            value: object = machine
            for part in key.split("."):
                value = value[part] if isinstance(value, dict) else getattr(value, part)
            assert value == OPTIONAL[key]
        errors = Draft202012Validator(hardware_schema()).iter_errors(read(path).data)
        assert [error.message for error in errors] == []


def test_null_takes_an_entry_of_a_mapping_away(path: Path) -> None:
    cores = "{macs_per_cycle: {int8: null}, instructions: {int8: null}}"
    path.write_text(
        f"base: nm-edge\ncore: {{tensor_cores: {cores}}}\nenergy: {{mac_pj: {{int8: }}}}\n"
    )
    machine = load_hardware(path)
    assert machine.dtypes == ("fp16",)
    assert machine.energy is not None
    assert list(machine.energy.mac_pj) == ["fp16"]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("core: {count: null}", "2:8 core.count", "must be a whole number"),
        ("name: null", "2:1 name", "must be text"),
        ("memory: {l2: null}", "2:10 memory.l2", "must be a mapping"),
        ("libraries: {edge: null, simt: null}", "2:1 libraries", "must not be empty"),
        ("libraries: {edge: {splits: [null]}}", "2:29 libraries.edge.splits.0", "whole number"),
        ("cors: null", "2:1 cors", "unknown key"),
    ],
)
def test_null_is_no_value_of_a_key_that_is_needed(
    path: Path, text: str, where: str, what: str
) -> None:
    path.write_text(f"base: nm-edge\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_hardware(path)
    assert str(caught.value).startswith(f"{path}:{where}: ")
    assert what in str(caught.value)


def test_null_leaves_a_sweep_s_defaults(tmp_path: Path) -> None:
    text = "hardware: nm-edge\nworkloads: gemm:8x8x8\n"
    for name, nulls in (("plain", ""), ("null", "patterns:\nsettings:\nsample:\nengine:\n")):
        (tmp_path / f"{name}.yaml").write_text(text + nulls)
    assert sweep(tmp_path / "null.yaml").rows == sweep(tmp_path / "plain.yaml").rows


def test_null_as_a_value_of_an_axis() -> None:
    spec = {
        "hardware": "nm-edge",
        "workloads": "gemm:64x64x64",
        "parameters": {"core.tensor_cores.macs_per_cycle.int8": [None],
                       "core.tensor_cores.instructions.int8": [None]},
    }  # fmt: skip
    (row,) = sweep(spec).rows
    assert row.error is None
    assert set(row.settings.values()) == {None}


# Who is to blame

BLAMED = {
    "beside the base's value": ({"energy.tdp_w": 0.001},
        "--set energy.tdp_w: tdp_w must be above static_w = 50"),
    "among others": ({"core.count": 4, "energy.tdp_w": 0.001, "launch_ns": 1},
        "--set energy.tdp_w: tdp_w must be above static_w = 50"),
    "only together": ({"energy.tdp_w": 60, "energy.static_w": 70},
        "--set energy.tdp_w, --set energy.static_w: tdp_w must be above static_w = 70"),
    "a choice": ({"library.dense": "tensor"},
        "--set library.dense: library: no library 'tensor' (did you mean 'tensorrt'?)"),
    "a new library without tiles": ({"libraries.mine.swap": True},
        "--set libraries.mine.swap: libraries.mine.tiles is missing"),
    "a dtype on one side": ({"core.tensor_cores.macs_per_cycle.fp8": 1024},
        "--set core.tensor_cores.macs_per_cycle.fp8: macs_per_cycle and instructions must list"),
    "an unknown dtype": ({"core.tensor_cores.macs_per_cycle.fp17": 1024},
        "--set core.tensor_cores.macs_per_cycle.fp17: unknown dtype 'fp17' (did you mean"),
    "an unknown section": ({"coer.count": 4}, "--set coer: unknown key (did you mean 'core'?)"),
    "its own value": ({"core.count": "x"}, "--set core.count: must be a whole number, got 'x'"),
    "inside its own value": ({"energy": {"tdp_w": 5}}, "--set energy.mac_pj: is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BLAMED)
def test_an_error_names_the_override_that_causes_it(name: str) -> None:
    overrides, expected = BLAMED[name]
    for machine in ("a100-sxm4-80gb", load_hardware("a100-sxm4-80gb")):
        with pytest.raises(ConfigError) as caught:
            load_hardware(machine, overrides)
        assert str(caught.value).startswith(expected)


def test_several_that_miss_the_same_key_are_named() -> None:
    overrides = {"core.count": 2, "energy.tdp_w": 5, "energy.static_w": 1}
    with pytest.raises(ConfigError) as caught:
        load_hardware("sparseloop-stc", overrides)
    assert str(caught.value) == (
        "--set energy.tdp_w, --set energy.static_w: energy.mac_pj is missing"
    )


@pytest.mark.parametrize("key", ["core.issue_cycles", "core.tensor_cores.drain_cycles"])
def test_the_file_s_own_mistake_is_the_file_s(path: Path, key: str) -> None:
    path.write_text("base: nm-edge\ncore: {tensor_cores: {macs_per_cycle: {fp8: 1}}}\n")
    with pytest.raises(ConfigError) as caught:
        load_hardware(path, {key: 2})
    assert str(caught.value).startswith(f"{path}:2:8 core.tensor_cores: macs_per_cycle and")


def test_settings_of_a_sweep_are_applied_together_and_named(tmp_path: Path) -> None:
    text = "hardware: nm-edge\nworkloads: gemm:8x8x8\nsettings:\n  memory.l2.halves."
    far, link = "far_latency_cycles: 1", "  memory.l2.halves.link_bytes_per_cycle: 1"
    (tmp_path / "both.yaml").write_text(f"{text}{far}\n{link}\n")
    assert sweep(tmp_path / "both.yaml").rows[0].error is None
    (tmp_path / "one.yaml").write_text(f"{text}{far}\n")
    with pytest.raises(ConfigError, match=r"one\.yaml:4:3 memory\.l2\.halves\.far_latency_cycles:"):
        sweep(tmp_path / "one.yaml")


def test_an_axis_that_another_one_completes_is_no_mistake() -> None:
    axes = {
        "memory.l2.halves.far_latency_cycles": [1],
        "memory.l2.halves.link_bytes_per_cycle": [1],
    }
    spec = {"hardware": "nm-edge", "workloads": "gemm:8x8x8", "parameters": axes}
    assert sweep(spec).rows[0].error is None
    with pytest.raises(SpecError, match=r"^spec parameters\.core\.count: must be greater"):
        sweep({**spec, "parameters": {"core.count": [0]}})
