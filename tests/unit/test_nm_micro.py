"""Is nm-micro of the size of the networks that training makes?"""

from __future__ import annotations

import pytest

from simulator import Conv, Gemm, Workload, simulate

SAMPLES = 256


def patch_cnn(width: int) -> Workload:
    """Images of 28 x 28 in patches of 4, then convolutions, the mean and a head."""
    wide = 2 * width
    return Workload(
        "patch-cnn",
        [
            Conv("patch", 1, width, 28, 28, kernel=4, stride=4, batch=SAMPLES),
            Conv("conv1", width, wide, 7, 7, kernel=3, stride=2, padding=1, batch=SAMPLES),
            Conv("conv2", wide, wide, 4, 4, batch=SAMPLES),
            Conv("conv3", wide, wide, 4, 4, batch=SAMPLES),
            Gemm("head", 10, SAMPLES, wide),
        ],
    )


@pytest.mark.parametrize("width", [16, 32, 64])
def test_pruning_gains_what_it_should(width: int) -> None:
    network = patch_cnn(width)
    dense, sparse = (simulate("nm-micro", network, pattern) for pattern in ("1:1", "2:4"))
    assert dense.total.bound == "mac"
    assert sparse.total.bound == "mac"
    assert "latency" not in {layer.bound for layer in (*dense.layers, *sparse.layers)}
    assert 1.5 < dense.total.time_ps / sparse.total.time_ps < 2


def test_on_a_machine_of_another_size_it_would_not() -> None:
    network = patch_cnn(32)
    dense, sparse = (simulate("nm-flex", network, pattern) for pattern in ("1:1", "2:4"))
    assert dense.total.time_ps / sparse.total.time_ps < 1.2


def test_many_patterns_run_as_they_are() -> None:
    report = simulate("nm-micro", patch_cnn(64), "1:8")
    assert [layer.executed_as for layer in report.layers[1:4]] == ["1:8"] * 3
