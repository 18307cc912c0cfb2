"""`make held-out`: how far sampled accuracy is from exact, on layers that nobody has seen.

The seed is drawn when it runs, after whatever constants there are; ``--seed`` repeats a run. Both
runs choose their own mapping, so that one chosen otherwise counts. 400 layers take 10 minutes.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from sampled_cases import MOST_STAGES, Case, case_of

from simulator import Gemm, LayerReport, SimulatorError, Workload, simulate

COUNT = 400
BOUND_RATIO = 0.97
"""Share of cases inside of their estimate."""


@dataclass(frozen=True)
class Compared:
    """One layer, exact and sampled; errors are sampled over exact, less 1."""

    case: str
    stages: int
    exact_s: float
    sampled_s: float
    time_error: float
    dram_error: float
    time_bound: float
    dram_bound: float
    same_mapping: bool


def dram_bytes(layer: LayerReport) -> int:
    return sum(sum(ways.values()) for ways in layer.traffic_bytes["dram"].values())


def compare(case: Case) -> Compared:
    """Both runs; times are of this process."""
    hardware, workload = case.hardware, Workload("one", [case.layer])
    layers: list[LayerReport] = []
    seconds: list[float] = []
    for accuracy in ("exact", "sampled"):
        started = time.process_time()
        report = simulate(hardware, workload, case.pattern, accuracy=accuracy, allow_overflow=True)
        seconds.append(time.process_time() - started)
        layers += report.layers
    exact, sampled = layers
    return Compared(
        str(case),
        exact.stages,
        seconds[0],
        seconds[1],
        sampled.time_ps / exact.time_ps - 1,
        dram_bytes(sampled) / max(1, dram_bytes(exact)) - 1,
        sampled.time_error_ratio,
        sampled.dram_error_ratio,
        (exact.mapping, exact.executed_as) == (sampled.mapping, sampled.executed_as),
    )


def compared(seed: int, layers: int, most_stages: int, workers: int) -> Iterator[Compared]:
    """So many cases, as they come."""
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_warm_up) as pool:
        futures = [pool.submit(_compared, seed, number, most_stages) for number in range(layers)]
        for future in as_completed(futures):
            yield future.result()


def _compared(seed: int, number: int, most_stages: int) -> Compared:
    for again in count(number, 10**6):
        try:
            return compare(case_of(seed, again, most_stages))
        except SimulatorError:  # more state than an exact run may have
            continue
    raise AssertionError


def _warm_up() -> None:
    """The first run of a process loads what is compiled."""
    for machine in ("nm-edge", "h100-sxm"):
        simulate(machine, Workload("warm", [Gemm("g", m=64, n=64, k=64)]))


@dataclass(frozen=True)
class Reach:
    """What errors of one kind should be: such a share of them within a bound, all within one."""

    what: str
    within: float
    share: float
    largest: float


REACHES = (Reach("time", 0.01, 0.97, 0.03), Reach("dram", 0.03, 0.90, 0.15))


def judged(rows: Sequence[Compared]) -> Iterator[tuple[str, str, bool]]:
    """What was measured, of what should be, and whether it was reached."""
    for reach in REACHES:
        errors = [abs(getattr(row, f"{reach.what}_error")) for row in rows]
        bounds = [getattr(row, f"{reach.what}_bound") for row in rows]
        within = _share(error <= reach.within for error in errors)
        yield (
            f"{reach.what} within {reach.within:.0%}",
            f"{within:.1%} of {reach.share:.0%}",
            within >= reach.share,
        )
        yield (
            f"largest error of {reach.what}",
            f"{max(errors):.2%} of {reach.largest:.0%}",
            max(errors) <= reach.largest,
        )
        pairs = [(error, max(bound, 1e-12)) for error, bound in zip(errors, bounds, strict=True)]
        inside = _share(error <= bound for error, bound in pairs)
        yield (
            f"{reach.what} inside of its estimate",
            f"{inside:.1%} of {BOUND_RATIO:.0%}",
            inside >= BOUND_RATIO,
        )
        worst = max(error / bound for error, bound in pairs if error > 0 or bound > 0)
        yield f"largest error of {reach.what} over its estimate", f"{worst:.2f} of 2", worst <= 2


def _share(flags: Iterable[bool]) -> float:
    flags = list(flags)
    return sum(flags) / len(flags)


def line(row: Compared) -> str:
    return (
        f"{row.time_error:+8.2%} (±{row.time_bound:6.2%})  {row.dram_error:+8.2%} "
        f"(±{row.dram_bound:6.2%})  {row.exact_s:6.2f} s {row.sampled_s:6.2f} s  {row.case}"
        f"{'' if row.same_mapping else ', another mapping'}"
    )


def show(rows: Sequence[Compared], seed: int) -> bool:
    """Print the tables; whether all was reached."""
    orders: tuple[tuple[str, Callable[[Compared], float]], ...] = (
        ("time", lambda row: abs(row.time_error)),
        ("DRAM", lambda row: abs(row.dram_error)),
        ("time over its estimate", lambda row: abs(row.time_error) / max(row.time_bound, 1e-12)),
        ("DRAM over its estimate", lambda row: abs(row.dram_error) / max(row.dram_bound, 1e-12)),
        ("slowest", lambda row: row.sampled_s),
    )
    for what, key in orders:
        print(f"\n{what}:     time     estimate    DRAM     estimate   exact  sampled")
        for row in sorted(rows, key=key, reverse=True)[:10]:
            print(line(row))
    cut = [row for row in rows if row.time_bound > 0]
    ups = [row.exact_s / max(row.sampled_s, 1e-9) for row in rows]
    largest = sorted(rows, key=lambda row: row.stages)[-len(rows) // 10 :]
    others = sum(not row.same_mapping for row in rows)
    print(f"\nseed {seed}: {len(rows)} layers, {len(cut)} in part, {others} with another mapping")
    print(f"sampled is {faster(rows):.1f} times faster in all, {faster(cut):.1f} where in part, ")
    print(f"{faster(largest):.1f} on the largest tenth, {median(ups):.1f} at the median")
    reached = True
    for what, figures, is_reached in judged(rows):
        print(f"{what:42} {figures:>18}  {'reached' if is_reached else 'NOT reached'}")
        reached &= is_reached
    return reached


def faster(rows: Sequence[Compared]) -> float:
    """Of all of them together."""
    return sum(row.exact_s for row in rows) / max(1e-9, sum(row.sampled_s for row in rows))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="repeat a run")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--most-stages", type=int, default=MOST_STAGES, help="of a layer")
    parser.add_argument("--rows", type=Path, help="also append every row, a JSON object a line")
    given = parser.parse_args()
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    print(f"seed {seed}")
    rows = []
    for row in compared(seed, given.count, given.most_stages, given.workers):
        rows.append(row)
        if given.rows:
            with given.rows.open("a") as file:
                file.write(json.dumps(asdict(row)) + "\n")
        if sys.stderr.isatty():
            print(f"\r{len(rows)} of {given.count}", end="", file=sys.stderr, flush=True)
    return 0 if show(rows, seed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
