"""The house style: fonts, colours, units, and how a picture is made and written."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from simulator.colours import BOUND_COLOURS
from simulator.errors import writing
from simulator.names import words

DPI: Final = 150
UNDATED: Final = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
STYLE: Final[dict[Any, Any]] = {
    # 10 points at 150 dots an inch are 10 pixels high in a picture of half the size.
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 10.5,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10.5,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "figure.titlesize": 14,
    "figure.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.8,
    "figure.facecolor": "white",
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "nmsim",  # the same picture is the same file
    "pdf.fonttype": 42,
}

MARKERS: Final = {
    "mac": "o",
    "scratchpad": "s",
    "operand": "D",
    "vector": "p",
    "port": "^",
    "l2": "v",
    "dram": "P",
    "latency": "X",
}
BOUNDS: Final = {bound: (BOUND_COLOURS[bound], marker) for bound, marker in MARKERS.items()}
"""Colour and marker."""

INK: Final = "#333333"
ACCENT: Final = "#0a4f86"
QUIET: Final = "#b5b5b5"
HEAT_COLOURS: Final = "cividis"  # reads the same with and without red-green vision

HALO: Final = (withStroke(linewidth=2.5, foreground="white"),)
"""Around text that may cross a line."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def styled(draw: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let a function draw in the house style, whatever style its caller has set."""

    @wraps(draw)
    def in_style(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            return draw(*args, **kwargs)

    return in_style


class Picture(Figure):
    """A matplotlib figure that needs no display, and shows itself in a notebook.

    Attributes
    ----------
    description : str
        What the picture shows, in words or figures; stands in the metadata of its file.
    """

    description = ""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=DPI / 1.5)
        return buffer.getvalue()


@styled
def new_picture(width_inches: float, height_inches: float, title: str = "") -> Picture:
    """An empty picture whose parts keep out of each other's way."""
    picture = Picture(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(picture)
    if title:
        picture.suptitle(title, x=0.01, ha="left")
    return picture


@styled
def save(picture: Figure, path: str | Path) -> None:
    """Write PNG, SVG or PDF by the file's name; the same picture is the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    metadata: dict[str, str | None] = dict(UNDATED.get(suffix, {}))
    if description := getattr(picture, "description", ""):
        metadata["Subject" if suffix == ".pdf" else "Description"] = description
    with writing(path), warnings.catch_warnings():
        # Names may have letters that the font lacks: boxes stand for them, as in any picture.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        picture.savefig(path, dpi=DPI, metadata=metadata)


UNITS: Final = {
    "bytes_per_cycle": "bytes/cycle",
    "bytes_per_second": "bytes/s",
    "macs_per_cycle": "MAC/cycle",
    "mm2": "mm²",
    "ps": "ps",
    "ns": "ns",
    "us": "µs",
    "ms": "ms",
    "pj": "pJ",
    "mj": "mJ",
    "w": "W",
    "hz": "Hz",
    "bytes": "bytes",
    "cycles": "cycles",
    "macs": "MACs",
    "ratio": "ratio",
}


def axis_label(name: str) -> str:
    """A key with its unit apart: ``core.scratchpad.bytes_per_cycle`` is scratchpad, bytes/cycle.

    A key without a unit in its name is a count or a ratio and stays as it is.
    """
    head, _, last = name.rpartition(".")
    for suffix, unit in UNITS.items():
        if last == suffix:
            return f"{words(head.rpartition('.')[2]) or last}, {unit}" if head else unit
        if last.endswith(f"_{suffix}"):
            return f"{words(last.removesuffix(f'_{suffix}'))}, {unit}"
    return f"{words(head.rpartition('.')[2])} {words(last)}".strip()
