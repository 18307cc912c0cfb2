"""Whole networks, layer by layer from a cold L2, and as a stack runs them with L2 carried.

Run with `make networks`: for each network and machine both runs, with times, kernels, DRAM traffic
beside what no cache could spare, what bounds most of the time, and what 2:4 gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from simulator import Report, load_hardware, load_workload, simulate

MACHINES: Final = ("a100-sxm4-80gb", "h100-sxm", "nm-flex")

NETWORKS: Final[dict[str, tuple[str, dict[str, int]]]] = {
    "ResNet-50, batch 1": ("resnet50", {"batch": 1}),
    "ResNet-50, batch 64": ("resnet50", {"batch": 64}),
    "BERT-base, batch 1": ("bert-base", {"batch": 1}),
    "BERT-base, batch 32": ("bert-base", {"batch": 32}),
    "LLaMA-7B block, 2048 tokens": ("llama-7b", {"seq": 2048}),
    "LLaMA-7B block, one token after 2047": ("llama-7b", {"seq": 1, "context": 2048}),
}
"""By what they are called: preset and sizes."""

RUNS: Final = {"listed": "cold", "fused": "carried"}
"""Stacks, and what L2 holds at the start of a layer."""

MOST_BOUNDS: Final = 3


class Run(NamedTuple):
    """A network on a machine, dense and 2:4."""

    network: str
    stack: str
    dense: Report
    sparse: Report

    def cells(self) -> Iterator[str]:
        """As the table shows them."""
        total = self.dense.total
        moved = [total.traffic_bytes.total("dram", way) for way in ("read", "written")]
        bounds = sorted(total.bound_ratio.items(), key=lambda item: -item[1])[:MOST_BOUNDS]
        yield self.network
        yield f"{self.stack}, {RUNS[self.stack]}"
        yield f"{total.time_ns / 1e6:.3f}"
        yield str(total.kernels)
        yield from (f"{size / 1e6:.1f}" for size in (*moved, total.compulsory_dram_bytes))
        yield ", ".join(f"{bound} {100 * ratio:.0f}" for bound, ratio in bounds)
        yield f"{total.time_ps / self.sparse.total.time_ps:.2f}"


def runs(machine: str) -> Iterator[Run]:
    """Of all networks."""
    for name, (preset, sizes) in NETWORKS.items():
        network = load_workload(preset, **sizes)
        for stack, start in RUNS.items():
            hardware = load_hardware(machine, {"memory.l2.start": start})
            dense, sparse = (
                simulate(hardware, network, pattern, stack=stack, accuracy="sampled")
                for pattern in ("1:1", "2:4")
            )
            yield Run(name, stack, dense, sparse)


def main() -> None:
    console = Console(width=150)
    for machine in MACHINES:
        table = Table(title=machine, title_justify="left")
        for column in ("network", "stack, L2"):
            table.add_column(column)
        for column in ("ms", "kernels", "MB read", "written", "at least"):
            table.add_column(column, justify="right")
        table.add_column("bound, % of time")
        table.add_column("2:4 gain", justify="right")
        for run in runs(machine):
            table.add_row(*run.cells())
        console.print(table)


if __name__ == "__main__":
    main()
