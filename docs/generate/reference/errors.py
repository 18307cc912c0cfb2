"""The page of errors: each class, and one that the program raises while this page is made."""

from __future__ import annotations

import inspect
import io
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, field
from pathlib import Path

import typer

import simulator
from generate.reference.markdown import block, code, page, plain, table
from simulator.cli import app, main
from simulator.errors import AccountError, SimulatorError
from simulator.report.audit import audit

ABOUT = """Whatever is wrong with an input is one line on standard error, and exit code 2. In Python
it is an exception whose base is `SimulatorError`, with the same text and its parts as attributes.

| exit code | what happened |
| --- | --- |
| 0 | all went well |
| 1 | `nmsim diff --tolerance`: something moved by more than that |
| 2 | an input is wrong: one of the errors below, or an option that the command does not have |
| 2 | `nmsim require`: no machine reaches the target |
| 2 | [AccountError](#accounterror): a figure is impossible; the model is wrong, not the input |
| 130 | Control-C ended it |"""

ANATOMY = "The line has up to five parts, in this order. Parts that would say nothing are left out."

PARTS = {
    "where": "File with line and column, option, or dotted key.",
    "what": "What is wrong.",
    "want": "What would be accepted, after the word want.",
    "got": "The value that was found there, after the word got.",
    "hint": "What can be done about it, in brackets.",
}
"""Attributes of an error, as its line has them."""

IMPOSSIBLE = """The program checks its own figures. This one says that the model is wrong, not the
input: please report it, with the command. For this page the check was given a negative count:"""


@dataclass(frozen=True)
class Example:
    """A command that fails.

    Attributes
    ----------
    command : str
        As it is typed, ``nmsim`` apart.
    files : mapping of str to str
        What lies in the folder, by name.
    """

    command: str
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """Files, the command, and what it prints."""
        return page(
            *(_file(name, text) for name, text in self.files.items()),
            block(
                "{code-block} console", f":class: wrapped\n\n$ nmsim {self.command}\n{self.line()}"
            ),
        )

    def line(self) -> str:
        """What stands on standard error; that the exit code is 2 a test asks."""
        said, given = io.StringIO(), sys.argv
        sys.argv = ["nmsim", *self.command.split()]
        try:
            with self._folder(), redirect_stderr(said), suppress(SystemExit):
                main()
        finally:
            sys.argv = given
        return said.getvalue().strip()

    def error(self) -> SimulatorError:
        """What the command raises."""
        try:
            with self._folder():
                typer.main.get_command(app)(self.command.split(), standalone_mode=False)
        except SimulatorError as error:
            return error
        raise AssertionError(f"{self.command}: no error")

    @contextmanager
    def _folder(self) -> Iterator[None]:
        """A folder with the files, as the one to work in."""
        before = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            for name, text in self.files.items():
                (Path(folder) / name).write_text(text)
            os.chdir(folder)
            try:
                yield
            finally:
                os.chdir(before)


def _file(name: str, text: str) -> str:
    language = {".yaml": "yaml", ".json": "json"}.get(Path(name).suffix, "text")
    return f"```{{code-block}} {language}\n:caption: {name}\n\n{text.rstrip()}\n```"


WHOLE = Example("run machine.yaml resnet50", {"machine.yaml": "base: nm-flux\nname: mine\n"})
"""An error that has all parts."""

EXAMPLES = {
    "ConfigError": Example("run nm-flex resnet50 --set core.scratchpad.byte_per_cycle=256"),
    "CombinationError": Example("run a100-sxm4-80gb resnet50 --set energy.tdp_w=20"),
    "WorkloadError": Example(
        "run nm-flex trace.csv", {"trace.csv": "name,kind,m,n,k\nfc1,linaer,64,64,64\n"}
    ),
    "MappingError": Example("run nm-edge gpt3-175b-decode"),
    "WeightsError": Example("prune model.safetensors --pattern 2:4"),
    "ReportError": Example(
        "diff before.json after.json", {"before.json": "{}", "after.json": "{}"}
    ),
    "OutputError": Example("run nm-edge gemm:64x64x64 -o result.xlsx"),
    "SpecError": Example(
        "sweep sweep.yaml", {"sweep.yaml": "hardware: nm-edge\nworkload: resnet50"}
    ),
    "TrainingError": Example(
        "train recipe.yaml",
        {
            "recipe.yaml": "task: {fashion: {path: images}}\n"
            "network: mlp\nepochs: 1\nrecipes: dense\n"
        },
    ),
    "StoreError": Example("results runs.sqlite"),
}
"""By the class of the error that comes of them."""


def pages() -> dict[str, str]:
    """One page."""
    text = page(
        "# Errors",
        ABOUT,
        "## The line",
        ANATOMY,
        WHOLE.shown,
        _anatomy(WHOLE.error()),
        "## Classes",
        *map(_class, classes()),
    )
    return {"reference/errors.md": text}


def classes(base: type[SimulatorError] = SimulatorError) -> list[type[SimulatorError]]:
    """All errors of the program, each before those that are kinds of it."""
    own = [kind for kind in base.__subclasses__() if kind.__module__ == SimulatorError.__module__]
    return [one for kind in own for one in (kind, *classes(kind))]


def _anatomy(error: SimulatorError) -> str:
    rows = [(f"`{part}`", about, code(getattr(error, part))) for part, about in PARTS.items()]
    return table(("part", "what it says", "here"), rows)


def _class(kind: type[SimulatorError]) -> str:
    name = kind.__name__
    (base,) = kind.__bases__
    at = "simulator" if name in simulator.__all__ else "simulator.errors"
    return page(
        f"### {name}",
        f"{{.facts}}\nexit code 2 · `from {at} import {name}` · a kind of `{base.__name__}`",
        plain(inspect.getdoc(kind) or ""),
        _impossible() if kind is AccountError else EXAMPLES[name].shown,
    )


def _impossible() -> str:
    try:
        audit("layer fc1", counts={"slots_used": -1}, sums={}, ratios={})
    except AccountError as error:
        return page(IMPOSSIBLE, block("{code-block} text", f":class: wrapped\n\nnmsim: {error}"))
    raise AssertionError("no error")
