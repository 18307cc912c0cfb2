"""Pictures of results, drawn with matplotlib in one house style.

Every function draws into a figure or a part of one and takes plain figures, so that it can be used
for results of one's own; `Report.plot`, `Comparison.plot` and their kin draw what they hold.
Importing this package imports matplotlib, hence nothing else imports it before it draws.
"""

from simulator.names import words
from simulator.pictures.bars import CoreTimeBar, TrafficBar, core_time, speedup, traffic
from simulator.pictures.roofline import RooflinePoint, roofline
from simulator.pictures.style import Picture, new_picture, save
from simulator.pictures.sweeps import heat_map, pareto
from simulator.quantities import whole_percent as percent

__all__ = [
    "CoreTimeBar",
    "Picture",
    "RooflinePoint",
    "TrafficBar",
    "core_time",
    "heat_map",
    "new_picture",
    "pareto",
    "percent",
    "roofline",
    "save",
    "speedup",
    "traffic",
    "words",
]
