"""Code of others: functions that users name, and what it raises as one line of ours."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import SimulatorError, WeightsError

REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""``module:function``."""


@dataclass(frozen=True)
class Function:
    """A function that a user named.

    Attributes
    ----------
    name : str
        ``module:function``.
    digest : str
        SHA-256 of its name and of its module's source.
    """

    name: str
    call: Callable[..., Any]
    digest: str


def function_named(text: str, where: str) -> Function:
    """The function of ``module:function``; modules of the current folder are found, too.

    Raises
    ------
    WeightsError
        If there is none, or its module raises something.
    """
    if not REFERENCE.fullmatch(text):
        raise WeightsError(where, "not a function", want="module:function", got=text)
    module_name, _, name = text.partition(":")
    what = f"module {module_name} cannot be imported"
    with _current_folder(), users_code(f"{where} {text}", what):
        module = importlib.import_module(module_name)
    call = getattr(module, name, None)
    if not callable(call):
        raise WeightsError(f"{where} {text}", "the module has no such function", got=name)
    return Function(text, call, hashlib.sha256(f"{text}\n{_source(module)}".encode()).hexdigest())


@contextmanager
def foreign(
    where: Path | str, what: str, kind: type[SimulatorError] = WeightsError, got: object = None
) -> Iterator[None]:
    """Whatever code of others raises, as one line of ours."""
    try:
        yield
    except SimulatorError:
        raise
    except (Exception, SystemExit) as error:  # onnxruntime and users' functions raise anything
        lines = str(error).strip().splitlines()
        text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        raise kind(str(where), f"{what}: {text[:200]}", got=got) from None


@contextmanager
def users_code(
    where: str, what: str, kind: type[SimulatorError] = WeightsError, got: object = None
) -> Iterator[None]:
    """`foreign`, for functions that users name.

    What they print does not mix with results, and the current folder stays what it was.
    """
    with foreign(where, what, kind, got), redirect_stdout(sys.stderr), chdir("."):
        yield


@contextmanager
def _current_folder() -> Iterator[None]:
    sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        sys.path.pop(0)


def _source(module: Any) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):  # compiled
        return ""
