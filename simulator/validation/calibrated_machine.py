"""A calibration as a machine's YAML: its base, what differs, and the source of each number."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simulator.validation.calibration import Calibrated, Calibration

Tree = dict[str, Any]
"""Of a value and its comment, a pair of texts, below each key."""


def machine_yaml(
    calibration: Calibration, base: str, source: str, settings: Mapping[str, object], name: str
) -> str:
    """The machine that was calibrated.

    Parameters
    ----------
    base : str
        Preset or file that it is laid over.
    source : str
        What the measurements are called.
    settings : mapping
        What else it differs from its base in, by dotted key.
    """
    rows = len(calibration.rows)
    lines = [
        f"# {base} as {source} shows it: {rows} rows, mean absolute error "
        f"{_percent(calibration.before_ratio)} before, {_percent(calibration.after_ratio)} after",
        f"base: {json.dumps(base, ensure_ascii=False)}",
        f"name: {json.dumps(name, ensure_ascii=False)}",
    ]
    tree: Tree = {}
    for key, value in settings.items():
        _put(tree, key, json.dumps(value, ensure_ascii=False), "given with --set")
    for constant in calibration.fitted:
        _put(tree, constant.key, f"{constant.value:.12g}", _source(calibration, constant, source))
    lines += _lines(tree, 0)
    if calibration.kept:
        lines.append("# Left as they are:")
        lines += [f"#   {key}: {why}" for key, why in calibration.kept.items()]
    return "\n".join(lines) + "\n"


def base_name(machine: str, output: Path) -> str:
    """What the file at ``output`` calls its base: a preset by name, a file from there."""
    if not Path(machine).is_file():
        return machine
    return os.path.relpath(Path(machine).resolve(), output.resolve().parent)


def _source(calibration: Calibration, constant: Calibrated, source: str) -> str:
    return (
        f"fitted to {source}: {constant.shown_by} of {len(calibration.rows)} rows show it, "
        f"spread {_percent(constant.spread_ratio)}, "
        f"standard error {_percent(constant.uncertainty_ratio)}, "
        f"leave-one-out error {_percent(calibration.left_out_ratio)}"
    )


def _put(tree: Tree, key: str, value: str, comment: str) -> None:
    *sections, last = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[last] = value, comment


def _lines(tree: Tree, depth: int) -> Iterator[str]:
    for key, below in tree.items():
        if isinstance(below, dict):
            yield f"{'  ' * depth}{key}:"
            yield from _lines(below, depth + 1)
        else:
            value, comment = below
            yield f"{'  ' * depth}{key}: {value}  # {comment}"


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f} %"
