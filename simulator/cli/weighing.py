"""Which files of weights `--weights` names, and what they hold for each pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.errors import WeightsError

if TYPE_CHECKING:
    from simulator.run.asked import Weights
    from simulator.sparsity import AnyPattern
    from simulator.workload import Workload

PATTERN: Final = re.compile(
    r"\s*([0-9]+(?:\s*:\s*[0-9]+){1,2}|dense|trace|unstructured:[^=]*)\s*=(.+)"
)
"""A pattern and its file; any other ``=`` is part of the name of a file."""


@dataclass(frozen=True)
class WeightsFiles:
    """What ``--weights FILE`` and ``--weights PATTERN=FILE`` say.

    Attributes
    ----------
    common : Path or None
        Of all patterns that have none of their own.
    own : dict
        By pattern, as `simulator.sparsity.parse_asked` reads it.
    """

    common: Path | None
    own: Mapping[AnyPattern | None, Path]

    @property
    def all(self) -> tuple[Path, ...]:
        return (*([self.common] if self.common else []), *self.own.values())

    def of(self, pattern: AnyPattern | None) -> Path | None:
        return self.own.get(pattern, self.common)


def weights_files(
    given: Sequence[str] | None, patterns: Sequence[AnyPattern | None], option: str
) -> WeightsFiles:
    """Read ``--weights``, however often it was given.

    Parameters
    ----------
    patterns : sequence of Pattern
        Those that run, as ``option`` says.

    Raises
    ------
    ConfigError, WeightsError
        If a pattern is none or does not run, or one has two files.
    """
    from simulator.sparsity import asked_name, parse_asked

    common, own = None, {}
    for text in given or ():
        where, found = f"--weights {text}", PATTERN.fullmatch(text)
        if found is None:
            if common is not None:
                hint = "PATTERN=FILE serves one pattern"
                raise WeightsError(where, "all patterns have a file already", hint=hint)
            common = Path(text)
            continue
        pattern = parse_asked(found[1], where)
        if pattern not in patterns:
            raise WeightsError(
                where, f"is of a pattern that {option} does not name", got=asked_name(pattern),
                want=", ".join(map(asked_name, patterns)),
            )  # fmt: skip
        if pattern in own:
            raise WeightsError(where, f"{asked_name(pattern)} has a file already")
        own[pattern] = Path(found[2])
    return WeightsFiles(common, own)


def weighed(
    name: str,
    files: WeightsFiles,
    patterns: Sequence[AnyPattern | None],
    parameters: Mapping[str, int],
) -> tuple[Workload, dict[AnyPattern | str | None, Weights]]:
    """A workload, and the real weights of every pattern that has some.

    Raises
    ------
    SimulatorError
        If the workload or a file cannot be read, or files make other layers of it.
    """
    from simulator.importers import load_model, load_workload

    if not files.all:
        return load_workload(name, **parameters), {}
    models = {file: load_model(name, file, **parameters) for file in dict.fromkeys(files.all)}
    (first, (workload, _)), *others = models.items()
    for file, (other, _) in others:
        if other.layers != workload.layers:
            raise WeightsError(
                f"--weights {file}", f"is read as other layers than {first}",
                got=len(other.layers), want=f"{len(workload.layers)} layers",
            )  # fmt: skip
    notes = dict.fromkeys(note for model, _ in models.values() for note in model.notes)
    found = ((pattern, files.of(pattern)) for pattern in patterns)
    chosen = {pattern: file for pattern, file in found if file is not None}
    sources = _sources(files, chosen)
    by_pattern: dict[AnyPattern | str | None, Weights] = {
        pattern: models[file][1] for pattern, file in chosen.items()
    }
    return replace(workload, notes=(*notes, *sources)), by_pattern


def _sources(files: WeightsFiles, chosen: Mapping[AnyPattern | None, Path]) -> list[str]:
    """Where the weights of each pattern are from, if not all from one file."""
    from simulator.sparsity import asked_name

    if not files.own:
        return []
    named = (f"{asked_name(pattern)} of {file.name}" for pattern, file in chosen.items())
    return [f"weights: {', '.join(named)}"]
