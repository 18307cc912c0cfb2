"""Tests import each other's helpers as plain modules: `from machines import tiny`."""

import os
import signal
import sys
from pathlib import Path

import numba  # noqa: F401  # reads NUMBA_DISABLE_JIT once, for this process alone
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# Under `make coverage` kernels are plain Python here, where their lines count. The commands that
# tests start are not: what they run through is the kernels' callers, at their real speed.
os.environ.pop("NUMBA_DISABLE_JIT", None)

# A shell's background jobs ignore Control-C, and hand that on to the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The suite draws the same cases in every run, so that it fails for what was changed; `make random`
# draws fresh ones, and more.
settings.register_profile("suite", derandomize=True)
settings.register_profile("fresh", max_examples=1000, deadline=None)
settings.load_profile("suite")
