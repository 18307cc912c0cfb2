"""Which modules of a model a list of names, classes, wildcards and expressions speaks of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate

from simulator.importers.hf_values import Config

MOST_EXPRESSIONS = 300
LONGEST_EXPRESSION = 500
REPEATS = re.compile(r"[*+{]")
REPEATED_GROUP = re.compile(r"\)[*+{]")
"""A repeated group may take time without end; a file's expression is not to be trusted so far."""

MOST_WORK = 10_000
"""Of a list of expressions: each is ten to the power of its repeats."""


@dataclass(frozen=True)
class Module:
    """A module that holds weights.

    Attributes
    ----------
    name : str
        In full: ``model.layers.0.mlp.down_proj``.
    kind : str
        PyTorch's class: Linear or Conv2d.
    is_usual : bool
        Whether it is meant where nothing is named; heads and routers are not.
    """

    name: str
    kind: str
    is_usual: bool


class Names:
    """A list of modules as quantisers write it.

    Classes (``Linear``), names or runs of their parts (``lm_head``, ``layers.0``), wildcards
    (``*.mlp.*``), and regular expressions from a name's start (``re:.*gate$``).
    """

    def __init__(self, entries: Sequence[str], error_of: Config, key: str) -> None:
        self.plain: set[str] = set()
        self.expressions: list[re.Pattern[str]] = []
        work = 0
        for entry in entries:
            if entry.startswith("re:") or "\\" in entry:
                text = entry.removeprefix("re:")
                work += 10 ** len(REPEATS.findall(text[:LONGEST_EXPRESSION]))
                self.expressions.append(_expression(text, error_of, key))
            elif "*" in entry or "?" in entry:
                self.expressions.append(re.compile(translate(entry[:LONGEST_EXPRESSION])))
            else:
                self.plain.add(entry.strip("."))
            if len(self.expressions) > MOST_EXPRESSIONS or work > MOST_WORK:
                raise error_of.error(
                    key, "too many expressions", want=f"at most {MOST_EXPRESSIONS}, simple ones"
                )

    def has_class(self, module: Module) -> bool:
        return module.kind in self.plain

    def has_name(self, module: Module) -> bool:
        return any(run in self.plain for run in _runs(module.name)) or any(
            expression.match(module.name) for expression in self.expressions
        )

    def has(self, module: Module) -> bool:
        return self.has_class(module) or self.has_name(module)


@dataclass(frozen=True)
class Targets:
    """Modules that are meant: ``chosen`` (None: all that are usual) without ``ignored``."""

    chosen: Names | None
    ignored: Names

    def rank(self, module: Module) -> int:
        """2 where a module is meant by its name, 1 by its class or by habit, 0 where it is not."""
        if self.ignored.has(module):
            return 0
        if self.chosen is None:
            return int(module.is_usual and module.kind == "Linear")
        return 2 if self.chosen.has_name(module) else int(self.chosen.has_class(module))


def _expression(text: str, error_of: Config, key: str) -> re.Pattern[str]:
    if len(text) > LONGEST_EXPRESSION or REPEATED_GROUP.search(text):
        raise error_of.error(key, f"expression that may not end: {text[:40]}")
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        what = f"not a regular expression ({error}): {text[:40]}"
        raise error_of.error(key, what) from None


def _runs(name: str) -> list[str]:
    """Every run of a dotted name's parts: ``a.b.c`` has a, a.b, a.b.c, b, b.c, c."""
    parts = name.split(".")
    ends = range(1, len(parts) + 1)
    return [".".join(parts[begin:end]) for end in ends for begin in range(end)]
