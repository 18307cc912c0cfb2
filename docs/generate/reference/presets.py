"""The page of machines and networks that come with the program."""

from __future__ import annotations

from pathlib import Path

from generate.reference.markdown import block, bullets, code, fold, page, plain, prose, table
from generate.reference.stated import machines
from generate.reference.values import binary
from simulator import Hardware, catalog, load_hardware, load_workload
from simulator.errors import ConfigError
from simulator.quantities import macs, size
from simulator.workload.comments import PARAMETER, description
from simulator.workload.table import Table, read_table

ABOUT = """Names that commands and functions take in place of a file. `nmsim hardware NAME` and
`nmsim workloads NAME` print what a preset says, as a start for one of your own; so does `base:` in
a [machine's YAML](machine.md). A workload may also be one GEMM: `gemm:4096x4096x4096`, or
`gemm:4096x4096x4096:int8` in another number format."""

MACHINES = """Machines that exist are described from data sheets and microbenchmarks; what is
fitted, and to which measurements, stands beside [each key](machine.md). Those whose name begins
with `nm-` do not exist: they run any keep:group."""

NETWORKS = """Layer [traces](trace.md) of whole networks, or of one block of many. Sizes of a trace
may be parameters, which `--batch 8` and `--param seq=384` set."""


def pages() -> dict[str, str]:
    """One page for both."""
    networks = catalog.presets("workloads", ".csv")
    text = page(
        "# Machines and networks",
        ABOUT,
        "## Machines",
        MACHINES,
        *(_machine(name, path) for name, path in machines().items()),
        "## Networks",
        NETWORKS,
        *(_network(name, path) for name, path in networks.items()),
    )
    return {"reference/presets.md": text}


def _machine(name: str, path: Path) -> str:
    machine = load_hardware(name)
    return page(
        f"### {name}",
        prose(machine.description) + ".",
        bullets(_facts(machine)),
        fold("Sources, and what is simplified", block("text", _head(path))),
    )


def _facts(machine: Hardware) -> list[str]:
    dram, l2 = machine.memory.dram, machine.memory.l2
    largest = machine.sparsity.largest_group
    patterns = [
        *map(code, machine.sparsity.patterns),
        *[f"any up to group {largest}"] * (largest > 0),
    ]
    return [
        f"{machine.core.count} cores at {machine.clock_hz / 1e6:,.0f} MHz",
        f"memory {binary(dram.bytes)} at {size(dram.bytes_per_second)} a second, "
        f"L2 {binary(l2.bytes)}" + (" in two halves" if l2.halves else ""),
        f"number formats {', '.join(map(code, machine.dtypes))}",
        f"patterns: {', '.join(patterns) or 'dense only'}",
        f"libraries {', '.join(map(code, machine.libraries))}",
    ]


def _head(path: Path) -> str:
    """Comments at the top of a file, the one for editors apart."""
    lines = []
    for line in catalog.text_of(path, ConfigError).splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").removeprefix(" "))
    return "\n".join(line for line in lines if "yaml-language-server" not in line)


def _network(name: str, path: Path) -> str:
    workload, trace = load_workload(name), read_table(path)
    blocks = f", one of {workload.blocks} equal blocks" if workload.blocks > 1 else ""
    facts = f"{len(workload.layers)} rows{blocks}, {macs(workload.macs)} as it stands, "
    return page(
        f"### {name}",
        plain(description(trace)),
        f"{facts}run as stack `{workload.stack}`.",
        table(("parameter", "default"), _parameters(trace)),
    )


def _parameters(trace: Table) -> list[tuple[str, str]]:
    found = (PARAMETER.fullmatch(cell.text) for cell in trace.comments)
    return [(code(one[1]), code(one[2])) for one in found if one]
