"""Broken and hostile models and weights: one clear line, nothing written, nothing executed."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from test_bad_input import refused
from test_cli import Nmsim, nmsim

from tests.cli.example_files import BERT_CONFIG, squeezenet

__all__ = ["nmsim"]  # the fixture

TRACE = "name,kind,m,n,k\nfc,linear,48,16,64\n"
OPENED: list[str] = []


def weights(suffix: str, array: np.ndarray, name: str = "fc") -> bytes:
    """A whole file of one tensor."""
    if suffix == ".npz":
        stream = io.BytesIO()
        np.savez(stream, **{name: array})
        return stream.getvalue()
    return safetensors({name: ("F32", list(array.shape), array.nbytes)}, array.tobytes())


def safetensors(tensors: dict[str, tuple[str, list[int], int]], data: bytes) -> bytes:
    header = {
        name: {"dtype": code, "shape": shape, "data_offsets": [0, size]}
        for name, (code, shape, size) in tensors.items()
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def npz(array_file: bytes, name: str = "fc.npy") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, array_file)
    return stream.getvalue()


def array_file(description: str, shape: str, data: bytes = b"") -> bytes:
    """An .npy file with a header of any text."""
    text = f"{{'descr': {description}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + data


class Payload:
    """What unpickling it would do."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, ("executed",)


def pickled() -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array([Payload()], dtype=object), allow_pickle=True)
    return npz(stream.getvalue())


def bomb() -> bytes:
    """More than 1 GiB of zeros in 5 MiB."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("fc.npy", "w", force_zip64=True) as member,
    ):
        member.write(array_file("'<f4'", "(17, 16777216)"))
        for _ in range(17):
            member.write(bytes(2**26))
    return stream.getvalue()


NAN = np.full((48, 64), np.nan, np.float32)
ONES = np.ones((48, 64), np.float32)

WEIGHTS = {
    "truncated safetensors": (".safetensors", weights("", ONES)[:-100], "do not fill the file"),
    "header cut": (".safetensors", weights("", ONES)[:40], "header is longer than the file"),
    "truncated npz": (".npz", weights(".npz", ONES)[:-100], "not a whole .npz file"),
    "NaN": (".safetensors", weights("", NAN), "w.safetensors tensor fc: has weights that are NaN"),
    "NaN in npz": (".npz", weights(".npz", NAN), "w.npz tensor fc: has weights that are NaN"),
    "pickles": (".npz", pickled(), "holds pickled objects"),
    "pickle as it is": (".npz", pickle.dumps(Payload()), "not a whole .npz file"),
    "header of terabytes": (
        ".safetensors", (2**42).to_bytes(8, "little") + b"{}", "header is longer than the file"
    ),
    "tensor of terabytes": (
        ".safetensors", safetensors({"fc": ("F32", [2**20, 2**20], 2**42)}, b""),
        "do not fill the file",
    ),
    "array of terabytes": (
        ".npz", npz(array_file("'<f4'", f"({2**20}, {2**20})")), "size and shape disagree"
    ),
    "array header of gigabytes": (
        ".npz", npz(b"\x93NUMPY\2\0" + (2**31).to_bytes(4, "little") + bytes(99)),
        "header too large",
    ),
    "code as array header": (
        ".npz", npz(array_file("__import__('os').mkdir('executed')", "(1,)")), "header is not one",
    ),
    "zip bomb": (".npz", bomb(), "expands too far"),
}  # fmt: skip


def untouched(folder: Path, *more: str) -> None:
    """The target is as it was, and there is nothing new."""
    assert (folder / "out.json").read_text() == "before"
    assert {path.name for path in folder.iterdir()} == {"out.json", *more}


@pytest.mark.parametrize("command", ["run", "compare", "prune"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_broken_weights(nmsim: Nmsim, tmp_path: Path, command: str, name: str) -> None:
    suffix, data, says = WEIGHTS[name]
    file = f"w{suffix}"
    for path, content in ((file, data), ("t.csv", TRACE.encode()), ("out.json", b"before")):
        (tmp_path / path).write_bytes(content)
    if command == "prune":
        ended = nmsim("prune", file, "-o", "out.safetensors")
    else:
        ended = nmsim(command, "nm-edge", "t.csv", "--weights", file, "-o", "out.json")
    refused(ended, says)
    untouched(tmp_path, file, "t.csv")


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_weights_of_the_wrong_axis(nmsim: Nmsim, tmp_path: Path, suffix: str) -> None:
    """[k, m], as GPT-2 stores them, instead of [m, k]."""
    (tmp_path / f"w{suffix}").write_bytes(weights(suffix, ONES.T))
    (tmp_path / "t.csv").write_text(TRACE)
    (tmp_path / "out.json").write_text("before")
    for command in ("run", "compare"):
        ended = nmsim(command, "nm-edge", "t.csv", "--weights", f"w{suffix}", "-o", "out.json")
        refused(ended, "layer fc: its tensor has another shape, want (48, 64), output features")
        assert "got (64, 48) (it is transposed)" in ended.err
    untouched(tmp_path, f"w{suffix}", "t.csv")


# Models

node = helper.make_node
FLOAT = TensorProto.FLOAT


def model(
    nodes: list[onnx.NodeProto],
    tensors: list[TensorProto] | None = None,
    functions: list[onnx.FunctionProto] | None = None,
) -> bytes:
    """A graph with an input x [1, 4], weights w [4, 4] and an output y."""
    matrix = helper.make_tensor("w", FLOAT, [4, 4], np.zeros(16))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, [1, 4])],
        [helper.make_empty_tensor_value_info("y")],
        [matrix, *(tensors or [])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    made = helper.make_model(graph, opset_imports=opsets, functions=functions or [])
    return bytes(made.SerializeToString())


PRODUCT = node("MatMul", ["x", "w"], ["y"])


def function(name: str, *calls: str) -> onnx.FunctionProto:
    """Functions of one argument in a row."""
    names = ["a", *(f"t{i}" for i in range(len(calls) - 1)), "b"]
    nodes = [
        node(call, [names[i]], [names[i + 1]], domain="own" if call[0] == "F" else "")
        for i, call in enumerate(calls)
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["b"], nodes, opsets)


def laughs() -> bytes:
    """A function that calls the one before it twice, and so on: 2^30 operators."""
    functions = [function("F0", "Relu")]
    functions += [function(f"F{i}", f"F{i - 1}", f"F{i - 1}") for i in range(1, 31)]
    return model([node("F30", ["x"], ["z"], domain="own"), PRODUCT], functions=functions)


MODELS = {
    "truncated": (squeezenet()[:-2000], "not an ONNX model, or a truncated one"),
    "truncated early": (squeezenet()[:10], "not an ONNX model"),
    "cycle": (
        model([node("Add", ["x", "y"], ["z"]), node("MatMul", ["z", "w"], ["y"])]),
        "got 'y' (the graph has a cycle",
    ),
    "cycle of functions": (
        model([node("F", ["x"], ["z"], domain="own"), PRODUCT], None, [function("F", "G", "F")]),
        "expand too far",
    ),
    "functions without end": (laughs(), "expand too far"),
    "wrong axis": (
        model([node("MatMul", ["x", "v"], ["y"])],
              [helper.make_tensor("v", FLOAT, [5, 4], np.zeros(20))]),
        "m.onnx",
    ),
    "dimension of terabytes": (
        model([node("MatMul", ["x", "v"], ["y"])],
              [TensorProto(name="v", data_type=FLOAT, dims=[4, 2**42])]),
        "absurd size",
    ),
    "pickle": (pickle.dumps(Payload()), "not an ONNX model"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_broken_models(nmsim: Nmsim, tmp_path: Path, name: str) -> None:
    data, says = MODELS[name]
    (tmp_path / "m.onnx").write_bytes(data)
    (tmp_path / "out.json").write_text("before")
    refused(nmsim("import", "m.onnx", "-o", "out.json"), says)
    refused(nmsim("run", "nm-edge", "m.onnx", "-o", "out.json"), says)
    refused(nmsim("compare", "nm-edge", "m.onnx", "-o", "out.json"), says)
    untouched(tmp_path, "m.onnx")


CONFIGURATIONS = {
    "truncated": (BERT_CONFIG[:-20], "not JSON"),
    "nested": ("[" * 100_000, "not JSON"),
    "too many digits": ('{"model_type": "bert", "hidden_size": ' + "9" * 5000 + "}", "not JSON"),
    "lists for a size": (
        BERT_CONFIG.replace("64", "[" * 300 + "]" * 300, 1), "hidden_size: must be a size"
    ),
    "size of terabytes": (BERT_CONFIG.replace("64", "1" + "0" * 15, 1), "must be a size"),
    "escape codes": (BERT_CONFIG.replace("bert", "\\u001b[31m", 1), "got '\\x1b[31m'"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_broken_configurations(nmsim: Nmsim, tmp_path: Path, name: str) -> None:
    text, says = CONFIGURATIONS[name]
    (tmp_path / "config.json").write_text(text)
    (tmp_path / "out.json").write_text("before")
    refused(nmsim("import", "config.json", "-o", "out.json"), says)
    untouched(tmp_path, "config.json")


def test_files_that_a_model_names_are_never_opened(
    nmsim: Nmsim, tmp_path: Path, audited: list[str]
) -> None:
    """External data of weights, of small constants, of attributes and of bodies."""
    secret = tmp_path.parent / "secret"
    secret.write_bytes(bytes(64))
    outside = []
    for location in ("/etc/passwd", "../secret", str(secret)):
        tensor = TensorProto(name=f"e{len(outside)}", data_type=TensorProto.INT64, dims=[1])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        outside.append(tensor)
    body = helper.make_graph(
        [node("Constant", [], ["k"], value=outside[1]), node("Relu", ["k"], ["o"])],
        "body", [], [helper.make_empty_tensor_value_info("o")], outside[:1],
    )  # fmt: skip
    nodes = [
        node("Shape", ["x"], ["s"]),
        *(node("ConstantOfShape", ["s"], [f"z{i}"], value=t) for i, t in enumerate(outside)),
        *(node("Constant", [], [f"c{i}"], value=tensor) for i, tensor in enumerate(outside)),
        *(node("Reshape", ["x", f"z{i}"], [f"r{i}"]) for i in range(3)),
        *(node("Reshape", ["x", f"e{i}"], [f"q{i}"]) for i in range(3)),
        *(node("Relu", [f"{kind}{i}"], [f"u{kind}{i}"]) for kind in "rq" for i in range(3)),
        node("If", ["c0"], ["i"], then_branch=body, else_branch=body),
        node("Relu", ["i"], ["j"]),
        PRODUCT,
    ]
    (tmp_path / "m.onnx").write_bytes(model(nodes, outside))
    audited.clear()
    ended = nmsim("import", "m.onnx")
    assert ended.code in (0, 2)
    assert len(ended.err.splitlines()) <= 8
    assert "m.onnx" in " ".join(audited)
    assert not [path for path in audited if "passwd" in path or "secret" in path]


@pytest.fixture(scope="session")
def audited() -> list[str]:
    """The names of the files that the process opens from now on."""
    import sys

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            OPENED.append(str(arguments[0]))

    sys.addaudithook(note)
    return OPENED


# Machines


def test_a_machine_of_aliases_of_aliases(nmsim: Nmsim, tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))]
    (tmp_path / "machine.yaml").write_text("\n".join(lines))
    refused(nmsim("run", "machine.yaml", "gemm:64x64x64"), "too large or nested too deeply")


def test_nothing_but_machines_and_traces_are_printed(nmsim: Nmsim, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("root:x:0:0:root\nkey = 4711\n")
    (tmp_path / "config.json").write_text(BERT_CONFIG)
    for command in ("workloads", "hardware"):
        refused(nmsim(command, "secret.txt"), "secret.txt")
    refused(nmsim("workloads", "config.json"), "not a layer trace (nmsim import config.json)")
