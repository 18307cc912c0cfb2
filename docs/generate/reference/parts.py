"""What is said of parts of a machine, a sweep and a recipe, beside their keys."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Keys that are told together.

    Attributes
    ----------
    title : str
    keys : tuple of str
        What they lie below: those with the longest name that fits, of all parts.
    about : str
        What it is, in Markdown, before its keys.
    found_by : tuple of str
        Words that people may look for it by.
    """

    title: str
    keys: tuple[str, ...]
    about: str
    found_by: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """Its place on its page."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Description:
    """A page: what such a file is, one that is complete, and its parts in their order."""

    title: str
    about: str
    example: str
    parts: tuple[Part, ...]


_READING = """Each key has a line of facts: what may stand there, its unit, and its default.
*Required* is required of a file without a `base`. `null` is as good as leaving an optional key out.
`NAME` stands for names that you choose, `[]` for each item of a list. Numbers have no upper bound
unless it is said, apart from nonsense: sizes and times end at 10¹², rates at 10¹⁸."""

MACHINE = Description(
    "Keys of a machine",
    f"""A machine is a YAML file: cores, what they share, and the software libraries whose kernels
run on it. A file may name a `base` and state only what differs, as this one does. On the command
line `--set memory.l2.bytes=25165824` overrides a key of any machine.

{_READING}

The values that the presets have fold out below each key, with what their files say of the source:
data sheets, microbenchmarks, a fit, or *Model*, which is a choice of ours. Short names of sources,
such as *whitepaper*, are spelt out under [the machine](presets.md).""",
    """
base: a100-sxm4-80gb
name: half-the-l2
memory:
  l2:
    bytes: 20971520  # 20 MiB
    halves: null  # in one piece
""",
    (
        Part(
            "The machine",
            ("name", "description", "base", "clock_hz", "core", "core.count", "memory"),
            "What it is called, what it is like, its clock, and how many cores it has. Sections "
            "`core` and `memory` hold what the parts below describe.",
        ),
        Part(
            "Launches and starts",
            ("launch_ns", "graph_launch_ns", "launches", "kernel_start_ns", "stream_start_ns"),
            "What a kernel costs besides its work. The host's part is reported apart "
            "(`time_with_launch_ns`); the device's part is in every figure of time.",
        ),
        Part(
            "Tensor cores",
            ("core.tensor_cores",),
            "What multiplies matrices, of one core: rates and instruction shapes by dtype. Under a "
            "pattern keep:group an instruction takes as many slots, which stand for group / keep "
            "as many weights.",
        ),
        Part(
            "Instruction issue",
            ("core.tensor_cores.issue",),
            "How instructions follow each other on one tensor core, as microbenchmarks see it. "
            "`nmsim microbench` alone reads these keys: in whole layers enough warps hide them.",
        ),
        Part(
            "Vector lanes",
            ("core.vector",),
            "What computes whatever is no matrix product: softmax, normalisation, depthwise "
            "convolutions. Without this section all that takes no time but its memory traffic.",
        ),
        Part(
            "Register file",
            ("core.register_file", "core.operand_source"),
            "Where accumulators and operand fragments live, and the path from there to the tensor "
            "cores. A narrow path shows as *operand stall*.",
        ),
        Part(
            "Scratchpad",
            ("core.scratchpad",),
            "The shared memory of a core, in which stages of a tile arrive. Its size decides how "
            "many stages are in flight, its port how fast fragments are read: *scratchpad stall*.",
        ),
        Part(
            "Stages and edges",
            ("core.port_bytes_per_cycle", "core.async_copies", "core.issue_cycles",
             "core.barrier_cycles", "core.whole_tiles", "core.alignment_bytes"),
            "What every stage of a tile costs besides its multiplications, how it gets into the "
            "core, and what edges of a matrix waste.",
        ),
        Part(
            "Promotion",
            ("core.promotion",),
            "Partial sums that CUDA cores add up, as kernels for fp8 do since the tensor cores' "
            "own sums are too short. It shows as *barrier*.",
        ),
        Part(
            "L2",
            ("memory.l2",),
            "The cache that all cores share. `memory.l2.start` says what a layer finds in it.",
        ),
        Part(
            "L2 in two halves",
            ("memory.l2.halves",),
            "An L2 that is cut in two partitions, as of an A100: each core is near to one, and "
            "what it reads from the far one takes longer and crosses a link. State two halves "
            "(partitions) by giving this section both of its keys; without it, or with "
            "`halves: null`, all of L2 is equally near.",
            ("L2 partitions", "partitions"),
        ),
        Part(
            "Main memory",
            ("memory.dram", "memory.writes"),
            "DRAM, as one queue: capacity, bandwidth of reads and of writes, latency. What waits "
            "for it shows as *memory stall* and *prologue*.",
        ),
        Part(
            "Patterns",
            ("sparsity",),
            "Which keep:group patterns the tensor cores execute, what they skip, and how they "
            "store where a weight stood. A pattern that the machine lacks runs as one that "
            "contains it, or dense.",
        ),
        Part(
            "Libraries",
            ("libraries",),
            "How kernels of each software library use the machine: what they do between tiles, "
            "how many stages they keep in flight, how they cut and order work. `NAME` is yours.",
        ),
        Part(
            "Tiles of a library",
            ("libraries.NAME.tiles",),
            "The part of the result that a core works on at a time, as kernels of the library "
            "offer it. Every layer gets the tile that suits it best, as `choice` says.",
        ),
        Part(
            "Sizes that a library takes",
            ("libraries.NAME.least", "libraries.NAME.multiples", "libraries.NAME.multiples_bits"),
            "Sizes of a product that its kernels ask for. Smaller or odd ones are padded, which "
            "shows as *padding*.",
        ),
        Part(
            "Which library runs what",
            ("library",),
            "The names, out of `libraries`, that dense and sparse layers are run by.",
        ),
        Part(
            "Fused attention",
            ("attention",),
            "Kernels that take both products of attention and the softmax between them at once, "
            "so that scores never leave the core.",
        ),
        Part(
            "Energy and power",
            ("energy",),
            "What actions cost. Reports have `energy_pj` and `power_w` where a machine has this "
            "section; with `tdp_w` the clock falls where a layer would draw more.",
        ),
        Part(
            "Sustained clock",
            ("sustained",),
            "What a load that lasts does to the clock. Off unless a run says "
            "`--set sustained.applies=true`.",
        ),
    ),
)  # fmt: skip

SWEEP = Description(
    "Keys of a sweep",
    f"""A sweep is a YAML file: a base machine, keys that vary, networks and patterns. `nmsim sweep`
runs all of its points, `nmsim search` looks for good ones; in Python the same keys are a mapping
that `simulator.sweep` takes.

{_READING}""",
    """
hardware: nm-flex
workloads: [resnet50, {workload: bert-base, parameters: {seq: [128, 384]}}]
patterns: [1:1, 2:4, 1:8]
parameters:
  core.count: [54, 108]
  core.scratchpad.bytes_per_cycle: {start: 64, stop: 512, factor: 2}
constraints:
  - core.count * core.scratchpad.bytes_per_cycle <= 27648
sample: {points: 20, seed: 1}
""",
    (
        Part(
            "What runs",
            ("hardware", "settings", "workloads", "patterns", "stack", "baseline", "engine",
             "accuracy"),
            "The base machine, and what is simulated on each point. Every network runs under "
            "every pattern.",
        ),
        Part(
            "What varies",
            ("parameters", "constraints"),
            "Dotted [keys of the machine](machine.md) with lists or ranges of values, and what "
            "values together must fulfil. All combinations are run.",
        ),
        Part(
            "A sample",
            ("sample",),
            "So many points instead of all combinations: a Latin hypercube, in which each key "
            "takes values from all of its range.",
        ),
        Part(
            "A search",
            ("search",),
            "How `nmsim search` looks for machines that are good in several figures at once. It "
            "needs the extra `search`.",
        ),
    ),
)  # fmt: skip

RECIPE = Description(
    "Keys of a recipe",
    f"""A recipe is a YAML file: a task, a network, patterns, and ways to train under them. `nmsim
train` trains every combination once a seed. It needs the extra `train`.

{_READING}""",
    """
task: digits
network: {mlp: {width: 32}}
dense: head
epochs: 10
seeds: 3
patterns: [2:4, 1:8]
recipes: [dense, one_shot, {iterative: {ramp: 0.5}}]
""",
    (
        Part(
            "What is learnt",
            ("task", "network", "dense"),
            "The data, and what learns it: one of those that come with the program, or a function "
            "of yours. Parameters stand below the name: `{mlp: {width: 64}}`.",
        ),
        Part(
            "How it is trained",
            ("epochs", "learning_rate", "batch", "seeds", "patterns", "channels"),
            "What all recipes share. Every recipe that prunes is run under every pattern, once a "
            "seed.",
        ),
        Part(
            "Recipes",
            ("recipes",),
            "What happens once the dense network is trained. All of them start from the same "
            "weights.",
        ),
        Part(
            "Simulated beside it",
            ("simulate", "samples"),
            "Times of the trained network on a machine, so that accuracy stands beside time.",
        ),
    ),
)
