"""A pattern for every layer: of those that were compared, the one that it ran fastest under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from simulator.errors import ConfigError, WeightsError
from simulator.report.report import Report
from simulator.run.asked import Weights
from simulator.run.attach import Array, find_tensor
from simulator.run.kernels import of_kernels
from simulator.sparsity import (
    DENSE,
    FASTEST,
    AnyPattern,
    asked_name,
    parse_asked,
    parse_pattern,
)
from simulator.workload import Conv, Gemm, Layer, Workload
from simulator.workload.patterned import bearing


@dataclass(frozen=True)
class Compared:
    """What is compared, in the order in which it is shown.

    Attributes
    ----------
    patterns : tuple of Pattern or None
        As `parse_asked` reads them, without ``fastest``.
    fastest_at : int or None
        The place of ``fastest`` among all; None where it was not asked for.
    """

    patterns: tuple[AnyPattern | None, ...]
    fastest_at: int | None = None

    @classmethod
    def parse(cls, texts: Sequence[AnyPattern | str | None], where: str = "patterns") -> Compared:
        """Read patterns, ``trace`` and ``fastest``.

        Raises
        ------
        ConfigError
            If one is none of these or comes twice, or there is nothing to choose from.
        """
        if not texts:
            raise ConfigError(where, "name at least one", want="such as 1:1,2:4,1:8")
        at = [number for number, text in enumerate(texts) if _is_fastest(text)]
        patterns = [parse_asked(text, where) for text in texts if not _is_fastest(text)]
        if len(set(patterns)) < len(patterns) or len(at) > 1:
            names = [*map(asked_name, patterns), *[FASTEST] * len(at)]
            raise ConfigError(where, "the same pattern twice", got=",".join(names))
        if not patterns:
            raise ConfigError(
                where, "patterns to choose from are missing", got=FASTEST, want=f"2:4,{FASTEST}"
            )
        return cls(tuple(patterns), at[0] if at else None)

    @property
    def runs(self) -> int:
        """Simulations that this takes."""
        return len(self.simulated) + (self.fastest_at is not None)

    @property
    def simulated(self) -> tuple[AnyPattern | None, ...]:
        """The patterns, and behind them dense, where layers may choose it and it is not shown."""
        is_missing = self.fastest_at is not None and DENSE not in self.patterns
        return (*self.patterns, *[DENSE] * is_missing)

    def shown(self, reports: Sequence[Report], fastest: Report | None) -> tuple[Report, ...]:
        """Reports of what was simulated, in the order that was asked for."""
        kept = list(reports[: len(self.patterns)])
        if self.fastest_at is not None and fastest is not None:
            kept.insert(self.fastest_at, fastest)
        return tuple(kept)


def _is_fastest(text: object) -> bool:
    return isinstance(text, str) and text.strip().lower() == FASTEST


def fastest_of(network: Workload, reports: Sequence[Report]) -> dict[str, str]:
    """What each layer that has weights ran fastest as, by its name.

    Layers that are one kernel have one pattern, as have those of one name; of patterns that take as
    long it is the densest. Weights that had to be pruned for a pattern do not comply with it.

    Parameters
    ----------
    network : Workload
    reports : sequence of Report
        Of it under one pattern each, dense among them, as the same kernels.
    """
    chosen = {name: chosen for name, chosen in _chosen(reports).items() if name in bearing(network)}
    return {name: reports[best].layers[row].asked for name, (best, row) in chosen.items()}


def _chosen(reports: Sequence[Report]) -> dict[str, tuple[int, int]]:
    """By name of a layer or a kernel: in which report it is fastest, and where it stands there.

    Raises
    ------
    WeightsError
        If real weights, of other layers each, make other kernels of it.
    """
    if len({tuple(layer.members for layer in report.layers) for report in reports}) > 1:
        raise WeightsError(
            "weights", f"of one pattern are of other layers, so that kernels differ; {FASTEST} "
            "chooses among the same ones", want="weights of the same layers",
        )  # fmt: skip
    found: dict[str, tuple[int, int]] = {}
    for rows in together([(layer.name, *layer.members) for layer in reports[0].layers]):
        best = min(range(len(reports)), key=lambda at: _order(reports[at], rows))
        for row in rows:
            first = reports[0].layers[row]
            found |= dict.fromkeys((first.name, *first.members), (best, row))
    return found


def _order(report: Report, rows: Sequence[int]) -> tuple[bool, int, Fraction]:
    """What complies comes first, then what is faster, then what is denser."""
    layers = [report.layers[row] for row in rows]
    is_cut = any(layer.pruned_away for layer in layers)
    density = max(parse_pattern(layer.asked).density for layer in layers)
    return is_cut, sum(layer.time_ps * layer.repeat for layer in layers), -density


def together(kernels: Sequence[tuple[str, ...]]) -> list[list[int]]:
    """Kernels that share the name of a layer, by number."""
    groups: dict[str, list[int]] = {}
    for number, names in enumerate(kernels):
        known = {id(groups[name]): groups[name] for name in names if name in groups}
        whole = sorted({number}.union(*known.values()))
        groups |= dict.fromkeys({name for row in whole for name in kernels[row]}, whole)
    return list({id(group): group for group in groups.values()}.values())


def mixed(
    network: Workload,
    kernels: Workload,
    reports: Sequence[Report],
    weights: Sequence[Weights | None],
) -> tuple[Workload, Weights]:
    """Kernels with the fastest pattern each, and the real weights of those patterns.

    Parameters
    ----------
    kernels : Workload
        What the reports are of, as a stack made them of the network.
    reports, weights : sequences
        Of one pattern each; weights by layer.
    """
    chosen = _chosen(reports)
    merged = [of_kernels(network, kernels, some or {}) for some in weights]
    layers: list[Layer] = []
    tensors: dict[str, Array] = {}
    for layer in kernels.layers:
        if isinstance(layer, Gemm | Conv):
            best, row = chosen[layer.name]
            asked = parse_pattern(reports[best].layers[row].asked)
            tensor = find_tensor(layer, merged[best])
            tensors |= {} if tensor is None else {layer.name: tensor}
            layers.append(replace(layer, pattern=None if asked.is_dense else asked))
        else:
            layers.append(layer)
    return replace(kernels, layers=tuple(layers)), tensors
