"""The columns of advice, limits, requirements and differences."""

from __future__ import annotations

from typing import Final

from simulator.described.layers import CORE_TIME
from simulator.described.table import Described, Table

ADVICE: Final = Table(
    "advice",
    "Rows of `nmsim advise`: a kernel that has weights each, once; `repeat` says how often it "
    "occurs.",
    (
        Described("name", "", "Name of the kernel: of the layer, or of layers that run together."),
        Described("members", "", "Names of the network's layers with weights that it is made of, "
                  "with spaces between."),
        Described("repeat", "", "How often the kernel occurs in the network, one after another."),
        Described("m", "", "Rows of the output, which weights are pruned along k for."),
        Described("n", "", "Columns of the output, such as tokens or pixels of all images."),
        Described("k", "", "Length of the sums, along which weights are pruned."),
        Described("count", "", "Products of these sizes in one execution, such as groups of "
                  "channels."),
        Described("pattern", "", "Pattern that the layer is advised to follow; 1:1 is dense."),
        Described("dense_ns", "ns", "Device time of one execution with dense weights."),
        Described("gain *", "", "Dense time over the time under this pattern, run sparse even "
                  "where the machine's software would not; above 1 the pattern is faster."),
        Described("best", "", "Pattern that gains most, or loses least, whether advised or not."),
        Described("outcome", "", "What the best pattern comes to: a gain, a tie or a loss, by the "
                  "error of gains that were measured on this machine."),
        Described("limited_by", "", "What keeps the layer from gaining, in a word or two; empty "
                  "where it gains."),
        Described("reason", "", "Why it does not gain, in a sentence with its figures; empty where "
                  "it gains."),
        Described("break_even_columns", "", "The n from which on it would gain; missing where none "
                  "does, or that was not looked for."),
        Described("break_even_m", "", "The m from which on it would gain, where k grows as much; "
                  "missing where none does, or that was not looked for."),
        Described("break_even_k", "", "The k from which on it would gain, where m grows as much; "
                  "missing where none does, or that was not looked for."),
    ),
)  # fmt: skip

LIMITS: Final = Table(
    "limits",
    "Rows of `nmsim limits`: a machine each. The first one is as it is, in every other one more "
    "of one resource was given.",
    (
        Described("key", "", "Dotted keys of the machine that the resource is, with commas "
                  "between; * stands for all there are."),
        Described("factor", "", "How many times as much of the resource there is; infinite where "
                  "it has no limit."),
        Described("time_ns", "ns", "Device time of the network under the pattern on that machine."),
        Described("time_of_dense_ns", "ns", "Device time of the dense network on that machine."),
        Described("resource", "", "Name of what was given more of, such as DRAM or scratchpad "
                  "rate; as is in the first row."),
        Described("gain", "", "How many times as fast the pattern is as on the machine as it is.",
                  "time_ns as it is / time_ns"),
        Described("gain_of_dense", "", "How many times as fast the dense network is as on the "
                  "machine as it is.", "time_of_dense_ns as it is / time_of_dense_ns"),
        Described("settings", "", "Values that the keys were given, as JSON by dotted key."),
    ),
)  # fmt: skip

REQUIREMENT: Final = Table(
    "requirement",
    "Rows of `nmsim require`: a key each that the machine that was found has another value of. "
    "Price and factor are the resource's, and stand with each of its keys.",
    (
        Described("resource", "", "Name of what the machine needs more of, such as DRAM."),
        Described("key", "", "Dotted key of the machine's YAML that changes."),
        Described("before", "", "Value of the key on the machine as it is, in the key's unit."),
        Described("after", "", "Value of the key on the machine that was found."),
        Described("factor", "", "How many times as much of the resource the machine needs; of a "
                  "latency, by how much it falls."),
        Described("price", "", "What the machine would cost less without this change, as a share "
                  "of its area."),
        Described("speedup_without", "", "What the speed-up over dense falls to without this "
                  "change; missing where nothing reaches the target."),
    ),
)  # fmt: skip


def _both(name: str, meaning: str, unit: str = "") -> tuple[Described, ...]:
    """Of A and of B, whose letter takes the place of the star in the name."""
    return tuple(
        Described(name.replace("*", side), unit, f"In {side.upper()}: {meaning}.") for side in "ab"
    )


REPORTS: Final = Table(
    "difference of reports",
    "Rows of `nmsim diff` of two reports: a pattern and a layer each, with its repeats. Changes "
    "are B less A; those of the parts add up to `change_ns`.",
    (
        *_both("pattern_*", "pattern that the layers with weights were asked to follow"),
        Described("layer", "", "Name of the layer, by which those of both sides are matched."),
        *_both("time_*_ns", "device time of the layer with its repeats; missing where it is not "
               "there", "ns"),
        Described("change_ns", "ns", "Device time of the layer in B less that in A; 0 stands for "
                  "the side that lacks it.", "time_b_ns - time_a_ns"),
        Described("change_ratio", "", "The change as a share of the time in A; missing where one "
                  "side lacks the layer.", "time_b_ns / time_a_ns - 1"),
        *_both("repeat_*", "how often the layer occurs; missing where it is not there"),
        *_both("executed_as_*", "pattern that the machine ran the layer as"),
        *_both("mapping_*", "tile, stage and order in which the layer was worked on"),
        *_both("bound_*", "resource that bounds the time of the layer"),
        *(Described(f"{kind.name}_ns", "ns", f"Part of the change, of an average core. "
                    f"{kind.meaning}") for kind in CORE_TIME),
    ),
)  # fmt: skip

MACHINES: Final = Table(
    "difference of machines",
    "Rows of `nmsim diff` of two machines: a key each whose values differ.",
    (
        Described("key", "", "Dotted key of the machines' YAML whose values differ."),
        Described("a", "", "Value of the key in A as text; - where it is left out."),
        Described("b", "", "Value of the key in B as text; - where it is left out."),
        Described("ratio", "", "The value in B over that in A; missing where one is no number."),
    ),
)

STORES: Final = Table(
    "difference of stores",
    "Rows of `nmsim diff` of two stores of a sweep: a point each, matched by what it is.",
    (
        Described("workload", "", "Name of the network, with its parameters in brackets."),
        Described("stack", "", "Software stack whose kernels ran; listed: each layer is one."),
        Described("pattern", "", "Pattern that all layers with weights were asked to follow."),
        Described("engine", "", "What simulated it: fast or reference; both give the same."),
        Described("accuracy", "", "exact, where every event was simulated, or sampled."),
        Described("settings", "", "Keys that were varied and their values, as JSON by dotted key."),
        Described("only_in", "", "The side that alone has the point, A or B; missing where both "
                  "have it."),
        *_both("time_*_ns", "device time of all layers; missing where the point failed or is not "
               "there", "ns"),
        Described("change_ratio", "", "The change of the time as a share of that in A; missing "
                  "where one side has none.", "time_b_ns / time_a_ns - 1"),
        *_both("hardware_*", "name of the machine that the point ran on"),
        *_both("bound_*", "what bounds the layers that take most of the time"),
        *_both("executed_as_*", "patterns that layers with weights ran as, and how many"),
        *_both("energy_pj_*", "estimated energy of all layers; missing where it is not known",
               "pJ"),
        *_both("dram_bytes_*", "bytes read from main memory and written to it", "bytes"),
        *_both("error_*", "why the point could not be simulated; missing where it could"),
    ),
)  # fmt: skip
