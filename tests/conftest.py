"""Tests import each other's helpers as plain modules: `from machines import tiny`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
