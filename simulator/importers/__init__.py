"""``name or file -> Workload``: presets, traces, models of other tools, and GEMMs in a word."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from simulator import catalog
from simulator.errors import WorkloadError, did_you_mean
from simulator.importers.imported import Imported
from simulator.importers.json_file import read_bytes
from simulator.units import DTYPE_BITS
from simulator.weights.layout import Array
from simulator.workload.comments import versions
from simulator.workload.layer import Gemm, Workload
from simulator.workload.scalesim import read_scalesim
from simulator.workload.table import Table, read_table
from simulator.workload.trace import read_trace

__all__ = ["FORMATS", "Imported", "detect", "import_workload", "load_model", "load_workload"]

Importer = Callable[[Path, Mapping[str, int]], Imported]


def _layers(path: Path, parameters: Mapping[str, int]) -> Imported:
    table = read_table(path)
    read = read_trace if _is_native(table) else read_scalesim
    return Imported.whole(read(table, parameters))


def _onnx(path: Path, parameters: Mapping[str, int]) -> Imported:
    from simulator.importers.onnx_model import read_onnx

    return read_onnx(path, parameters)


def _hf_config(path: Path, parameters: Mapping[str, int]) -> Imported:
    from simulator.importers.hf_config import read_hf_config

    return read_hf_config(path, parameters)


def _torch_trace(path: Path, parameters: Mapping[str, int]) -> Imported:
    from simulator.importers.torch_trace import read_torch_trace

    return read_torch_trace(path, parameters)


FORMATS: dict[str, Importer] = {
    "csv": _layers,
    "onnx": _onnx,
    "hf-config": _hf_config,
    "torch-trace": _torch_trace,
}
"""Readers are imported once a file of theirs is read: most runs read a trace of layers."""

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt")
"""Files that hold code and weights, but no layers; they are never opened."""

_GEMM = re.compile(
    r"gemm:(\d{1,13})x(\d{1,13})x(\d{1,13})(?::(?!accumulate$)(\w+))?(:accumulate)?", re.ASCII
)
"""A GEMM in a word: sizes, a dtype, and whether it adds to what Y holds."""


def load_workload(name: str | Path | Workload, /, **parameters: int) -> Workload:
    """Read a workload.

    Parameters
    ----------
    name : str or Path
        A preset of ``workloads/``, the path of a CSV (native or SCALE-Sim topology), of an ONNX
        model, a Hugging Face ``config.json`` or a PyTorch profiler trace, or ``gemm:MxNxK`` with
        an optional ``:dtype``, and ``:accumulate`` where it adds to what Y holds. A ``Workload`` is
        taken as it is.
    **parameters : int
        Parameters that the trace declares: ``batch=8, seq=384``; of an ONNX model, its symbolic
        dimensions.

    Raises
    ------
    WorkloadError
        With file, line and column of the first thing that is wrong.
    """
    return import_workload(name, parameters).workload


def load_model(
    name: str | Path | Workload, weights: str | Path, /, **parameters: int
) -> tuple[Workload, dict[str, Array]]:
    """Read a workload and its real weights.

    Parameters
    ----------
    name : str or Path
        As `load_workload` takes it.
    weights : str or Path
        ``.safetensors`` or ``.npz``, or the ONNX model again for the weights inside it.
    **parameters : int
        As `load_workload` takes them.

    Returns
    -------
    Workload
    dict of str to array
        Weights by layer, for ``simulate(..., weights=...)``.

    Raises
    ------
    SimulatorError
        WorkloadError or WeightsError, with one clear line.
    """
    from simulator.importers.model_weights import model_weights

    return model_weights(import_workload(name, parameters), weights, parameters)


def import_workload(name: str | Path | Workload, parameters: Mapping[str, int]) -> Imported:
    """As `load_workload`, with an account of what could not be read.

    Parameters
    ----------
    parameters : mapping of str to int
        Names need not be Python's: ``{"input.2": 640}`` is the third dimension of an ONNX input.
    """
    for key, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 2**31:
            raise WorkloadError(f"{name} {key}", "out of range", got=value, want="1 to 2147483648")
    if isinstance(name, Workload) or str(name).startswith("gemm:"):
        if parameters:
            raise WorkloadError(str(getattr(name, "name", name)), "has no parameters")
        return Imported.whole(name if isinstance(name, Workload) else _gemm(str(name)))
    path = catalog.find(name, "workloads", ".csv", WorkloadError)
    return FORMATS[detect(path)](path, parameters)


def detect(path: Path) -> str:
    """The format of a file, of `FORMATS`: by suffix, and by content where a suffix means several.

    A JSON with ``traceEvents``, compressed or not, is a profiler trace, other JSON a configuration.
    """
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return "onnx"
    if suffix in PICKLES:
        raise WorkloadError(
            str(path), "holds weights, not layers", hint="export the model to ONNX instead"
        )
    if suffix in (".json", ".gz"):
        return "torch-trace" if _is_trace(path) else "hf-config"
    return "csv"


def _is_native(table: Table) -> bool:
    """Whether a CSV is a trace of our own: one that says its version, or whose header has a column
    ``kind``; anything else is read as SCALE-Sim's."""
    header = [cell.text.lower() for cell in table.rows[0].cells]
    return "kind" in header or bool(versions(table))


def _is_trace(path: Path) -> bool:
    """Chrome's trace format: an object with ``traceEvents``, or a bare list of events."""
    from simulator.importers.torch_trace import MAX_FILE_BYTES

    data = read_bytes(path, MAX_FILE_BYTES)
    start = data[:1024].removeprefix(codecs.BOM_UTF8).lstrip()
    return b'"traceEvents"' in data or start.startswith(b"[")


def _gemm(text: str) -> Workload:
    match = _GEMM.fullmatch(text)
    if match is None:
        raise WorkloadError(
            text, "not a GEMM", want="gemm:MxNxK, with :dtype or :accumulate or both behind it"
        )
    m, n, k = (int(size) for size in match.groups()[:3])
    dtype, accumulate = match[4] or "fp16", match[5] is not None
    if dtype not in DTYPE_BITS:
        hint = did_you_mean(dtype, (*DTYPE_BITS, "accumulate"))
        raise WorkloadError(text, "unknown dtype", got=dtype, hint=hint)
    return Workload(text, [Gemm("gemm", m=m, n=n, k=k, dtype=dtype, accumulate=accumulate)])
