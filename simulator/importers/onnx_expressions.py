"""Sizes that exporters write as expressions of others: ``past + seq``, ``2*a``, ``floor(h/2)``."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor

from simulator.workload.layer import MAX_SIZE

_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction | int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}

_FUNCTIONS: dict[str, Callable[..., Fraction | int]] = {
    "floor": floor,
    "ceil": ceil,
    "ceiling": ceil,
    "max": max,
    "min": min,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
}
"""As PyTorch's and sympy's printers name them, in lower case."""

_EXPRESSIONS = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Constant)
_TEXT = re.compile(r"[\w\s.:+*/%(),-]{1,200}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][\w.:]*", re.ASCII)
_LITERAL = re.compile(r"(?<![\w.:])[0-9][\w.:]*[A-Za-z_.:]", re.ASCII)
"""Such as ``0x10`` or ``2if``: no whole number, and Python warns of some."""


def free_names(text: str) -> frozenset[str]:
    """The names in an expression; the text itself where it is a name and no expression."""
    tree = _parsed(text)
    if tree is None or isinstance(tree, ast.Name):
        return frozenset({text})
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node not in called)
    return frozenset(_original(text, node.id) for node in names)


def size_of(text: str, sizes: Mapping[str, int]) -> int | None:
    """What an expression comes to, given the sizes of its names.

    Returns
    -------
    int or None
        None if a name has no size, or if the text is no expression, or no size comes out.
    """
    if text in sizes:
        return sizes[text]
    tree = _parsed(text)
    if tree is None:
        return None
    try:
        result = _value(tree, text, sizes)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if result.denominator != 1 or not 0 <= result <= MAX_SIZE:
        return None
    return int(result)


def _parsed(text: str) -> ast.expr | None:
    """The tree of a text of names, whole numbers and operators; None if it is something else."""
    if not _TEXT.fullmatch(text) or _LITERAL.search(text):
        return None
    try:
        # Exporters put dots and colons in names, which Python does not.
        plain = _NAME.sub(lambda match: _plain(match[0]), text)
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if isinstance(tree, _EXPRESSIONS) else None


def _plain(name: str) -> str:
    return name.replace(".", "__dot__").replace(":", "__colon__")


def _original(text: str, plain: str) -> str:
    return next((name for name in _NAME.findall(text) if _plain(name) == plain), plain)


def _value(node: ast.expr, text: str, sizes: Mapping[str, int]) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Fraction(node.value)
    if isinstance(node, ast.Name):
        return Fraction(sizes[_original(text, node.id)])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, text, sizes)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        sides = [_value(side, text, sizes) for side in (node.left, node.right)]
        return Fraction(_OPERATORS[type(node.op)](*sides))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = _FUNCTIONS[node.func.id.lower()]
        return Fraction(function(*(_value(argument, text, sizes) for argument in node.args)))
    raise ValueError("not an expression of sizes")
