"""Are the convolutional networks that were measured those that are modelled?"""

from __future__ import annotations

import pytest

from simulator.validation import convolutions, tables
from simulator.workload import Conv
from simulator.workload.stack import stacked

ENGINE = [convolutions.layer_of(row) for row in tables.read(convolutions.LAYERS)]
NETWORKS = tables.read(convolutions.NETWORKS)


def _row(of: str, dtype: str, batch: str) -> dict[str, str]:
    (row,) = (r for r in NETWORKS if (r["of"], r["dtype"], r["batch"]) == (of, dtype, batch))
    return row


def test_the_engine_is_resnet50_v1() -> None:
    """He et al., CVPR 2016, table 1: 3.8 billion multiply-adds."""
    assert sum(layer.macs for layer in ENGINE) / convolutions.LAYERS_BATCH == pytest.approx(
        3.86e9, rel=0.005
    )
    assert sum(layer.accumulate for layer in ENGINE) == 16
    sizes = {(layer.out_h, layer.out_channels) for layer in ENGINE if layer.accumulate}
    assert sizes == {(56, 256), (28, 512), (14, 1024), (7, 2048)}


def test_both_versions_are_as_many_kernels() -> None:
    """53 convolutions with all additions inside, two pools, a linear layer."""
    kernels = stacked(convolutions.resnet50(2, "int8"), "fused").layers
    pools = convolutions._pools(2)
    assert len(kernels) == len(ENGINE) + len(pools) == 56
    assert {kernel.dtype for kernel in kernels} == {"int8"}
    added = [kernel for kernel in kernels if isinstance(kernel, Conv) and kernel.accumulate]
    assert len(added) == 16
    own = [kernel for kernel in kernels if kernel.name in ("maxpool", "avgpool")]
    assert [(k.reads, k.writes) for k in own] == [(p.reads, p.writes) for p in pools]  # type: ignore[union-attr]  # streams


def test_rates_are_times_of_a_batch() -> None:
    assert convolutions.measured_ms(_row("mlperf", "int8", "")) == pytest.approx(6.4566, rel=1e-4)
    assert convolutions.measured_ms(_row("mlperf", "int8", "1")) == 0.461846


def test_the_host_is_in_paddle_s_times_alone() -> None:
    assert convolutions.host_ms(_row("paddle", "int8", "8")) == 0.22
    assert convolutions.host_ms(_row("mlperf", "int8", "1")) == 0
    assert [row["batch"] for row in NETWORKS if convolutions.seen(row)] == ["1", "2", "4", "8"]


def test_images_are_converted_to_pixels_of_eight_channels() -> None:
    """From 32 bits a value to 16: 602,112 bytes become 802,816."""
    stream = convolutions.converted(1)
    assert (2 * stream.reads, 2 * stream.writes) == (4 * 3 * 224 * 224, 2 * 8 * 224 * 224)
