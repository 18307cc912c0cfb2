"""Running a whole ONNX model, with ONNX Runtime."""

from __future__ import annotations

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
    """What computed a figure, which another version may round otherwise."""
    import numpy
    import onnxruntime

    from simulator.version import __version__

    found = {"nmsim": __version__, "numpy": numpy.__version__}
    return found | {"onnxruntime": onnxruntime.__version__}
