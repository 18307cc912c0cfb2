"""What must hold of every way to prune, whatever the weights, the inputs and the pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.sparsity import Pattern
from simulator.weights.compliance import check_compliance
from simulator.weights.masks import magnitude_mask
from simulator.weights.methods import METHODS, prune_rows, reconstruction_error
from tests.naive_pruning import gram_of, groups_of


@dataclass(frozen=True)
class Case:
    """A layer and what it is fed; some inputs are always zero, some weights are."""

    method: str
    pattern: Pattern
    rows: np.ndarray
    gram: np.ndarray
    run: int
    damping: float

    def pruned(self, rows: np.ndarray, gram: np.ndarray) -> np.ndarray:
        return prune_rows(rows, self.pattern, self.method, gram, self.damping, run=self.run)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    group = draw(st.integers(1, 17))
    pattern = Pattern(draw(st.integers(1, group)), group)
    run, positions = draw(st.integers(1, 24)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    k = run * positions
    rows = rng.standard_normal((draw(st.integers(1, 5)), k)) * 10.0 ** draw(st.integers(-4, 4))
    rows[rng.random(rows.shape) < draw(st.sampled_from([0, 0.4]))] = 0
    dead = rng.random(k) < draw(st.sampled_from([0, 0.3]))
    dead[rng.integers(k)] = False
    gram = gram_of(rng, k, draw(st.sampled_from([0, 0.5, 0.95])))
    gram[dead] = gram[:, dead] = 0
    kind = draw(st.sampled_from([np.float32, np.float64]))
    damping = draw(st.sampled_from([0.001, 0.01, 1.0]))
    return Case(draw(st.sampled_from([*METHODS])), pattern, rows.astype(kind), gram, run, damping)


@settings(deadline=None)
@given(cases())
def test_pruned_rows_comply_and_are_finite(case: Case) -> None:
    pruned = case.pruned(case.rows, case.gram)
    assert pruned.shape == case.rows.shape
    assert pruned.dtype == case.rows.dtype
    assert np.isfinite(pruned).all()
    assert check_compliance(pruned.reshape(-1, case.run), case.pattern).complies
    for group in groups_of(case.rows.shape[1], case.pattern, case.run):
        had = np.count_nonzero(case.rows[:, list(group)], axis=1)
        has = np.count_nonzero(pruned[:, list(group)], axis=1)
        if case.method != "sparsegpt" or (had == len(group)).all():
            assert (has == np.minimum(had, case.pattern.keep)).all()
    if case.method != "sparsegpt":  # which may make up for others in slots that are free
        changed = pruned != case.rows
        assert not pruned[changed].any()


@settings(deadline=None)
@given(cases())
def test_weights_that_comply_already_stay(case: Case) -> None:
    """Pruning twice is pruning once; nothing is lost, so there is nothing to make up for."""
    once = case.pruned(case.rows, case.gram)
    twice = case.pruned(once, case.gram)
    np.testing.assert_allclose(twice, once, rtol=1e-5, atol=1e-7 * np.abs(once).max())


@settings(deadline=None)
@given(cases(), st.integers(-6, 6), st.integers(-6, 6))
def test_scaled_rows_and_inputs_are_pruned_alike(case: Case, rows: int, inputs: int) -> None:
    """By powers of two, to the last bit: every row by another one, all inputs by one."""
    scales = 2.0 ** (rows + np.arange(len(case.rows)))[:, None]
    scaled = (case.rows * scales).astype(case.rows.dtype)
    expected = case.pruned(case.rows, case.gram) * scales
    np.testing.assert_array_equal(case.pruned(scaled, case.gram * 4.0**inputs), expected)


@settings(deadline=None)
@given(cases())
def test_rows_are_pruned_one_by_one(case: Case) -> None:
    """No row knows of another."""
    alone = [case.pruned(case.rows[at : at + 1], case.gram)[0] for at in range(len(case.rows))]
    together = case.pruned(case.rows, case.gram)
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6 * np.abs(case.rows).max())


@settings(deadline=None)
@given(cases())
def test_of_equal_inputs_all_methods_are_magnitude(case: Case) -> None:
    gram = np.eye(case.rows.shape[1])
    mask = magnitude_mask(case.rows.reshape(-1, case.run), case.pattern).reshape(case.rows.shape)
    pruned = case.pruned(case.rows, gram)
    np.testing.assert_array_equal(pruned, np.where(mask, case.rows, 0))
    error = reconstruction_error(case.rows, pruned, gram)
    wide = case.rows.astype(np.float64)
    total = np.sum(wide**2)
    expected = np.sum(np.where(mask, 0, wide) ** 2) / total if total else 0.0
    assert abs(error - expected) < 1e-12


@settings(deadline=None)
@given(cases())
def test_dead_inputs_change_nothing_for_others(case: Case) -> None:
    """A whole group of inputs that are always zero, in front of every run."""
    if case.run % case.pattern.group:
        return

    def widened(rows: np.ndarray) -> np.ndarray:
        runs = rows.reshape(len(rows), -1, case.run)
        wider = np.ones((len(rows), runs.shape[1], case.pattern.group + case.run), rows.dtype)
        wider[:, :, case.pattern.group :] = runs
        return wider.reshape(len(rows), -1)

    alive = widened(np.ones((1, case.rows.shape[1])) * 2)[0] == 2
    gram = np.zeros((len(alive), len(alive)))
    gram[np.ix_(alive, alive)] = case.gram
    wide = Case(
        case.method, case.pattern, widened(case.rows), gram, case.run + case.pattern.group,
        case.damping,
    )  # fmt: skip
    np.testing.assert_allclose(
        wide.pruned(wide.rows, gram)[:, alive], case.pruned(case.rows, case.gram),
        rtol=1e-5, atol=1e-6 * np.abs(case.rows).max(initial=0),
    )  # fmt: skip
