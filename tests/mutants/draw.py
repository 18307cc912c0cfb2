"""Which mutants of the shared model code are tried: of all that cosmic-ray makes, a sample.

Each is drawn by a hash of what it changes, so that moved lines and files leave the sample as it is.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from functools import cache
from operator import itemgetter
from pathlib import Path

from cosmic_ray.commands.init import init
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, WorkItem

MODULES = (
    "sparsity/groups", "sparsity/vectors", "sparsity/capability", "traffic", "hardware/energy",
    "workload/lowering", "workload/laid_out", "workload/gathered",
    "schedule/partition", "schedule/classes", "schedule/blocks", "schedule/timing",
    "schedule/masking", "schedule/mapping", "schedule/offers", "schedule/closed_form",
    "schedule/ranking", "schedule/program", "report/account", "report/layer", "report/moved",
    "report/total", "report/audit", "run/power", "run/sampling_plan", "run/sampling_totals",
    "run/sampling",
)  # fmt: skip
SEED, DRAWN = "7", 420
Place = tuple[int, int]


@cache
def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _annotations(path: Path) -> list[tuple[Place, Place]]:
    """Where annotations begin and end, which are never evaluated."""
    notes = [
        note
        for node in ast.walk(tree(path))
        for note in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(note, ast.expr)
    ]
    return [
        ((x.lineno, x.col_offset), (x.end_lineno or x.lineno, x.end_col_offset or 0)) for x in notes
    ]


def _is_evaluated(mutation: MutationSpec) -> bool:
    notes = _annotations(mutation.module_path)
    return not any(start <= mutation.start_pos < end for start, end in notes)


def drawn(modules: list[Path], count: int) -> list[WorkItem]:
    """One mutant each of as many places of evaluated code, those with the smallest hashes.

    A place is an operator's in a line of a function: an addition counts once, however many
    operators it could be replaced by.
    """
    with use_db(":memory:", WorkDB.Mode.create) as everything:
        init(modules, everything, {})
        mutations = [item.mutations[0] for item in everything.work_items]
    kept = [x for x in mutations if _is_evaluated(x)]
    kept.sort(key=lambda x: (x.operator_name, str(x.module_path), x.occurrence))
    alike: Counter[tuple[str, ...]] = Counter()
    places: dict[str, tuple[str, MutationSpec]] = {}
    for mutation in kept:
        kind = mutation.operator_name.partition("_")[0]
        place = (kind, *_place(mutation))
        alike[mutation.operator_name, *place] += 1
        variant = mutation.operator_name, str(alike[mutation.operator_name, *place])
        key = _hash(SEED, *place)
        places[key] = min(
            (_hash(key, *variant), mutation), places.get(key, ("~", mutation)), key=itemgetter(0)
        )
    chosen = sorted(places)[:count]
    print(f"{len(chosen)} mutants drawn of {len(places)} places, {len(kept)} mutants", flush=True)
    return [WorkItem.single(job_id=key, mutation=places[key][1]) for key in chosen]


def _place(mutation: MutationSpec) -> tuple[str, str, str]:
    """Where a mutant is, however its file is called and whatever stands above."""
    line = _lines(mutation.module_path)[mutation.start_pos[0] - 1]
    column = mutation.start_pos[1] - (len(line) - len(line.lstrip()))
    return mutation.definition_name or "", line.strip(), str(column)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
