"""Energy: what a machine's YAML says an action costs, times how often it happened; and power."""

from __future__ import annotations

from simulator.hardware import Hardware
from simulator.traffic import Traffic


def layer_energy_pj(
    hardware: Hardware, dtype: str, macs_executed: int, traffic: Traffic, time_ps: int
) -> float | None:
    """Energy of one run of a layer in picojoules; None where the machine lists no energies."""
    energy = hardware.energy
    if energy is None or (macs_executed and dtype not in energy.mac_pj):
        return None
    per_byte = {
        "register_file": energy.register_file_pj_per_byte,
        "scratchpad": energy.scratchpad_pj_per_byte,
        "l2": energy.l2_pj_per_byte,
        "dram": energy.dram_pj_per_byte,
    }
    total = macs_executed * energy.mac_pj.get(dtype, 0.0)
    for level, cost in per_byte.items():
        total += cost * traffic.total(level)
    return total + energy.static_w * time_ps  # 1 W is 1 pJ a ps


def power_w(energy_pj: float | None, time_ps: int) -> float | None:
    """Mean power of a run; None where its energy is not known."""
    return None if energy_pj is None else energy_pj / time_ps  # 1 pJ a ps is 1 W
