"""The page of a network: its layers under a pattern or several, and where the time of each goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from simulator.pages.document import document
from simulator.quantities import Scale

SCRIPTS: Final = (
    "elements.js",
    "page.js",
    "drawings.js",
    "tiles.js",
    "table.js",
    "layers.js",
    "command.js",
    "detail.js",
    "network.js",
)

Figures = tuple[tuple[str, str], ...]
"""Labels and texts, in order."""

Moved = tuple[tuple[tuple[int, int], ...], ...]
"""Bytes read and written, by level and operand, in the orders of `simulator.traffic`."""


class RooflinePoint(NamedTuple):
    """Useful MACs a byte of DRAM traffic, and a second."""

    macs_per_byte: float
    macs_per_second: float


@dataclass(frozen=True)
class TilesView:
    """How the tiles of a layer lie on its output, and in which turn cores take them.

    Attributes
    ----------
    rows, columns, count, splits : int
        Tiles down and across each of ``count`` outputs, and parts along k of each tile.
    down, across, depth : str
        What those are of the layer's sizes, in words.
    turns : tuple of int
        Runs of equal turns, from 0: a turn, how many tiles follow each other with it, and so on;
        tiles by output, row, column and part. Empty where the order is not known.
    order : str
        A sentence on what a turn is, or why none is known.
    """

    rows: int
    columns: int
    count: int
    splits: int
    cores: int
    down: str
    across: str
    depth: str
    turns: tuple[int, ...]
    order: str


@dataclass(frozen=True)
class LayerView:
    """One layer under one pattern, once; ``repeat`` says how often it occurs.

    Attributes
    ----------
    sizes : str
        ``256 x 196 x 2304``, m, n and k; empty where it multiplies nothing.
    ran_as : str
        The pattern that it ran as, and on what.
    speedup : float
        Over the first pattern.
    share : float
        Of the time of all layers, with its repeats.
    bound : str
        What bounds it, in words; ``work_bound`` is the key of the resource.
    busy : mapping
        Share of the time that a resource is busy, by its key.
    core_time_ns : tuple of float
        Of an average core, in the order of `simulator.colours.CORE_TIME_COLOURS`.
    point : RooflinePoint or None
        None where it multiplies nothing, or moves nothing.
    why, helps : tuple of str
        Sentences: why it takes its time, and what would make it faster.
    row : str
        What a shell appends to the command of the pattern, to find this layer's row.
    """

    name: str
    members: tuple[str, ...]
    kind: str
    repeat: int
    sizes: str
    dtype: str
    ran_as: str
    mapping: str
    note: str
    time_ns: float
    speedup: float
    share: float
    utilization: float
    bound: str
    work_bound: str
    busy: Mapping[str, float]
    core_time_ns: tuple[float, ...]
    moved: Moved
    point: RooflinePoint | None
    tiles: TilesView | None
    why: tuple[str, ...]
    helps: tuple[str, ...]
    figures: Figures
    row: str


@dataclass(frozen=True)
class PatternView:
    """All layers under one pattern.

    Attributes
    ----------
    command : str
        What prints these figures; empty where that is not known.
    density_speedup : float
        What density alone would give over the first pattern.
    bounds : tuple
        What bounds it, in words, with shares of the time, largest first.
    peaks : mapping
        MACs a second of the whole machine, by dtype.
    """

    name: str
    command: str
    time_ns: float
    launched_ns: float
    speedup: float
    density_speedup: float
    utilization: float
    energy_pj: float | None
    dram_bytes: int
    ran_as: str
    bounds: tuple[tuple[str, float], ...]
    core_time_ns: tuple[float, ...]
    peaks: Mapping[str, float]
    dram_bytes_per_second: float
    layers: tuple[LayerView, ...]


@dataclass(frozen=True)
class NetworkPage:
    """A network on a machine under a pattern or several.

    Attributes
    ----------
    facts : tuple of str
        What was simulated, in a few words each.
    time_column : Scale
        Of columns of layers' times.
    sentences, notes : tuple of str
        What came of it, and what one has to know about it.
    """

    title: str
    facts: tuple[str, ...]
    patterns: tuple[PatternView, ...]
    time_column: Scale
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    made_by: str


def network_html(page: NetworkPage) -> str:
    """The page of a network, as the text of its file.

    Raises
    ------
    ValueError
        If a figure is not finite.
    """
    return document(page.title, vars(page), SCRIPTS)
