"""The figures of whole reports, as their JSON holds them."""

from __future__ import annotations

from typing import Final

from simulator.described.layers import CORE_TIME, LAYERS, TRAFFIC, under
from simulator.described.table import Described, Table

_ASKED: Final = (
    Described("hardware", "", "Name of the machine, as its YAML says."),
    Described("workload", "", "Name of the network: of its preset or its file."),
    Described("pattern", "", "Pattern that all layers with weights were asked to follow; null: as "
              "the trace says."),
    Described("engine", "", "What simulated it: fast or reference; both give the same figures."),
    Described("accuracy", "", "exact, where every event was simulated, or sampled."),
    Described("stack", "", "Software stack whose kernels the layers are; listed: each layer is "
              "one."),
    Described("notes", "", "What reading the workload assumed, and what a reader of the figures "
              "should know."),
    Described("roof.macs_per_second.*", "MAC/s", "Multiply-accumulates of slots that all cores do "
              "at most, by dtype.", "macs_per_cycle * core.count * clock_hz"),
    Described("roof.dram_bytes_per_second", "bytes/s", "Sustained bandwidth of reads of main "
              "memory.", "bytes_per_second * efficiency_ratio"),
)  # fmt: skip

TIMES: Final = (
    Described("cycles", "", "Device time in cycles of the machine's full clock, rounded up.",
              "ceil(time_ps * clock_hz / 10^12)"),
    Described("time_ps", "ps", "Device time of all layers, one after another.",
              "sum of time_ps * repeat"),
    Described("time_ns", "ns", "Device time of all layers, one after another.", "time_ps / 1000"),
    Described("time_with_launch_ns", "ns", "Device time, and the host's time of every launch.",
              "time_ns + launches * launch_ns"),
    Described("launches", "", "Kernels that are launched, one a layer and occurrence.",
              "sum of repeat"),
    Described("kernels", "", "Kernels that run: as many as are launched.", "launches"),
    Described("launch_ns", "ns", "Host time of one launch, the way this machine makes them: its "
              "launch_ns, or graph_launch_ns."),
)  # fmt: skip

COUNTS: Final = (
    Described("macs", "", "Useful multiply-accumulates of the dense network, whatever is skipped.",
              "sum of macs * repeat"),
    Described("macs_executed", "", "Multiply-accumulates that tensor cores did, padding included.",
              "sum of macs_executed * repeat"),
    Described("slots_used", "", "Executed multiply-accumulates on slots that can hold a weight.",
              "sum of slots_used * repeat"),
    Described("slots_padded", "", "Executed multiply-accumulates on what no weight or output "
              "fills.", "sum of slots_padded * repeat"),
    Described("mac_utilization", "", "Share of what all tensor cores could have done in the whole "
              "time that fell on useful slots; streaming layers count as time without any.",
              "slots_used / MACs at peak, each layer at its dtype's rate"),
    Described("dense_equivalent_utilization", "", "Useful multiply-accumulates of the dense "
              "network over the dense peak; above 1 where skipped zeros outweigh all else.",
              "macs / MACs at peak, each layer at its dtype's rate"),
    Described("bound", "", "What bounds layers that take the largest share of the time."),
)  # fmt: skip

COSTS: Final = (
    Described("energy_pj", "pJ", "Energy of all layers, and of what they leave dirty in L2; "
              "missing where that of any layer is.", "sum of energy_pj * repeat"),
    Described("power_w", "W", "Mean power over the device time; missing where energy is.",
              "energy_pj / time_ps"),
    Described("throttled", "", "Whether the clock of any layer was lowered, to hold energy.tdp_w "
              "or by a lasting load."),
    Described("time_error_ratio", "", "How far off times may be, estimated; 0 where every event "
              "was simulated.", "mean of layers, each as its time"),
    Described("dram_error_ratio", "", "How far off bytes of main memory may be, estimated; 0 where "
              "every event was simulated.", "mean of layers, each as its bytes"),
)  # fmt: skip

_SHARES: Final = (
    Described("bound_ratio.*", "", "Share of the device time in layers that this bounds; see bound "
              "of layers."),
    Described("work_bound_ratio.*", "", "Share of the device time in layers whose work this "
              "bounds; see work_bound of layers."),
)  # fmt: skip

_MEMORY: Final = (
    Described("blocks", "", "How many equal blocks the network has; all figures are of one of "
              "them."),
    Described("held.weight_bytes", "bytes", "What main memory holds of weights at once: slots and "
              "metadata as executed, all layers."),
    Described("held.cache_bytes", "bytes", "What main memory holds of keys and values of a "
              "decoder, for the whole context."),
    Described("nonzeros", "", "Real weights that are not zero; missing where no layer has any.",
              "sum of nonzeros * repeat"),
    Described("pruned_away", "", "Non-zero weights that this run pruned, by magnitude; missing "
              "where no layer has any.", "sum of pruned_away * repeat"),
    Described("left_dirty_bytes", "bytes", "What layers leave in a carried L2 and is written to "
              "main memory after the last; part of the traffic, and of no layer's."),
    Described("compulsory_dram_bytes", "bytes", "What no cache could spare: weights, keys and "
              "values that were kept, what the network is given, and what it gives, once each."),
)  # fmt: skip

REPORT: Final = Table(
    "report",
    "The JSON of a report: what was asked, the total of all layers with their repeats, and the "
    "layers. A comparison is a list of reports.",
    (
        *_ASKED,
        *under(
            "total",
            (
                *TIMES,
                *COUNTS,
                *_SHARES,
                *COSTS,
                *_MEMORY,
                *under("traffic_bytes", TRAFFIC),
                *under("core_time_ps", CORE_TIME),
            ),
        ),
        *under("layers", LAYERS.figures),
    ),
)
