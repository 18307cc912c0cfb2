"""Sentences, files and pictures of cases that are rare: all asked to stay dense, no gain to buy."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import Gemm, Workload, advise, require
from simulator.pictures import new_picture, save
from simulator.pictures.waterfall import Drop, waterfall
from tests.cli.test_cli import Nmsim, nmsim
from tests.decisions.small_runs import NETWORK

__all__ = ["nmsim"]  # the fixture

ONE = Workload("one", [Gemm("g", m=128, n=96, k=256)])


def test_layers_that_were_asked_to_stay_dense_are_not_laid_to_the_machine() -> None:
    verdict = [*advise("nm-edge", NETWORK, ["2:4"], dense=".", break_even=0).sentences()]
    assert verdict[0] == "2:4 is not tried: every layer stays dense, as asked."


def test_one_layer_that_loses_does_not_gain() -> None:
    verdict = [*advise("nm-edge", ONE, ["unstructured:0.5"], break_even=0).sentences()]
    assert verdict[0].startswith("unstructured:0.5 loses (0.")
    assert verdict[0].endswith("x) in all; its one layer does not gain.")


def test_a_machine_without_sparsity_is_bought_for_dense() -> None:
    wide = Workload("wide", [Gemm("g", m=2048, n=2048, k=512)])
    found = require("v100-sxm2", wide, "2:4", 1.2, free=["clock"], tries=4)
    assert found.time_after_ns == found.dense_after_ns
    said = "2:4 takes as long as dense on both machines: what is bought is a faster machine"
    assert any(text.startswith(said) for text in found.sentences())
    sparse = replace(found, time_after_ns=found.time_after_ns / 2)
    assert not any(text.startswith(said) for text in sparse.sentences())


def test_nothing_is_said_to_be_written_that_is_not(nmsim: Nmsim) -> None:
    done = nmsim("advise", "nm-edge", "gemm:64x64x64", "-o", "/proc/best.csv")
    assert done.code == 2
    assert "Written" not in done.text


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_letters_that_the_font_lacks_are_no_warning(tmp_path: Path, suffix: str) -> None:
    network = Workload("net", [replace(NETWORK.layers[0], name="\u5c42")])
    picture = advise("nm-edge", network, ["2:4"], break_even=0).plot()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(picture, tmp_path / f"gains{suffix}")


def test_the_legend_of_a_waterfall_hides_no_figure() -> None:
    picture = new_picture(6, 4, "net")
    axes = waterfall(picture, [Drop("as is", 12, 40), Drop("DRAM", 10, 36)], ("2:4", "dense"),
                     title="")  # fmt: skip
    picture.draw_without_rendering()
    (legend,) = picture.legends
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
