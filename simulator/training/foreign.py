"""``module:function``: what users bring along."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulator.errors import TrainingError
from simulator.quality.foreign import users_code


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
    with users_code(where, "cannot be imported", TrainingError, text):
        module = importlib.import_module(module_name)
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
    with users_code(where, "raised", TrainingError):
        return function(*arguments)


def source_of(function: Callable[..., Any]) -> bytes:
    """The file in which a function is written and its name, for digests."""
    path = getattr(sys.modules[function.__module__], "__file__", None)
    source = Path(path).read_bytes() if path else b""
    return source + b"\0" + function.__qualname__.encode()
