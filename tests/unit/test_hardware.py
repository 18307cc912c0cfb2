"""Does a machine's YAML load, is every number of a preset sourced, and are mistakes pointed at?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from machines import TINY, tiny
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from simulator import catalog, simulate
from simulator.errors import ConfigError
from simulator.hardware import Hardware, hardware_schema, load_hardware
from simulator.hardware.yaml_file import parse_value, read
from simulator.sparsity import Pattern
from simulator.units import DTYPE_BITS

PRESETS = catalog.presets("configs", ".yaml")

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a YAML file and return its path."""

    def to_file(text: str | bytes, name: str = "machine.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to_file


@pytest.fixture
def whole(write: Write) -> Path:
    """A file that describes the tiny machine in full, without a base."""
    path = write("", "whole.yaml")
    YAML(typ="safe").dump(TINY, path)
    return path


def message(path: Path, **overrides: object) -> str:
    """The one line that loading a bad file ends in."""
    with pytest.raises(ConfigError) as caught:
        load_hardware(path, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


# Presets


def test_the_presets_that_the_project_names_are_there() -> None:
    expected = {"a100-sxm4-80gb", "a100-sxm4-40gb", "h100-sxm", "rtx3090", "v100-sxm2"}
    assert expected | {"nm-edge", "nm-flex", "nm-flex-wide", "nm-micro"} <= set(PRESETS)


def test_presets_are_sorted_by_name() -> None:
    for kind, suffix in (("configs", ".yaml"), ("workloads", ".csv")):
        names = list(catalog.presets(kind, suffix))
        assert names == sorted(names)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_loads_by_name_and_by_path(name: str) -> None:
    machine = load_hardware(name)
    assert machine.name == name
    assert machine.description
    assert load_hardware(PRESETS[name]) == machine
    assert set(machine.dtypes) <= set(DTYPE_BITS)


@pytest.mark.parametrize(
    ("name", "tflops"),
    # Dense fp16 with fp32 accumulation, tera-FLOP per second: A100 whitepaper table 4; H100 data
    # sheet; GA102 whitepaper table 9, 71.2 at the boost clock, of which the preset has the base
    # clock; V100 whitepaper table 1; MI300X data sheet. Product pages of the RTX 3060 and 4070 Ti
    # Super: 101 TFLOP/s with fp16 sums and 2:4, 706 in fp8 besides.
    [
        ("a100-sxm4-80gb", 312),
        ("h100-sxm", 989),
        ("rtx3090", 71.2 * 1395 / 1695),
        ("v100-sxm2", 125),
        ("mi300x", 1307.4),
        ("rtx3060", 101.8 / 4),
        ("rtx4070-ti-super", 705.6 / 8),
    ],
)
def test_a_gpu_preset_reaches_its_published_peak(name: str, tflops: float) -> None:
    machine = load_hardware(name)
    peak = 2 * machine.macs_per_cycle("fp16") * machine.core.count * machine.clock_hz
    assert float(peak) / 1e12 == pytest.approx(tflops, rel=0.005)


# Every number has a source

QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
COMMENT = re.compile(r"(^|\s)#\s*\S")


def has_comment(line: str) -> bool:
    """A comment with words in it; a ``#`` inside quotes is none."""
    return COMMENT.search(QUOTED.sub("''", line)) is not None


def numbers(node: object, line: int, above: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """For every number: the line it stands on, then the lines of the keys it is part of."""
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            yield from numbers(value, node.lc.key(key)[0], (line, *above))
    elif isinstance(node, CommentedSeq):
        for index, value in enumerate(node):
            yield from numbers(value, node.lc.item(index)[0], (line, *above))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield (line, *above)


def unsourced(text: str) -> list[str]:
    """Lines with a number that has no comment: on its line, on that of a key or list it is part
    of, or on a comment line directly above it."""
    lines = text.splitlines()
    tree = YAML(typ="rt").load(text)
    found = {}
    for key in tree:
        for line, *above in numbers(tree[key], tree.lc.key(key)[0], ()):
            directly_above = line > 0 and lines[line - 1].lstrip().startswith("#")
            on_a_line = any(has_comment(lines[at]) for at in (line, *above))
            if not on_a_line and not (directly_above and has_comment(lines[line - 1])):
                found[line] = f"{line + 1}: {lines[line].strip()}"
    return list(found.values())


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_of_a_preset_has_a_source(name: str) -> None:
    assert unsourced(PRESETS[name].read_text()) == []


@pytest.mark.parametrize(
    ("text", "bad_lines"),
    [
        ("a: 1  # data sheet", []),
        ("a: 1", ["1: a: 1"]),
        ("# data sheet\na: 1", []),
        ("# data sheet\na: 1\nb: 2", ["3: b: 2"]),
        ("# data sheet\n\na: 1", ["3: a: 1"]),
        ("a:  # data sheet\n  b: 1\n  c: [2, 3]", []),
        ("a:\n  b: 1  # data sheet\n  c: 2", ["3: c: 2"]),
        ("a:  # data sheet\n  - {m: 1}\nb:\n  - {m: 1}", ["4: - {m: 1}"]),
        ("a: {b: 1, c: 2}", ["1: a: {b: 1, c: 2}"]),
        ("a: {b: 1,\n  c: 2  # two\n  }", ["1: a: {b: 1,"]),
        ('a: {b: 1, c: "no # comment"}', ['1: a: {b: 1, c: "no # comment"}']),
        ("a: 1  #", ["1: a: 1  #"]),
        ("a: 1.5e3", ["1: a: 1.5e3"]),
        ("a: text\nb: true\nc: ['2:4']", []),
    ],
)
def test_the_check_of_sources_tells_sourced_from_unsourced(text: str, bad_lines: list[str]) -> None:
    assert unsourced(text) == bad_lines


# Mistakes are pointed at


def test_an_unknown_key_is_pointed_at_with_the_spelling_that_was_meant(write: Write) -> None:
    path = write("base: nm-edge\ncore:\n  # four of them\n  cout: 4\n")
    assert message(path) == f"{path}:4:3 core.cout: unknown key (did you mean 'count'?)"


def test_an_unknown_key_far_from_any_other_lists_those_that_are_valid(write: Write) -> None:
    path = write("base: nm-edge\nmemory:\n  zzzz: 1\n")
    assert message(path) == f"{path}:3:3 memory.zzzz: unknown key (valid: dram, l2, writes)"


@pytest.mark.parametrize(
    ("text", "where", "meant"),
    [
        ("memory: {dram: {latency_us: 1}}", "2:17 memory.dram.latency_us", "latency_ns"),
        ("memory: {l2: {halves: {far_latency: 1}}}", "2:24 memory.l2.halves.far_latency",
         "far_latency_cycles"),
        ("energy: {dram_pj_per_bit: 1}", "2:10 energy.dram_pj_per_bit", "dram_pj_per_byte"),
        ("core: {tensor_cores: {instructions: {fp16: {nstep: 8}}}}",
         "2:45 core.tensor_cores.instructions.fp16.nstep", "n_step"),
        ("libraries:\n  edge:\n    stages: 3", "4:5 libraries.edge.stages", "stage_buffers"),
    ],
)  # fmt: skip
def test_unknown_keys_deep_inside(write: Write, text: str, where: str, meant: str) -> None:
    path = write(f"base: nm-edge\n{text}\n")
    found = message(path)
    assert found.startswith(f"{path}:{where}: unknown key")
    assert f"did you mean '{meant}'?" in found


def test_an_unknown_key_in_a_list_of_tiles(write: Write) -> None:
    tile = "{m: 8, n: 8, slots: 8, fragment_m: 8, fragment_n: 8, slot: 1}"
    path = write(f"base: nm-edge\nlibraries:\n  edge:\n    tiles:\n      - {tile}\n")
    assert message(path) == (
        f"{path}:5:62 libraries.edge.tiles.0.slot: unknown key (did you mean 'slots'?)"
    )


def test_a_clock_in_the_wrong_unit_is_an_unknown_key(write: Write) -> None:
    path = write("base: nm-edge\nclock_mhz: 1410\n")
    assert message(path) == f"{path}:2:1 clock_mhz: unknown key (did you mean 'clock_hz'?)"


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("clock_hz", "clock_mhz", "clock_mhz"),
        ("latency_ns", "latency_us", "memory.dram.latency_us"),
    ],
)
def test_a_misspelt_key_is_named_even_where_the_right_one_is_required(
    whole: Path, right: str, wrong: str, where: str
) -> None:
    """Without a base the right key is missing as well; what the user wrote is what to show."""
    whole.write_text(whole.read_text().replace(f"{right}:", f"{wrong}:"))
    found = message(whole)
    assert f" {where}: unknown key (did you mean '{right}'?)" in found


@pytest.mark.parametrize("value", ['"256 KiB"', "256 KiB", '"262144"'])
def test_a_size_is_a_plain_number(write: Write, value: str) -> None:
    path = write(f"base: nm-edge\ncore:\n  register_file:\n    bytes: {value}\n")
    found = message(path)
    assert found.startswith(f"{path}:4:5 core.register_file.bytes: must be a whole number, got ")
    assert "the unit stands in the key's name; write a plain number" in found


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("core: {count: 0}", "2:8 core.count", "must be greater than or equal to 1, got 0"),
        ("core: {count: -4}", "2:8 core.count", "greater than or equal to 1, got -4"),
        ("core: {count: 1.5}", "2:8 core.count", "whole number"),
        ("core: {count: true}", "2:8 core.count", "whole number"),
        ("core: {count: 1000000}", "2:8 core.count", "less than or equal to"),
        ("core: {count: }", "2:8 core.count", "must be a whole number"),
        ("clock_hz: 1.41", "2:1 clock_hz", "whole number"),
        ("clock_hz: 1410", "2:1 clock_hz", "greater than or equal to 1000000, got 1410"),
        ("memory: {dram: {efficiency_ratio: 85}}", "2:17 memory.dram.efficiency_ratio", "got 85"),
        ("memory: {dram: {efficiency_ratio: 0}}", "2:17 memory.dram.efficiency_ratio", "got 0"),
        ("memory: {dram: {bytes_per_second: .nan}}", "2:17 memory.dram.bytes_per_second", "nan"),
        ("memory: {dram: {bytes_per_second: .inf}}", "2:17 memory.dram.bytes_per_second", "inf"),
        ("memory: {dram: {bytes_per_second: -1}}", "2:17 memory.dram.bytes_per_second", "got -1"),
        ("memory: {dram: {latency_ns: -1}}", "2:17 memory.dram.latency_ns", "got -1"),
        ("memory: {writes: l3}", "2:10 memory.writes", "'l2' or 'dram', got 'l3'"),
        ("core: {register_file: {buffers: 3}}", "2:24 core.register_file.buffers", "got 3"),
        ("core: 5", "2:1 core", "mapping"),
        ("core: [1]", "2:1 core", "mapping"),
        ("sparsity: {largest_group: 257}", "2:12 sparsity.largest_group", "got 257"),
        ("sparsity: {skip: some}", "2:12 sparsity.skip", "got 'some'"),
        ("core: {tensor_cores: {macs_per_cycle: {fp17: 1}}}",
         "2:23 core.tensor_cores.macs_per_cycle", "unknown dtype 'fp17' (did you mean 'fp16'?)"),
        ("core: {tensor_cores: {macs_per_cycle: {int4: 1}}}",
         "2:8 core.tensor_cores", "must list the same dtypes: see ['int4']"),
        ("core: {tensor_cores: {instructions: {fp16: {n_step: 3}}}}",
         "2:38 core.tensor_cores.instructions.fp16", "n_step must divide n = 8"),
        ("libraries: {edge: {tiles: []}}", "2:20 libraries.edge.tiles", "not be empty"),
        ("libraries: {edge: {splits: []}}", "2:20 libraries.edge.splits", "not be empty"),
        ("libraries: {edge: {stage_buffers: 65}}", "2:20 libraries.edge.stage_buffers", "got 65"),
        ("libraries: {edge: {tiles: [{m: 8, n: 8, slots: 8, fragment_m: 9, fragment_n: 8}]}}",
         "2:28 libraries.edge.tiles.0", "a fragment cannot be larger than its tile"),
    ],
)  # fmt: skip
def test_values_out_of_range(write: Write, text: str, where: str, what: str) -> None:
    path = write(f"base: nm-edge\n{text}\n")
    found = message(path)
    assert found.startswith(f"{path}:{where}: ")
    assert what in found


@pytest.mark.parametrize("choice", ["dense", "sparse"])
def test_a_choice_of_a_library_that_is_not_there(write: Write, choice: str) -> None:
    path = write(f"base: nm-edge\nlibrary: {{{choice}: edgy}}\n")
    found = message(path)
    assert str(path) in found
    assert "no library 'edgy' (did you mean 'edge'?)" in found


@pytest.mark.parametrize(
    ("keys", "dotted"),
    [
        (("clock_hz",), "clock_hz"),
        (("core", "count"), "core.count"),
        (("memory", "dram", "latency_ns"), "memory.dram.latency_ns"),
        (("libraries",), "libraries"),
    ],
)
def test_a_missing_key_is_named(whole: Path, keys: tuple[str, ...], dotted: str) -> None:
    tree = YAML(typ="safe").load(whole)
    *parents, last = keys
    node = tree
    for parent in parents:
        node = node[parent]
    del node[last]
    YAML(typ="safe").dump(tree, whole)
    found = message(whole)
    assert found.startswith(str(whole))
    assert found.endswith(f" {dotted}: is missing")


# Patterns in YAML


@pytest.mark.parametrize("listed", ["[2:4]", '["2:4"]', "['2:4']", "[ 2:4 ]", "\n    - 2:4"])
def test_a_pattern_needs_no_quotes(write: Write, listed: str) -> None:
    machine = load_hardware(write(f"base: nm-edge\nsparsity:\n  patterns: {listed}\n"))
    assert machine.sparsity.patterns == ("2:4",)
    assert Pattern(2, 4) in machine.sparsity.capability.patterns


def test_a_yaml_1_1_file_turns_an_unquoted_pattern_into_124(write: Write) -> None:
    path = write("%YAML 1.1\n---\nbase: nm-edge\nsparsity:\n  patterns: [2:4]\n")
    found = message(path)
    assert found.startswith(f"{path}:5:3 sparsity.patterns: ")
    assert "got 124 (YAML 1.1 reads 2:4 as 124: write '2:4')" in found


def test_a_yaml_1_1_file_with_a_quoted_pattern_is_fine(write: Write) -> None:
    path = write('%YAML 1.1\n---\nbase: nm-edge\nsparsity:\n  patterns: ["2:4"]\n')
    assert load_hardware(path).sparsity.patterns == ("2:4",)


@pytest.mark.parametrize(
    ("patterns", "what"),
    [
        ("[5:4]", "1 <= keep <= group, got '5:4' (did you mean '4:5'?)"),
        ("[0:4]", "1 <= keep <= group, got '0:4'"),
        ("[a:b]", "not a pattern, want 'keep:group', such as '2:4', got 'a:b'"),
        ("[24]", "not a pattern, want 'keep:group', such as '2:4', got 24"),
        ("[2:4, ]", None),
        ("[true]", "got True"),
        ("[[2:4]]", "not a pattern"),
        ("2:4", 'want a list of patterns, such as ["2:4"]'),
        ("5", 'want a list of patterns, such as ["2:4"]'),
    ],
)
def test_lists_of_patterns(write: Write, patterns: str, what: str | None) -> None:
    path = write(f"base: nm-edge\nsparsity:\n  patterns: {patterns}\n")
    if what is None:
        assert load_hardware(path).sparsity.patterns == ("2:4",)
    else:
        found = message(path)
        assert found.startswith(f"{path}:3:3 sparsity.patterns")
        assert what in found


# A base and overrides


def test_a_base_gives_everything_that_the_file_does_not(write: Write) -> None:
    edge = load_hardware("nm-edge")
    path = write("base: nm-edge\nname: mine\nmemory: {dram: {latency_ns: 7}}\n")
    machine = load_hardware(path)
    assert (machine.name, machine.memory.dram.latency_ns) == ("mine", 7)
    dram = edge.memory.dram.model_copy(update={"latency_ns": 7})
    memory = edge.memory.model_copy(update={"dram": dram})
    assert machine == edge.model_copy(update={"name": "mine", "memory": memory})


def test_a_base_may_be_a_file_beside_and_have_a_base_of_its_own(write: Write) -> None:
    write("base: nm-edge\ncore: {count: 7, port_bytes_per_cycle: 8}\n", "one.yaml")
    write("base: one.yaml\ncore: {count: 8}\n", "two.yaml")
    machine = load_hardware(write("base: two.yaml\nname: three\n"))
    assert (machine.core.count, machine.core.port_bytes_per_cycle) == (8, 8)
    assert machine.clock_hz == load_hardware("nm-edge").clock_hz


def test_a_list_replaces_that_of_the_base(write: Write) -> None:
    path = write("base: nm-edge\nlibraries: {edge: {splits: [3]}}\n")
    library = load_hardware(path).libraries["edge"]
    assert library.splits == (3,)
    assert library.tiles == load_hardware("nm-edge").libraries["edge"].tiles


def test_null_takes_a_section_of_the_base_away(write: Write) -> None:
    assert load_hardware(write("base: nm-edge\nenergy:\n")).energy is None


def test_a_mistake_in_the_base_is_pointed_at_in_the_base(write: Write) -> None:
    base = write("base: nm-edge\ncore: {count: 0}\n", "base.yaml")
    assert message(write("base: base.yaml\nname: x\n")).startswith(f"{base}:2:8 core.count: ")


def test_a_mistake_that_overlays_the_base_is_pointed_at_in_the_file(write: Write) -> None:
    write("base: nm-edge\ncore:\n  count: 5\n", "base.yaml")
    path = write("base: base.yaml\ncore:\n\n  count: 0\n")
    assert message(path).startswith(f"{path}:4:3 core.count: ")


@pytest.mark.parametrize("base", ["nm-edgy", "missing.yaml"])
def test_a_base_that_is_not_there(write: Write, base: str) -> None:
    path = write(f"name: x\nbase: {base}\n")
    found = message(path)
    assert found.startswith(f"{path}:2:1 base: no such preset and no such file")
    assert f"got '{base}'" in found


@pytest.mark.parametrize("base", ["5", "[nm-edge]", "{a: 1}"])
def test_a_base_that_is_no_name(write: Write, base: str) -> None:
    path = write(f"base: {base}\n")
    assert message(path).startswith(f"{path}:1:1 base: not a machine")


def test_bases_that_lead_back_to_themselves(write: Write) -> None:
    alone = write("base: alone.yaml\n", "alone.yaml")
    assert "leads back to itself" in message(alone)
    write("base: b.yaml\n", "a.yaml")
    assert "leads back to itself" in message(write("base: a.yaml\n", "b.yaml"))


def test_overrides_win_over_file_and_base(write: Write) -> None:
    path = write("base: nm-edge\ncore: {count: 5}\n")
    machine = load_hardware(path, {"core.count": 6, "memory.dram.latency_ns": 1.5})
    assert (machine.core.count, machine.memory.dram.latency_ns) == (6, 1.5)
    assert machine.core.scratchpad == load_hardware("nm-edge").core.scratchpad


def test_overrides_apply_to_a_machine_in_hand_and_leave_it_alone() -> None:
    machine = tiny()
    other = load_hardware(machine, {"core.count": 9})
    assert (machine.core.count, other.core.count) == (1, 9)
    assert load_hardware(machine) == machine


def test_an_override_may_open_a_section_that_the_machine_lacks() -> None:
    assert tiny().memory.l2.halves is None
    machine = tiny(
        memory__l2__halves__far_latency_cycles=3, memory__l2__halves__link_bytes_per_cycle=2
    )
    assert machine.memory.l2.halves is not None
    assert machine.memory.l2.halves.far_latency_cycles == 3


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("core.coutn", 4, "--set core.coutn: unknown key (did you mean 'count'?)"),
        ("coer.count", 4, "unknown key (did you mean 'core'?)"),
        ("core.count", 0, "--set core.count: must be greater than or equal to 1, got 0"),
        ("core.count", "many", "--set core.count: must be a whole number, got 'many'"),
        ("core", 4, "--set core: must be a mapping of keys"),
        ("core..count", 4, "--set core..count: not a dotted key"),
        (".count", 4, "--set .count: not a dotted key"),
        ("core.", 4, "--set core.: not a dotted key"),
        ("", 4, "not a dotted key"),
        ("core.count.x", 4, "--set core.count.x: 'count' has no keys below it"),
        ("libraries.edge.tiles.0.m", 8, "'tiles' has no keys below it"),
        ("sparsity.patterns", ["5:4"], "--set sparsity.patterns: pattern: a group cannot keep"),
        ("sparsity.patterns", [124], "write '2:4'"),
        ("library.dense", "edgy", "no library 'edgy' (did you mean 'edge'?)"),
    ],
)
def test_bad_overrides(key: str, value: object, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_hardware("nm-edge", {key: value})
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("64", 64), ("1.5", 1.5), ("true", True), ("[2:4]", ["2:4"]), ("2:4", "2:4"), ("l2", "l2"),
     ("", None), ("[1", "[1")],
)  # fmt: skip
def test_a_value_from_the_command_line_reads_as_in_a_file(text: str, value: object) -> None:
    assert parse_value(text) == value


# Files that are no machine


ALIAS_BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(8)
)
"""Nine references to nine references to ...: 9**9 items in 300 bytes."""


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (b"", "", "not a machine"),
        (b"# nothing\n", "", "not a machine"),
        (b"- a\n- b\n", "", "not a machine"),
        (b"just words\n", "", "not a machine"),
        (b"name: [1\n", ":2:1", "expected ',' or ']'"),
        (b"name: x\n  clock_hz: 1\n", ":2:11", "mapping values are not allowed"),
        (b"\tname: x\n", ":1:1", "cannot start any token"),
        (b"name: x\nname: y\n", ":2:1", 'duplicate key "name"'),
        (b"base: nm-edge\ncore: {count: 1, count: 2}\n", ":2:18", 'duplicate key "count"'),
        (b"name: x\n---\nname: y\n", "", "document"),
        (b"name: \xe9\n", "", "not UTF-8 text: byte 6"),
        (b"\xff\xfen\x00a\x00", "", "not UTF-8 text: byte 0"),
        (b"name: *unknown\n", ":1:7", "undefined alias"),
        (b"a: " + b"[" * 60 + b"]" * 60, "", "nested too deeply"),
        (ALIAS_BOMB, "", "too large"),
        (b"name: \x00\n", "", "not text: a control character"),
        (b"a: " + b"[" * 700, "", "not YAML"),
    ],
)
def test_files_that_are_no_machine(write: Write, text: bytes, where: str, what: str) -> None:
    path = write(text)
    found = message(path)
    assert found.startswith(f"{path}{where}")
    assert what in found


def test_a_byte_order_mark_and_windows_line_ends_are_fine(write: Write) -> None:
    path = write(b"\xef\xbb\xbfbase: nm-edge\r\ncore:\r\n  count: 3\r\n")
    assert load_hardware(path).core.count == 3


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    assert message(missing).startswith(f"{missing}: no such preset and no such file")
    assert message(tmp_path).startswith(f"{tmp_path}: is a folder")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read(missing)


def test_a_misspelt_preset_names_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'nm-flex'\?"):
        load_hardware("nm-flx")


# What a machine is


def test_a_machine_is_frozen() -> None:
    machine = tiny()
    with pytest.raises(ValidationError, match="frozen"):
        machine.clock_hz = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        machine.core.scratchpad.bytes = 1  # type: ignore[misc]


def test_rates_and_latencies_are_exact() -> None:
    machine = tiny(
        clock_hz=1_410_000_000,
        core__port_bytes_per_cycle=64,
        core__scratchpad__bytes_per_cycle=128,
        core__scratchpad__efficiency_ratio=0.98,
        memory__l2__bytes_per_cycle=3855,
        memory__dram__bytes_per_second=2039000000000,
        memory__dram__efficiency_ratio=0.85,
        memory__dram__latency_ns=405.7,
        memory__l2__halves={"far_latency_cycles": 213, "link_bytes_per_cycle": 2560},
    )
    cycle_ps = Fraction(10**12, 1_410_000_000)

    def ps_per_byte(rate: object) -> Fraction:
        return Fraction(rate.num, rate.den)  # type: ignore[attr-defined]

    assert ps_per_byte(machine.port_rate) == cycle_ps / 64
    assert ps_per_byte(machine.l2_rate) == cycle_ps / 3855
    assert ps_per_byte(machine.link_rate) == cycle_ps / 2560
    assert ps_per_byte(machine.dram_rate) == Fraction(10**12, 1_733_150_000_000)
    assert machine.scratchpad_bytes_per_cycle == Fraction(12544, 100)
    assert machine.dram_latency_ps == 405_700
    assert machine.cycles_ps(24.7) == 17518  # 24.7 / 1.41 GHz = 17517.73 ps
    assert tiny().link_rate is None


# The schema


def test_the_schema_is_a_json_schema_with_a_base() -> None:
    schema = hardware_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert schema["properties"]["base"]["type"] == "string"
    assert set(schema["properties"]) == {*Hardware.model_fields, "base"}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", PRESETS)
def test_the_schema_accepts_every_preset(name: str) -> None:
    """An editor must not underline a file that loads."""
    errors = Draft202012Validator(hardware_schema()).iter_errors(read(PRESETS[name]).data)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize(
    "data", [{"clock_mhz": 1}, {"core": {"count": 0}}, {"core": {"cout": 4}}, {"clock_hz": "1 GHz"}]
)
def test_the_schema_rejects_what_does_not_load(data: dict[str, object]) -> None:
    assert not Draft202012Validator(hardware_schema()).is_valid(data)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("core.register_file.buffers", True, "must be a whole number, got True"),
        ("core.register_file.buffers", 3, "must be less than or equal to 2, got 3"),
        ("core.scratchpad.shared_port", 1, "must be true or false, got 1"),
        ("core.scratchpad.shared_port", "yes", "must be true or false, got 'yes'"),
        ("libraries.edge.tiles", 5, "must be a list, got 5"),
        ("libraries.edge.tiles", [], "must not be empty"),
        ("core.tensor_cores.macs_per_cycle", {}, "must not be empty"),
        ("memory.l2.halves", 3, "must be a mapping of keys to values, got 3"),
        ("library", None, "must be a mapping of keys to values"),
        ("name", 5, "must be text, got 5"),
        ("name", "\x1b[31mred", "holds a control character, got '\\x1b[31mred'"),
        ("launch_ns", "1 us", "must be a number, got '1 us' (the unit stands in the key's name"),
    ],
)
def test_errors_speak_of_yaml_not_of_python(key: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_hardware("nm-edge", {key: value})
    assert f"--set {key}: {says}" in str(caught.value)


def test_a_copy_knows_nothing_of_what_was_derived_before() -> None:
    machine = load_hardware("nm-edge")
    simulate(machine, "gemm:64x64x64")
    faster = machine.model_copy(update={"clock_hz": 2 * machine.clock_hz})
    assert faster.port_rate.ps(10**9) * 2 == machine.port_rate.ps(10**9)
    assert faster == load_hardware("nm-edge", {"clock_hz": 2 * machine.clock_hz})
    with pytest.raises(ValidationError):
        machine.model_copy(update={"clock_hz": 0})
