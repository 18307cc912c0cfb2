"""The command `nmsim completion`, and the words that shells offer while a command is typed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from simulator import catalog
from simulator.errors import OutputError

ASKED: Final = "_NMSIM_COMPLETE"
"""In this variable a shell asks for words, by the name that typer gives it."""

Words = Callable[[str], list[str]]
"""What may stand where a word has been begun; typer leaves out what does not go on as it begins."""


def prepare_answer() -> None:
    """Let typer answer a shell that asks: without its own options, it does not know any shell."""
    if ASKED in os.environ:
        from typer.completion import completion_init

        completion_init()


def of_presets(kind: str, suffix: str, *others: str) -> Words:
    """Presets of a kind, and files beside them: shells know folders themselves."""

    def words(incomplete: str) -> list[str]:
        return [*catalog.presets(kind, suffix), *_files((suffix, *others), incomplete)]

    return words


def one_of(names: Callable[[], Iterable[str]]) -> Words:
    """Names that are listed when they are asked for."""

    def words(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return words


SHELLS: Final = ("bash", "zsh")


def completion(
    shell: Annotated[
        str,
        typer.Argument(
            metavar="bash|zsh", help="Whose script to print.", autocompletion=one_of(lambda: SHELLS)
        ),
    ],
) -> None:
    """Print the script that lets a shell complete commands, options, machines and networks.

    In ~/.bashrc: source <(nmsim completion bash). In ~/.zshrc, after compinit: source <(nmsim
    completion zsh).
    """
    from typer.completion import get_completion_script

    if shell not in SHELLS:
        raise OutputError("completion", "no such shell", want=" or ".join(SHELLS), got=shell)
    typer.echo(get_completion_script(prog_name="nmsim", complete_var=ASKED, shell=shell))


def _files(suffixes: tuple[str, ...], incomplete: str) -> list[str]:
    """Files of this folder whose names go on so."""
    if os.sep in incomplete:
        return []
    try:
        return sorted(file.name for file in Path().iterdir() if file.suffix in suffixes)
    except OSError:
        return []


def _formats() -> Iterable[str]:
    from simulator.cli.output import FORMATS

    return FORMATS


def _stacks() -> Iterable[str]:
    from simulator.workload.layer import LISTED
    from simulator.workload.stack import STACKS

    return *STACKS, LISTED


HARDWARE: Final = of_presets("configs", ".yaml", ".yml")
MACHINE_PRESETS: Final = one_of(lambda: catalog.presets("configs", ".yaml"))
WORKLOAD: Final = of_presets("workloads", ".csv", ".onnx", ".json")
NETWORK_PRESETS: Final = one_of(lambda: catalog.presets("workloads", ".csv"))
COMPARED: Final = of_presets("configs", ".yaml", ".yml", ".json", ".sqlite")
FORMAT: Final = one_of(_formats)
STACK: Final = one_of(_stacks)
ENGINE: Final = one_of(lambda: ("fast", "reference"))
ACCURACY: Final = one_of(lambda: ("exact", "sampled"))
