"""The figures of measured quality, of quality beside time, and of what pruning kept."""

from __future__ import annotations

from typing import Final

from simulator.described.layers import under
from simulator.described.table import Described, Table

NETWORK: Final = Described(
    "network", "", "Name of the network: of its model's file, or of what a recipe builds."
)
TASK: Final = Described(
    "task", "", "What was measured: an evaluator's name, or the task that was trained."
)
NONZEROS: Final = Described(
    "nonzeros", "", "Weights that are not zero, of all layers that could be pruned."
)
WEIGHTS: Final = Described(
    "weights", "", "Weights of all layers that could be pruned, those that stay dense included."
)
DENSE: Final = Described(
    "dense", "", "Regular expressions of layers that were to stay dense; empty if none."
)

_IS: Final = (
    NETWORK,
    TASK,
    Described("method", "", "How it was pruned: a method such as sparsegpt, or a training recipe."),
    Described("pattern", "", "Pattern that was asked for; 1:1 is the dense network, mixed where "
              "layers differ."),
    DENSE,
    Described("seed", "", "Of training, or of what was drawn to measure on; missing where nothing "
              "is random."),
)  # fmt: skip

MEASURED_LINES: Final = Table(
    "qualities",
    "Rows of `nmsim quality`: a figure of a network under one pattern by one method each.",
    (
        *_IS,
        Described("figure", "", "Name of the figure, as its evaluator calls it."),
        Described("value", "", "What the figure is, in the evaluator's own unit."),
        Described("error", "", "Standard error of the value over what was measured; 0 where it is "
                  "exact."),
        NONZEROS,
        WEIGHTS,
        Described("layer", "", "The only layer that is pruned; empty where there are more, or "
                  "none."),
    ),
)  # fmt: skip

MEASURED: Final = Table(
    "qualities in JSON",
    "Entries of `nmsim quality` in JSON: a network under one pattern by one method each.",
    (
        *_IS,
        Described("digest", "", "SHA-256 of the model's file, or of what the network is built "
                  "from."),
        Described("key", "", "SHA-256 of all that decides the figures."),
        Described("figures.*.value", "", "What the figure is, in the evaluator's own unit."),
        Described("figures.*.error", "", "Standard error of the value over what was measured; 0 "
                  "where it is exact."),
        Described("figures.*.higher_is_better", "", "Whether more is better; false of losses and "
                  "errors."),
        Described("layers.*.pattern", "", "Pattern of the layer; 1:1 where it stays dense."),
        Described("layers.*.weights", "", "How many weights the layer has in all."),
        Described("layers.*.nonzeros", "", "How many of its weights are not zero."),
        Described("layers.*.error", "", "Reconstruction error of the layer's outputs on the "
                  "calibration inputs X; null without any.", "|(W - W') X|^2 / |W X|^2"),
        NONZEROS,
        WEIGHTS,
        Described("trace", "", "Layer trace of the network as it was measured; null: that of the "
                  "model."),
        Described("provenance.*", "", "What one may need to do it again: versions, threads, "
                  "calibration, epochs."),
        Described("elapsed_s", "s", "How long it took to prune or train, and to measure."),
    ),
)  # fmt: skip

TRADE_OFF: Final = Table(
    "trade-off",
    "Rows of a trade-off: a network under patterns, what it gets right, and how long it takes.",
    (
        Described("hardware", "", "Name of the machine on which times were simulated."),
        NETWORK,
        TASK,
        *_IS[2:4][::-1],
        Described("dense_layers", "", "Regular expressions of layers that were to stay dense; "
                  "empty if none."),
        Described("seeds", "", "How many seeds the value is a mean of; 0 where nothing is random."),
        Described("figure", "", "Name of the figure of quality that is compared."),
        Described("value", "", "What the figure is, the mean over seeds; of an estimate, as its "
                  "costs predict."),
        Described("error", "", "Standard error of the value: over seeds, or of a single row what "
                  "its evaluator says."),
        Described("higher_is_better", "", "Whether more of the figure is better; false of losses "
                  "and errors."),
        Described("cost", "", "By how much the figure is worse than that of the dense network; "
                  "paired by seed where there are two or more.", "value of dense - value, or the "
                  "other way round where less is better"),
        Described("cost_error", "", "Standard error of the cost: paired by seed, or as of "
                  "independent errors."),
        Described("time_ns", "ns", "Simulated device time of the network under these patterns."),
        Described("speedup", "", "Over the dense network on the same machine.",
                  "time_ns of dense / time_ns"),
        NONZEROS,
        WEIGHTS,
        Described("standing", "", "front: none is as fast and as good; tie: what leads does so "
                  "within errors; beaten; estimate: not measured; like: time of another network."),
        Described("ties", "", "Rows of the front from whose quality this one's cannot be told."),
        Described("verdict", "", "Whether it is worth its cost, by the rule of --rate; of what is "
                  "on the front or tied with it, else empty."),
    ),
)  # fmt: skip

TRADE_OFF_JSON: Final = Table(
    "trade-off in JSON",
    "A trade-off in JSON: its points, which are the rows, what follows, and the chosen mix.",
    (
        *under("points", TRADE_OFF.figures),
        Described("sentences", "", "What follows of the front, a sentence each."),
        Described("mix.budget", "", "Share of the dense quality or time that the mix had to keep."),
        Described("mix.method", "", "By which method all layers of the mix are pruned."),
        Described("mix.costs", "", "Whence the costs of layers are known: measured, or "
                  "estimated."),
        Described("mix.time_ns", "ns", "Device time of the mix, simulated whole."),
        Described("mix.predicted_drop", "", "By how much the figure will be worse, as the costs of "
                  "layers add up."),
        Described("mix.patterns.*", "", "Pattern of the layer in the mix; 1:1 where it stays "
                  "dense."),
        Described("notes", "", "What did not join, was left aside, or was assumed in reading."),
    ),
)  # fmt: skip

PRUNED: Final = Table(
    "pruned",
    "Rows of `nmsim prune`: a tensor or a layer each that was to be pruned.",
    (
        Described("name", "", "Name of the layer, or of the tensor where a file holds tensors "
                  "alone."),
        Described("tensor", "", "Name of the tensor that holds the layer's weights in the file."),
        Described("shape", "", "Sizes of the tensor, as in 64x3x7x7."),
        Described("pattern", "", "What it was pruned to; 1:1 where it stays dense."),
        Described("kept", "", "Weights that are not zero now, of all of the tensor."),
        Described("weights", "", "How many weights the tensor has in all."),
        Described("magnitude", "", "Share of the summed magnitude that the pattern kept; missing "
                  "where nothing was pruned.", "sum of |w| kept / sum of |w|"),
        Described("magnitude_unstructured", "", "Share of the summed magnitude that the same "
                  "density could keep without a pattern."),
        Described("energy", "", "Share of the summed squares that the pattern kept; missing where "
                  "nothing was pruned.", "sum of w^2 kept / sum of w^2"),
        Described("energy_unstructured", "", "Share of the summed squares that the same density "
                  "could keep without a pattern."),
        Described("error", "", "Reconstruction error of the layer's outputs on the calibration "
                  "inputs X; missing without any.", "|(W - W') X|^2 / |W X|^2"),
        Described("note", "", "Why it stays dense, or whose weights it shares; else empty."),
    ),
)  # fmt: skip
