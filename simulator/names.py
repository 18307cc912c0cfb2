"""Names as people read and choose them: in words, without their middle, by expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from simulator.errors import SimulatorError

UPPER = {"mac": "MAC", "dram": "DRAM", "l2": "L2"}

SIZES = re.compile(r"\w+:[0-9]+(x[0-9]+)*(:\w+)?")
"""A name that is its sizes, such as ``gemm:64x64x64``, and cannot be shortened."""


def words(name: str) -> str:
    """A key as people write it: ``mac_useful`` is MAC useful."""
    return " ".join(UPPER.get(word, word) for word in name.split("_"))


def capitalised(text: str) -> str:
    """As a sentence begins; the rest, such as ``DRAM``, stays as it is."""
    return text[:1].upper() + text[1:]


def expression(text: str, where: str, error: type[SimulatorError]) -> re.Pattern[str]:
    """A regular expression that a user wrote to choose names.

    Raises
    ------
    SimulatorError
        Of the kind ``error``, if it is none.
    """
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as fault:
        raise error(where, f"not a regular expression: {fault}", got=text) from None


def shortened(name: str, most: int = 24, width: Callable[[str], int] = len) -> str:
    """A long name without its middle: ``layer3.0.conv2`` is ``layer3.…conv2``.

    Whole parts are left out where they can be, and never a part of a number.

    Parameters
    ----------
    most : int
        The width that it may take, 1 or more.
    width : callable
        What a text takes; characters by default.
    """
    if width(name) <= most or SIZES.fullmatch(name):
        return name
    parts = re.findall(r"[^./_-]*[./_-]|[^./_-]+$", name)
    # What tells layers apart is their numbers, and then how much of the name is left.
    fitting = [text for text in _shorter(parts) if width(text) <= most]
    best = max(fitting, key=lambda text: (len(re.findall("[0-9]+", text)), width(text)), default="")
    return best if width(best) > most // 2 else _cut(name, most, width)


def _shorter(parts: Sequence[str]) -> Iterable[str]:
    """Names of fewer parts: the first and the last ones, and perhaps a number from between."""
    numbered = [at for at, part in enumerate(parts) if re.search("[0-9]", part)]
    for head, tail in combinations(range(1, len(parts)), 2):
        first, last = "".join(parts[:head]), "".join(parts[tail:])
        yield f"{first}…{last}"
        for at in numbered:
            if head < at < tail - 1:
                yield f"{first}…{parts[at]}…{last}"


def _cut(name: str, most: int, width: Callable[[str], int]) -> str:
    """The first and the last characters, without parts of numbers."""
    head, tail = name[: (most - 1) // 2], name
    while width(head) > (most - 1) // 2:
        head = head[:-1]
    while width(tail) > most - 1 - width(head):
        tail = tail[1:]
    if re.match(r"[0-9.,:x]", name[len(head) :]):
        head = re.sub(r"[0-9][0-9.,:x]*$", "", head)
    if re.search(r"[0-9.,:x]$", name[: len(name) - len(tail)]):
        tail = re.sub(r"^[.,:x]*[0-9][0-9.,:x]*", "", tail)
    return f"{head}…{tail}"
