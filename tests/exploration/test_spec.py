"""Is a bad spec one clear line, with its place in the file, before anything runs?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from specs import small

from simulator import ConfigError, SimulatorError, SpecError, SweepSpec, load_hardware, sweep
from simulator.exploration.plan import plan_of

HEAD = "hardware: nm-edge\nworkloads: [gemm:64x48x96]\npatterns: [1:1, 2:4]\n"


@dataclass(frozen=True)
class Bad:
    """A spec and what its line must say."""

    yaml: str
    says: str


BAD = {
    "empty": Bad("", "s.yaml: not a sweep"),
    "not YAML": Bad("a: [", "s.yaml:1:"),
    "unknown key": Bad(
        HEAD + "parametres: {}\n",
        "s.yaml:4:1 parametres: unknown key (did you mean 'parameters'?)",
    ),
    "unknown hardware key": Bad(
        HEAD + "parameters:\n  core.cout: [1]\n",
        "s.yaml:5:3 parameters.core.cout: unknown key (did you mean 'count'?)",
    ),
    "unknown first part": Bad(
        HEAD + "parameters:\n  cores.count: [1]\n",
        "s.yaml:5:3 parameters.cores.count: unknown key (did you mean 'core'?)",
    ),
    "key below a number": Bad(
        HEAD + "parameters:\n  core.count.many: [1]\n", "'count' has no keys below it"
    ),
    "value of another type": Bad(
        HEAD + "parameters:\n  core.count: [1, many]\n",
        "s.yaml:5:3 parameters.core.count: must be a whole number, got 'many'",
    ),
    "value out of range": Bad(
        HEAD + "parameters:\n  core.count: {start: 0, stop: 4, step: 1}\n",
        "parameters.core.count: must be greater than or equal to 1, got 0",
    ),
    "nested keys": Bad(
        HEAD + "parameters:\n  core: {count: [1, 2]}\n",
        "s.yaml:5:10 parameters.core.count: unknown key",
    ),
    "no values": Bad(HEAD + "parameters: {core.count: []}\n", "has no values"),
    "mapping as a value": Bad(HEAD + "parameters: {core.count: [{a: 1}]}\n", "write keys dotted"),
    "the same value twice": Bad(
        HEAD + "parameters: {core.count: [1, 1]}\n",
        "the same value twice",
    ),
    "range without an end": Bad(HEAD + "parameters: {core.count: {start: 1}}\n", "start and stop"),
    "range that runs backwards": Bad(
        HEAD + "parameters: {core.count: {start: 4, stop: 1, step: 1}}\n",
        "stop 1 is below start 4: nothing to try",
    ),
    "no step": Bad(
        HEAD + "parameters: {core.count: {start: 1, stop: 4}}\n", "a grid needs steps between"
    ),
    "step and factor": Bad(
        HEAD + "parameters: {core.count: {start: 1, stop: 4, step: 1, factor: 2}}\n", "not both"
    ),
    "step of 0": Bad(
        HEAD + "parameters: {core.count: {start: 1, stop: 4, step: 0}}\n", "step must be above 0"
    ),
    "factor of 1": Bad(
        HEAD + "parameters: {core.count: {start: 1, stop: 4, factor: 1}}\n", "must be above 1"
    ),
    "text as an end": Bad(
        HEAD + "parameters:\n  core.count: {start: few, stop: 4}\n",
        "s.yaml:5:16 parameters.core.count.start: must be a number, got 'few'",
    ),
    "endless": Bad(
        HEAD + "parameters: {core.count: {start: 1, stop: .inf, step: 1}}\n", "must be a number"
    ),
    "misspelt step": Bad(
        HEAD + "parameters: {core.count: {start: 1, stop: 4, stepp: 1}}\n", "did you mean 'step'?"
    ),
    "a million million points": Bad(
        HEAD + "parameters:\n"
        "  memory.l2.bytes: {start: 1048576, stop: 2048575, step: 1}\n"
        "  memory.dram.bytes: {start: 1048576, stop: 2048575, step: 1}\n",
        "s.yaml:4:1 parameters: too many points, want at most 1000000, got 2000000000000 "
        "(take a sample of it: sample: {points: 1000})",
    ),
    "a sample of too many": Bad(
        HEAD + "sample: {points: 1000000}\nparameters: {core.count: [1, 2]}\n", "got 2000000"
    ),
    "a sample of none": Bad(HEAD + "sample: {points: 0}\n", "s.yaml:4:10 sample.points: must be"),
    "constraint with an unknown key": Bad(
        HEAD + "constraints:\n  - core.cont < 4\n",
        "s.yaml:5:5 constraints.0: unknown key 'core.cont', got 'core.cont < 4' "
        "(did you mean 'core.count'?)",
    ),
    "code as a constraint": Bad(
        HEAD + "constraints: ['__import__(\"os\").remove(\"a\")']\n", "not a constraint"
    ),
    "constraints that nothing fulfils": Bad(
        HEAD + "parameters: {core.count: [1, 2]}\nconstraints: core.count > 2\n",
        "constraints: no point fulfils them all",
    ),
    "no such machine": Bad(
        "hardware: nm-edgy\nworkloads: gemm:8x8x8\n",
        "s.yaml:1:1 hardware: no such preset and no such file, got 'nm-edgy' "
        "(did you mean 'nm-edge'?)",
    ),
    "number as a machine": Bad(
        "hardware: 3\nworkloads: gemm:8x8x8\n",
        "s.yaml:1:1 hardware: must be a name",
    ),
    "no machine": Bad("workloads: gemm:8x8x8\n", "s.yaml hardware: is missing"),
    "no such workload": Bad(
        "hardware: nm-edge\nworkloads: [resnet51]\n", "s.yaml:2:13 workloads.0: resnet51: no such"
    ),
    "no workloads": Bad("hardware: nm-edge\nworkloads: []\n", "s.yaml:2:1 workloads: "),
    "number as a workload": Bad(
        "hardware: nm-edge\nworkloads: [3]\n",
        "workloads.0.workload: must be a name",
    ),
    "unknown parameter of a workload": Bad(
        "hardware: nm-edge\nworkloads: [{workload: bert-base, parameters: {sek: 1}}]\n",
        "did you mean 'seq'?",
    ),
    "the same workload twice": Bad(
        "hardware: nm-edge\nworkloads: [resnet50, resnet50]\n", "the same workload twice"
    ),
    "bad pattern": Bad(HEAD.replace("2:4", "5:4"), "s.yaml:3:17 patterns.1: "),
    "the same pattern twice": Bad(HEAD.replace("2:4", "1:1"), "the same pattern twice"),
    "unknown engine": Bad(
        HEAD + "engine: fats\n",
        "s.yaml:4:1 engine: unknown engine, got 'fats' (did you mean 'fast'?)",
    ),
    "unknown setting": Bad(
        HEAD + "settings: {core.cout: 4}\n", "s.yaml:4:12 core.cout: unknown key"
    ),
    "setting that varies, too": Bad(
        HEAD + "settings: {core.count: 4}\nparameters: {core.count: [1]}\n", "stands under settings"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_spec_is_one_clear_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(BAD[name].yaml)
    with pytest.raises(SimulatorError) as caught:
        sweep("s.yaml", store="runs.sqlite")
    assert BAD[name].says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("runs.sqlite").exists()


def test_a_spec_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        sweep(tmp_path / "none.yaml")


def test_a_bad_mapping_is_one_clear_line_too() -> None:
    with pytest.raises(SpecError, match=r"^spec parameters.core.cout: unknown key \(did you mean"):
        sweep(small(parameters={"core.cout": [1]}))


def test_a_bad_machine_names_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("base: nm-edge\ncore: {cout: 4}\n")
    (tmp_path / "s.yaml").write_text("hardware: m.yaml\nworkloads: gemm:8x8x8\n")
    with pytest.raises(ConfigError, match=r"m.yaml:2:8 core.cout: unknown key"):
        sweep(tmp_path / "s.yaml")


def test_files_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("base: nm-edge\nname: mine\n")
    (tmp_path / "net.csv").write_text("name,kind,m,n,k\nfc,linear,32,32,64\n")
    (tmp_path / "s.yaml").write_text("hardware: m.yaml\nworkloads: net.csv\n")
    (row,) = sweep(tmp_path / "s.yaml").rows
    assert (row.hardware, row.workload, row.pattern, row.error) == ("mine", "net", None, None)


def test_settings_apply_to_every_point() -> None:
    rows = sweep(small(settings={"core.port_bytes_per_cycle": 4}, parameters={})).rows
    machine = load_hardware("nm-edge", {"core.port_bytes_per_cycle": 4})
    assert rows == sweep(small(hardware=machine, parameters={})).rows
    assert rows != sweep(small(parameters={})).rows


def test_sequences_of_any_kind_are_lists() -> None:
    plain = plan_of(SweepSpec.load(small(parameters={"core.count": [1, 2, 3]})))
    for values in ((1, 2, 3), range(1, 4), np.array([1, 2, 3])):
        plan = plan_of(SweepSpec.load(small(parameters={"core.count": values})))
        assert list(plan.points()) == list(plain.points())


def test_a_pattern_needs_no_quotes_in_yaml(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(HEAD)
    assert plan_of(SweepSpec.load(tmp_path / "s.yaml")).patterns == ("1:1", "2:4")


def test_any_value_between_ends_can_be_sampled() -> None:
    parameters = {
        "core.count": {"start": 1, "stop": 64},
        "core.port_bytes_per_cycle": {"start": 1.0, "stop": 2.0},
    }
    plan = plan_of(SweepSpec.load(small(parameters=parameters, sample={"points": 20, "seed": 1})))
    settings = [point.settings for point in plan.points()][:: plan.combinations]
    assert len({s["core.count"] for s in settings}) == 20
    assert all(1 <= s["core.port_bytes_per_cycle"] < 2 for s in settings)
    assert all(isinstance(s["core.count"], int) for s in settings)
