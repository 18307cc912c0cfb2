"""The article's four claims: which questions they put to runs, and which of them decide.

What a question is, and how its answer becomes a verdict: `simulator.training.verdicts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from simulator.sparsity import Pattern, Unstructured, parse_prunable
from simulator.training.table import DENSE, Cell, RunTable
from simulator.training.verdicts import Claim, ClaimsResult, Question, cell_name, finding_of

LOST = 0.01
"""A network has regained the dense accuracy if it lacks less than this: one point."""
SMALL_GROUP = 8
"""Claim 3 is about groups up to this."""
ALIKE = 0.15
"""Networks are equal in weights where their non-zeros differ by less than this share."""


def claims_of(tables: Iterable[RunTable]) -> ClaimsResult:
    """Every claim, put to each table of runs that compare.

    Parameters
    ----------
    tables : iterable of RunTable
        As `stored_tables` gives them.

    Returns
    -------
    ClaimsResult
        A finding a claim and table; its ``to_frame()`` has a row a question.
    """
    return ClaimsResult(
        tuple((runs, tuple(finding_of(claim, runs) for claim in CLAIMS)) for runs in tables)
    )


def _costs_more(costly: Cell, cheap: Cell, part: str = "", which: str = "") -> Question:
    """That one cell has the larger loss; ``which`` says what the other one is."""
    what = f"{cell_name(costly)} costs more than {cell_name(cheap)}{which}"
    return Question(what, ((1.0, costly), (-1.0, cheap)), part=part)


REGAINS, BEATS_FINETUNING = "regains the dense accuracy at 2:4", "beats finetuning"


def _retrained(runs: RunTable) -> Iterator[Question]:
    """Claim 1. *Regains*: at 2:4, the pattern that the recipe is for, rewinding lacks less than a
    point of the accuracy of the dense network after as many epochs; at others this is told. *Beats
    finetuning*: in loss, at every N:M that was rewound.
    """
    patterns = _by_density({"2:4", *filter(_is_n_m, runs.patterns_of("rewind"))})
    (dense,) = [(DENSE, pattern) for pattern in runs.patterns_of(DENSE)] or [(DENSE, "1:1")]
    for pattern in patterns:
        rewound = ("rewind", pattern)
        yield Question(
            f"rewind {pattern} lacks less than {100 * LOST:g} point of accuracy",
            ((1.0, rewound), (-1.0, dense)),
            "accuracy",
            REGAINS if pattern == "2:4" else "",
            -LOST,
        )
    for pattern in patterns:
        yield _costs_more(("finetune", pattern), ("rewind", pattern), BEATS_FINETUNING)


COST, SPARSER, LARGER = (
    "small groups cost more than zeros anywhere",
    "the more the sparser",
    "larger groups cost less",
)


def _groups(runs: RunTable) -> Iterator[Question]:
    """Claim 2. In loss after rewinding, which decides, and without training, which is told. Of each
    density the smallest group is compared with zeros anywhere and with the largest group. *Cost*
    and *larger* are decided at the sparsest density that has both; *sparser*, by how much more the
    smallest group costs over zeros anywhere at the sparsest density than at the densest one.
    """
    for recipe, decides in (("rewind", True), ("one_shot", False)):
        small, large, anywhere = _ladder(runs, recipe)
        over = [((recipe, small[d]), (recipe, anywhere[d])) for d in sorted(small) if d in anywhere]
        if len(over) < 2:
            over = [((recipe, n_m), (recipe, zeros)) for n_m, zeros in _WANTED_OVER]
        for cells in over:
            yield _costs_more(*cells, COST if decides and cells == over[0] else "")
        (sparse, sparse_any), (dense, dense_any) = over[0], over[-1]
        yield Question(
            f"{cell_name(sparse)} costs more over zeros anywhere than {dense[1]} does",
            ((1.0, sparse), (-1.0, sparse_any), (-1.0, dense), (1.0, dense_any)),
            part=SPARSER if decides else "",
        )
        pairs = [(small[d], large[d]) for d in sorted(small) if small[d] != large[d]]
        for pair in pairs or _WANTED_LARGER:
            part = LARGER if decides and pair == (pairs or _WANTED_LARGER)[0] else ""
            yield _costs_more((recipe, pair[0]), (recipe, pair[1]), part)


_WANTED_OVER = (("1:8", "unstructured:0.125"), ("2:4", "unstructured:0.5"))
_WANTED_LARGER = (("2:4", "8:16"),)
"""What to name as missing where a store has no two patterns of one density."""


def _ladder(runs: RunTable, recipe: str) -> tuple[dict[float, str], ...]:
    """By density: the pattern of the smallest group, of the largest, and zeros anywhere."""
    small: dict[float, str] = {}
    large: dict[float, str] = {}
    anywhere: dict[float, str] = {}
    patterns = [parse_prunable(text) for text in runs.patterns_of(recipe)]
    groups = [one for one in patterns if isinstance(one, Pattern) and not one.is_dense]
    for pattern in sorted(groups, key=lambda one: one.group):
        small.setdefault(float(pattern.density), str(pattern))
        large[float(pattern.density)] = str(pattern)
    for one in patterns:
        if isinstance(one, Unstructured):
            anywhere[float(one.density)] = str(one)
    return small, large, anywhere


BEATS_ITERATION = "better than the best iteration"


def _dropped(runs: RunTable) -> Iterator[Question | str]:
    """Claim 3. In loss, the mean over patterns with groups of 8 at most that both recipes have.
    Decided against the iteration of the least mean loss, so that a poor choice of ramp or rounding
    wins nothing; how targeted dropout does against the others is told, and what each choice costs:
    iterations that differ in one parameter only.
    """
    variants = [name for name in runs.recipes if name.partition("(")[0] == "iterative"]
    dropped = next((n for n in runs.recipes if n.startswith("targeted_dropout")), None)
    if dropped is None or not variants:
        yield from (name for name, known in (("targeted_dropout", dropped), ("iterative", variants))
                    if not known)  # fmt: skip
        return
    patterns = _by_density(filter(_is_small, runs.patterns_of(dropped)))
    shared = [p for p in patterns if all((v, p) in runs.cells for v in variants)]
    if not shared:
        yield f"a pattern up to group {SMALL_GROUP} of {dropped} and every iteration"
        return
    best = min(variants, key=lambda name: _mean_loss(runs, name, shared))
    yield _over(best, dropped, shared, BEATS_ITERATION)
    for variant in variants:
        if variant != best:
            yield _over(variant, dropped, shared)
    for costly, cheap in _one_apart(variants):
        yield _over(costly, cheap, shared)


def _over(costly: str, cheap: str, patterns: Sequence[str], part: str = "") -> Question:
    """That one recipe has the larger loss, on average over some patterns."""
    share = 1.0 / len(patterns)
    terms = [(sign * share, (name, p)) for sign, name in ((1, costly), (-1, cheap))
             for p in patterns]  # fmt: skip
    what = f"{costly} costs more than {cheap} at {', '.join(patterns)}"
    return Question(what, tuple(terms), part=part)


def _by_density(patterns: Iterable[str]) -> list[str]:
    """N:M patterns, the densest and finest first."""
    parsed = [Pattern.parse(text) for text in patterns]
    return [str(one) for one in sorted(parsed, key=lambda one: (-one.density, one.group))]


def _is_small(text: str) -> bool:
    pattern = parse_prunable(text)
    return isinstance(pattern, Pattern) and not pattern.is_dense and pattern.group <= SMALL_GROUP


def _mean_loss(runs: RunTable, recipe: str, patterns: Sequence[str]) -> float:
    """Over patterns and all seeds."""
    losses = [[run.loss for run in runs.cells[recipe, p].values()] for p in patterns]
    return sum(sum(some) / len(some) for some in losses) / len(losses)


def _one_apart(variants: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Iterations that differ in one parameter only: the larger value, or the later word, first."""
    for pair in combinations(sorted(variants, key=_settings, reverse=True), 2):
        first, second = (_settings(name) for name in pair)
        if len(set(first) ^ set(second)) == 2:
            yield pair


def _settings(name: str) -> tuple[tuple[str, str], ...]:
    """The parameters of a recipe, as its name says them."""
    return tuple(re.findall(r"(\w+)=([^,)]+)", name))


EQUAL_WEIGHTS, EQUAL_TIME = "better at equal weights", "better at equal simulated time"


def _narrow(runs: RunTable) -> Iterator[Question | str]:
    """Claim 4. In loss after rewinding; either part is enough. *Equal weights*: every network with
    fewer channels against that of all channels whose non-zeros are nearest, if they differ by less
    than 15 %. *Equal time*: of the networks with all channels the fastest one, against the best one
    (of the least mean loss) with fewer channels that takes no longer; against others this is told.
    """
    narrow = [cell for cell in runs.cells if cell[0].startswith("channels") and _is_n_m(cell[1])]
    wide = [("rewind", text) for text in runs.patterns_of("rewind") if _is_n_m(text)]
    if not narrow or not wide:
        yield from (f"{name} with N:M" for name, known in (("channels", narrow), ("rewind", wide))
                    if not known)  # fmt: skip
        return
    for cell in narrow:
        other = min(wide, key=lambda one: abs(_nonzeros(runs, one) - _nonzeros(runs, cell)))
        if abs(_nonzeros(runs, other) / _nonzeros(runs, cell) - 1) < ALIKE:
            yield _costs_more(other, cell, EQUAL_WEIGHTS, ", which has as many weights")
    times = {cell: time for cell in (*narrow, *wide) if (time := runs.time_ns(cell)) is not None}
    if len(times) < len(narrow) + len(wide):
        yield "simulated times (--simulate MACHINE)"
        return
    by_time = sorted(wide, key=times.__getitem__)
    for other in by_time:
        quick = [cell for cell in narrow if times[cell] <= times[other]]
        if quick:
            best = min(quick, key=lambda cell: _mean_loss(runs, cell[0], [cell[1]]))
            part = EQUAL_TIME if other == by_time[0] else ""
            yield _costs_more(other, best, part, ", which is no slower")


def _is_n_m(text: str) -> bool:
    pattern = parse_prunable(text)
    return isinstance(pattern, Pattern) and not pattern.is_dense


def _nonzeros(runs: RunTable, cell: Cell) -> float:
    found = [run.nonzeros for run in runs.cells[cell].values()]
    return sum(found) / len(found)


CLAIMS = (
    Claim(
        "Pruned once and trained again with the original schedule, a network regains the dense "
        "accuracy and beats finetuning",
        (REGAINS, BEATS_FINETUNING),
        _retrained,
    ),
    Claim(
        "Small groups cost more than zeros anywhere at the same density, and the more the sparser; "
        "larger groups cost less",
        (COST, SPARSER, LARGER),
        _groups,
    ),
    Claim(
        "Targeted dropout does better than iterative pruning for small groups",
        (BEATS_ITERATION,),
        _dropped,
    ),
    Claim(
        "Fewer channels, with N:M on what is left, do better than N:M alone",
        (EQUAL_WEIGHTS, EQUAL_TIME),
        _narrow,
        any_part=True,
    ),
)
"""In the order of the article."""
