"""A calibration as a machine's YAML: its base, what differs, and the source of each number."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.hardware.laid_over import Difference, machine_lines
from simulator.validation.calibration import Calibrated, Calibration


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
    lines = [
        f"# {base} as {source} shows it: {len(calibration.rows)} rows, mean absolute error "
        f"{_percent(calibration.before_ratio)} before, {_percent(calibration.after_ratio)} after"
    ]
    given: list[Difference] = [(key, value, "given with --set") for key, value in settings.items()]
    fitted: list[Difference] = [
        (constant.key, float(f"{constant.value:.12g}"), _source(calibration, constant, source))
        for constant in calibration.fitted
    ]
    lines += machine_lines(base, name, [*given, *fitted])
    if calibration.kept:
        lines.append("# Left as they are:")
        lines += [f"#   {key}: {why}" for key, why in calibration.kept.items()]
    return "\n".join(lines) + "\n"


def _source(calibration: Calibration, constant: Calibrated, source: str) -> str:
    return (
        f"fitted to {source}: {constant.shown_by} of {len(calibration.rows)} rows show it, "
        f"spread {_percent(constant.spread_ratio)}, "
        f"standard error {_percent(constant.uncertainty_ratio)}, "
        f"leave-one-out error {_percent(calibration.left_out_ratio)}"
    )


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f} %"
