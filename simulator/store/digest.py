"""What a row's key says of the code: a store keeps no figures of an older model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from simulator.version import __version__

PACKAGE = Path(__file__).parents[1]


@cache
def code_digest(parts: frozenset[str], package: Path = PACKAGE) -> str:
    """SHA-256 of the version and of the source of some folders and modules, by their names."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(_sources(parts, package)):
        name = path.relative_to(package).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sources(parts: Iterable[str], package: Path) -> Iterator[Path]:
    for part in parts:
        yield from (package / part).rglob("*.py")
        yield from package.glob(f"{part}.py")
