"""Claims put to runs: questions, answers with error bars, verdicts.

A claim is made of questions. Each asks whether a weighted sum of a figure over some cells (a recipe
and a pattern) lies above a bound, and is answered by the seeds that all of its cells have: the sum
is taken seed by seed, so that what seeds have in common falls out, and its mean has a 95 % interval
by Student's t. The answer *holds* where the interval lies above the bound, *does not* where it lies
below, and is *undecided* between. Questions that name a part of their claim decide that part, which
holds if all of them hold, and does not if one does not; other questions are told, and decide
nothing. How the parts decide is said with each claim.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from simulator.described.trainings import ANSWERS
from simulator.training.paired import Paired, Verdict
from simulator.training.table import DENSE, Cell, Run, RunTable

if TYPE_CHECKING:
    import pandas as pd

Figure = Literal["accuracy", "loss"]


@dataclass(frozen=True)
class Question:
    """Whether the sum of some terms lies above a bound.

    Attributes
    ----------
    what : str
        The answer if it does, as a sentence without its full stop.
    terms : tuple of (float, Cell)
    part : str
        The part of its claim that it decides; empty if it is only told.
    above : float
        The bound.
    """

    what: str
    terms: tuple[tuple[float, Cell], ...]
    figure: Figure = "loss"
    part: str = ""
    above: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A question, and what the runs say."""

    question: Question
    paired: Paired

    @property
    def verdict(self) -> Verdict:
        return self.paired.above(self.question.above)


@dataclass(frozen=True)
class Claim:
    """What the article says, and how it is tested.

    Attributes
    ----------
    text : str
    parts : tuple of str
        What has to be shown.
    questions : callable
        What to ask of a table of runs; a text is what is missing to ask at all.
    any_part : bool
        Whether one part suffices; otherwise all have to hold.
    """

    text: str
    parts: tuple[str, ...]
    questions: Callable[[RunTable], Iterable[Question | str]]
    any_part: bool = False


@dataclass(frozen=True)
class Finding:
    """A claim, what was answered, and which cells are missing for an answer."""

    claim: Claim
    answers: tuple[Answer, ...]
    missing: tuple[str, ...]

    @cached_property
    def parts(self) -> dict[str, Verdict | None]:
        """The verdict on each part; None where no runs were there to ask."""
        verdicts = {
            part: [answer.verdict for answer in self.answers if answer.question.part == part]
            for part in self.claim.parts
        }
        return {part: _all_of(some) if some else None for part, some in verdicts.items()}

    @property
    def verdict(self) -> Verdict | None:
        """On the claim; None where a part that it needs could not be asked."""
        known = [verdict for verdict in self.parts.values() if verdict is not None]
        if self.claim.any_part:
            return _any_of(known) if known else None
        if "does not" in known:
            return "does not"
        return _all_of(known) if len(known) == len(self.parts) else None


def _all_of(verdicts: Sequence[Verdict]) -> Verdict:
    if "does not" in verdicts:
        return "does not"
    return "undecided" if "undecided" in verdicts else "holds"


def _any_of(verdicts: Sequence[Verdict]) -> Verdict:
    if "holds" in verdicts:
        return "holds"
    return "undecided" if "undecided" in verdicts else "does not"


def finding_of(claim: Claim, runs: RunTable) -> Finding:
    """A claim, put to runs that compare."""
    answers: list[Answer] = []
    missing: dict[str, None] = {}
    for question in claim.questions(runs):
        if isinstance(question, str):
            missing[question] = None
            continue
        paired = None
        lacking = [cell for _, cell in question.terms if cell not in runs.cells]
        if not lacking:
            paired = runs.paired(question.figure, question.terms)
        if paired is not None:
            answers.append(Answer(question, paired))
        elif question.part:
            names = [" ".join(cell) for cell in lacking]
            shared = " and ".join(cell_name(cell) for _, cell in question.terms)
            missing |= dict.fromkeys(names or [f"a seed that {shared} share"])
    return Finding(claim, tuple(answers), tuple(missing))


def cell_name(cell: Cell) -> str:
    """``rewind 2:4``, ``dense``."""
    return cell[0] if cell[0] == DENSE else f"{cell[0]} {cell[1]}"


@dataclass(frozen=True)
class ClaimsResult:
    """What `nmsim train --claims` found, of each setup that the runs were made with."""

    setups: tuple[tuple[RunTable, tuple[Finding, ...]], ...]

    def records(self) -> list[dict[str, object]]:
        """A row an answer; see `ANSWER_COLUMNS`."""
        return [
            dict(zip(ANSWER_COLUMNS, _record(table.runs[0], number, answer), strict=True))
            for table, findings in self.setups
            for number, finding in enumerate(findings, 1)
            for answer in finding.answers
        ]

    def to_frame(self) -> pd.DataFrame:
        """A row an answer."""
        import pandas as pd

        frame = pd.DataFrame(self.records(), columns=ANSWER_COLUMNS)
        frame.attrs = ANSWERS.attrs(ANSWER_COLUMNS)
        return frame

    def to_json(self) -> str:
        """Claims with their parts, verdicts and answers."""
        claims = [
            {
                "claim": finding.claim.text,
                "verdict": finding.verdict,
                "parts": finding.parts,
                "missing": finding.missing,
            }
            for _, findings in self.setups
            for finding in findings
        ]
        finite = [
            {name: None if value in (math.inf, -math.inf) else value for name, value in row.items()}
            for row in self.records()
        ]
        return json.dumps({"claims": claims, "answers": finite}, indent=2)


ANSWER_COLUMNS = [
    "task", "network", "setup", "claim", "part", "question", "figure", "above", "mean", "error",
    "seeds", "low", "high", "verdict",
]  # fmt: skip
"""Of a CSV of claims; ``part`` is empty where an answer decides nothing, ``low`` to ``high`` is
the 95 % interval."""


def _record(run: Run, claim: int, answer: Answer) -> tuple[object, ...]:
    asked, paired = answer.question, answer.paired
    return (
        run.task, run.network, run.setup, claim, asked.part, asked.what, asked.figure, asked.above,
        paired.mean, paired.error, paired.seeds, *paired.interval, answer.verdict,
    )  # fmt: skip
