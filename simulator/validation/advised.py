"""What a user would be told of published decisions: the preset as it is, the network's trace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from simulator.decisions.trust import Band
from simulator.hardware import load_hardware
from simulator.run.simulate import simulate
from simulator.validation.decisions import (
    Verdict,
    band_of_preset,
    gain_label,
    host_bound,
    measured_gain,
    timed,
    verdict,
)
from simulator.validation.sparse_stacks import Row, Times, network_of, stays_dense


@dataclass(frozen=True)
class Decision:
    """A published gain, and two answers of the model.

    Attributes
    ----------
    predicted : float
        As the software of the row is known to work.
    advised : float
        Of two plain runs: the machine's preset, the network's trace, and its stack.
    host : str
        Why the row says nothing of the device, which is all that the model has; empty: it does.
    times_ms : tuple of float, optional
        The published sparse time, and the device's part of it as that software uses it.
    """

    label: str
    published: float
    predicted: float
    advised: float
    band: Band | None
    host: str
    times_ms: tuple[float, float] | None

    @property
    def of_predicted(self) -> Verdict:
        return verdict(self.published, self.predicted, self.band)

    @property
    def of_advised(self) -> Verdict:
        return verdict(self.published, self.advised, self.band)

    @property
    def advised_error(self) -> float:
        """Advised over published, less one."""
        return self.advised / self.published - 1

    @property
    def reason(self) -> str:
        """Why a verdict is wrong; empty where none is."""
        if Verdict.WRONG not in (self.of_predicted, self.of_advised):
            return ""
        if not self.host:
            return "not explained: an error of the model, or of the figures"
        if self.times_ms is None:
            return self.host
        measured, of_device = self.times_ms
        return f"{self.host}: of {measured:.4g} ms sparse, {of_device:.2g} ms are the device's"


@cache
def decisions_told() -> tuple[Decision, ...]:
    """Every published gain."""
    return tuple(_decision(row, times) for row, times in timed())


def _decision(row: Row, times: Times) -> Decision:
    dense_us, sparse_us = times
    is_time = row["unit"] == "ms"
    return Decision(
        gain_label(row),
        measured_gain(row),
        dense_us / sparse_us,
        advised_gain(row),
        band_of_preset(row["preset"]),
        host_bound(row),
        (float(row["sparse"]), sparse_us / 1e3) if is_time else None,
    )


def advised_gain(row: Row) -> float:
    """Dense over sparse device time of a row's network, as `nmsim compare` has it."""
    machine, network = load_hardware(row["preset"]), network_of(row)
    stays = stays_dense(row, network)
    dense, sparse = (
        simulate(machine, network, pattern, dense=stays) for pattern in ("1:1", row["pattern"])
    )
    return dense.total.time_ps / sparse.total.time_ps
