"""Running a whole ONNX model, with ONNX Runtime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from simulator.quality.foreign import foreign
from simulator.quality.walk import session


def session_of(model: Path) -> Any:
    """An ``onnxruntime.InferenceSession``.

    Raises
    ------
    WeightsError
        If ONNX Runtime is not installed, or cannot run the model.
    """
    with foreign(model, "ONNX Runtime cannot run it"):
        return session(str(model))


def versions() -> dict[str, str]:
    """What computed a figure, and on how many threads: others round otherwise.

    Where pruning is at the edge of what a model bears, rounding alone decides over masks, and so
    over much: PP-OCRv4 at 4:16 by SparseGPT was seen to read 63 % with two threads, 84 % with one.
    """
    import numpy
    import onnxruntime

    from simulator.version import __version__

    threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count())
    found = {"threads": threads, "nmsim": __version__, "numpy": numpy.__version__}
    return found | {"onnxruntime": onnxruntime.__version__}
