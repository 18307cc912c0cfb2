"""What every figure means: its name in files and frames, its unit, and how it is reckoned.

A table a kind of row; `TABLES` lists them all. Whatever exports figures takes their descriptions
from here, and so does the documentation.
"""

from __future__ import annotations

from typing import Final

from simulator.described.decisions import (
    ADVICE,
    LIMITS,
    MACHINES,
    REPORTS,
    REQUIREMENT,
    STORES,
)
from simulator.described.layers import COMPARISON, LAYERS
from simulator.described.qualities import (
    MEASURED,
    MEASURED_LINES,
    PRUNED,
    TRADE_OFF,
    TRADE_OFF_JSON,
)
from simulator.described.reports import REPORT
from simulator.described.sweeps import FRONT, SEARCH, SWEEP
from simulator.described.table import Described, Table
from simulator.described.trainings import ANSWERS, CLAIMS, RUNS, TRAINING
from simulator.described.validations import DECIDED, VALIDATED, VALIDATION

TABLES: Final = (
    LAYERS, COMPARISON, REPORT, SWEEP, FRONT, SEARCH, MEASURED_LINES, MEASURED, RUNS, TRAINING,
    ANSWERS, CLAIMS, TRADE_OFF, TRADE_OFF_JSON, PRUNED, ADVICE, LIMITS, REQUIREMENT, REPORTS,
    MACHINES, STORES, VALIDATION, VALIDATED, DECIDED,
)  # fmt: skip

__all__ = ["TABLES", "Described", "Table"]
