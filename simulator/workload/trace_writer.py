"""``Workload -> CSV``: the native layer trace, which `read_trace` reads back as it was."""

from __future__ import annotations

from simulator.catalog import CONTROL
from simulator.errors import ConfigError, WorkloadError, did_you_mean
from simulator.sparsity import parse_pattern
from simulator.workload.attention import SIZES, Attention
from simulator.workload.columns import COLUMNS, DEFAULTS
from simulator.workload.comments import VERSION_LINE
from simulator.workload.layer import LISTED, Conv, Gemm, Layer, Matmul, Stream, Workload
from simulator.workload.operators import OPERATORS, parts_of

MEANT = {name: text for name, text in DEFAULTS.items() if name not in ("kernel", "stride")}
"""What is left out, since an empty cell means it; windows are always written."""


def write_trace(workload: Workload) -> str:
    """The text of a native trace.

    The name and the notes of a workload become comments, of which `read_trace` keeps the notes; a
    trace is named by its file.

    Returns
    -------
    str
        A CSV: its version and other comments, a header, one layer a line.

    Raises
    ------
    WorkloadError
        If a layer's name, kind or density cannot stand in a CSV.
    """
    rows = [_cells(layer) for layer in workload.layers]
    filled = [column.name for column in COLUMNS if any(row.get(column.name) for row in rows)]
    lines = [VERSION_LINE, _comment(f"Layers of {workload.name}.")]
    lines += [_comment(f"Note: {note}") for note in workload.notes]
    if workload.blocks > 1:
        lines.append(f"# blocks: {workload.blocks}")
    if workload.stack != LISTED:
        lines.append(f"# stack: {workload.stack}")
    lines.append(",".join(filled))
    lines += [",".join(_quoted(row.get(column, "")) for column in filled) for row in rows]
    return "\n".join(lines) + "\n"


def _cells(layer: Layer) -> dict[str, str]:
    """A layer's cells by column; what an empty cell means is left out."""
    cells = {"name": _name(layer), "repeat": str(layer.repeat), "dtype": layer.dtype}
    cells["inputs"] = _inputs(layer)
    if not isinstance(layer, Stream):
        cells["epilogue"] = _operators(layer.epilogue, f"{layer.name}.epilogue")
    if isinstance(layer, Gemm | Conv):
        cells["accumulate"] = str(int(layer.accumulate))
    if isinstance(layer, Conv):
        cells |= {"kind": "conv", "ceil_output": str(int(layer.ceil_output))}
        for key in ("in_channels", "in_h", "in_w", "out_channels", "groups", "batch"):
            cells[key] = str(getattr(layer, key))
        for key in ("kernel", "stride", "dilation"):
            cells[key] = _sizes(layer.pair(key))
        cells["padding"] = _sizes(layer.pads)
    elif isinstance(layer, Gemm | Matmul):
        cells["kind"] = "linear" if isinstance(layer, Gemm) else "matmul"
        cells |= {key: str(getattr(layer, key)) for key in ("m", "n", "k", "batch")}
        if isinstance(layer, Matmul):
            cells["cached"] = str(int(layer.cached))
    elif isinstance(layer, Attention):
        cells |= {"kind": "attention"} | {key: str(getattr(layer, key)) for key in SIZES}
        cells |= {key: str(int(getattr(layer, key))) for key in ("causal", "cached")}
    else:
        cells |= {"kind": _operators(parts_of(layer.op), f"{layer.name}.op")}
        cells |= {"reads": str(layer.reads), "writes": str(layer.writes)}
        if (layer.passes, layer.row) != (1, None):
            cells |= {"passes": str(layer.passes), "row": str(layer.row or "")}
    if isinstance(layer, Gemm | Conv) and layer.pattern is not None:
        cells["pattern"] = _pattern(layer)
    return {key: text for key, text in cells.items() if MEANT.get(key) != text}


def _name(layer: Layer) -> str:
    name = layer.name
    is_line = name.splitlines() == [name] and name == name.strip() and not CONTROL.search(name)
    if not is_line or not _is_utf8(name):
        raise WorkloadError(
            f"layer {name!r}", "its name cannot stand in a CSV", want="one line of text"
        )
    return name


def _operators(ops: tuple[str, ...], where: str) -> str:
    for op in ops:
        if op not in OPERATORS:
            hint = did_you_mean(op, OPERATORS)
            raise WorkloadError(where, "a trace has no such operator", got=op, hint=hint)
    return "+".join(ops)


def _inputs(layer: Layer) -> str:
    """Names with blanks between, or with a semicolon behind each where one holds a blank."""
    for name in layer.inputs:
        if ";" in name or name != name.strip():
            raise WorkloadError(
                f"layer {layer.name!r}", "the name of an input cannot stand in a CSV", got=name,
                want="no semicolon, and no blanks around it",
            )  # fmt: skip
    if any(len(name.split()) > 1 for name in layer.inputs):
        return "".join(f"{name};" for name in layer.inputs)
    return " ".join(layer.inputs)


def _pattern(layer: Gemm | Conv) -> str:
    text = str(layer.pattern)
    try:
        is_read_back = parse_pattern(text) == layer.pattern
    except ConfigError:  # unstructured:3.33333e-08
        is_read_back = False
    if not is_read_back:
        raise WorkloadError(
            f"{layer.name}.pattern", "its density cannot stand in a CSV", want="nine digits or less"
        )
    return text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _sizes(sizes: tuple[int, ...]) -> str:
    """One number where all are equal, else ``3x1``."""
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))


def _quoted(text: str) -> str:
    if text.startswith("#") or any(mark in text for mark in ',";'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _comment(text: str) -> str:
    return "# " + " ".join(text.encode(errors="replace").decode().split())
