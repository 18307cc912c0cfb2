"""How a GEMM is laid on a machine: what fits, and which few mappings are worth simulating.

``auto`` does what a real library does: it ranks the tile shapes, k-splits and operand orders that
the library offers by a closed-form estimate of time, and hands the best few to the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.errors import MappingError
from simulator.hardware import Hardware, Library, Tile
from simulator.partition import IntArray, TileGrid
from simulator.timing import StageShape, StageWork, stage_work
from simulator.units import ACCUMULATOR_BITS, PS_PER_SECOND, bits_to_bytes, ceil_div
from simulator.workload.lowering import GemmProblem

SIMULATED_CANDIDATES = 2
"""How many mappings of the closed-form ranking are simulated before the fastest is taken. Mirror
images count as one: 128x64 of swapped operands is 64x128, and takes as long."""


@dataclass(frozen=True)
class Mapping:
    """A tile shape and how it is used.

    Parameters
    ----------
    tile_m, tile_n, tile_k : int
        Tile, and stage depth along k in weights (a multiple of the pattern's group).
    fragment_m, fragment_n : int
        Part of the tile whose operands share one register load.
    splits : int
        k-splits.
    stage_buffers : int
        Stages in flight.
    swapped : bool
        W and X exchanged (dense only).
    """

    tile_m: int
    tile_n: int
    tile_k: int
    fragment_m: int
    fragment_n: int
    splits: int = 1
    stage_buffers: int = 2
    swapped: bool = False

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            kind = bool if name == "swapped" else int
            if type(value) is not kind:
                want = "True or False" if kind is bool else "a whole number"
                raise MappingError(f"mapping.{name}", "of another type", want=want, got=value)

    def __str__(self) -> str:
        text = f"{self.tile_m}x{self.tile_n}x{self.tile_k}"
        if self.splits > 1:
            text += f" split {self.splits}"
        return text + (" swapped" if self.swapped else "")

    def grid(self, problem: GemmProblem) -> TileGrid:
        """The tiles of a problem (already swapped, if this mapping swaps)."""
        return TileGrid(
            problem.m,
            problem.n,
            problem.k,
            problem.count,
            self.tile_m,
            self.tile_n,
            self.tile_k,
            self.splits,
        )

    def stage_events(self, problem: GemmProblem) -> int:
        """Stages of all tiles of a problem, in whichever order of its operands."""
        turn = self.swapped and not problem.inputs_are_rows
        grid = self.grid(problem.swapped() if turn else problem)
        return grid.outputs * grid.stages


def check(hardware: Hardware, library: Library, problem: GemmProblem, mapping: Mapping) -> None:
    """Refuse a mapping that the machine cannot hold.

    Raises
    ------
    MappingError
        Which bytes are too many, and by how much.
    """
    for size in ("tile_m", "tile_n", "tile_k", "fragment_m", "fragment_n", "splits"):
        if getattr(mapping, size) < 1:
            raise MappingError(f"mapping.{size}", "must be >= 1", got=getattr(mapping, size))
    if not 1 <= mapping.stage_buffers <= 64:
        raise MappingError(
            "mapping.stage_buffers", "out of range", got=mapping.stage_buffers, want="1 to 64"
        )
    if mapping.tile_k % problem.pattern.group:
        raise MappingError(
            "mapping.tile_k",
            "would cut a group",
            got=mapping.tile_k,
            want=f"a multiple of group {problem.pattern.group}",
        )
    stages = ceil_div(problem.k, mapping.tile_k)
    if mapping.splits > stages:
        raise MappingError(
            "mapping.splits", f"more splits than the {stages} stages", got=mapping.splits
        )
    need, have = register_bytes(hardware, library, problem, mapping), _register_room(hardware)
    if need > have:
        raise MappingError(
            f"tile {mapping} of {problem.pattern}",
            f"the register file is {need - have} bytes too small",
            got=f"{need} bytes needed",
            want=f"at most {have}",
            hint="accumulators, slots and group buffers: use a smaller tile or group, or raise "
            "core.register_file.bytes",
        )
    need, have = scratchpad_bytes(hardware, problem, mapping), hardware.core.scratchpad.bytes
    if need > have:
        raise MappingError(
            f"tile {mapping} of {problem.pattern}",
            f"the scratchpad is {need - have} bytes too small",
            got=f"{need} bytes needed for {mapping.stage_buffers} stages",
            want=f"at most {have}",
            hint="use a smaller tile_k or fewer stage_buffers, or raise core.scratchpad.bytes",
        )


def register_bytes(
    hardware: Hardware, library: Library, problem: GemmProblem, mapping: Mapping
) -> int:
    """Register file bytes that a tile occupies: accumulators, slots and group buffers in flight.

    Every fragment holds its operands of one step, ``buffers`` times; X is held for whole groups.
    """
    pattern, core = problem.pattern, hardware.core
    step = core.tensor_cores.instructions[problem.dtype].k
    sets = 2 if library.epilogue_overlap else 1
    accumulators = mapping.tile_m * mapping.tile_n * ACCUMULATOR_BITS * sets
    skips = hardware.sparsity.skip != "none"
    fragment = 0
    if core.operand_source.w == "register":
        code = hardware.sparsity.metadata
        metadata = pattern.slot_metadata_bits(step, code) if skips else 0
        fragment += mapping.fragment_m * (step * problem.bits + metadata)
    if core.operand_source.x == "register":
        span = ceil_div(step, pattern.keep) * pattern.group if skips else step
        held = mapping.fragment_n * span
        if pattern.gathers:  # what one instruction takes: activations of every slot of every row
            shape = core.tensor_cores.instructions[problem.dtype]
            held = shape.m * step * shape.n
        fragment += held * problem.bits
    fragments = ceil_div(mapping.tile_m, mapping.fragment_m)
    fragments *= ceil_div(mapping.tile_n, mapping.fragment_n)
    return bits_to_bytes(accumulators + fragments * core.register_file.buffers * fragment)


def scratchpad_bytes(hardware: Hardware, problem: GemmProblem, mapping: Mapping) -> int:
    """Scratchpad bytes of ``stage_buffers`` full stages."""
    return mapping.stage_buffers * _stage_bytes(hardware, problem, mapping)


def _stage_bytes(hardware: Hardware, problem: GemmProblem, mapping: Mapping) -> int:
    pattern = problem.pattern
    metadata = pattern.stored_metadata_bits(mapping.tile_k, hardware.sparsity.metadata)
    rows = bits_to_bytes(mapping.tile_m * pattern.slots(mapping.tile_k) * problem.bits)
    rows += bits_to_bytes(mapping.tile_m * metadata)
    return rows + bits_to_bytes(mapping.tile_k * mapping.tile_n * problem.bits)


def _register_room(hardware: Hardware) -> int:
    file = hardware.core.register_file
    return file.bytes - file.reserved_bytes


def candidates(hardware: Hardware, library: Library, problem: GemmProblem) -> list[Mapping]:
    """The best few mappings that the library offers, fastest estimate first.

    Raises
    ------
    MappingError
        If none of the library's tiles fits; it tells what the smallest one lacks.
    """
    (ranked,) = rank(hardware, library, [problem])
    if isinstance(ranked, MappingError):
        raise ranked
    return ranked


def rank(
    hardware: Hardware, library: Library, problems: Sequence[GemmProblem]
) -> list[list[Mapping] | MappingError]:
    """`candidates` of many problems, estimated together; they share their pattern and dtype."""
    fits: dict[object, tuple[list[Mapping], MappingError | None]] = {}
    for name, known in hardware.fits_by_library.items():
        if hardware.libraries[name] is library:
            fits = known
    deepest = [_stage_depth(hardware, problems[0], tile) for tile in library.tiles]
    orders: list[GemmProblem] = []
    offered: list[Mapping] = []
    of_order: list[int] = []
    ends: list[int] = []
    refusals: list[MappingError | None] = []
    for problem in problems:
        refused = None
        swap = library.swap and problem.pattern.is_dense and problem.m != problem.n
        for order in (problem, problem.swapped()) if swap else (problem,):
            for number in _offered(hardware, library, order):
                # Of k, only what cuts a stage short decides what fits.
                depth = min(order.k, deepest[number])
                key = (number, depth, order.inputs_are_rows, order.pattern, order.dtype)
                if key not in fits:
                    fits[key] = _fit(hardware, library, order, library.tiles[number])
                fitted, refusal = fits[key]
                refused = refusal or refused
                offered += fitted
                of_order += [len(orders)] * len(fitted)
            orders.append(order)
        ends.append(len(offered))
        refusals.append(refused)
    if not offered:
        return [refusal for refusal in refusals if refusal is not None]
    columns = _Columns.of(orders, of_order, offered)
    place, splits = _splits(hardware, library, columns)
    costs = _estimate_ps(hardware, library, orders[0], columns.take(place), splits)
    bounds = np.searchsorted(place, [0, *ends]).tolist()
    ranked: list[list[Mapping] | MappingError] = []
    for start, end, refusal in zip(bounds, bounds[1:], refusals, strict=False):
        best: dict[tuple[int, ...], Mapping] = {}
        for row in (start + np.argsort(costs[start:end], kind="stable")).tolist():
            mapping = replace(offered[place[row]], splits=int(splits[row]))
            best.setdefault(_mirrored(mapping), mapping)
            if len(best) == SIMULATED_CANDIDATES:
                break
        ranked.append(list(best.values()) if best or refusal is None else refusal)
    return ranked


def _mirrored(mapping: Mapping) -> tuple[int, ...]:
    """Equal for a mapping and its mirror image, of swapped operands."""
    m, n = mapping.tile_m, mapping.tile_n
    return (*((n, m) if mapping.swapped else (m, n)), mapping.tile_k, mapping.splits)


class _Columns(NamedTuple):
    """Mappings of problems, a row each: arrays where scalar formulas expect integers.

    They are floats, which hold sizes exactly; what would overflow is huge instead.
    ``unique_bytes`` is -1 where the activations matrix itself is stored.
    """

    m: Any
    n: Any
    k: Any
    count: Any
    unique_bytes: Any
    inputs_are_rows: Any
    tile_m: Any
    tile_n: Any
    tile_k: Any
    fragment_m: Any
    fragment_n: Any
    stage_buffers: Any

    @classmethod
    def of(
        cls, problems: Sequence[GemmProblem], of_problem: Sequence[int], mappings: Sequence[Mapping]
    ) -> _Columns:
        sizes = [
            (p.m, p.n, p.k, p.count, -1 if p.unique_input_bytes is None else p.unique_input_bytes,
             p.inputs_are_rows)
            for p in problems
        ]  # fmt: skip
        tiles = [
            (a.tile_m, a.tile_n, a.tile_k, a.fragment_m, a.fragment_n, a.stage_buffers)
            for a in mappings
        ]
        repeated = np.array(sizes, dtype=np.float64)[np.array(of_problem)]
        return cls(*repeated.T, *np.array(tiles, dtype=np.float64).T)

    def take(self, rows: IntArray) -> _Columns:
        return _Columns(*(column[rows] for column in self))

    @property
    def grid(self) -> tuple[Any, Any, Any]:
        """Rows, columns and stages of tiles."""
        return (
            ceil_div(self.m, self.tile_m),
            ceil_div(self.n, self.tile_n),
            ceil_div(self.k, self.tile_k),
        )


def _splits(
    hardware: Hardware, library: Library, columns: _Columns
) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """The k-splits worth ranking: while they do not exceed two waves of cores.

    Returns
    -------
    array of int
        Row of ``columns`` of each mapping with its splits.
    array of float
        The splits.
    """
    rows, lines, stages = columns.grid
    most = np.minimum(2 * hardware.core.count // (rows * lines * columns.count), stages)
    splits = np.array([1, *library.splits], dtype=np.float64)
    allowed = splits <= np.maximum(1, most)[:, None]
    allowed[:, 0] = ~allowed[:, 1:].any(axis=1)  # 1 where the library offers nothing that fits
    place, which = np.nonzero(allowed)
    return place, splits[which]


def _offered(hardware: Hardware, library: Library, problem: GemmProblem) -> Sequence[int]:
    """The tiles that the library considers for a problem, by their place in its list."""
    tiles = library.tiles
    every = range(len(tiles))
    if library.choice == "time":
        return every

    def count(tile: Tile) -> int:
        return ceil_div(problem.m, tile.m) * ceil_div(problem.n, tile.n) * problem.count

    filling = [tile.m * tile.n for tile in tiles if count(tile) >= hardware.core.count]
    if not filling:
        return every
    return [number for number in every if tiles[number].m * tiles[number].n == max(filling)]


def _stage_slots(hardware: Hardware, problem: GemmProblem, tile: Tile) -> int:
    """Model: a library keeps the bytes of a stage row: twice the slots at half the width."""
    step = hardware.core.tensor_cores.instructions[problem.dtype].k
    return max(step, tile.slots * 16 // problem.bits)


def _stage_depth(hardware: Hardware, problem: GemmProblem, tile: Tile) -> int:
    """The deepest stage of a tile along k."""
    return problem.pattern.weights_of(_stage_slots(hardware, problem, tile))


def _fit(
    hardware: Hardware, library: Library, problem: GemmProblem, tile: Tile
) -> tuple[list[Mapping], MappingError | None]:
    """The stage depths at which a tile shape fits, deepest first, each with all buffers that fit.

    ``tile.slots`` grows with group / keep, so that a stage fills as many steps whatever the
    pattern. Sparse stages, which that makes deep, are also offered halved, down to one step; dense
    ones only where the scratchpad cannot hold two. Also tells why the shallowest does not fit.
    """
    pattern = problem.pattern
    step = hardware.core.tensor_cores.instructions[problem.dtype].k
    skips = hardware.sparsity.skip != "none"
    slots = _stage_slots(hardware, problem, tile)
    wanted = min(2, library.stage_buffers)
    found: dict[int, Mapping] = {}
    while True:
        depth = pattern.weights_of(slots if skips else slots * pattern.keep // pattern.group)
        depth = min(depth, pattern.groups(problem.k) * pattern.group)
        mapping = Mapping(
            tile.m,
            tile.n,
            depth,
            tile.fragment_m,
            tile.fragment_n,
            stage_buffers=1,
            swapped=problem.inputs_are_rows,
        )
        room = hardware.core.scratchpad.bytes // _stage_bytes(hardware, problem, mapping)
        mapping = replace(mapping, stage_buffers=max(1, min(library.stage_buffers, room)))
        deepest = slots // 2 < step
        if room >= wanted or deepest:
            try:
                check(hardware, library, problem, mapping)
            except MappingError as error:
                return list(found.values()), error
            found.setdefault(mapping.tile_k, mapping)
            if pattern.is_dense or deepest:
                return list(found.values()), None
        slots //= 2


def estimate_ps(
    hardware: Hardware, library: Library, problem: GemmProblem, mappings: Sequence[Mapping]
) -> npt.NDArray[np.float64]:
    """Closed-form times of mappings in picoseconds, for ranking only.

    Waves of tiles, each a pipeline fill, its stages at the slowest rate of core, port, L2 and
    DRAM, and an epilogue. Plain float arithmetic without transcendental functions, so that every
    machine ranks alike.
    """
    columns = _Columns.of([problem], [0] * len(mappings), mappings)
    splits = np.array([mapping.splits for mapping in mappings], dtype=np.float64)
    return _estimate_ps(hardware, library, problem, columns, splits)


def _estimate_ps(
    hardware: Hardware, library: Library, problem: GemmProblem, columns: _Columns, splits: Any
) -> npt.NDArray[np.float64]:
    """As `estimate_ps`; ``problem`` stands for what all share."""
    core, memory = hardware.core, hardware.memory
    rows, lines, stages = columns.grid
    tiles = columns.count * rows * lines * splits
    shape = StageShape(
        np.minimum(columns.tile_m, columns.m),
        np.minimum(columns.tile_n, columns.n),
        np.minimum(columns.tile_k, columns.k),
        columns.fragment_m,
        columns.fragment_n,
    )
    work = stage_work(hardware, problem, shape)
    cycle = PS_PER_SECOND / hardware.clock_hz
    mac = work.macs_executed / core.tensor_cores.macs_per_cycle[problem.dtype]
    pad = core.scratchpad.bytes_per_cycle * core.scratchpad.efficiency_ratio
    scratchpad = (work.read_bytes + work.write_bytes) / pad
    operand = work.operand_bits / 8 / core.register_file.operand_bytes_per_cycle
    port = work.write_bytes / core.port_bytes_per_cycle
    # Cores that work at the same time share L2 and DRAM.
    busy = np.minimum(tiles, core.count)
    l2 = busy * work.write_bytes / memory.l2.bytes_per_cycle
    inside = np.maximum(np.maximum(mac, scratchpad), operand) + core.barrier_cycles
    stage = cycle * np.maximum(np.maximum(inside, port), l2)
    # A stage cannot be requested before a buffer is free: latency over the buffers in flight.
    stage = np.maximum(stage, cycle * (memory.l2.latency_cycles + port) / columns.stage_buffers)

    outputs = shape.m * shape.n
    epilogue: Any = cycle * outputs * problem.output_bits / 8 / core.port_bytes_per_cycle
    epilogue = epilogue + library.epilogue_ns * 1000
    partial = (
        cycle
        * outputs
        * 4
        * np.maximum(1 / core.port_bytes_per_cycle, busy / memory.l2.bytes_per_cycle)
    )
    reduction = library.epilogue_ns * 1000 + cycle * memory.l2.latency_cycles + splits * partial
    epilogue = epilogue + np.where(splits > 1, reduction, 0.0)
    waves = ceil_div(tiles, core.count)
    fill = cycle * (memory.l2.latency_cycles + port)
    one = fill + ceil_div(stages, splits) * stage + epilogue
    latency = cycle * memory.l2.latency_cycles + hardware.dram_latency_ps
    dram = _dram_ps(hardware, library, problem, columns, (rows, lines, stages), work, busy)
    return np.asarray(np.maximum(waves * one, dram) + latency, dtype=np.float64)


def _dram_ps(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    columns: _Columns,
    grid: tuple[Any, Any, Any],
    work: StageWork,
    busy: Any,
) -> npt.NDArray[np.float64]:
    """What DRAM must deliver at least, and again for each band where L2 cannot keep the columns."""
    dram, l2_bytes = hardware.memory.dram, hardware.memory.l2.bytes
    rows, lines, stages = grid
    row_bytes: Any = (work.rows_bytes + work.metadata_bytes) * stages * rows * columns.count
    column_bytes: Any = work.columns_bytes * stages * lines * columns.count
    # Of a convolution, the activations as they are stored.
    is_unique, unique = columns.unique_bytes >= 0, columns.unique_bytes * columns.count
    row_bytes = np.where(is_unique & (columns.inputs_are_rows > 0), unique, row_bytes)
    column_bytes = np.where(is_unique & (columns.inputs_are_rows == 0), unique, column_bytes)
    band = max(1, library.swizzle)
    rows_at_once = np.maximum(band, np.maximum(1, busy // lines))
    again = np.where(
        column_bytes + row_bytes / rows * band > l2_bytes, ceil_div(rows, rows_at_once), 1
    )
    moved = row_bytes + column_bytes * np.maximum(1, again)
    output_bytes = columns.m * columns.n * columns.count * problem.output_bits / 8
    written = (hardware.memory.writes == "dram") | (output_bytes > l2_bytes)
    moved = moved + np.where(written, output_bytes, 0.0)
    return np.asarray(
        moved * (PS_PER_SECOND / (dram.bytes_per_second * dram.efficiency_ratio)), dtype=np.float64
    )
