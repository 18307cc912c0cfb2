"""How a GEMM is laid on a machine, and what fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from simulator.errors import MappingError
from simulator.hardware import Hardware, Library, Tile
from simulator.hardware.library import Kernels
from simulator.schedule.partition import TileGrid
from simulator.units import ACCUMULATOR_BITS, bits_to_bytes, ceil_div, ns_to_ps
from simulator.workload.gathered import Gathered
from simulator.workload.lowering import GemmProblem


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
    pattern = problem.pattern
    if mapping.tile_k != pattern.padded(mapping.tile_k):
        raise MappingError(
            "mapping.tile_k",
            "would cut a group",
            got=mapping.tile_k,
            want=f"a multiple of group {pattern.padded(1)}",
        )
    if not pattern.takes_rows(mapping.tile_m):
        raise MappingError(
            "mapping.tile_m",
            f"would cross rows that choose columns together under {pattern}",
            got=mapping.tile_m,
            want="a divisor of those rows",
        )
    stages = ceil_div(problem.k, mapping.tile_k)
    if mapping.splits > stages:
        raise MappingError(
            "mapping.splits", f"more splits than the {stages} stages", got=mapping.splits
        )
    need, have = register_bytes(hardware, library, problem, mapping), register_room(hardware)
    if need > have:
        raise MappingError(
            f"tile {mapping} of {pattern}",
            f"the register file is {need - have} bytes too small",
            got=f"{need} bytes needed",
            want=f"at most {have}",
            hint="accumulators, slots and group buffers: use a smaller tile or group, or raise "
            "core.register_file.bytes",
        )
    need, have = scratchpad_bytes(hardware, problem, mapping), hardware.core.scratchpad.bytes
    if need > have:
        raise MappingError(
            f"tile {mapping} of {pattern}",
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
    Without asynchronous copies the stage that is being loaded is in registers, too.
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
        if isinstance(pattern, Gathered):  # one instruction's: every slot of every row has its own
            shape = core.tensor_cores.instructions[problem.dtype]
            held = shape.m * step * shape.n
        else:
            span = pattern.held(step) if skips else step
            held = mapping.fragment_n * span
        fragment += held * problem.bits
    fragments = ceil_div(mapping.tile_m, mapping.fragment_m)
    fragments *= ceil_div(mapping.tile_n, mapping.fragment_n)
    held = bits_to_bytes(accumulators + fragments * core.register_file.buffers * fragment)
    return held if core.async_copies else held + _stage_bytes(hardware, problem, mapping)


def scratchpad_bytes(hardware: Hardware, problem: GemmProblem, mapping: Mapping) -> int:
    """Scratchpad bytes of ``stage_buffers`` full stages."""
    return mapping.stage_buffers * _stage_bytes(hardware, problem, mapping)


def _stage_bytes(hardware: Hardware, problem: GemmProblem, mapping: Mapping) -> int:
    pattern = problem.pattern
    code = hardware.sparsity.metadata
    columns = problem.columns_elements(mapping.tile_m, mapping.tile_n, mapping.tile_k)
    rows = bits_to_bytes(mapping.tile_m * pattern.slots(mapping.tile_k) * problem.bits)
    rows += bits_to_bytes(problem.metadata_bits(mapping.tile_m, mapping.tile_k, code))
    return rows + bits_to_bytes(columns * problem.bits)


def restart_ps(hardware: Hardware, library: Kernels) -> int:
    """Device time that k-splits take besides their work: the start of the kernel that adds up
    their partial sums, where it is one of its own."""
    return ns_to_ps(hardware.kernel_start_ns) if library.reduction_kernel else 0


def register_room(hardware: Hardware) -> int:
    file = hardware.core.register_file
    return file.bytes - file.reserved_bytes


def _stage_slots(hardware: Hardware, problem: GemmProblem, tile: Tile) -> int:
    """Model: a library keeps the bytes of a stage row: twice the slots at half the width."""
    step = hardware.core.tensor_cores.instructions[problem.dtype].k
    return max(step, tile.slots * 16 // problem.bits)


def stage_depth(hardware: Hardware, problem: GemmProblem, tile: Tile) -> int:
    """The deepest stage of a tile along k."""
    return problem.pattern.weights_of(_stage_slots(hardware, problem, tile))


def fitting(
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
        depth = pattern.weights_of(slots if skips else math.floor(slots * pattern.density))
        depth = min(depth, pattern.padded(problem.k))
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
