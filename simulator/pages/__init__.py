"""Results as pages: one HTML file each, that opens from disk and asks no other host for anything.

Every page takes plain figures, so that it can be made of results of one's own; `Report.to_html`,
`Comparison.to_html` and `SweepResult.to_html` show what they hold. A page is a little HTML, the
figures as JSON, and the style and the scripts that stand beside this file.
"""

from simulator.pages.answer import AnswerPage, Bars, Plot, Section, answer_html
from simulator.pages.document import document
from simulator.pages.network import (
    LayerView,
    NetworkPage,
    PatternView,
    RooflinePoint,
    TilesView,
    network_html,
)
from simulator.pages.points import Column, PointsPage, points_html
from simulator.pages.timeline import Lane, TimelineLayer, TimelinePage, timeline_html

__all__ = [
    "AnswerPage",
    "Bars",
    "Column",
    "Lane",
    "LayerView",
    "NetworkPage",
    "PatternView",
    "Plot",
    "PointsPage",
    "RooflinePoint",
    "Section",
    "TilesView",
    "TimelineLayer",
    "TimelinePage",
    "answer_html",
    "document",
    "network_html",
    "points_html",
    "timeline_html",
]
