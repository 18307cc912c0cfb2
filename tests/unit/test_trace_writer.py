"""Is a written trace read back as it was?"""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import catalog
from simulator.errors import WorkloadError
from simulator.importers import load_workload
from simulator.sparsity import Unstructured
from simulator.workload import Conv, Gemm, Layer, Matmul, Stream, Workload
from simulator.workload.trace_writer import write_trace

sizes = st.integers(1, 10**6)
small = st.integers(1, 7)
names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1)
dtypes = st.sampled_from(["fp16", "bf16", "int8"])
patterns = st.sampled_from(
    [None, "1:1", "2:4", "1:8", "unstructured:0.25", "unstructured:0.000012345"]
)
pairs = st.one_of(small, st.tuples(small, small))

gemms = st.builds(
    Gemm, names, m=sizes, n=sizes, k=sizes, batch=small, dtype=dtypes, pattern=patterns,
    repeat=small, accumulate=st.booleans(),
)  # fmt: skip
matmuls = st.builds(Matmul, names, m=sizes, n=sizes, k=sizes, batch=small, dtype=dtypes)
streams = st.builds(
    Stream, names, sizes, sizes, op=st.sampled_from(["elementwise", "softmax", "pool"])
)
convs = st.builds(
    Conv, names, in_channels=st.just(8), out_channels=st.just(16), in_h=st.integers(60, 99),
    in_w=st.integers(60, 99), kernel=pairs, stride=pairs, dilation=pairs,
    padding=st.one_of(small, st.tuples(small, small), st.tuples(small, small, small, small)),
    groups=st.sampled_from([1, 2, 8]), ceil_output=st.booleans(), batch=small, pattern=patterns,
)  # fmt: skip


def read_back(workload: Workload, folder: Path) -> Workload:
    path = folder / "trace.csv"
    path.write_text(write_trace(workload), encoding="utf-8", newline="")
    return load_workload(path)


@given(layers=st.lists(st.one_of(gemms, matmuls, streams, convs), min_size=1, max_size=8))
def test_every_layer_survives(
    tmp_path_factory: pytest.TempPathFactory, layers: list[Layer]
) -> None:
    # Two layers of one name are refused, whoever makes them.
    layers = list({layer.name: layer for layer in layers}.values())
    made = Workload("made", layers)
    assert read_back(made, tmp_path_factory.mktemp("trace")).layers == made.layers


@pytest.mark.parametrize("name", catalog.presets("workloads", ".csv"))
def test_presets_survive(tmp_path: Path, name: str) -> None:
    preset = load_workload(name)
    assert read_back(preset, tmp_path).layers == preset.layers


@pytest.mark.parametrize("name", catalog.presets("workloads", ".csv"))
def test_the_version_is_a_comment_to_other_readers(name: str) -> None:
    preset, text = load_workload(name), io.StringIO(write_trace(load_workload(name)))
    assert text.getvalue().startswith("# nmsim trace 3\n# Layers of ")
    for table in (text, catalog.presets("workloads", ".csv")[name]):
        frame = pd.read_csv(table, comment="#")
        assert list(frame["name"]) == [layer.name for layer in preset.layers]


@pytest.mark.parametrize("name", ["a\nb", " a", "a\0", "\ud800"])
def test_names_that_no_csv_holds_are_refused(name: str) -> None:
    with pytest.raises(WorkloadError, match="cannot stand in a CSV"):
        write_trace(Workload("made", [Gemm(name, m=1, n=1, k=1)]))


@pytest.mark.parametrize("density", [Fraction(1, 3), Fraction(1, 3 * 10**7)])
def test_a_density_of_no_decimal_is_refused(density: Fraction) -> None:
    layer = Gemm("fc", m=1, n=1, k=1, pattern=Unstructured(density))
    with pytest.raises(WorkloadError, match=r"^fc.pattern: its density cannot stand in a CSV"):
        write_trace(Workload("made", [layer]))
