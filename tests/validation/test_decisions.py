"""Does the model say whether sparse weights make a network faster, as people found it?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from results import result_of

from simulator import compare, load_workload
from simulator.decisions.trust import Band
from simulator.validation import decisions, tables
from simulator.validation.advised import Decision, advised_gain, decisions_told
from simulator.validation.decisions import Verdict, decided, verdict
from simulator.validation.sparse_stacks import SOFTWARE, faster_transformer_kernels, paced


def _row(**wanted: str) -> dict[str, str]:
    """The only row with those cells."""
    (row,) = [row for row in tables.read(decisions.TABLE) if wanted.items() <= row.items()]
    return row


@pytest.mark.slow
def test_nine_of_ten_decisions_are_right_or_make_no_matter() -> None:
    points = result_of("decisions").points
    told = decided(points)
    assert sum(told.values()) == len(points) == 33
    assert told[Verdict.WRONG] <= len(points) / 10
    assert told[Verdict.RIGHT] > len(points) / 2


def test_every_row_has_its_software() -> None:
    assert {row["software"] for row in tables.read(decisions.TABLE)} == set(SOFTWARE)


@pytest.mark.slow
def test_networks_are_all_rows_but_the_layer_by_itself() -> None:
    points, networks = result_of("decisions").points, result_of("networks-24").points
    assert [point for point in points if point not in networks] == [points[-1]]


@pytest.mark.parametrize(
    ("measured", "predicted", "told"),
    [
        (1.2, 1.1, Verdict.RIGHT),
        (0.8, 0.9, Verdict.RIGHT),
        (1.2, 1.04, Verdict.TIE),
        (0.8, 1.04, Verdict.TIE),
        (0.97, 1.3, Verdict.WRONG),
        (1.0, 1.3, Verdict.WRONG),
        (1.0, 0.7, Verdict.WRONG),
        (0.8, 1.1, Verdict.WRONG),
        (1.2, 0.9, Verdict.WRONG),
    ],
)
def test_a_verdict_is_of_the_side_of_one(measured: float, predicted: float, told: Verdict) -> None:
    """Only the model calls a tie, within the band of the machine."""
    assert verdict(measured, predicted, Band("some", 0.05, 8, ("set",))) is told


def test_without_a_band_next_to_nothing_is_a_tie() -> None:
    assert verdict(0.9, 1.0005, None) is Verdict.TIE
    assert verdict(1.2, 1.01, None) is Verdict.RIGHT


@pytest.mark.slow
def test_nine_of_ten_advised_decisions_are_right_or_called_a_tie() -> None:
    """Of plain runs of the preset; what is wrong says why."""
    told = decisions_told()
    assert [one.label for one in told] == [point.label for point in result_of("decisions").points]
    wrong = [one for one in told if one.of_advised is Verdict.WRONG]
    assert len(wrong) <= len(told) / 10
    assert all(one.reason and one.host for one in wrong)
    assert not any(
        one.reason for one in told if Verdict.WRONG not in (one.of_predicted, one.of_advised)
    )


@pytest.mark.slow
def test_what_is_advised_is_what_compare_prints() -> None:
    row = _row(software="FasterTransformer", dtype="fp16", batch="8", seq="128")
    network = load_workload("bert-base", batch=8, seq=128)
    compared = compare("a100-sxm4-80gb", network, ["1:1", "2:4"])
    assert advised_gain(row) == compared.speedup(compared.reports[1])


def test_a_wrong_row_without_a_host_says_that_nothing_explains_it() -> None:
    band = Band("some", 0.05, 8, ("set",))
    told = Decision("row", 0.8, 0.9, 1.2, band, "", (10.0, 9.0))
    assert (told.of_predicted, told.of_advised) == (Verdict.RIGHT, Verdict.WRONG)
    assert told.reason.startswith("not explained")
    assert replace(told, advised=0.9).reason == ""
    assert "of 10 ms sparse, 9 ms" in replace(told, host="Python").reason


@pytest.mark.slow
def test_faster_transformer_merges_dense_halves_only() -> None:
    """Three products of sparse weights where dense ones are one; dense where that is faster."""
    _, dense, sparse = faster_transformer_kernels(
        _row(software="FasterTransformer", dtype="fp16", batch="32", seq="128")
    )
    assert [report.repeat for report in (dense[0], sparse[0])] == [12, 36]
    _, dense, sparse = faster_transformer_kernels(
        _row(software="FasterTransformer", dtype="fp16", batch="1", seq="32")
    )
    kernels = [[(one.name, one.executed_as) for one in run] for run in (dense, sparse)]
    assert kernels[0] == kernels[1]
    times = [[one.time_ps for one in run] for run in (dense, sparse)]
    assert times[0] == pytest.approx(times[1], rel=0.02)  # L2 holds other things


@pytest.mark.slow
def test_sparse_int8_waits_for_its_host_alone() -> None:
    """So that it takes as long for 32 tokens as for 256, and less where calls take less."""
    rows = decisions.fitted_rows()
    assert [row["batch"] + "x" + row["seq"] for row in rows] == ["1x32", "1x128", "8x32"]
    times = []
    for row in rows:
        machine, _, sparse = faster_transformer_kernels(row)
        assert paced(machine, sparse, 0.1) < paced(machine, sparse, 20)
        times.append(paced(machine, sparse, 20))
    assert max(times) < 1.02 * min(times)
