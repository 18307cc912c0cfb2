"""What a data set is: published figures, and what the model and a roofline say to each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """One published figure: measured, as the model has it, and as a roofline would.

    Attributes
    ----------
    part : str
        The part of the data set that it belongs to, where parts behave differently; or empty.
    set_aside : str
        Why the model is not held to this figure; empty: it counts.
    family : str
        Rows of one family differ in a single size, such as "2560x*x2560"; empty: of none.
    fitted : bool
        Whether a fitted number has seen this very row.
    mapping, bound : str
        How the model ran it, and what bound the time; empty where nothing was run.
    macs : int
        Useful MACs of the dense problem; 0 where it is none.
    preset : str
        The machine that it was measured on.
    """

    label: str
    measured: float
    predicted: float
    roofline: float | None = None
    part: str = ""
    set_aside: str = ""
    family: str = ""
    fitted: bool = False
    mapping: str = ""
    bound: str = ""
    macs: int = 0
    preset: str = ""

    @property
    def error(self) -> float:
        """Predicted over measured, less one."""
        return self.predicted / self.measured - 1


@dataclass(frozen=True)
class DataSet:
    """A published table and the model's answer to it.

    Attributes
    ----------
    table : str
        Name of the table of figures, with its sources.
    unit : str
    predict : callable
        Yields a point for every published row, those set aside included.
    bound : float or None
        Mean absolute error of what counts, as a ratio, that the tests hold the model to; None:
        reported only. Bounds were set after looking at the errors of these very rows.
    note : str
        What a reader must know of the rows: what is not in them, what was inferred.
    chosen : str
        What was chosen after looking at these rows, such as a kernel or a clock, where no number
        was fitted to them; empty: nothing, so that rows which no fit has seen are held out.
    decides : bool
        Figures are gains, of which it matters first whether there is any.
    """

    name: str
    title: str
    table: str
    unit: str
    predict: Callable[[], Iterable[Measurement]]
    bound: float | None = None
    note: str = ""
    chosen: str = ""
    decides: bool = False
