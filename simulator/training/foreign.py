"""``module:function``: what users bring along."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulator.errors import TrainingError


def function_named(text: str, folder: Path, where: str) -> Callable[..., Any]:
    """Import a function.

    Parameters
    ----------
    text : str
        ``package.module:function``.
    folder : Path
        Its modules are found as well, as those of the current folder are.

    Raises
    ------
    TrainingError
        If there is no such module or function.
    """
    module_name, _, name = text.partition(":")
    for place in (str(Path.cwd()), str(folder.resolve())):
        if place not in sys.path:
            sys.path.append(place)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the module does when it is imported
        raise TrainingError(where, f"cannot be imported: {_said(error)}", got=text) from None
    function = getattr(module, name, None)
    if not callable(function):
        raise TrainingError(where, "has no such function", got=text, want="module:function")
    found: Callable[..., Any] = function
    return found


def called(function: Callable[..., Any], where: str, *arguments: object) -> Any:
    """What a function of the user's returns.

    Raises
    ------
    TrainingError
        If it raises.
    """
    try:
        return function(*arguments)
    except Exception as error:  # foreign code
        raise TrainingError(where, f"raised {_said(error)}") from None


def source_of(function: Callable[..., Any]) -> bytes:
    """The file in which a function is written and its name, for digests."""
    path = getattr(sys.modules[function.__module__], "__file__", None)
    source = Path(path).read_bytes() if path else b""
    return source + b"\0" + function.__qualname__.encode()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
