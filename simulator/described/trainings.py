"""The figures of trained networks, and of claims put to them."""

from __future__ import annotations

from typing import Final

from simulator.described.layers import under
from simulator.described.qualities import DENSE
from simulator.described.table import Described, Table

_RECIPE: Final = (
    Described("recipe", "", "What happened after dense training, with its parameters in brackets."),
    Described("pattern", "", "Pattern that was asked for; 1:1 where nothing is pruned in groups."),
)  # fmt: skip

RUNS: Final = Table(
    "trainings",
    "Rows of `nmsim train`: a trained network each, one recipe under one pattern with one seed.",
    (
        Described("task", "", "What was learnt: a task's name, or module:function."),
        *_RECIPE,
        Described("seed", "", "Of the network's first weights and of the order of samples."),
        Described("accuracy", "", "Share of the test data that is classified rightly."),
        Described("loss", "nats", "Mean cross entropy on the test data; less is better."),
        Described("nonzeros", "", "Weights that are not zero, of layers that could be pruned; "
                  "channels that are gone are none of them."),
        Described("weights", "", "Weights of layers that could be pruned; channels that are gone "
                  "are none of them."),
        Described("network", "", "What learnt it: a network's name with its parameters."),
        DENSE,
        Described("epochs", "", "Passes over the data of the dense network, and as many more of a "
                  "recipe that trains."),
        Described("setup", "", "First digits of a SHA-256 of all that runs must share to be "
                  "compared."),
        Described("machine", "", "Machine on which the time was simulated; missing where none "
                  "was asked for."),
        Described("samples", "", "How many samples run at once in that time; missing with it."),
        Described("time_ns", "ns", "Simulated device time of the network; missing where no machine "
                  "was asked for."),
    ),
)  # fmt: skip

_SPREAD: Final = (
    Described("mean", "", "Mean of the figure over the seeds."),
    Described("deviation", "", "Standard deviation over the seeds; null of a single one."),
)
_PAIRED: Final = (
    Described("mean", "", "Mean over seeds of the difference to the recipe that is compared with, "
              "seed by seed."),
    Described("error", "", "Standard error of that mean; null of a single seed."),
    Described("seeds", "", "How many seeds both recipes have."),
)  # fmt: skip

TRAINING: Final = Table(
    "trainings in JSON",
    "Trained networks in JSON: the runs, and what they come to by recipe and pattern.",
    (
        Described("against", "", "The recipe that others are compared with; null without one."),
        Described("notes", "", "What was not as it was asked for, a sentence each."),
        *under(
            "summary",
            (
                *_RECIPE,
                Described("seeds", "", "How many seeds the means of this row are over."),
                Described("kept_ratio", "", "Share of weights that are not zero, of the network "
                          "with all of its channels.", "mean of nonzeros / most weights of a run"),
                *under("accuracy", _SPREAD),
                *under("loss", _SPREAD),
                Described("accuracy_difference", "", "Null where there is nothing to compare the "
                          "accuracy with."),
                *under("accuracy_difference", _PAIRED),
                Described("loss_difference", "", "Null where there is nothing to compare the loss "
                          "with."),
                *under("loss_difference", _PAIRED),
                Described("time_ns", "ns", "Simulated device time, the mean over seeds; null where "
                          "a run has none."),
                Described("speedup", "", "Over the recipe that prunes nothing, on the same "
                          "machine.", "time_ns of dense / time_ns"),
            ),
        ),
        *under("runs", RUNS.figures),
    ),
)  # fmt: skip

ANSWERS: Final = Table(
    "claims",
    "Rows of `nmsim train --claims`: a question each that was put to trained networks.",
    (
        Described("task", "", "What was learnt: a task's name, or module:function."),
        Described("network", "", "What learnt it: a network's name with its parameters."),
        Described("setup", "", "First digits of a SHA-256 of all that the runs share."),
        Described("claim", "", "Number of the claim that the question is part of, from 1."),
        Described("part", "", "Part of the claim that the answer decides; empty if it is only "
                  "told."),
        Described("question", "", "What is so if the answer holds, as a sentence."),
        Described("figure", "", "accuracy or loss, whichever the question is about."),
        Described("above", "", "Bound above which the weighted sum has to lie."),
        Described("mean", "", "Mean over seeds of the weighted sum, taken seed by seed."),
        Described("error", "", "Standard error of that mean; missing of a single seed."),
        Described("seeds", "", "How many seeds all terms of the sum have in common."),
        Described("low", "", "Lower end of the 95 % interval of the mean, by Student's t."),
        Described("high", "", "Upper end of the 95 % interval of the mean, by Student's t."),
        Described("verdict", "", "holds where the interval lies above the bound, does not where it "
                  "lies below, else undecided."),
    ),
)  # fmt: skip

CLAIMS: Final = Table(
    "claims in JSON",
    "Claims in JSON: what was claimed, what came of it, and the answers.",
    (
        Described("claims.claim", "", "The claim, as the article has it."),
        Described("claims.verdict", "", "What its parts come to; null where one that it needs "
                  "could not be asked."),
        Described("claims.parts.*", "", "Verdict on what has to be shown; null where no runs were "
                  "there to ask."),
        Described("claims.missing", "", "Recipes and patterns that an answer would take."),
        *under("answers", ANSWERS.figures),
    ),
)  # fmt: skip
