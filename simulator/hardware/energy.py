"""Energy: what a machine's YAML says an action costs, times how often it happened; and power.

Energies are those of the YAML's voltage. Model: a lower clock does not lower the voltage, so that a
power limit costs its full share of time.
"""

from __future__ import annotations

from typing import Final

from simulator.hardware import Hardware
from simulator.traffic import Traffic

CLOCK_STEPS: Final = 100
"""A power limit lowers the clock in hundredths of the YAML's."""


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


def has_limit(hardware: Hardware) -> bool:
    """Whether the machine has a power limit."""
    return hardware.energy is not None and hardware.energy.tdp_w is not None


def limited_step(hardware: Hardware, step: int, energy_pj: float | None, time_ps: int) -> int:
    """The clock, in hundredths, to try after a run at ``step``; ``step`` itself if it may stay.

    Time grows at most as the clock falls, so that the highest step at which the power could be low
    enough follows from energy and time; the run there decides. At one hundredth it stays.
    """
    limits = hardware.energy
    if limits is None or limits.tdp_w is None or energy_pj is None or step == 1:
        return step
    if energy_pj <= limits.tdp_w * time_ps:
        return step
    actions_pj = energy_pj - limits.static_w * time_ps
    needed_ps = actions_pj / (limits.tdp_w - limits.static_w)
    return max(1, min(step - 1, int(step * time_ps / needed_ps)))
