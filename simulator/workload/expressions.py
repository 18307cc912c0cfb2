"""Whole numbers of a trace, and expressions of its parameters."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from simulator.errors import WorkloadError, did_you_mean
from simulator.workload.fields import MAX_SIZE

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


EXPRESSION = re.compile(r"[\w\s+*/()-]+", re.ASCII)
LITERAL = re.compile(r"(?<!\w)[0-9][0-9_]*[a-zA-Z]")
"""Such as ``0x10`` or ``2if``: no whole number."""


def evaluate(text: str, values: Mapping[str, int], where: str) -> int:
    """A whole number, or an expression of parameters with + - * // and parentheses."""
    try:
        # Nothing but names, numbers and operators, so that the parser has nothing to warn of.
        if len(text) > 200 or not EXPRESSION.fullmatch(text) or LITERAL.search(text):
            raise ValueError("not an expression")
        result = _value(_parsed(text.strip()), values)
    except KeyError as error:
        name = str(error.args[0])
        hint = did_you_mean(name, values) if values else "the trace declares no parameters"
        raise WorkloadError(where, f"unknown parameter '{name}'", got=text, hint=hint) from None
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        raise WorkloadError(where, "not a number", got=text, want="a whole number") from None
    if not 0 <= result <= MAX_SIZE:
        raise WorkloadError(where, "out of range", got=result, want=f"0 to {MAX_SIZE}")
    return result


@lru_cache(maxsize=1024)
def _parsed(text: str) -> ast.expr:
    """An expression; columns of a trace say few different ones."""
    return ast.parse(text, mode="eval").body


def _value(node: ast.expr, values: Mapping[str, int]) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, values), _value(node.right, values)
        if max(abs(left), abs(right)) > MAX_SIZE:
            raise ValueError("out of range")
        return _OPERATORS[type(node.op)](left, right)
    raise ValueError("not a number")
