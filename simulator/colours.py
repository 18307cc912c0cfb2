"""The colours of figures, in pictures and in pages.

Multiplying is green, waiting inside the core warm, waiting for memory blue; neighbours differ in
lightness, too, for those who see fewer hues (after Okabe and Ito, 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CORE_TIME_COLOURS: Final = {
    "kernel_start": "#4d4d4d",
    "mac_useful": "#007a5a",
    "mac_padding": "#5fc4a0",
    "scratchpad_stall": "#d55e00",
    "operand_stall": "#eea236",
    "vector_stall": "#8c4a00",
    "barrier": "#f5e663",
    "memory_stall": "#0a4f86",
    "prologue": "#56a9e0",
    "epilogue": "#b0569a",
    "reduction": "#efb4d4",
    "idle": "#e2e2e2",
}

OPERAND_COLOURS: Final = {
    "weights": "#007a5a",
    "metadata": "#f0d43a",
    "activations": "#56a9e0",
    "outputs": "#b0569a",
    "partial_sums": "#4d4d4d",
}

BOUND_COLOURS: Final = {
    "mac": "#007a5a",
    "scratchpad": "#d55e00",
    "operand": "#eea236",
    "vector": "#8c4a00",
    "port": "#b0569a",
    "l2": "#56a9e0",
    "dram": "#0a4f86",
    "latency": "#9a9a9a",
}

ON_DARK: Final = {
    "#4d4d4d": "#8e949a",
    "#007a5a": "#11a074",
    "#5fc4a0": "#85dcaa",
    "#d55e00": "#ea761b",
    "#8c4a00": "#b86f3e",
    "#0a4f86": "#3e75c9",
    "#56a9e0": "#80c3fb",
    "#b0569a": "#ca81c2",
    "#e2e2e2": "#3c4248",
}
"""What a colour becomes on a dark ground; those that are not here stay."""


def on_dark(colours: Mapping[str, str]) -> dict[str, str]:
    """The same colours for a dark ground."""
    return {name: ON_DARK.get(colour, colour) for name, colour in colours.items()}
