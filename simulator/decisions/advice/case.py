"""What is simulated for an advice, of one network at one size, and what follows for each layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from simulator.decisions.advice.breakeven import Bearing
from simulator.decisions.advice.reasons import Reason, reason_of
from simulator.decisions.advice.result import Advice, LayerAdvice
from simulator.decisions.advice.worth import Worth
from simulator.decisions.trust import Band, Outcome, outcome
from simulator.hardware import Hardware, load_hardware
from simulator.quantities import times
from simulator.report.report import Report
from simulator.run.asked import staying_dense
from simulator.run.fastest import together
from simulator.run.kernels import kernels_of
from simulator.run.simulate import LayerProgress, simulate
from simulator.sparsity import DENSE, parse_pattern
from simulator.workload import Conv, Gemm, Workload
from simulator.workload.patterned import bearing, under
from simulator.workload.stack import Stack

ASKED, QUALITY = "asked", "quality"
"""Reasons that are none of the machine's."""


@dataclass(frozen=True)
class How:
    """As what is simulated, whatever the pattern."""

    machine: Hardware
    library: str | None
    stack: Stack | str | None
    dense: str | None
    accuracy: str
    allow_overflow: bool

    @cached_property
    def sparse_machine(self) -> Hardware:
        """The machine with software that runs sparse what is asked for, faster or not."""
        if not self.machine.library.dense_where_faster or self.library is not None:
            return self.machine
        return load_hardware(self.machine, {"library.dense_where_faster": False})

    def report(
        self,
        network: Workload,
        pattern: str | None,
        *,
        sparse: bool = False,
        progress: LayerProgress | None = None,
    ) -> Report:
        """Of a network; ``sparse``: whatever dense would take."""
        return simulate(
            self.sparse_machine if sparse else self.machine, network, pattern,
            library=self.library, stack=self.stack, dense=self.dense if pattern else None,
            accuracy=self.accuracy, allow_overflow=self.allow_overflow, progress=progress,
        )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One network at one size, with all that is simulated of it."""

    how: How
    network: Workload
    patterns: tuple[str, ...]
    band: Band | None
    worth: Mapping[str, Worth]
    progress: LayerProgress | None = None

    @cached_property
    def dense(self) -> Report:
        return self.how.report(self.network, str(DENSE), progress=self.progress)

    @cached_property
    def reports(self) -> dict[str, Report]:
        """As the machine's software runs each pattern."""
        run = self.how.report
        return {one: run(self.network, one, progress=self.progress) for one in self.patterns}

    @cached_property
    def forced(self) -> dict[str, Report]:
        """With every layer sparse."""
        if self.how.sparse_machine is self.how.machine:
            return self.reports
        run = self.how.report
        return {one: run(self.network, one, sparse=True) for one in self.patterns}

    @cached_property
    def kernels(self) -> Workload:
        """What the reports are of."""
        stays = staying_dense(self.network, self.how.dense)
        return kernels_of(self.network, self.how.stack, stays)

    @cached_property
    def layers(self) -> tuple[LayerAdvice, ...]:
        """Kernels that have weights; those that share a layer's name have one pattern."""
        names = [(layer.name, *layer.members) for layer in self.dense.layers]
        chosen = {row: rows for rows in together(names) for row in rows}
        choices = {id(rows): self._choice(rows) for rows in chosen.values()}
        return tuple(
            self._layer(row, layer, *choices[id(chosen[row])])
            for row, layer in enumerate(self.kernels.layers)
            if isinstance(layer, Gemm | Conv)
        )

    def _time_ps(self, report: Report, rows: Sequence[int]) -> int:
        return sum(report.layers[row].time_ps * report.layers[row].repeat for row in rows)

    def _choice(self, rows: Sequence[int]) -> tuple[str, str, dict[str, Outcome]]:
        """What is advised to kernels, which pattern gains most, and which gain at all."""
        dense_ps = self._time_ps(self.dense, rows)
        took = {one: self._time_ps(self.forced[one], rows) for one in self.patterns}
        order = sorted(took, key=lambda one: (took[one], -parse_pattern(one).density))
        results = {
            one: outcome(dense_ps / took[one], self.band) if self._skips(one, rows) else Outcome.TIE
            for one in order
        }
        names = {name for row in rows for name in self.dense.layers[row].members}
        gaining = [one for one in order if results[one] is Outcome.GAIN]
        allowed = (one for one in gaining if self._may(one, names))
        return next(allowed, str(DENSE)), next(iter([*gaining, *order])), results

    def _skips(self, pattern: str, rows: Sequence[int]) -> bool:
        """Whether any of the kernels runs sparse at all."""
        return any(self.forced[pattern].layers[row].executed_as != str(DENSE) for row in rows)

    def _may(self, pattern: str, names: Iterable[str]) -> bool:
        """Whether a pattern is worth what it costs, as far as that was measured."""
        worth = self.worth.get(pattern)
        if worth is None:
            return True
        there = bearing(self.network)
        return worth.is_worth_it and all(one in worth.layers for one in names if one in there)

    def _layer(
        self, row: int, layer: Bearing, pattern: str, best: str, results: dict[str, Outcome]
    ) -> LayerAdvice:
        dense, there = self.dense.layers[row], bearing(self.network)
        gains = {one: dense.time_ps / self.forced[one].layers[row].time_ps for one in self.patterns}
        is_dense = pattern == str(DENSE)
        return LayerAdvice(
            dense.name, tuple(name for name in dense.members if name in there), dense.repeat,
            dense.m, dense.n, dense.k, dense.count, pattern, dense.time_ns, gains, best, results,
            self._reason(row, layer, best, results[best]) if is_dense else None,
        )  # fmt: skip

    def _reason(self, row: int, layer: Bearing, best: str, result: Outcome) -> Reason:
        """Why it is dense."""
        dense, sparse = self.dense.layers[row], self.forced[best].layers[row]
        if sparse.asked == str(DENSE):
            return Reason(ASKED, "stays dense, as asked")
        if result is Outcome.GAIN:
            gain = times(dense.time_ps / sparse.time_ps)
            return Reason(QUALITY, f"not worth it: {best} would gain {gain}")
        how = self.how
        return reason_of(how.sparse_machine, layer, dense, sparse, result, how.library)

    @cached_property
    def workload(self) -> Workload:
        """The network as advised, run by the same stack."""
        patterns = {name: layer.pattern for layer in self.layers for name in layer.members}
        advised = under(self.network, patterns)
        return (
            replace(advised, stack=self.how.stack) if isinstance(self.how.stack, str) else advised
        )

    @cached_property
    def mix(self) -> Report:
        """Of the network as advised."""
        if all(layer.is_dense for layer in self.layers):
            return self.dense
        return self.how.report(self.workload, None, progress=self.progress)

    def advice(self) -> Advice:
        return Advice(
            self.how.machine.name, self.dense.network, self.patterns, self.band, self.dense,
            self.reports, self.forced, self.mix, self.workload, self.layers, worth=self.worth,
        )  # fmt: skip
