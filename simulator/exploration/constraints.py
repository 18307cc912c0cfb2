"""Constraints: comparisons of dotted hardware keys, read as arithmetic and never as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from simulator.errors import SpecError

Lookup = Callable[[str], Any]
MAX_CHARACTERS = 500

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True)
class Constraint:
    """A comparison such as ``core.register_file.bytes * core.count <= 16777216``.

    It may hold dotted keys, numbers, texts in quotes, ``+ - * / // %``, ``< <= > >= == !=``,
    ``and``, ``or``, ``not`` and parentheses.
    """

    text: str
    where: str
    tree: ast.expr
    keys: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, where: str) -> Constraint:
        """Read a constraint.

        Raises
        ------
        SpecError
            If it is anything but a comparison of keys and numbers.
        """
        want = "such as core.register_file.bytes <= 262144"
        if len(text) > MAX_CHARACTERS:
            raise SpecError(where, f"longer than {MAX_CHARACTERS} characters", got=text)
        try:
            tree = ast.parse(text.strip(), mode="eval").body
            keys = tuple(dict.fromkeys(_keys(tree)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise SpecError(where, "not a constraint", want=want, got=text) from None
        if not isinstance(tree, ast.Compare | ast.BoolOp | ast.UnaryOp):
            raise SpecError(where, "compares nothing", want=want, got=text)
        if not keys:
            raise SpecError(where, "names no key of the machine", want=want, got=text)
        return cls(text, where, tree, keys)

    def holds(self, lookup: Lookup) -> bool:
        """Whether a machine fulfils it; ``lookup`` gives the value of a dotted key.

        Raises
        ------
        SpecError
            If its values cannot be compared, or a divisor is zero.
        """
        try:
            return bool(_value(self.tree, lookup))
        except (TypeError, ArithmeticError) as error:
            shown = ", ".join(f"{key} = {lookup(key)!r}" for key in self.keys)
            raise SpecError(
                self.where, f"cannot be decided: {error}", got=self.text, hint=shown
            ) from None


def _keys(node: ast.expr) -> Iterator[str]:
    """The dotted keys of an expression; ValueError for whatever has no place in one."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str()):
            return
        case ast.Name() | ast.Attribute():
            yield _dotted(node)
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            parts = [left, right]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            parts = [operand]
        case ast.BoolOp(values=values):
            parts = values
        case ast.Compare(left=left, ops=ops, comparators=rest) if {type(op) for op in ops} <= set(
            _COMPARISONS
        ):
            parts = [left, *rest]
        case _:
            raise ValueError("not allowed here")
    for part in parts:
        yield from _keys(part)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError("not a key")


def _value(node: ast.expr, lookup: Lookup) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=left, op=op, right=right):
            return _arithmetic(op, _value(left, lookup), _value(right, lookup))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, lookup)
        case ast.UnaryOp(operand=operand):
            return -_value(operand, lookup)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(part, lookup) for part in values)
        case ast.BoolOp(values=values):
            return any(_value(part, lookup) for part in values)
        case ast.Compare(left=first, ops=ops, comparators=rest):
            sides = [_value(part, lookup) for part in (first, *rest)]
            return all(
                _COMPARISONS[type(op)](left, right)
                for op, left, right in zip(ops, sides, sides[1:], strict=False)
            )
    return lookup(_dotted(node))


def _arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    """Numbers only: texts and lists would repeat and join."""
    for side in (left, right):
        if not isinstance(side, int | float):
            raise TypeError(f"{side!r} is not a number")
    return _ARITHMETIC[type(op)](left, right)
