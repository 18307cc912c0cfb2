"""Area: what a machine's parts would take in a 7 nm process, to put a price on a larger group.

An estimate, made to compare machines that differ in one thing. It counts arithmetic, selectors,
operand paths and memory arrays; schedulers, caches of instructions, interconnect and pads are the
same whatever the group, and are left out. So ratios count, not square millimetres.

Formulas, a core each unless said otherwise; areas in um2:

* tensor_cores: MACs a cycle times (multiplier + adder); dtypes share a datapath, so the largest.
* selectors: a ``group``:1 multiplexer of operand width for every MAC lane, hence
  ``lanes * bits * (group - 1)`` two-to-one multiplexers, of the largest group executed.
* register_file, scratchpad, l2 (once): ``bits * cell / efficiency``.
* operand_paths: ``bits a cycle * (two flip-flops + wire)``, of the path into the tensor cores and
  of the scratchpad's port.
"""

from __future__ import annotations

from typing import Final

from simulator.hardware import Hardware
from simulator.units import DTYPE_BITS

UM2_PER_MM2: Final = 1e6

NAND2_45NM_UM2: Final = 0.798
"""NAND2_X1 of the NanGate 45 nm Open Cell Library, to turn areas in 45 nm into gates."""
NAND2_UM2: Final = 0.057 * 3 * 0.240
"""In N7: three gate pitches of 57 nm by six tracks of 40 nm (WikiChip, "7 nm process")."""
UTILIZATION_RATIO: Final = 0.7
"""Estimate: share of a placed and routed block that cells cover."""

MULTIPLIER_45NM_UM2: Final = {"fp32": 7700, "fp16": 1640, "int32": 3495, "int8": 282}
ADDER_45NM_UM2: Final = {"fp32": 4184, "fp16": 1360, "int32": 137}
"""Synthesised in TSMC 45 nm; W. Dally, "High-Performance Hardware for Machine Learning", NIPS 2015
tutorial, beside the energies of Horowitz, ISSCC 2014."""

BIT_CELL_UM2: Final = 0.027
"""High-density 6T SRAM cell of TSMC N7: Wu et al., IEDM 2016; Chang et al., ISSCC 2017."""
REGISTER_CELL_RATIO: Final = 2.0
"""Estimate: a cell with a read and a write port (8T) takes twice a 6T cell."""
ARRAY_EFFICIENCY_RATIO: Final = {"register_file": 0.5, "scratchpad": 0.5, "l2": 0.6}
"""Estimate: cells over the whole macro; decoders and sense amplifiers weigh more on small banks."""

MUX2_GATES: Final = 2.33
"""A 2:1 multiplexer over a NAND2: MUX2_X1 1.862 um2 of the NanGate library."""
FLIP_FLOP_GATES: Final = 5.67
"""A D flip-flop over a NAND2: DFF_X1 4.522 um2 of the NanGate library."""
WIRE_PITCH_UM: Final = 0.080
"""Estimate: twice the minimum metal pitch of N7 (40 nm), for speed."""
WIRE_LENGTH_UM: Final = 500.0
"""Estimate: half of the side of a core of about 1 mm2."""
WIRE_LAYERS: Final = 4
"""Estimate: metal layers that share the routing of one path."""


def relative_area(hardware: Hardware) -> float:
    """All of `area_parts`, in estimated mm2 of a 7 nm process; only ratios are meaningful."""
    return sum(area_parts(hardware).values())


def area_parts(hardware: Hardware) -> dict[str, float]:
    """Estimated area by part, mm2 of a 7 nm process, all cores together.

    Returns
    -------
    dict
        ``tensor_cores``, ``selectors``, ``register_file``, ``operand_paths``, ``scratchpad`` and
        ``l2``.
    """
    core, dtypes = hardware.core, hardware.dtypes
    rates = core.tensor_cores.macs_per_cycle
    path_bytes = core.register_file.operand_bytes_per_cycle + core.scratchpad.bytes_per_cycle
    lane_bits = max(rates[dtype] * DTYPE_BITS[dtype] for dtype in dtypes)
    a_core = {
        "tensor_cores": max(rates[dtype] * _mac_um2(dtype) for dtype in dtypes),
        "selectors": lane_bits * (selected_group(hardware) - 1) * _gates_um2(MUX2_GATES),
        "register_file": REGISTER_CELL_RATIO
        * _array_um2("register_file", core.register_file.bytes),
        "operand_paths": path_bytes * 8 * (_gates_um2(2 * FLIP_FLOP_GATES) + _wire_um2()),
        "scratchpad": _array_um2("scratchpad", core.scratchpad.bytes),
    }
    parts = {name: size * core.count / UM2_PER_MM2 for name, size in a_core.items()}
    return parts | {"l2": _array_um2("l2", hardware.memory.l2.bytes) / UM2_PER_MM2}


def selected_group(hardware: Hardware) -> int:
    """Activations that a MAC lane selects from: the largest group executed; 1 without skipping."""
    sparsity = hardware.sparsity
    if sparsity.skip == "none":
        return 1
    listed = [pattern.group for pattern in sparsity.capability.patterns]
    return max(1, sparsity.largest_group, *listed)


def _mac_um2(dtype: str) -> float:
    """One multiplier and one adder; dtypes that the table lacks are estimates."""
    multiplier, adder = MULTIPLIER_45NM_UM2, ADDER_45NM_UM2
    sizes: dict[str, float] = {
        "fp32": multiplier["fp32"] + adder["fp32"],
        # Estimate: products enter a tree of fp16 adders; the fp32 adder behind it is shared.
        "fp16": multiplier["fp16"] + adder["fp16"],
        "tf32": multiplier["fp16"] + adder["fp16"],  # estimate: significands as fp16
        # Estimate: multipliers grow with the square of the significand: 8 (bf16), 4 (fp8) to 11.
        "bf16": multiplier["fp16"] * (8 / 11) ** 2 + adder["fp16"],
        "fp8": multiplier["fp16"] * (4 / 11) ** 2 + adder["fp16"] / 2,
        "int32": multiplier["int32"] + adder["int32"],
        "int8": multiplier["int8"] + adder["int32"],
        "int4": multiplier["int8"] / 4 + adder["int32"] / 2,  # estimate: square; 16-bit sums
        "b1": 8 * NAND2_45NM_UM2,  # estimate: XOR and a full adder of a population count
    }
    return _gates_um2(sizes[dtype] / NAND2_45NM_UM2)


def _gates_um2(nand2: float) -> float:
    """Placed area of logic counted in two-input NANDs."""
    return nand2 * NAND2_UM2 / UTILIZATION_RATIO


def _array_um2(level: str, size_bytes: int) -> float:
    return size_bytes * 8 * BIT_CELL_UM2 / ARRAY_EFFICIENCY_RATIO[level]


def _wire_um2() -> float:
    """One bit of a path, its share of the layers above the logic that it keeps from others."""
    return WIRE_PITCH_UM * WIRE_LENGTH_UM / WIRE_LAYERS
