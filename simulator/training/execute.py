"""``TrainSpec -> RunTable``: every run of a plan, one process a core, into a store of qualities."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from simulator.errors import SpecError
from simulator.hardware import Hardware, load_hardware
from simulator.quality.measured import Measured, Qualities, stored_figures, stored_layers
from simulator.training.exported import Exported, export_network
from simulator.training.layers import check_layers
from simulator.training.plan import THREADS, Job, Plan, Start, plan_of, torch_version
from simulator.training.shrinking import State
from simulator.training.spec import TrainSpec
from simulator.training.starts import Starts
from simulator.training.table import Run, RunTable, recipe_named
from simulator.training.timed import Timing, timed
from simulator.training.train import Outcome, train_dense, train_recipe
from simulator.version import __version__
from simulator.workers.dispatch import Dispatch
from simulator.workers.executors import pool_of
from simulator.workers.pool import Pool

RunProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Shared:
    """What the workers are given.

    Attributes
    ----------
    export : Path or None
        Folder that ONNX files are written to.
    """

    plan: Plan
    starts: Starts
    export: Path | None


def train(
    spec: TrainSpec | Mapping[str, Any] | str | Path,
    *,
    store: str | Path | None = None,
    workers: int | None = None,
    executor: str = "processes",
    export: str | Path | None = None,
    against: str | None = None,
    simulate: Hardware | str | Path | None = None,
    samples: int = 1,
    progress: RunProgress | None = None,
) -> RunTable:
    """Train every network of a recipe file, under every pattern, with every seed.

    Parameters
    ----------
    spec : TrainSpec, mapping, str or Path
        A YAML file, or a mapping with the same keys, which `TrainSpec` lists.
    store : str or Path, optional
        File that keeps the rows, beside it a folder ``<store>.networks`` of dense networks; what is
        there is not trained again. Default: nothing is kept.
    workers : int, optional
        Default: one a core. One thread each.
    executor : {"processes", "threads", "serial"}
    export : str or Path, optional
        Folder for ONNX files, one a run; made if missing.
    against : str, optional
        The recipe that others are compared with, by its name or kind; default: `dense`, if it is
        among them.
    simulate : Hardware, str or Path, optional
        Time every network on this machine, instead of the one that the spec names.
    samples : int
        That run at once there.
    progress : callable, optional
        Called with (networks settled, networks in all), dense ones to start from included.

    Returns
    -------
    RunTable
        In the order of the spec.

    Raises
    ------
    SimulatorError
        SpecError or TrainingError if training cannot start, or fails; StoreError; OutputError.
    """
    timing = None if simulate is None else Timing(load_hardware(simulate), samples)
    spec = TrainSpec.load(spec)
    plan = plan_of(spec, timing)
    against = recipe_named(against, plan.recipes)
    with Qualities(store) as opened, _starts(store) as starts:
        shared = Shared(plan, starts, None if export is None else Path(export))
        kept = opened if shared.export is None else Exported(opened, shared.export, plan.jobs)
        known = kept.known([job.key for job in plan.jobs])
        missing = [job for job in plan.jobs if job.key not in known]
        if missing:
            check_layers(plan.setup, missing, spec)
            count = _counting(progress, len(plan.jobs) - len(missing), missing)
            executor = "serial" if workers == 1 and executor == "processes" else executor
            with pool_of(executor, workers, None) as pool:
                _fill(shared, missing, kept, pool, count)
        rows = opened.rows([job.key for job in plan.jobs])
        notes = (f"{opened.path}: {opened.changes}; trained again",) if opened.changed else ()
    runs = timed(zip(map(Run.of, rows), rows, strict=True), plan.timing)
    return RunTable(tuple(runs), against, notes)


def _fill(
    shared: Shared,
    missing: Sequence[Job],
    kept: Qualities | Exported,
    pool: Pool,
    count: Callable[[int], None],
) -> None:
    """Train what is missing: first dense networks, then what starts from them, seed by seed."""
    by_seed = sorted(missing, key=lambda job: job.seed)
    seeds = dict.fromkeys(job.seed for job in by_seed)
    first = [shared.plan.start(seed) for seed in seeds]
    Dispatch(partial(_train_starts, shared), shared.starts, pool, settled=count, largest=1).run(
        first
    )
    Dispatch(partial(_train_jobs, shared), kept, pool, settled=count, largest=1).run(by_seed)


def _counting(
    progress: RunProgress | None, known: int, missing: Sequence[Job]
) -> Callable[[int], None]:
    """Adds up what is settled, for whoever wants to see it."""
    settled = known
    total = known + len(missing) + len({job.seed for job in missing})

    def count(networks: int) -> None:
        nonlocal settled
        settled += networks
        if progress is not None:
            progress(settled, total)

    return count


@contextmanager
def _starts(store: str | Path | None) -> Iterator[Starts]:
    """Dense networks beside the store, or for as long as nobody keeps anything."""
    if store is not None:
        yield Starts(Path(f"{store}.networks"))
        return
    with TemporaryDirectory(prefix="nmsim-") as folder:
        yield Starts(Path(folder))


def _train_starts(shared: Shared, starts: Sequence[Start]) -> list[Start]:
    """Train some dense networks; this is what runs in workers, as is `_train_jobs`."""
    for start in starts:
        shared.starts.write(start.key, train_dense(shared.plan.setup, start.seed))
    return list(starts)


def _train_jobs(shared: Shared, jobs: Sequence[Job]) -> list[Measured]:
    """Train and measure some networks."""
    return [_measured(shared, job) for job in jobs]


def _measured(shared: Shared, job: Job) -> Measured:
    """One run and its row."""
    setup, started = shared.plan.setup, time.perf_counter()
    outcome = train_recipe(setup, job.seed, job.recipe, job.pattern, _start(shared, job.seed))
    for name, figure in outcome.figures.items():
        if not math.isfinite(figure.value):
            raise SpecError(job.name, f"{name} is no number", got=figure.value)
    elapsed_s = time.perf_counter() - started
    if shared.export is not None:
        export_network(setup, outcome, shared.export, job)
    return Measured(
        key=job.key,
        network=setup.network.name,
        digest=shared.plan.digest,
        task=setup.task.kind,
        method=job.recipe.name,
        pattern=job.pattern,
        dense="|".join(setup.dense),
        seed=job.seed,
        figures=stored_figures(outcome.figures),
        layers=stored_layers(outcome.layers),
        nonzeros=outcome.nonzeros,
        weights=outcome.weights,
        trace=outcome.trace,
        provenance=_provenance(shared.plan, outcome),
        elapsed_s=elapsed_s,
    )


def _start(shared: Shared, seed: int) -> State:
    """The dense network of a seed; trained anew if someone took its file away."""
    state = shared.starts.read(shared.plan.start(seed).key)
    return train_dense(shared.plan.setup, seed) if state is None else state


def _provenance(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """What a reader may need to do it again; figures are the same to the last bit only on the same
    kind of processor.
    """
    return {
        "epochs": plan.setup.epochs,
        "steps": outcome.steps,
        "learning_rate": plan.setup.learning_rate,
        "batch": plan.setup.batch,
        "threads": THREADS,
        "nmsim": __version__,
        "torch": torch_version(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
