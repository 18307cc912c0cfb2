"""How often does a pattern take longer than one that contains it, which the machine executes?

    python tests/mapping/hosts.py [--cases 2000] [--seed N]

Random machines, layers and pairs of patterns. What contains what is found here by filling windows,
not asked of the simulator. The seed is printed; without one, a fresh one is drawn.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from machines import GATHERS, random_machine

from simulator import Conv, Gemm, Hardware, MappingError, Workload, load_hardware, simulate
from simulator.workload import Layer

SLOWER_RATIOS = (0.005, 0.02, 0.1)
"""What is counted: a pattern that takes so much longer than one that contains it."""

SHOWN = 10
"""So many of the largest are listed."""

LARGEST_MACS = 2**34
"""Layers of more are drawn again, so that a case takes milliseconds."""

PRESETS = (
    "nm-flex", "nm-flex", "nm-flex-wide", "nm-edge", "nm-micro", "rtx3090", "rtx3060",
    "a100-sxm4-80gb", "h100-sxm", "mi300x", "sparseloop-stc",
)  # fmt: skip
LISTED = ("1:2", "2:4", "1:4", "2:8", "4:8", "1:8", "3:4", "2:6", "3:8", "4:16", "2:16", "1:16")
GROUPS = (4, 8, 12, 16, 16, 32)
SCALED = (
    "core.count", "core.port_bytes_per_cycle", "core.scratchpad.bytes_per_cycle",
    "core.register_file.operand_bytes_per_cycle", "memory.l2.bytes", "memory.l2.bytes_per_cycle",
    "memory.dram.bytes_per_second", "memory.dram.latency_ns",
)  # fmt: skip

UNTOLD = ("name", "pattern", "repeat", "epilogue", "inputs", "stride", "dilation", "groups")
"""Of layers, what is the same of all cases."""

Written = tuple[int, ...]
"""``keep, group`` or ``rows, keep, group``."""


@dataclass(frozen=True)
class Case:
    """A layer, and two patterns of which ``host`` contains ``asked`` and is executed as it is."""

    hardware: Hardware
    layer: Layer
    asked: str
    host: str


def fullest(keep: int, group: int, window: int) -> int:
    """The most non-zeros that a mask of ``keep:group`` puts into an aligned window."""
    length = math.lcm(group, window)
    most = 0
    for start in range(0, length, window):
        mask = [False] * length
        for position in range(start, start + window):
            first = position - position % group
            mask[position] = sum(mask[first : first + group]) < keep
        most = max(most, sum(mask[start : start + window]))
    return most


def contains(host: Written, asked: Written) -> bool:
    """Whether every mask of ``asked`` is one of ``host``; of rows that choose columns, all is known
    of the columns that some row may keep, and of what each row keeps of them."""
    if len(host) == len(asked) == 2:
        return fullest(*asked, host[1]) <= host[0]
    if len(asked) == 2:
        return False
    rows_fit = fullest(*asked[1:], host[-1]) <= host[-2]
    if len(host) == 2:
        return rows_fit
    return rows_fit and asked[0] % host[0] == 0 and fullest(4, asked[2], host[2]) <= 4


def executed_by(hardware: Hardware) -> list[Written]:
    """Patterns that a machine executes as they are, dense left aside."""
    sparsity = hardware.sparsity
    found: list[Written] = [tuple(map(int, text.split(":"))) for text in sparsity.patterns]
    groups = range(2, sparsity.largest_group + 1)
    found += [(keep, group) for group in groups for keep in range(1, group)]
    if sparsity.skip != "none" and (2, 4) in found:
        rows = {rows for library in hardware.libraries.values() for rows in library.vector_rows}
        found += [(rows, 2, group) for rows in rows for group in (4, 5, 8, 10, 16, 20, 40)]
    return [one for one in found if one[-2] < one[-1]]


def machine_of(rng: random.Random) -> Hardware:
    """A preset, a preset with other patterns and other resources, or a small random machine."""
    kind = rng.choice(["preset", "preset", "changed", "changed", "random"])
    listed = {"patterns": rng.sample(LISTED, rng.randint(1, 5)), "largest_group": 0}
    any_of = {"patterns": [], "largest_group": rng.choice(GROUPS)}
    taken = rng.choice([listed, any_of])
    if kind == "random":
        return random_machine(rng, **GATHERS, **{f"sparsity__{k}": v for k, v in taken.items()})
    hardware = load_hardware(rng.choice(PRESETS))
    if kind == "preset":
        return hardware
    changes = {f"sparsity.{key}": value for key, value in taken.items()}
    changes["sparsity.skip"] = rng.choice(["slots", "slots", "slots", "none"])
    changes["sparsity.metadata"] = rng.choice(["index", "enumerative"])
    for key in rng.sample(SCALED, 2):
        value: object = hardware
        for name in key.split("."):
            value = getattr(value, name)
        assert isinstance(value, int | float)
        changes[key] = max(1, int(value * rng.choice([0.5, 2])))
    return load_hardware(hardware, changes)


def layer_of(rng: random.Random, hardware: Hardware) -> Layer:
    """A GEMM or a convolution of any size up to a bound."""
    small = hardware.name == "tiny"

    def size(most: int) -> int:
        return round(2 ** rng.uniform(0, math.log2(most / 16 if small else most)))

    def even(number: int) -> int:
        return number if rng.random() < 0.5 else -(-number // 16) * 16

    dtype = rng.choice([one for one in hardware.dtypes if one != "fp64"])
    while True:
        if rng.random() < 0.25:
            side, kernel = size(128) + 2, rng.choice([1, 3])
            channels = even(size(2048)), even(size(2048))
            one: Layer = Conv(
                "conv", *channels, side, side, kernel=kernel, padding=kernel // 2, dtype=dtype
            )
        else:
            m, n, k = (even(size(16384)) for _ in range(3))
            one = Gemm("gemm", m=m, n=n, k=k, batch=rng.choice([1, 1, 1, 4]), dtype=dtype)
        if one.macs <= (LARGEST_MACS >> 10 if small else LARGEST_MACS):
            return one


def asked_of(rng: random.Random, host: Written) -> Written:
    """Some pattern that another one contains."""
    for _ in range(1000):
        keep = 2 if len(host) == 3 else rng.randint(1, 8)
        group = host[-1] * rng.choice([1, 1, 2, 2, 3, 4]) if rng.random() < 0.8 else keep + 7
        asked: Written = (keep, max(keep, group))
        if len(host) == 3 or (rng.random() < 0.3 and group > 2):
            asked = (host[0] if len(host) == 3 else 64) * rng.choice([1, 2]), 2, max(4, group)
        if asked != host and asked[-2] < asked[-1] <= 64 and contains(host, asked):
            return asked
    return host


def cases(rng: random.Random) -> Iterator[Case]:
    """Without end."""
    while True:
        hardware = machine_of(rng)
        hosts = executed_by(hardware)
        if not hosts:
            continue
        host = rng.choice(
            [rng.choice(hosts), rng.choice([h for h in hosts if len(h) == len(hosts[-1])])]
        )
        asked, layer = asked_of(rng, host), layer_of(rng, hardware)
        if asked != host:
            yield Case(hardware, layer, ":".join(map(str, asked)), ":".join(map(str, host)))


def slower(case: Case) -> tuple[float, str] | None:
    """By which ratio the pattern takes longer than the one that contains it, and what ran; None if
    no tile fits, or the layer runs dense by any of both."""
    workload = Workload("one", [case.layer])
    try:
        asked, host = (
            simulate(case.hardware, workload, pattern).layers[0]
            for pattern in (case.asked, case.host)
        )
    except MappingError:
        return None
    ran = f"ran as {asked.executed_as} {asked.mapping}, not {host.executed_as} {host.mapping}"
    return asked.time_ps / host.time_ps - 1, ran


def named(layer: Layer) -> str:
    """What decides how long a layer takes."""
    fields = {key: value for key, value in asdict(layer).items() if key not in UNTOLD and value}
    return f"{type(layer).__name__}({', '.join(f'{k}={v}' for k, v in fields.items())})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    rng, started = random.Random(options.seed), time.process_time()
    found: list[tuple[float, Case, str]] = []
    for case in cases(rng):
        one = slower(case)
        if one is not None:
            found.append((one[0], case, one[1]))
        if len(found) == options.cases:
            break
    print(f"seed {options.seed}: {len(found)} pairs, {time.process_time() - started:.0f} s")
    for ratio in SLOWER_RATIOS:
        count = sum(1 for one, *_ in found if one > ratio)
        print(f"slower by more than {ratio:.1%}: {count}")
    for ratio, case, ran in sorted(found, key=lambda one: -one[0])[:SHOWN]:
        if ratio > SLOWER_RATIOS[0]:
            sparsity = case.hardware.sparsity
            takes = f"<= {sparsity.largest_group}" * bool(sparsity.largest_group)
            machine = f"{case.hardware.name} ({takes or ','.join(sparsity.patterns)})"
            print(f"{ratio:.1%} {case.asked} in {case.host}, {machine}, {named(case.layer)}: {ran}")


if __name__ == "__main__":
    main()
