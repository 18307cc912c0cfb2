"""The figures of layers."""

from __future__ import annotations

from typing import Final

from simulator.described.table import Described, Table
from simulator.traffic import FLOWS

_PLACES: Final = {
    "dram.read": "read from main memory, on misses of L2; what is read again counts again.",
    "dram.written": "written to main memory: as L2 evicts them, or straight there, as "
    "memory.writes says.",
    "l2.read": "that L2 sends to cores, misses included; what a cluster shares counts once.",
    "l2.written": "that cores write into L2; fills from main memory are none of them.",
    "scratchpad.read": "that fragments or instructions read from scratchpads.",
    "scratchpad.written": "that arrive in scratchpads as stages.",
    "register_file.read": "that pass from register files to tensor cores.",
    "register_file.written": "that are loaded from scratchpads into register files.",
}

_OPERANDS: Final = {
    "weights": "Metadata are apart.",
    "metadata": "They say where in its group a slot's weight stands.",
    "activations": "Of a product of two activations both are.",
    "outputs": "",
    "partial_sums": "They are those of k-splits.",
}

_OTHERWISE: Final = {
    "dram.outputs.read": "Bytes of outputs read from main memory, since a product is added to what "
    "it holds.",
    "dram.outputs.written": "Bytes of outputs written to main memory: as L2 evicts them, or "
    "straight there, as memory.writes says; those of earlier layers that this one evicts, too.",
    "l2.outputs.read": "Bytes of outputs that L2 sends to cores, since a product is added to what "
    "memory holds.",
    "scratchpad.outputs.read": "Always 0: what staged epilogues read takes time, and is not "
    "counted.",
    "scratchpad.outputs.written": "Always 0: what staged epilogues write takes time, and is not "
    "counted.",
    "scratchpad.partial_sums.read": "Always 0: accumulators stay in register files.",
    "scratchpad.partial_sums.written": "Always 0: accumulators stay in register files.",
    "register_file.outputs.read": "Always 0: outputs are accumulators until they leave the core.",
    "register_file.outputs.written": "Always 0: outputs are accumulators until they leave the "
    "core.",
    "register_file.partial_sums.read": "Bytes of accumulators that tensor cores take, once an "
    "instruction step.",
    "register_file.partial_sums.written": "Bytes of accumulators that tensor cores give back, once "
    "an instruction step.",
}


_READ_ALONE: Final = ("weights", "metadata", "activations")


def _flow(level: str, operand: str, direction: str) -> Described:
    name = f"{level}.{operand}.{direction}"
    place = _PLACES[f"{level}.{direction}"]
    if level in ("dram", "l2") and direction == "written" and operand in _READ_ALONE:
        return Described(name, "bytes", "Always 0: kernels write outputs and partial sums alone.")
    plain = f"Bytes of {operand.replace('_', ' ')} {place} {_OPERANDS[operand]}".strip()
    return Described(name, "bytes", _OTHERWISE.get(name, plain))


TRAFFIC: Final = tuple(_flow(*flow) for flow in FLOWS)
"""By level, operand and direction."""

CORE_TIME: Final = tuple(
    Described(kind, "ps", meaning, *formula)
    for kind, meaning, *formula in (
        ("kernel_start", "Core-time before any work, while the kernel starts: kernel_start_ns (of "
         "streaming and depthwise ones stream_start_ns); a second one adds up k-splits."),
        ("mac_useful", "Core-time in which stages multiply, the share that fell on slots that can "
         "hold a weight.", "core-time of MACs * slots_used / macs_executed"),
        ("mac_padding", "Core-time in which stages multiply, the share that fell on what no weight "
         "or output fills: edges of tiles, instructions that are not full.",
         "core-time of MACs * slots_padded / macs_executed"),
        ("scratchpad_stall", "Core-time in stages that take longer than their MACs, since the "
         "scratchpad's port does: reads of fragments, incoming stages; chunks of streaming "
         "layers."),
        ("operand_stall", "Core-time in stages that take longer than their MACs, since the path "
         "from registers to tensor cores takes longest."),
        ("vector_stall", "Core-time in stages in which everything waits for vector lanes: softmax "
         "of attention, operators of streaming layers."),
        ("barrier", "Core-time in stages in which warps meet (core.barrier_cycles), CUDA cores add "
         "partial sums (core.promotion), or rows wait for their sums."),
        ("memory_stall", "Core-time in which a stage in the midst of a tile has not arrived yet: "
         "what bandwidth or latency of memory costs."),
        ("prologue", "Core-time in which a tile waits for its first stage, and its first register "
         "load: what prefetching would hide."),
        ("epilogue", "Core-time in which a core waits for accumulators that the epilogue before "
         "holds, and the way out of its last tile."),
        ("reduction", "Core-time in which the last of several k-splits waits for the partial sums "
         "of the others."),
        ("idle", "Core-time after a core's last output, until the layer's last byte is written; "
         "all of it for a core without a tile."),
    )
)  # fmt: skip
"""By what core-time is spent on."""

_BUSY: Final = (
    Described("mac", "", "Share of the time in which tensor cores (or lanes that multiply) are at "
              "work, of the busiest core."),
    Described("scratchpad", "", "Share of the time in which the scratchpad's port is at work, of "
              "the busiest core."),
    Described("operand", "", "Share of the time in which the path from registers to tensor cores "
              "is at work, of the busiest core."),
    Described("vector", "", "Share of the time in which vector lanes are at work, of the busiest "
              "core."),
    Described("port", "", "Share of the time in which a core's port to L2 is busy with reads, of "
              "the busiest core."),
    Described("l2", "", "Share of the time in which L2 is busy with reads and writes, or the link "
              "between its halves, whichever is busier."),
    Described("dram", "", "Share of the time in which main memory is busy with reads and writes, "
              "writes of what others left in L2 included."),
)  # fmt: skip

_BANDWIDTH: Final = (
    Described("dram", "bytes/s", "Achieved bandwidth of main memory, reads and writes together.",
              "sum of traffic_bytes.dram / time"),
    Described("l2", "bytes/s", "Achieved bandwidth between L2 and all cores, both ways together.",
              "sum of traffic_bytes.l2 / time"),
    Described("scratchpad", "bytes/s", "Achieved bandwidth of all scratchpads, reads and writes "
              "together.", "sum of traffic_bytes.scratchpad / time"),
)  # fmt: skip

_IS: Final = (
    Described("name", "", "The layer's name in its trace or model; of a kernel of several layers "
              "one that is made of theirs."),
    Described("kind", "", "What it is: gemm (linear), matmul, conv, attention, or the operators of "
              "a streaming layer."),
    Described("repeat", "", "How often the layer occurs; every other figure is of one "
              "occurrence."),
    Described("dtype", "", "Number format of weights and activations, in which it is computed."),
    Described("m", "", "Rows of W: outputs, or output channels of a group; of attention queries of "
              "heads that share keys. 0 for streaming layers."),
    Described("n", "", "Columns of X: tokens, or pixels of all outputs of the batch; of attention "
              "features of a head. 0 for streaming layers."),
    Described("k", "", "Depth of the product, channels padded to whole groups included; of "
              "attention positions of keys. 0 for streaming layers."),
    Described("count", "", "Independent products of these sizes in the launch: batch of a matmul, "
              "groups of a convolution. 0 for streaming layers."),
    Described("asked", "", "Pattern that the layer's weights were asked to follow; 1:1 is dense."),
    Described("executed_as", "", "Pattern that the machine ran it as, which contains the one "
              "asked; - for streaming layers. The note says why."),
    Described("executed_on", "", "What computed it: tensor cores, or vector lanes, as all that is "
              "no product."),
    Described("note", "", "Why it ran otherwise than asked, or what was padded; empty where there "
              "is nothing to say."),
    Described("mapping", "", "Tile as m x n x k of a stage, k-splits and whether operands are "
              "swapped; of attention queries x features x keys. - for streaming layers."),
)  # fmt: skip

_WORK: Final = (
    Described("cycles", "", "Device time in cycles of the layer's clock, rounded up.",
              "ceil(time_ps * clock_hz / 10^12)"),
    Described("time_ps", "ps", "Device time of one occurrence: the kernel's start, and all until "
              "the last write has drained. The host's launch is not in it."),
    Described("macs", "", "Useful multiply-accumulates of the dense problem, whatever is skipped; "
              "of causal attention those that are seen.", "m * n * k * count, without padding"),
    Described("macs_executed", "", "Multiply-accumulates that tensor cores (or lanes) did, on "
              "slots: whole instructions, padding included.", "slots_used + slots_padded"),
    Described("slots_used", "", "Executed multiply-accumulates on slots of the executed pattern "
              "that can hold a weight; zeros that fill slots where a sparser one was asked count."),
    Described("slots_padded", "", "Executed multiply-accumulates on what no weight or output "
              "fills: edges of tiles, channels and instructions.", "macs_executed - slots_used"),
    Described("mac_utilization", "", "Share of what the tensor cores of all cores could have done "
              "in the time that fell on useful slots. 0 for streaming layers.",
              "slots_used / (macs_per_cycle * core.count * clock_hz * time)"),
    Described("dense_equivalent_utilization", "", "Useful multiply-accumulates of the dense "
              "problem over the dense peak; above 1 where skipped zeros outweigh stalls.",
              "macs / (macs_per_cycle * core.count * clock_hz * time)"),
    Described("bound", "", "What limits it: the busiest resource; latency where none is busy half "
              "of the working time; launch where launch and start outlast the work."),
    Described("work_bound", "", "What limits the work itself, launch and kernel start apart: the "
              "busiest resource, or latency."),
)  # fmt: skip

_REST: Final = (
    Described("imbalance_ratio", "", "Time that the busiest core spends in stages over the mean of "
              "the cores that have any; 1 where all work equally long.",
              "max / mean of core-time in stages, stalls inside them included"),
    Described("energy_pj", "pJ", "Energy of one occurrence; missing where the machine states no "
              "energies, or none of the dtype.",
              "macs_executed * mac_pj + traffic of each level * its pj_per_byte + static_w * time"),
    Described("power_w", "W", "Mean power over the layer's time; missing where its energy is.",
              "energy_pj / time_ps"),
    Described("clock_hz", "Hz", "Clock that it ran at: the machine's, or a lower one where it is "
              "throttled. Cycles and utilisations are of this clock."),
    Described("throttled", "", "Whether the clock was lowered: to hold energy.tdp_w, or by a "
              "lasting load where sustained applies."),
    Described("stages", "", "Stages that all cores worked on: tiles times stages along k, or "
              "chunks of a streaming layer."),
    Described("evictions", "", "Blocks of the layer itself that L2 gave up to make room; they cost "
              "a write if dirty, and a second read if asked for again."),
    Described("in_flight_hits", "", "Look-ups in L2 that found their block still on its way from "
              "main memory, asked for before: they wait for it, and cause no second read. Of one "
              "occurrence, whatever repeat is. A stage of a product looks up two blocks, one of W "
              "and one of X; what a multicast hands on is not looked up."),
    Described("time_error_ratio", "", "How far off the time may be, estimated, where parts of a "
              "large layer were simulated; 0 where every event was."),
    Described("dram_error_ratio", "", "How far off bytes of main memory may be, estimated, where "
              "parts of a large layer were simulated; 0 where every event was."),
    Described("nonzeros", "", "Real weights that are not zero, after this run's pruning; missing "
              "where the layer has no real weights."),
    Described("pruned_away", "", "Non-zero weights that this run pruned, by magnitude; missing "
              "where the layer has no real weights."),
    Described("members", "", "Names of the network's layers that this kernel is made of, in their "
              "order."),
    Described("compulsory_dram_bytes", "bytes", "What no cache could spare: the layer's weights, "
              "keys and values that were kept, inputs of the network that it is the first to read, "
              "outputs that no layer reads."),
)  # fmt: skip


def under(prefix: str, figures: tuple[Described, ...]) -> tuple[Described, ...]:
    """Figures as parts of a nested one."""
    return tuple(figure.under(prefix) for figure in figures)


LAYERS: Final = Table(
    "layers",
    "Rows of a report: a kernel each, once; `repeat` says how often it occurs. Where L2 is carried "
    "from layer to layer, figures are those of the mean occurrence. Kinds of core-time add up to "
    "core.count * time_ps.",
    (
        *_IS,
        *_WORK,
        *under("busy_ratio", _BUSY),
        *under("bandwidth_bytes_per_second", _BANDWIDTH),
        *under("traffic_bytes", TRAFFIC),
        *under("core_time_ps", CORE_TIME),
        *_REST,
    ),
)

COMPARISON: Final = Table(
    "comparison",
    "Rows of a comparison: a pattern and a layer each; the figures of layers beside two more.",
    (
        Described("pattern", "", "Pattern that was asked of all layers with weights; trace: as the "
                  "trace says."),
        Described("speedup", "", "Device time of the layer under the first pattern over that under "
                  "this one.", "time_ps of the first pattern / time_ps"),
        *LAYERS.figures,
    ),
)  # fmt: skip
