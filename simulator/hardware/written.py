"""Models that a person writes, in YAML or as a mapping, and that know where each key stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import PrivateAttr

from simulator.errors import SpecError
from simulator.hardware.checked import validated
from simulator.hardware.schema import Schema, schema_of
from simulator.hardware.section import Section
from simulator.hardware.yaml_file import Document, read
from simulator.hardware.yaml_tree import KeyPath


class Written(Section):
    """A specification.

    Attributes
    ----------
    called : str
        What errors call one that comes from no file.
    kind : str
        What errors call its file.
    """

    called: ClassVar[str]
    kind: ClassVar[str]

    _document: Document = PrivateAttr(default_factory=lambda: Document({}))
    _source: str = PrivateAttr(default="")

    @classmethod
    def load(cls, given: Self | Mapping[str, Any] | str | Path) -> Self:
        """From a YAML file, or from a mapping with the same keys.

        Raises
        ------
        SpecError
            With file, line, column and key of the first thing that is wrong.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping):
            document, source = Document(dict(given)), cls.called
        else:
            assert isinstance(given, str | Path)
            document, source = read(Path(given), cls.kind, SpecError), str(given)
        spec = validated(cls, document, source, SpecError)
        spec._document, spec._source = document, source
        return spec

    @classmethod
    def schema_of_file(cls) -> Schema:
        """The JSON Schema of its YAML file."""
        return schema_of(cls)

    def where(self, *path: str | int) -> str:
        """Where a key was written: file, line, column and dotted name."""
        keys: KeyPath = path
        return self._document.where(keys, self._source or self.called)

    @property
    def folder(self) -> Path | None:
        """Files that a spec names may lie beside it; None if it comes from no file."""
        return Path(self._source).parent if self._document.positions else None
