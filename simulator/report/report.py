"""What a user gets of a run: its layers, their total, and both as files, tables and pictures."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator import quantities
from simulator.described.layers import LAYERS
from simulator.errors import writing
from simulator.frozen import changed
from simulator.report.layer import LayerReport
from simulator.report.total import FIGURES, Roof, Total
from simulator.sparsity import asked_name
from simulator.workload.layer import LISTED

if TYPE_CHECKING:
    import pandas as pd

    from simulator.pictures import Picture


@dataclass(frozen=True)
class Report:
    """The result of `simulate`.

    Attributes
    ----------
    hardware, workload : str
        Names of the machine and of the network.
    pattern : str or None
        As it was asked for; None: as the trace says.
    engine, accuracy : str
        As they were asked for.
    notes : tuple of str
        What reading the workload assumed, and what a reader of the figures should know.
    roof : Roof
        Peaks: ``macs_per_second`` by dtype, and ``dram_bytes_per_second``.
    total : Total
        All layers with their repeats.
    layers : tuple of LayerReport
        A kernel each, once, in the order in which they run.
    stack : str
        The software stack whose kernels ``layers`` are; ``listed`` where each layer is one.
    """

    hardware: str
    workload: str
    pattern: str | None
    engine: str
    accuracy: str
    notes: tuple[str, ...]
    roof: Roof
    total: Total
    layers: tuple[LayerReport, ...] = field(repr=False)
    stack: str = LISTED

    def to_json(self) -> str:
        """All figures as JSON text; both engines give the same text but for ``engine``."""
        data = asdict(changed(self, layers=()))
        data["layers"] = [layer.exported() for layer in self.layers]
        data["total"]["kernels"] = self.total.kernels
        data["total"]["time_ns"] = self.total.time_ns
        data["total"]["time_with_launch_ns"] = self.total.time_with_launch_ns
        # Traffic is a mapping, though no dict.
        return json.dumps(data, indent=2, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a layer; nested figures become columns: ``traffic_bytes.dram.weights.read``.

        Its ``attrs`` say what they are: ``frame.attrs["meaning"]["in_flight_hits"]``.
        """
        import pandas as pd

        frame = pd.DataFrame([_flat(layer.exported()) for layer in self.layers])
        # Unknown energies are missing numbers, not a column of another type.
        unknown = [x.name for x in FIGURES if x.missing and x.name in frame]
        frame = frame.astype(dict.fromkeys(unknown, "float64"))
        frame.attrs = LAYERS.attrs(frame.columns)
        return frame

    def to_csv(self, path: str | Path | None = None) -> str | None:
        """``to_frame`` as CSV, into a file or returned as text.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        with writing(path):
            text: str | None = self.to_frame().to_csv(path, index=False)
        return text

    @property
    def network(self) -> str:
        """The workload, and whether it is one of several blocks."""
        blocks = self.total.blocks
        return self.workload + (f" (one of {blocks} blocks)" if blocks > 1 else "")

    @property
    def title(self) -> str:
        """Network, machine, stack and pattern."""
        stack = "" if self.stack == LISTED else f", {self.stack} stack"
        return f"{self.network} on {self.hardware}{stack}, {self.pattern or 'as the trace says'}"

    @property
    def pattern_name(self) -> str:
        """The pattern in a word: ``trace`` where every layer has its own."""
        return asked_name(self.pattern)

    def core_time_ns(self) -> dict[str, float]:
        """Where an average core's time went, all layers; adds up to the device time."""
        return self.total.core_time_ns()

    def plot(self) -> Picture:
        """One page: roofline, core-time by layer, traffic."""
        from simulator.report.drawn import report_page

        return report_page(self.title, self.layers, self.total, self.roof)

    def plot_roofline(self) -> Picture:
        """Useful MACs a second over useful MACs a byte of DRAM traffic, layer by layer."""
        from simulator.report.drawn import roofline_picture

        return roofline_picture(self.title, self.layers, self.total, self.roof)

    def plot_core_time(self) -> Picture:
        """Where an average core's time goes: a bar a layer, with its repeats."""
        from simulator.report.drawn import core_time_picture

        return core_time_picture(self.title, self.layers, self.total)

    def plot_traffic(self) -> Picture:
        """Bytes read and written at each level, by operand."""
        from simulator.report.drawn import traffic_picture

        return traffic_picture(self.title, self.total)

    def to_html(self, command: str = "") -> str:
        """A page to click through in a browser, as the text of one HTML file.

        Parameters
        ----------
        command : str
            What prints these figures, for readers to copy.
        """
        from simulator.report.comparison import Comparison

        return Comparison((self,)).to_html({self.pattern_name: command})

    def _repr_html_(self) -> str:
        columns = ["name", "repeat", "executed_as", "executed_on", "mapping", "cycles"]
        columns += ["mac_utilization", "bound"]
        frame = self.to_frame()[columns]
        frame.insert(5, "time", [quantities.time(layer.time_ns) for layer in self.layers])
        head = (
            f"<p><b>{html.escape(self.network)}</b> on <b>{html.escape(self.hardware)}</b>"
            f" ({self.pattern or 'pattern: trace'}): {quantities.time(self.total.time_ns)},"
            f" {self.total.cycles:,} cycles, MAC utilisation"
            f" {quantities.percent(self.total.mac_utilization)} of the dense peak,"
            f" bound by {self.total.bound}</p>"
        )
        frame["mac_utilization"] = frame["mac_utilization"].map(quantities.percent)
        table: str = frame.to_html(index=False, formatters={"cycles": "{:,}".format})
        return head + table


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        elif isinstance(value, tuple):
            flat[prefix + key] = "; ".join(value)
        else:
            flat[prefix + key] = value
    return flat
