"""The columns of validations: of data sets, of every figure, and of decisions."""

from __future__ import annotations

from typing import Final

from simulator.described.table import Described, Table

_ERROR: Final = "predicted / measured - 1"

VALIDATION: Final = Table(
    "validation",
    "Rows of `nmsim validate`: of each data set the figures that a fit has seen, and those that "
    "none has. Errors are shares of what was measured.",
    (
        Described("data_set", "", "Name of the data set, as `nmsim validate` takes it."),
        Described("title", "", "What was measured, on which machine, with what software."),
        Described("fitted", "", "Whether these are the rows that a fit has seen."),
        Described("constants", "", "How far these rows decided what they are compared with: "
                  "fitted, read off, chosen or held out."),
        Described("counted", "", "Figures that the model is held to, which errors are of."),
        Described("published", "", "All figures of these rows, those that are set aside included."),
        Described("mean_error_ratio", "", "Mean absolute error over the figures that count; "
                  "missing where none does."),
        Described("mean_error_of_all_ratio", "", "Mean absolute error over all published figures, "
                  "those that are set aside included."),
        Described("median_error_ratio", "", "Median absolute error over the figures that count; "
                  "missing where none does."),
        Described("signed_error_ratio", "", "Mean error with its sign; negative where the model "
                  "predicts less than was measured."),
        Described("worst_error_ratio", "", "Error with its sign of the figure that the model is "
                  "furthest off.", _ERROR),
        Described("worst_row", "", "The figure that the model is furthest off, as its table names "
                  "it."),
        Described("roofline_error_ratio", "", "Mean absolute error of a roofline on the same "
                  "figures; missing where it says nothing of them."),
        Described("bound_ratio", "", "Mean absolute error that tests hold the model to; missing "
                  "where none is."),
    ),
)  # fmt: skip

VALIDATED: Final = Table(
    "validated figures",
    "Rows of `nmsim validate --rows` and `--worst`: a published figure each.",
    (
        Described("data_set", "", "Name of the data set, as `nmsim validate` takes it."),
        Described("figure", "", "What was measured, as the table of the data set names it."),
        Described("machine", "", "Preset that stands for the card it was measured on."),
        Described("unit", "", "Unit of what was measured and predicted, such as µs or ratio."),
        Described("measured", "", "What was published, in the unit of the row."),
        Described("predicted", "", "What the model has instead, in the unit of the row."),
        Described("error_ratio", "", "Error of the model as a share of what was measured.", _ERROR),
        Described("roofline", "", "What a roofline has instead, in the unit of the row; missing "
                  "where it says nothing."),
        Described("mapping", "", "Tile, stage and order in which the model ran it; missing where "
                  "nothing was run."),
        Described("bound", "", "What bounds the time of the run; missing where nothing was run."),
        Described("macs", "", "Useful multiply-accumulates of the dense problem; missing where it "
                  "is none."),
        Described("family", "", "Rows that differ in a single size share a name here; missing: "
                  "of none."),
        Described("part", "", "Part of the data set that the row belongs to, where parts behave "
                  "differently."),
        Described("fitted", "", "Whether a fitted number has seen this very row."),
        Described("set_aside", "", "Why the model is not held to this figure; missing where it "
                  "is."),
    ),
)  # fmt: skip

DECIDED: Final = Table(
    "validated decisions",
    "Rows of `nmsim validate decisions`: a published gain of sparsity each, and on which side of "
    "1 the model has it.",
    (
        Described("gain", "", "Which network, pattern, machine and software the gain is of."),
        Described("published", "", "Dense over sparse time, as its authors measured it."),
        Described("predicted", "", "Dense over sparse time by that software's own kernels."),
        Described("verdict_of_predicted", "", "Whether that is on the side of 1 that was measured: "
                  "right, tie or wrong."),
        Described("advised", "", "Dense over sparse time of two plain runs of preset and trace."),
        Described("verdict_of_advised", "", "Whether plain runs are on the side of 1 that was "
                  "measured: right, tie or wrong."),
        Described("band_ratio", "", "How near to 1 a gain on this machine decides nothing; missing "
                  "where the machine is unvalidated."),
        Described("reason", "", "Why a verdict is wrong, as far as is known; missing where none "
                  "is."),
    ),
)  # fmt: skip
