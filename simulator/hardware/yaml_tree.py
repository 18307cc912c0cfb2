"""``text -> Tree``: YAML 1.2 as plain data, with the line and column of every key.

A file is text, numbers, booleans, null, lists and mappings. Tags that would make anything else of
it, keys that are not text, and keys that stand twice are errors with a position. What was read
once is remembered: parsing a machine takes longer than simulating a network on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

KeyPath = tuple[str | int, ...]
MAX_DEPTH, MAX_KEYS, MAX_MERGES = 50, 20_000, 200
MOST_REMEMBERED = 64
"""Files; the oldest goes first."""

TAG = "tag:yaml.org,2002:"
TEXT_TAGS = frozenset(TAG + kind for kind in ("str", "timestamp", "value"))
"""A date is text here: no key of ours takes one."""

# What ruamel raises on bad input besides its own: odd escapes, versions and directives.
_ODD_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


class PlainDataError(MarkedYAMLError):
    """YAML, but more than plain data."""

    def __init__(self, what: str, at: Any) -> None:
        """``at`` is the node, or the parser's event, where the text stops being plain data."""
        super().__init__(problem=what, problem_mark=at.start_mark)


@dataclass(frozen=True)
class Tree:
    """What a text says; it is shared, so that nobody may change it.

    Attributes
    ----------
    data : dict, list, str, int, float, bool or None
    marks : mapping of KeyPath to (int, int)
        Line and column, from 1, of every key of a mapping and item of a list.
    """

    data: Any
    marks: Mapping[KeyPath, tuple[int, int]]


Entries = dict[str, tuple[Node, Node]]
"""Of a mapping: by key, the node of the key and that of its value."""

_remembered: dict[bytes, Tree] = {}
_lock = Lock()


def tree_of(text: str) -> Tree:
    """Parse a text, or remember what came of it: by the SHA-256 of its bytes.

    Raises
    ------
    YAMLError
        Most with a mark; `PlainDataError` if the text is YAML, but more than plain data.
    """
    digest = hashlib.sha256(text.encode()).digest()
    with _lock:
        known = _remembered.get(digest)
    if known is not None:
        return known
    tree = parse(text)
    with _lock:
        while len(_remembered) >= MOST_REMEMBERED:
            del _remembered[next(iter(_remembered))]
        _remembered[digest] = tree
    return tree


def parse(text: str) -> Tree:
    """As `tree_of`, anew."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer, yaml.Constructor = _Shallow, _Plain
    yaml.composer.warn_double_anchors = False  # the later one counts, as YAML says
    try:
        tree = yaml.load(text)
    except _ODD_ERRORS as error:
        problem = f"not YAML: {type(error).__name__}"
        raise MarkedYAMLError(problem=problem, problem_mark=_last_mark(text)) from None
    return tree if isinstance(tree, Tree) else Tree(None, {})


def _last_mark(text: str) -> Any:
    """Behind the last thing that the parser understood."""
    mark = None
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            mark = event.end_mark
    except (YAMLError, *_ODD_ERRORS):
        pass
    return mark


class _Shallow(Composer):
    """Counts levels, since ruamel composes a level a call."""

    level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.level += 1
        if self.level > MAX_DEPTH + 1:
            raise PlainDataError(
                f"not YAML that is read here: nested too deeply, want at most {MAX_DEPTH} levels",
                self.parser.peek_event(),
            )
        node = super().compose_node(parent, index)
        self.level -= 1
        return node


class _Plain(SafeConstructor):
    """Makes a `Tree` of a document's nodes."""

    def construct_document(self, node: Node) -> Tree:
        self.marks: dict[KeyPath, tuple[int, int]] = {}
        self.merges = 0
        return Tree(self._plain(node, (), 0), self.marks)

    def _plain(self, node: Node, path: KeyPath, depth: int) -> Any:
        if depth > MAX_DEPTH:  # an alias may hold itself
            raise _too_large(node)
        if isinstance(node, MappingNode) and node.tag == TAG + "map":
            result = {}
            for key, (at, value) in self._entries(node).items():
                self._mark((*path, key), at)
                result[key] = self._plain(value, (*path, key), depth + 1)
            return result
        if isinstance(node, SequenceNode) and node.tag == TAG + "seq":
            items = []
            for index, item in enumerate(node.value):
                self._mark((*path, index), item)
                items.append(self._plain(item, (*path, index), depth + 1))
            return items
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        raise _tagged(node)

    def _mark(self, path: KeyPath, node: Node) -> None:
        if len(self.marks) >= MAX_KEYS:  # aliases of aliases grow without end
            raise _too_large(node)
        self.marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)

    def _entries(self, node: MappingNode) -> Entries:
        """Those that are merged with ``<<`` first, and under those that stand here."""
        merged: Entries = {}
        own: Entries = {}
        for key, value in node.value:
            name = "<<" if key.tag == TAG + "merge" else _key(key)
            if name in own:
                raise PlainDataError(f'duplicate key "{_short(name)}"', key)
            own[name] = (key, value)
            if key.tag == TAG + "merge":
                merged = self._merged(value)
        return merged | {name: at for name, at in own.items() if at[0].tag != TAG + "merge"}

    def _merged(self, node: Node) -> Entries:
        """Of one mapping or several, of which an earlier one wins."""
        entries: Entries = {}
        for source in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(source, MappingNode) or source.tag != TAG + "map":
                raise PlainDataError("<<: want a mapping or a list of mappings", source)
            self.merges += 1
            if self.merges > MAX_MERGES:
                raise _too_large(source)
            entries = self._entries(source) | entries
        return entries

    def _scalar(self, node: ScalarNode) -> Any:
        if node.tag in TEXT_TAGS:
            return str(node.value)
        kind = str(node.tag).removeprefix(TAG)
        make = getattr(self, f"construct_yaml_{kind}", None)
        if kind not in ("null", "bool", "int", "float") or make is None:
            raise _tagged(node)
        try:
            return make(node)
        except (ValueError, KeyError, IndexError):  # a tag that the text does not bear out
            what = "too long a number" if len(node.value) > 1000 else f"not a value of type {kind}"
            raise PlainDataError(what, node) from None


def _too_large(node: Node) -> PlainDataError:
    want = f"at most {MAX_DEPTH} levels and {MAX_KEYS} keys"
    return PlainDataError(f"too large or nested too deeply, want {want}", node)


def _tagged(node: Node) -> PlainDataError:
    tag = _short(str(node.tag))
    return PlainDataError(f"has the tag {tag}, want plain values without tags", node)


def _key(node: Node) -> str:
    if isinstance(node, ScalarNode) and node.tag in TEXT_TAGS:
        return str(node.value)
    got = f", got {_short(node.value)}" if isinstance(node, ScalarNode) and node.value else ""
    raise PlainDataError(f"a key that is not text, want quotes around it{got}", node)


def _short(text: str) -> str:
    text = text.replace(TAG, "!!")
    return text if len(text) <= 40 else text[:37] + "..."
