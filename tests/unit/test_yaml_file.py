"""Is a YAML file plain data or one line with a position, and is it parsed once?"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from simulator import load_hardware
from simulator.errors import ConfigError, SimulatorError, SpecError
from simulator.exploration.spec import SweepSpec
from simulator.hardware import yaml_tree
from simulator.hardware.yaml_file import parse_value, read

BASE = "base: nm-edge\n"
SWEEP = "hardware: nm-edge\nworkloads: gemm:8x8x8\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "f.yaml"


def refused(path: Path, text: str) -> str:
    """What stands behind the file's name in the one line that a bad file ends in."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_hardware(path)
    found = str(caught.value)
    assert "\n" not in found
    return found.removeprefix(str(path))


# More than plain data

TAGGED = {
    "a list": ("splits: !mine [1, 2]", 9),
    "a mapping": ("splits: !mine {a: 1}", 9),
    "a scalar": ("splits: !mine 5", 9),
    "an empty scalar": ("splits: !mine", 9),
    "a whole tag": ("splits: !<tag:example.org,2026:x> 5", 9),
    "a set": ("splits: !!set {1, 2}", 9),
    "an ordered mapping": ("splits: !!omap [a: 1, b: 2]", 9),
    "an ordered mapping with a doubled key": ("splits: !!omap [a: 1, a: 2]", 9),
    "pairs": ("splits: !!pairs [a: 1, a: 2]", 9),
    "bytes": ("splits: !!binary aGk=", 9),
    "an object": ("splits: !!python/object/apply:os.system [ls]", 9),
    "a name": ("splits: !!python/name:os.system", 9),
    "a list in a list": ("splits: [1, !mine [2]]", 13),
    "a text as a mapping": ("splits: !!map x", 9),
    "a mapping as a text": ("splits: !!str {a: 1}", 9),
    "a list as a number": ("splits: !!float [1]", 9),
}


@pytest.mark.parametrize("name", TAGGED)
def test_tags_are_pointed_at(path: Path, name: str) -> None:
    text, column = TAGGED[name]
    found = refused(path, f"{BASE}libraries:\n  edge:\n    {text}\n")
    assert found.startswith(f":4:{column + 4}: has the tag ")
    assert found.endswith(", want plain values without tags")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("hardware: nm-edge\nworkloads: !mine [resnet50]\n", ":2:12: "),
        (f"{SWEEP}parameters: !!omap\n  - core.count: [1]\n  - core.count: [2]\n", ":3:13: "),
        (f"{SWEEP}parameters: {{core.count: !!set {{1, 2}}}}\n", ":3:26: "),
        ("!!omap\n- hardware: nm-edge\n- hardware: nm-edge\n", ":1:1: "),
    ],
)
def test_tags_of_a_sweep_are_pointed_at(path: Path, text: str, where: str) -> None:
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        SweepSpec.load(path)
    assert str(caught.value).startswith(f"{path}{where}has the tag ")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("!!float 5", 5.0),
        ("!!null ''", None),
        ("!!seq [1]", [1]),
        ("!!map {a: 1}", {"a": 1}),
        ("! 5", 5),
        ("2026-11-24", "2026-11-24"),
        ("2026-99-99", "2026-99-99"),
        ("1_000", 1000),
        ("0o17", 15),
        ("'<<'", "<<"),
    ],
)
def test_tags_of_plain_values_and_dates_are_all_right(path: Path, text: str, value: object) -> None:
    path.write_text(f"a: {text}\n")
    assert read(path).data == {"a": value}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("count: !!int x", ":3:10: not a value of type int"),
        ("count: !!bool x", ":3:10: not a value of type bool"),
        ("count: !!float ''", ":3:10: not a value of type float"),
        ("count: " + "9" * 5000, ":3:10: too long a number"),
        ("count: " + "9" * 400, ":3:3 core.count: must be less than or equal to 4096"),
        ("count: .nan", ":3:3 core.count: must be a whole number, got nan"),
        ("count: -.inf", ":3:3 core.count: must be a whole number, got -inf"),
        ("count: 2026-11-24", ":3:3 core.count: must be a whole number, got '2026-11-24'"),
        ("issue_cycles: 1e999", ":3:3 core.issue_cycles: must be a finite number, got inf"),
    ],
)  # fmt: skip
def test_values_that_are_no_numbers(path: Path, text: str, says: str) -> None:
    assert refused(path, f"{BASE}core:\n  {text}\n").startswith(says)


# Keys


@pytest.mark.parametrize(
    "key", ["1", "1.5", "~", "true", "[a]", "{a: 1}", "? [a]\n", "", ".nan", "!!int 5", "!mine x"]
)
def test_a_key_is_text(path: Path, key: str) -> None:
    found = refused(path, f"{BASE}{key}: 5\n")
    assert found.startswith(":2:")
    assert "a key that is not text, want quotes around it" in found


def test_a_yaml_1_1_word_that_is_no_text_is_shown_as_written(path: Path) -> None:
    found = refused(path, f"%YAML 1.1\n---\n{BASE}on: 5\n")
    assert found == ":4:1: a key that is not text, want quotes around it, got on"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name: a\nname: b", ":3:1"),
        ('name: a\n"name": b', ":3:1"),
        ("core: {count: 1, count: 1}", ":2:18"),
        ("libraries: {edge: {tiles: [{m: 8, m: 8}]}}", ":2:35"),
        ("core:\n  <<: {count: 1}\n  <<: {count: 2}", ":4:3"),
    ],
)
def test_a_doubled_key_is_pointed_at(path: Path, text: str, where: str) -> None:
    assert refused(path, f"{BASE}{text}\n").startswith(f"{where}: duplicate key ")


# Anchors and merges


def test_anchors_are_values_and_every_use_is_one_of_its_own(path: Path) -> None:
    path.write_text("a: &x {b: [1]}\nc: *x\n")
    data = read(path).data
    assert data == {"a": {"b": [1]}, "c": {"b": [1]}}
    data["a"]["b"].append(2)
    assert data["c"] == {"b": [1]}


def test_the_later_of_two_anchors_counts(path: Path) -> None:
    path.write_text("a: &x 1\nb: &x 2\nc: *x\n")
    assert read(path).data == {"a": 1, "b": 2, "c": 2}


def test_merged_keys_yield_to_written_ones_and_earlier_to_later(path: Path) -> None:
    path.write_text("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\n")
    document = read(path)
    assert document.data["c"] == {"x": 1, "y": 1, "z": 3}
    assert document.positions[("c", "x")] == f"{path}:1:8"  # where it is written
    assert document.positions[("c", "z")] == f"{path}:4:3"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("core: {<<: 5}", ":2:12: <<: want a mapping or a list of mappings"),
        ("core: {<<: [5]}", ":2:13: <<: want a mapping or a list of mappings"),
        ("core: {<<: !mine {a: 1}}", ":2:12: <<: want a mapping or a list of mappings"),
        ("core: *there", ":2:7: found undefined alias"),
        ("core: &a [*a]", ":2:7: too large or nested too deeply"),
        ("core: &a {<<: *a}", ":2:7: too large or nested too deeply"),
    ],
)
def test_aliases_that_lead_nowhere(path: Path, text: str, says: str) -> None:
    assert refused(path, f"{BASE}{text}\n").startswith(says)


def test_merges_of_merges_end(path: Path) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 50)]
    assert "too large" in refused(path, "\n".join(lines))


# What the parser itself stumbles over


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("%YAML 1.3\n---\na: 1\n", ":1:1"),
        ('name: "\\U99999999"\n', ":1:5"),
        ("a: " + "[" * 2000, ":1:54"),
        ("\n".join(" " * level + "a:" for level in range(400)), ":51:51"),
        ("a: 1\n---\nb: 2\n", ":2:1"),
    ],
)
def test_every_failure_has_a_position(path: Path, text: str, where: str) -> None:
    assert refused(path, text).startswith(f"{where}: ")


# Values from the command line


@pytest.mark.parametrize("text", ["!mine 5", "!!set {a}", "{a: 1, a: 2}", "{1: 2}"])
def test_a_value_that_is_more_than_plain_data_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set core\.count: "):
        parse_value(text, "--set core.count")


def test_a_value_is_its_reader_s_own() -> None:
    parse_value("[1, 2]").append(3)
    assert parse_value("[1, 2]") == [1, 2]


# What was read once is remembered


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that the parser is given from here on."""
    texts = []
    parse = yaml_tree.parse

    def counted(text: str) -> yaml_tree.Tree:
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(yaml_tree, "_remembered", {})
    monkeypatch.setattr(yaml_tree, "parse", counted)
    return texts


def test_a_file_and_its_bases_are_parsed_once(path: Path, parsed: list[str]) -> None:
    path.write_text("base: nm-flex\nname: mine\n")
    machines = [load_hardware(path) for _ in range(3)]
    assert machines[0] == machines[1] == machines[2]
    assert len(parsed) == 3  # the file, nm-flex and the A100 below it


def test_equal_texts_are_one_and_name_their_own_files(tmp_path: Path, parsed: list[str]) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("base: nm-edge\ncore: {cout: 1}\n")
        with pytest.raises(ConfigError, match=rf"{name}:2:8 core\.cout: unknown key"):
            load_hardware(tmp_path / name)
    assert len(parsed) == 2  # the text and nm-edge


def test_an_edited_file_is_seen_at_once(path: Path) -> None:
    for count in (3, 4, 3):
        path.write_text(f"{BASE}core: {{count: {count}}}\n")
        assert load_hardware(path).core.count == count


def test_nobody_changes_what_is_remembered(path: Path) -> None:
    path.write_text("a: {b: [1, {c: 2}]}\n")
    document = read(path)
    document.data["a"]["b"][1]["c"] = 3
    document.data["a"]["b"].append(4)
    document.positions.clear()
    assert read(path).data == {"a": {"b": [1, {"c": 2}]}}
    assert read(path).positions[("a",)] == f"{path}:1:1"
    changed = load_hardware("nm-edge", {"core.count": 3, "libraries.edge.splits": [7]})
    assert changed.core.count == 3
    assert load_hardware("nm-edge").core.count == 4
    assert load_hardware("nm-edge").libraries["edge"].splits == (1, 2, 4)


def test_what_is_remembered_is_bounded(path: Path, parsed: list[str]) -> None:
    for count in range(1, 100):
        path.write_text(f"a: {count}\n")
        read(path)
    remembered = yaml_tree._remembered
    assert len(remembered) == yaml_tree.MOST_REMEMBERED
    assert hashlib.sha256(b"a: 99\n").digest() in remembered
    read(path)
    assert len(parsed) == 99


def test_what_is_no_yaml_is_not_remembered(path: Path, parsed: list[str]) -> None:
    path.write_text("a: [1\n")
    for _ in range(2):
        with pytest.raises(SimulatorError):
            read(path)
    assert len(parsed) == 2
