"""The command `nmsim completion`, and the words that shells offer while a command is typed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from simulator import catalog
from simulator.errors import OutputError

ASKED: Final = "_NMSIM_COMPLETE"
"""In this variable a shell asks for words, by the name that typer gives it."""

Words = Callable[[str], list[str]]
"""What may stand where a word has been begun. Typer calls such functions, and others without the
word; it leaves out what does not go on as the word begins."""


def prepare_answer() -> None:
    """Let typer answer a shell that asks: without its own options, it does not know any shell."""
    if ASKED in os.environ:
        from typer.completion import (  # type: ignore[attr-defined]  # it has no __all__
            completion_init,
        )

        completion_init()


def of_presets(kind: str, suffix: str, *others: str) -> Words:
    """Presets of a kind, and files beside them: shells know folders themselves."""

    def words(incomplete: str) -> list[str]:
        return [*catalog.presets(kind, suffix), *_files((suffix, *others), incomplete)]

    return words


SHELLS: Final = ("bash", "zsh")


def shells() -> list[str]:
    """Whose scripts there are."""
    return list(SHELLS)


def completion(
    shell: Annotated[
        str,
        typer.Argument(
            metavar="bash|zsh",
            help="The shell whose script is to be printed.",
            autocompletion=shells,
        ),
    ],
) -> None:
    """Print the script that lets a shell complete commands, options, machines and networks.

    In ~/.bashrc: source <(nmsim completion bash). In ~/.zshrc, after compinit: source <(nmsim
    completion zsh).
    """
    from typer.completion import (  # type: ignore[attr-defined]  # it has no __all__
        get_completion_script,
    )

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


HARDWARE: Final = of_presets("configs", ".yaml", ".yml")
WORKLOAD: Final = of_presets("workloads", ".csv", ".onnx", ".json")
COMPARED: Final = of_presets("configs", ".yaml", ".yml", ".json", ".sqlite")


def machines() -> list[str]:
    """Presets of machines."""
    return list(catalog.presets("configs", ".yaml"))


def networks() -> list[str]:
    """Presets of workloads."""
    return list(catalog.presets("workloads", ".csv"))


def formats() -> list[str]:
    """In which results are written."""
    from simulator.cli.output import FORMATS

    return list(FORMATS)


def stacks() -> list[str]:
    """What may become a kernel."""
    from simulator.workload.layer import LISTED
    from simulator.workload.stack import STACKS

    return [*STACKS, LISTED]


def engines() -> list[str]:
    """Both of them."""
    return ["fast", "reference"]


def accuracies() -> list[str]:
    """How much of a product is simulated."""
    return ["exact", "sampled"]
