"""Results as pages: one HTML file each, that opens from disk and asks no other host for anything.

Every page takes plain figures, so that it can be made of results of one's own; `Report.to_html` and
`Comparison.to_html` show what they hold. A page is a little HTML, the figures as JSON, and the
style and the script that stand beside this file.
"""

from simulator.pages.document import document
from simulator.pages.network import (
    LayerView,
    NetworkPage,
    PatternView,
    RooflinePoint,
    TilesView,
    network_html,
)

__all__ = [
    "LayerView",
    "NetworkPage",
    "PatternView",
    "RooflinePoint",
    "TilesView",
    "document",
    "network_html",
]
