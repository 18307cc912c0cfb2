"""The command `nmsim calibrate`: constants of a machine, from one's own measurements."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import completing
from simulator.cli.options import Settings, settings_of
from simulator.cli.screen import WARNING, note_lines

if TYPE_CHECKING:
    from simulator.cli.grid import Grid
    from simulator.cli.tables import Part
    from simulator.validation.calibration import Calibration

FORMATS = {".yaml": "yaml", ".yml": "yaml"}


def calibrate(
    measurements: Annotated[
        Path,
        typer.Argument(
            metavar="MEASUREMENTS",
            help="CSV with columns m, n, k and time_us (or _ns, _ms, _s), and where they vary "
            "dtype, pattern and batch; note is not read.",
        ),
    ],
    machine: Annotated[
        str,
        typer.Option(
            "--machine",
            metavar="NAME",
            help="Preset or YAML file to start from.",
            autocompletion=completing.HARDWARE,
        ),
    ],
    fit: Annotated[
        list[str] | None,
        typer.Option(
            "--fit",
            metavar="KEY",
            help="Only this constant; may be repeated: kernel_start_ns, core.barrier_cycles, "
            "core.scratchpad.efficiency_ratio, memory.dram.efficiency_ratio, clock_hz. Default: "
            "all but clock_hz, as far as the rows identify them.",
        ),
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Print every measured row beside the model's, too.")
    ] = False,
    settings: Settings = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write the fitted machine into this file: .yaml."
        ),
    ] = None,
) -> None:
    """Fit a machine's physical constants to products that you measured on yours."""
    from simulator.cli import output as out
    from simulator.cli.progress import points_bar
    from simulator.cli.tables import render
    from simulator.hardware import load_hardware
    from simulator.hardware.laid_over import base_name
    from simulator.validation.calibrated_machine import machine_yaml
    from simulator.validation.calibration import calibrate as fitted_to
    from simulator.validation.measured import read_measurements

    out.check_target(output)
    out.check_apart({"-o": output}, measurements, machine)
    if output is not None and not out.is_stream(output):
        out.check_suffix(output, FORMATS)
    changes = settings_of(settings)
    hardware = load_hardware(machine, changes)
    measured = read_measurements(measurements, hardware)
    with points_bar() as progress:
        calibration = fitted_to(hardware, measured, fit or (), progress)
    if output is not None:
        base = base_name(machine, output)
        name = output.stem or f"{hardware.name}-calibrated"
        text = machine_yaml(calibration, base, measurements.name, changes, name)
        out.write(text.encode(), output)
    out.write(render(calibration_parts(calibration, measurements.name, rows)).encode(), None)


def calibration_parts(calibration: Calibration, source: str, rows: bool) -> Iterable[Part]:
    """What was fitted and how firmly, what was not and why; where asked for, every row."""
    from simulator.validation.constants import value_of

    yield (
        f"{source} on {calibration.hardware.name}: {len(calibration.rows)} rows, mean absolute "
        f"error {100 * calibration.before_ratio:.1f} % before, "
        f"{100 * calibration.after_ratio:.1f} % after"
    )
    yield from note_lines(WARNING + doubt for doubt in calibration.doubts)
    yield ""
    yield _fitted(calibration)
    if calibration.kept:
        yield ""
    for key, why in calibration.kept.items():
        yield f"Left as it is: {key}, {value_of(calibration.hardware, key):g}: {why}"
    if rows:
        yield ""
        yield _rows(calibration)


FITTED_COLUMNS = ("constant", "was", "fitted", "rows", "spread %", "± %", "left out %", "means")


def _fitted(calibration: Calibration) -> Grid:
    from simulator.cli.grid import Grid, headings

    made = Grid(
        "Fitted; rows show it; spread without each row, standard error, error on rows left out",
        headings(FITTED_COLUMNS, word=["constant"], prose=["means"]),
        drops=["means"],
    )
    for one in calibration.fitted:
        ratios = one.spread_ratio, one.uncertainty_ratio, calibration.left_out_ratio
        made.add_row(
            one.key,
            f"{one.before:g}" if one.before < 1e6 else f"{one.before:.4g}",
            f"{one.value:g}" if one.value < 1e6 else f"{one.value:.4g}",
            str(one.shown_by),
            *(f"{100 * ratio:.1f}" for ratio in ratios),
            one.constant.means,
        )
    return made


def _rows(calibration: Calibration) -> Grid:
    from simulator.cli.grid import Grid, headings

    titles = ["product", "dtype", "pattern", "measured µs", "predicted µs", "before %", "after %"]
    made = Grid("Rows: error before and after", headings(titles, word=titles[:3]))
    errors = zip(
        calibration.errors(calibration.before_ns),
        calibration.errors(calibration.after_ns),
        strict=True,
    )
    for row, after_ns, (before, after) in zip(
        calibration.rows, calibration.after_ns, errors, strict=True
    ):
        made.add_row(
            row.label,
            row.gemm.dtype,
            str(row.gemm.pattern),
            f"{row.time_ns / 1e3:,.2f}",
            f"{after_ns / 1e3:,.2f}",
            f"{100 * before:+.1f}",
            f"{100 * after:+.1f}",
        )
    return made
