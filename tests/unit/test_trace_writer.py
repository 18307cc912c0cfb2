"""Is a written trace read back as it was?"""

from __future__ import annotations

import io
from dataclasses import replace
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
from simulator.workload.operators import OPERATORS
from simulator.workload.stack import NAMES, stacked
from simulator.workload.trace_writer import write_trace

sizes = st.integers(1, 10**6)
small = st.integers(1, 7)
names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1)
dtypes = st.sampled_from(["fp16", "bf16", "int8"])
patterns = st.sampled_from(
    [None, "1:1", "2:4", "1:8", "unstructured:0.25", "unstructured:0.000012345"]
)
pairs = st.one_of(small, st.tuples(small, small))

operators = st.lists(st.sampled_from(sorted(OPERATORS)), max_size=3)

gemms = st.builds(
    Gemm, names, m=sizes, n=sizes, k=sizes, batch=small, dtype=dtypes, pattern=patterns,
    repeat=small, accumulate=st.booleans(), epilogue=st.builds(tuple, operators),
)  # fmt: skip
matmuls = st.builds(
    Matmul, names, m=sizes, n=sizes, k=sizes, batch=small, dtype=dtypes,
    epilogue=st.builds(tuple, operators),
)  # fmt: skip
streams = st.builds(Stream, names, sizes, sizes, op=st.builds("+".join, operators.filter(bool)))
convs = st.builds(
    Conv, names, in_channels=st.just(8), out_channels=st.just(16), in_h=st.integers(60, 99),
    in_w=st.integers(60, 99), kernel=pairs, stride=pairs, dilation=pairs,
    padding=st.one_of(small, st.tuples(small, small), st.tuples(small, small, small, small)),
    groups=st.sampled_from([1, 2, 8]), ceil_output=st.booleans(), batch=small, pattern=patterns,
    accumulate=st.booleans(), epilogue=st.builds(tuple, operators),
)  # fmt: skip


def read_back(workload: Workload, folder: Path) -> Workload:
    path = folder / "trace.csv"
    path.write_text(write_trace(workload), encoding="utf-8", newline="")
    return load_workload(path)


@given(
    layers=st.lists(st.one_of(gemms, matmuls, streams, convs), min_size=1, max_size=8),
    stack=st.sampled_from(NAMES),
    data=st.data(),
)
def test_every_layer_survives(
    tmp_path_factory: pytest.TempPathFactory, layers: list[Layer], stack: str, data: st.DataObject
) -> None:
    # Two layers of one name are refused, whoever makes them.
    layers = list({layer.name: layer for layer in layers if ";" not in layer.name}.values())
    linked: list[Layer] = []
    for layer in layers:
        above = st.sampled_from(["input", *(one.name for one in linked)])
        inputs = tuple(data.draw(st.lists(above, max_size=2)))
        linked.append(replace(layer, inputs=inputs))
    if not linked:
        return
    made = Workload("made", linked, stack=stack)
    assert read_back(made, tmp_path_factory.mktemp("trace")).layers == made.layers
    assert read_back(made, tmp_path_factory.mktemp("trace")).stack == stack


@pytest.mark.parametrize("stack", NAMES)
@pytest.mark.parametrize("name", ["bert-base", "llama-7b", "resnet50"])
def test_kernels_survive(tmp_path: Path, name: str, stack: str) -> None:
    folded = stacked(load_workload(name), stack)
    read = read_back(folded, tmp_path)
    assert (read.layers, read.stack) == (folded.layers, "listed")


def test_inputs_of_odd_names_survive(tmp_path: Path) -> None:
    layers: list[Layer] = [Gemm(name, 1, 1, 1) for name in ("a b", "c", "d, e", '"f" g')]
    for number, inputs in enumerate([("a b",), ("c", "a b"), ("c", "d, e", '"f" g'), ("c",)]):
        layers.append(Gemm(f"l{number}", 1, 1, 1, inputs=inputs))
    assert read_back(Workload("made", layers), tmp_path).layers == tuple(layers)
    layers.append(Gemm("last", 1, 1, 1, inputs=("x;y",)))
    with pytest.raises(WorkloadError) as error:
        write_trace(Workload("made", layers))
    assert str(error.value) == (
        "layer 'last': the name of an input cannot stand in a CSV, want no semicolon, and no "
        "blanks around it, got 'x;y'"
    )


def test_operators_that_are_none_are_refused() -> None:
    with pytest.raises(WorkloadError, match=r"^s.op: unknown operator, got 'gelo' \("):
        write_trace(Workload("made", [Stream("s", 1, 1, op="add+gelo")]))
    with pytest.raises(WorkloadError, match=r"^g.epilogue: a trace has no such operator"):
        write_trace(Workload("made", [Gemm("g", 1, 1, 1, epilogue=("",))]))


@pytest.mark.parametrize("name", catalog.presets("workloads", ".csv"))
def test_presets_survive(tmp_path: Path, name: str) -> None:
    preset = load_workload(name)
    read = read_back(preset, tmp_path)
    assert (read.layers, read.stack) == (preset.layers, preset.stack)


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
