"""Does the reference hold all there is: keys, columns, figures, options, names, errors?"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from generate import reference
from generate.reference.api import GROUPS
from generate.reference.errors import EXAMPLES, WHOLE, classes
from generate.reference.figures import anchor, slug
from generate.reference.parts import MACHINE, RECIPE, SWEEP, Description

import simulator
from simulator import catalog, errors, pictures, weights
from simulator.cli import CONTROL_C, app
from simulator.cli.diffing import MOVED
from simulator.cli.help import GROUPS as PANELS
from simulator.cli.requiring import UNREACHED
from simulator.cli.schemas import SCHEMAS
from simulator.described import TABLES
from simulator.hardware.yaml_file import read
from simulator.workload.columns import COLUMNS, EVERY
from simulator.workload.comments import VERSION_LINE

LEAST_WORDS = 6

HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)


@cache
def pages() -> dict[str, str | bytes]:
    return reference.pages()


def text(name: str) -> str:
    found = pages()[f"reference/{name}.md"]
    assert isinstance(found, str)
    return found


@cache
def told(name: str) -> dict[str, str]:
    """What stands below each heading of a page, by the heading."""
    heads = list(HEADING.finditer(text(name)))
    ends = [head.start() for head in heads[1:]] + [len(text(name))]
    return {
        head[2].strip("`"): text(name)[head.end() : end]
        for head, end in zip(heads, ends, strict=True)
    }


def prose(markdown: str) -> str:
    """The description alone: facts, tables and blocks apart."""
    left = re.sub(r"^(:::|```)[\s\S]*?^\1$", "", markdown, flags=re.MULTILINE)
    return "\n".join(line for part in left.split("\n\n") if not part.strip().startswith("{.")
                     for line in part.splitlines() if not line.startswith(("|", "= ")))  # fmt: skip


def describes(said: str, name: str = "") -> bool:
    """Whether a text has words enough, and others than the name."""
    found, own = (re.findall(r"[a-z0-9]+", part.lower()) for part in (said, name))
    return len(found) >= LEAST_WORDS and len({*found} - {*own}) >= LEAST_WORDS // 2


def lacking(names: Iterable[str], page: str) -> list[str]:
    """Names that are not on a page, or are hardly described there."""
    found = told(page)
    return [name for name in names if not describes(prose(found.get(name, "")), name)]


# Keys


def properties(schema: Any) -> Iterator[str]:
    """Names of all keys that a schema knows, wherever."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            yield from properties(part)


def written(data: Any, at: str = "") -> Iterator[str]:
    """Dotted keys of a YAML, items of lists as ``[]``."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield f"{at}.{key}".lstrip(".")
            yield from written(value, f"{at}.{key}".lstrip("."))
    elif isinstance(data, list):
        for item in data:
            yield from written(item, f"{at}[]")


def form_of(heading: str) -> re.Pattern[str]:
    return re.compile(re.escape(heading).replace("NAME", r"[^.]+"))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_is_there_and_described(kind: str) -> None:
    keys = [name for name, below in told(kind).items() if "{.facts}" in below]
    assert {key.rpartition(".")[2] for key in keys} == set(properties(SCHEMAS[kind]()))
    assert lacking(keys, kind) == []


def test_every_key_that_a_preset_states_is_there() -> None:
    """By its dotted name; of values by dtype or name, what they are values of."""
    forms = [form_of(name) for name in told("machine")]
    same = re.findall(r"Keys as below \[`(.*?)`\]", text("machine"))
    assert same == ["core.promotion", "libraries.NAME.least", "libraries.NAME.least"]
    paths = catalog.presets("configs", ".yaml").values()
    stated = {key for path in paths for key in written(read(path).data)}
    by_name = r"(macs_per_cycle|instructions|mac_pj|dtypes|libraries)\.[^.]+"
    shared = r"libraries\.[^.]+\.(promotion|multiples|multiples_bits)\.\w+"
    missing = [key for key in stated if not any(form.fullmatch(key) for form in forms)]
    assert len(stated) > 100
    assert [key for key in missing if not re.search(f"({by_name}|^{shared})$", key)] == []


def test_presets_say_their_values_and_where_these_are_from() -> None:
    below = told("machine")["memory.l2.bytes"]
    row = next(line for line in below.splitlines() if "[a100-sxm4-80gb]" in line)
    assert "`41943040` (40 MiB)" in row
    assert "[nm-flex]" in row  # which inherits it
    assert "whitepaper table 4" in row
    assert "required" in below.splitlines()[3]
    dram = told("machine")["memory.dram.latency_ns"]
    assert "number, 0 or more · ns · required" in dram


def test_who_asks_for_two_halves_of_l2_finds_them() -> None:
    assert "partitions" in told("machine")["L2 in two halves"]
    assert {"memory.l2.halves", "memory.l2.halves.link_bytes_per_cycle"} <= set(told("machine"))


READ: dict[str, tuple[Description, Callable[[Path], object]]] = {
    "machine": (MACHINE, simulator.load_hardware),
    "sweep": (SWEEP, simulator.SweepSpec.load),
    "recipe": (RECIPE, simulator.TrainSpec.load),
}


@pytest.mark.parametrize("kind", READ)
def test_parts_of_a_file_are_introduced_and_its_example_is_one(kind: str, tmp_path: Path) -> None:
    description, load = READ[kind]
    for part in description.parts:
        assert describes(part.about, part.title), part.title
        assert part.title in told(kind)
    example = tmp_path / "example.yaml"
    example.write_text(description.example)
    load(example)
    assert description.example.strip() in text(kind)


def test_every_machine_and_network_is_there() -> None:
    names = [*catalog.presets("configs", ".yaml"), *catalog.presets("workloads", ".csv")]
    assert [name for name in names if not describes(told("presets")[name], name)] == []
    assert "Sun et al." in told("presets")["a100-sxm4-80gb"]


# Columns, figures


def test_every_column_kind_and_comment_of_traces_is_there() -> None:
    names = [column.name for column in COLUMNS]
    assert lacking(names, "trace") == []
    for kind in EVERY[:-1]:
        assert describes(told("trace")[kind], kind)
    comments = told("trace")["Comments that are read"]
    for line in (VERSION_LINE, "# stack:", "# parameter:", "# blocks:", "# Note:"):
        assert f"`{line}" in comments


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_figure_is_there_with_unit_meaning_and_formula(table: Any) -> None:
    page = f"figures/{slug(table)}"
    links = dict(re.findall(r"^- \[`(.*?)`\]\((.*?)\)$", text(page), re.MULTILINE))
    for figure in table.figures:
        if figure.name in links:
            target, _, place = links[figure.name].partition(".md#")
            names = {anchor(name): name for name in told(f"figures/{target}")}
            below = told(f"figures/{target}")[names[place]]
        else:
            below = told(page)[figure.name]
        assert describes(prose(below), figure.name), figure.name
        assert figure.unit in below
        assert figure.formula in below
    assert "`nmsim" in text(page)


# Commands


def test_every_command_is_there_in_its_group() -> None:
    group: Any = typer.main.get_command(app)
    page = told("commands")
    heads = [name for name in page if name.startswith("nmsim ") or name in PANELS]
    panel = ""
    for head in heads:
        panel = head if head in PANELS else panel
        if head not in PANELS:
            command = group.commands[head.removeprefix("nmsim ")]
            assert command.rich_help_panel == panel
            assert command.help.split()[0] in page[head]
    assert {head.removeprefix("nmsim ") for head in heads} - {*PANELS} == set(group.commands)


def test_every_option_and_argument_is_there_and_described() -> None:
    group: Any = typer.main.get_command(app)
    for name, command in (("Commands", group), *group.commands.items()):
        below = told("commands")[name if command is group else f"nmsim {name}"]
        told_of = dict(re.findall(r"^:::\{option\} (.*)\n(.*)\n:::$", below, re.MULTILINE))
        for one in filter(lambda one: not one.hidden, command.params):
            is_option = one.param_type_name == "option"
            first = one.opts[0] if is_option else (one.metavar or one.name).strip("[]")
            same_kind = (key for key in told_of if key.startswith("-") == is_option)
            found = [key for key in same_kind if first.lower() in re.split("[ ,]+", key.lower())]
            assert len(found) == 1, f"{name}: {first}"
            assert all(opt in found[0] or not is_option for opt in one.opts)
            assert describes(told_of[found[0]], first), f"{name}: {first}"
            if is_option and one.default not in (None, False, ()):
                assert f"Default: {one.default}" in told_of[found[0]]


# Python, errors


def names_of(module: ModuleType) -> set[str]:
    return {f"{module.__name__}.{name}" for name in module.__all__}


def test_every_public_name_is_there_once() -> None:
    every = names_of(simulator) | names_of(pictures) | names_of(weights)
    found = re.findall(r"^\.\. (?:auto\w+|py:data):: (\S+)$", text("api"), re.MULTILINE)
    assert sorted(found) == sorted(every)
    assert [group.title for group in GROUPS if group.title not in told("api")] == []


@pytest.mark.parametrize("module", [simulator, pictures, weights], ids=lambda one: one.__name__)
def test_every_public_name_says_what_it_is(module: ModuleType) -> None:
    things = {name: getattr(module, name) for name in module.__all__}
    said = {name: inspect.getdoc(one) or "" for name, one in things.items() if callable(one)}
    assert [name for name, doc in said.items() if not describes(doc, name)] == []


def test_every_error_is_there_with_one_that_happened() -> None:
    kinds = {
        name for name, one in vars(errors).items()
        if inspect.isclass(one) and issubclass(one, errors.SimulatorError)
    }  # fmt: skip
    assert {kind.__name__ for kind in classes()} == kinds - {"SimulatorError"}
    assert lacking([kind.__name__ for kind in classes()], "errors") == []
    for kind in classes():
        below = told("errors")[kind.__name__]
        assert re.search(r"^nmsim: \S.*: ", below, re.MULTILINE), kind
        assert "Traceback" not in below
        assert (
            f"from simulator{'' if kind.__name__ in simulator.__all__ else '.errors'} import"
            in below
        )


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_an_error_raises_it(name: str) -> None:
    error = EXAMPLES[name].error()
    assert type(error).__name__ == name
    assert f"nmsim: {error}" in told("errors")[name]


def test_the_error_that_is_taken_apart_has_all_parts() -> None:
    error = WHOLE.error()
    below = told("errors")["The line"]
    for part in (error.where, error.what, error.want, error.got, error.hint):
        assert part
        assert f"`{part}`" in below
    assert f"nmsim: {error}" in below


def test_every_exit_code_is_told() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", text("errors"), re.MULTILINE)
    assert {int(code) for code, _ in rows} == {0, MOVED, 2, CONTROL_C}
    why = {int(code): " ".join(said for one, said in rows if one == code) for code, _ in rows}
    assert "nmsim diff --tolerance" in why[MOVED]
    assert "nmsim require" in why[UNREACHED]
