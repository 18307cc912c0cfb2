"""Do weights meet their layers, along the right axis, and are they held to their pattern?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from machines import tiny

from simulator import Conv, Gemm, Mapping, Matmul, Workload, compare, load_hardware, simulate
from simulator.errors import MappingError, WeightsError
from simulator.report.report import Report
from simulator.run.attach import attach, find_tensor, options_of, rows_of, weights_note
from simulator.run.attach import pruned as prune
from simulator.sparsity import Pattern, parse_pattern
from simulator.weights.files import Tensor, write_safetensors
from simulator.workload.lowering import lower


def pruned(weights: np.ndarray, keep: int, group: int) -> np.ndarray:
    """Keep the largest of every group along the last axis."""
    grouped = np.abs(weights).reshape(*weights.shape[:-1], -1, group)
    order = np.argsort(np.argsort(-grouped, axis=-1), axis=-1)
    return weights * (order < keep).reshape(weights.shape)


def test_a_tensor_is_found_by_the_layer_s_name() -> None:
    tensor = np.ones((4, 8))
    layer = Gemm("fc", m=4, n=1, k=8)
    assert find_tensor(layer, {"fc": tensor}) is tensor
    assert find_tensor(layer, {"fc.weight": tensor}) is tensor
    assert find_tensor(layer, {"other": tensor}) is None
    assert find_tensor(Matmul("fc", m=4, n=1, k=8), {"fc": tensor}) is None


def test_rows_of_a_convolution_have_channels_fastest_and_padded_positions() -> None:
    layer = Conv("c", in_channels=6, out_channels=3, in_h=5, in_w=5, kernel=(2, 3))
    problem = lower(layer, Pattern(2, 4), tiny()).problem
    tensor = np.arange(1, 3 * 6 * 2 * 3 + 1).reshape(3, 6, 2, 3)
    rows = rows_of(layer, tensor, problem)
    assert rows.shape == (3, 2 * 3 * 8)
    for out in range(3):
        for height in range(2):
            for width in range(3):
                start = (height * 3 + width) * 8
                wanted = [tensor[out, channel, height, width] for channel in range(6)]
                assert rows[out, start : start + 8].tolist() == [*wanted, 0, 0]


@pytest.mark.parametrize("shape", [(2, 8, 16), (16, 16), (2, 2, 4, 16)])
@pytest.mark.parametrize("pattern", ["2:4", "unstructured:0.25"])
def test_weights_of_a_batch_are_pruned_along_k(shape: tuple[int, ...], pattern: str) -> None:
    """However many leading dimensions they have: they are no convolution's."""
    layer = Gemm("experts", m=8, n=4, k=16, batch=2)
    weights = np.random.default_rng(3).standard_normal((16, 16))
    wanted = prune(layer, weights, parse_pattern(pattern))
    found = prune(layer, weights.reshape(shape), parse_pattern(pattern))
    assert found.shape == shape
    assert (found.reshape(16, 16) == wanted).all()


@pytest.mark.parametrize("shape", [(8, 4), (4, 9), (32,), (2, 2, 8)])
def test_a_tensor_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    layer = Gemm("fc", m=4, n=1, k=8)
    if shape == (2, 2, 8):
        layer = Gemm("fc", m=4, n=1, k=8, batch=2)
    problem = lower(layer, Pattern(1, 1), tiny()).problem
    with pytest.raises(WeightsError, match="layer fc: its tensor has another shape"):
        rows_of(layer, np.ones(shape), problem)


def timed(report: Report) -> dict[str, Any]:
    """All that a report says, but what it says of real weights."""
    data = json.loads(report.to_json())
    for part in (data["total"], *data["layers"]):
        del part["nonzeros"], part["pruned_away"]
    return data


WORKLOAD = Workload("one", [Gemm("fc", m=256, n=128, k=512)])
MACHINE = "nm-flex"


def test_complying_weights_change_nothing_on_hardware_that_skips_slots() -> None:
    weights = pruned(np.random.default_rng(0).standard_normal((256, 512)), 2, 4)
    plain = simulate(MACHINE, WORKLOAD, "2:4")
    real = simulate(MACHINE, WORKLOAD, "2:4", weights={"fc": weights})
    assert timed(real) == timed(plain)


def test_dense_weights_do_not_run_as_2_4() -> None:
    with pytest.raises(WeightsError, match="layer fc, row 0, group 0: breaks 2:4"):
        simulate(MACHINE, WORKLOAD, "2:4", weights={"fc": np.ones((256, 512))})


def test_names_that_match_nothing_are_refused() -> None:
    with pytest.raises(WeightsError, match="no tensor is named as a layer"):
        simulate(MACHINE, WORKLOAD, weights={"elsewhere": np.ones((256, 512))})


def test_layers_without_weights_are_named_where_others_have_some() -> None:
    hardware, weights = tiny(), {"a": np.ones((4, 8))}
    works = [attach(Gemm(n, 4, 1, 8), Pattern(1, 1), hardware, weights) for n in "abcde"]
    assert weights_note(works) == "real weights for 1 of 5 layers; none for b, c, d, ..."
    assert weights_note(works[:1]) is None
    assert weights_note(works[1:]) is None


def test_a_mask_stands_only_where_it_decides_what_stages_cost() -> None:
    layer, weights = Gemm("fc", m=4, n=1, k=8), {"fc": np.eye(4, 8)}
    masks = []
    for skip in ("slots", "nonzeros"):
        hardware = load_hardware(MACHINE, {"sparsity.skip": skip})
        work = attach(layer, Pattern(2, 4), hardware, weights)
        masks.append([option.mask for option in options_of(work, hardware)])
    assert all(mask is None for mask in masks[0])
    assert all((mask == np.eye(4, 8)).all() for mask in masks[1])


def test_n_m_groups_do_not_wait_where_unstructured_rows_do() -> None:
    """At the same density: uneven rows pad MACs, even groups do not; both engines agree."""
    hardware = load_hardware(MACHINE, {"sparsity.skip": "nonzeros"})
    dense = np.random.default_rng(1).standard_normal((256, 512))
    anywhere = dense * (np.abs(dense) > np.median(np.abs(dense)))
    reports = {
        "unstructured": simulate(hardware, WORKLOAD, weights={"fc": anywhere}),
        "8:16": simulate(hardware, WORKLOAD, "8:16", weights={"fc": pruned(dense, 8, 16)}),
    }
    waits = {
        name: report.layers[0].slots_padded / report.layers[0].macs_executed
        for name, report in reports.items()
    }
    assert waits["8:16"] == 0
    assert waits["unstructured"] > 0.2
    texts = [
        simulate(hardware, WORKLOAD, engine=engine, weights={"fc": anywhere}).to_json()
        for engine in ("fast", "reference")
    ]
    assert texts[0].replace('"fast"', '"reference"') == texts[1]


def test_real_weights_decide_the_baseline_s_density() -> None:
    dense = np.random.default_rng(2).standard_normal((256, 512))
    quarter = dense * (np.abs(dense) > np.quantile(np.abs(dense), 0.75))
    report = simulate(MACHINE, WORKLOAD, "unstructured:0.5", weights={"fc": quarter})
    assert report.layers[0].executed_as == "unstructured:0.25"


def test_comparing_prunes_the_weights_to_each_pattern() -> None:
    dense = np.random.default_rng(3).standard_normal((256, 512))
    comparison = compare(MACHINE, WORKLOAD, ["2:4", "1:8"], weights={"fc": dense})
    plain = compare(MACHINE, WORKLOAD, ["2:4", "1:8"])
    assert list(map(timed, comparison.reports)) == list(map(timed, plain.reports))


@pytest.mark.parametrize("shape", [(256, 511), (511,), (512, 256)])
def test_comparing_refuses_tensors_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(WeightsError, match="layer fc: its tensor has another shape"):
        compare(MACHINE, WORKLOAD, ["2:4"], weights={"fc": np.ones(shape)})


def test_masked_weights_cannot_be_swapped() -> None:
    hardware = load_hardware(MACHINE, {"sparsity.skip": "nonzeros"})
    mapping = Mapping(64, 64, 64, 32, 32, swapped=True)
    with pytest.raises(MappingError, match="only dense GEMMs can be swapped"):
        simulate(hardware, WORKLOAD, mapping=mapping, weights={"fc": np.ones((256, 512))})


def test_weights_from_the_command_line(tmp_path: Path) -> None:
    """`nmsim prune` writes what `nmsim run --weights` accepts, and refuses what is not pruned."""
    dense = np.random.default_rng(4).standard_normal((64, 128)).astype(np.float32)
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    trace = tmp_path / "trace.csv"
    trace.write_text("name,kind,m,n,k,pattern\nfc,linear,64,32,128,2:4\n")
    write_safetensors(whole, {"fc.weight": Tensor("fc.weight", "fp32", dense)})
    nmsim = str(Path(sys.executable).with_name("nmsim"))

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        words = [nmsim, *map(str, arguments)]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    assert run("prune", whole, "--pattern", "2:4", "-o", half).returncode == 0
    assert run("run", "nm-flex", trace, "--weights", half).returncode == 0
    refused = run("run", "nm-flex", trace, "--weights", whole)
    assert refused.returncode == 2
    assert refused.stderr.startswith("nmsim: layer fc, row 0, group 0: breaks 2:4")


def test_weights_kept_in_parts_are_refused() -> None:
    """What a caller read from a checkpoint himself is looked at as well."""
    layer, plain = Gemm("fc", m=8, n=1, k=8), np.ones((8, 8), np.float32)
    for part in ("fc.compressed", "fc.weight.bitmask", "fc.qweight", "fc.weight_packed"):
        with pytest.raises(WeightsError, match="layer fc: its tensors are "):
            find_tensor(layer, {part: plain})
    whole = np.ones((8, 8), np.int8)
    with pytest.raises(WeightsError, match="layer fc: its tensors are bitsandbytes weights"):
        find_tensor(layer, {"fc.weight": whole, "fc.SCB": plain})
    with pytest.raises(WeightsError, match="layer fc: its tensors are quantised weights"):
        find_tensor(layer, {"fc.weight": whole, "fc.scale": plain})
    assert find_tensor(layer, {"fc.weight": plain, "fc.scale": plain}) is plain
    assert find_tensor(layer, {"fc.weight": whole, "other.qweight": plain}) is whole
