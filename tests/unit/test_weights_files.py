"""Are weights files read as they are, and bad ones refused in one line?"""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy as safetensors_numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import OutputError, WeightsError
from simulator.weights import files
from simulator.weights.files import Tensor, read_weights, write_safetensors


def safetensors(path: Path, header: Any, data: bytes, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def every_dtype() -> dict[str, Tensor]:
    rng = np.random.default_rng(0)
    tensors = {}
    for ours, kind in files.FORMATS.values():
        data = rng.integers(0, 2, (3, 5)).astype(kind)
        tensors[ours] = Tensor(ours, ours, data)
    tensors["empty"] = Tensor("empty", "fp32", np.zeros((0, 4), np.float32))
    tensors["scalar"] = Tensor("scalar", "fp32", np.float32(2).reshape(()))
    return tensors


def test_what_is_written_is_read_back_and_mapped(tmp_path: Path) -> None:
    path = tmp_path / "all.safetensors"
    write_safetensors(path, every_dtype())
    back = read_weights(path)
    assert set(back) == set(every_dtype())
    for name, tensor in every_dtype().items():
        assert back[name].dtype == tensor.dtype
        assert back[name].data.dtype == tensor.data.dtype
        assert np.array_equal(back[name].data, tensor.data)
    assert not back["fp32"].data.flags.owndata
    assert [p.name for p in tmp_path.iterdir()] == ["all.safetensors"]


def test_the_safetensors_library_reads_what_is_written_and_the_other_way(tmp_path: Path) -> None:
    tensors = {n: t for n, t in every_dtype().items() if n != "bf16"}
    path = tmp_path / "ours.safetensors"
    write_safetensors(path, tensors)
    read = safetensors_numpy.load_file(path)
    assert all(np.array_equal(read[name], tensor.data) for name, tensor in tensors.items())
    theirs = tmp_path / "theirs.safetensors"
    safetensors_numpy.save_file(read, theirs, metadata={"format": "np"})
    assert all(np.array_equal(read_weights(theirs)[n].data, read[n]) for n in read)


def test_bf16_is_the_upper_half_of_fp32() -> None:
    values = np.array([[1.0, -2.5, 0.0, 3.0e38]], dtype=np.float32)
    raw = (values.view(np.uint32) >> 16).astype(np.uint16)
    wide = Tensor("w", "bf16", raw).values()
    assert wide.dtype == np.float32
    assert np.allclose(wide, values, rtol=2**-7)


@pytest.mark.parametrize(
    ("header", "data", "says"),
    [
        ({"a": entry(shape=[2**40], offsets=[0, 2**42])}, b"", "do not fill the file"),
        ({"a": entry(shape=[2**40, 2**40], offsets=[0, 8])}, b"x" * 8, "sizes too large"),
        ({"a": entry(), "b": entry(offsets=[4, 12])}, b"x" * 12, "b: overlaps another tensor"),
        ({"a": entry(), "b": entry(offsets=[12, 20])}, b"x" * 20, "b: leaves a hole"),
        ({"a": entry(offsets=[4, 12])}, b"x" * 12, "a: leaves a hole"),
        ({"a": entry()}, b"x" * 4, "do not fill the file"),
        ({"a": entry()}, b"x" * 12, "do not fill the file"),
        ({"a": entry(offsets=[8, 0])}, b"x" * 8, "disagree"),
        ({"a": entry(shape=[-2])}, b"x" * 8, "lists of counts"),
        ({"a": entry(shape=[2.0])}, b"x" * 8, "lists of counts"),
        ({"a": entry(shape=[True, 2])}, b"x" * 8, "lists of counts"),
        ({"a": entry(offsets=[0, 8, 8])}, b"x" * 8, "lists of counts"),
        ({"a": entry(shape=[1] * 33 + [2])}, b"x" * 8, "too many dimensions"),
        ({"a": entry(shape=[2**62] * 10**6)}, b"x" * 8, "too many dimensions"),
        ({"a": entry(dtype="F8_E4M3")}, b"x" * 8, "unknown format"),
        ({"a": entry(dtype=["F32"])}, b"x" * 8, "unknown format"),
        ({"a": {"dtype": "F32"}}, b"", "not a tensor"),
        ({"a": 3}, b"", "not a tensor"),
        ([], b"", "not a table of tensors"),
        (b'{"a": {}, "a": {}}', b"", "'a' is there twice"),
        (b"{", b"", "header is not valid"),
        (b"[" * 100000, b"", "header is not valid"),
        (b"\xff\xfe", b"", "header is not valid"),
    ],
)
def test_bad_safetensors_are_one_error(tmp_path: Path, header: Any, data: bytes, says: str) -> None:
    path = safetensors(tmp_path / "bad.safetensors", header, data)
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_duplicates_of_a_large_header_are_found_in_one_pass() -> None:
    """Every name is compared a few times, however many there are."""

    class Name(str):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Name.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    names = [Name(f"layer.{number}") for number in range(20_000)]
    pairs = [(name, number) for number, name in enumerate(names)]
    assert files._no_duplicates([*pairs]) == dict(pairs)
    Name.compared = 0
    with pytest.raises(ValueError, match=r"'layer\.19999' is there twice"):
        files._no_duplicates([*pairs, (Name("layer.19999"), 0)])
    assert Name.compared <= 2 * len(names)


@pytest.mark.parametrize("code", ["F8_E4M3", "F8_E5M2", "F4"])
def test_floats_of_few_bits_are_refused_with_a_hint(tmp_path: Path, code: str) -> None:
    header = {"fc.weight": entry(dtype=code)}
    path = safetensors(tmp_path / "fp8.safetensors", header, b"x" * 8)
    with pytest.raises(WeightsError, match=r"unknown format.*dequantise such weights first"):
        read_weights(path)


def test_headers_longer_than_the_file_are_refused(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "a.safetensors", {}, b"", length=2**63)
    with pytest.raises(WeightsError, match="header is longer than the file"):
        read_weights(path)
    path.write_bytes(b"abc")
    with pytest.raises(WeightsError, match="header is longer than the file"):
        read_weights(path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    suffix = data.draw(st.sampled_from([".safetensors", ".npz"]))
    path = folder / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, w=np.ones((2, 4), np.float32), b=np.zeros(3, np.int8))
    else:
        write_safetensors(path, {"w": Tensor("w", "fp32", np.ones((2, 4), np.float32))})
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    with contextlib.suppress(WeightsError):  # and nothing else
        read_weights(path)


def test_weights_that_are_not_finite_are_refused() -> None:
    for dtype, raw in (("fp32", np.float32("nan")), ("fp16", np.float16("inf")),
                       ("bf16", np.uint16(0x7FC0))):  # fmt: skip
        with pytest.raises(WeightsError, match="tensor w: has weights that are NaN or infinite"):
            Tensor("w", dtype, np.array([[raw]])).values()


def test_npz_files(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    weights = np.arange(8, dtype=np.float16).reshape(2, 4)
    for save in (np.savez, np.savez_compressed):
        save(path, fc=weights, big=weights.astype(">f4"))
        back = read_weights(path)
        assert back["fc"].dtype == "fp16"
        assert back["big"].dtype == "fp32"
        assert np.array_equal(back["fc"].data, weights)
        assert np.array_equal(back["big"].data, weights)


def test_bad_npz_are_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, objects=np.array([{}], dtype=object))
    with pytest.raises(WeightsError, match="pickled objects"):
        read_weights(path)
    np.savez(path, text=np.array(["abc"]))
    with pytest.raises(WeightsError, match="unknown format"):
        read_weights(path)
    np.savez(path, w=np.ones(1000))
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    with pytest.raises(WeightsError, match="not a whole"):
        read_weights(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", whole[:10])
    with pytest.raises(WeightsError, match=r"w\.npz"):
        read_weights(path)
    np.savez_compressed(path, w=np.zeros(1 << 20))
    monkeypatch.setattr("simulator.weights.npz.ZIP_FREE_BYTES", 1 << 20)
    with pytest.raises(WeightsError, match="expands too far"):
        read_weights(path)


def test_what_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="unknown format, want"):
        read_weights(tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="No such file"):
        read_weights(tmp_path / "a.npz")
    (tmp_path / "b.npz").mkdir()
    with pytest.raises(WeightsError, match="is a folder"):
        read_weights(tmp_path / "b.npz")
    with pytest.raises(OutputError, match="cannot be written"):
        write_safetensors(tmp_path / "no" / "a.safetensors", {})


def array(header: str, data: bytes = b"") -> bytes:
    """An .npy file with a header of any text."""
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode() + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }   \n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 2L)}",  # of Python 2
        "{'descr':'<f4','fortran_order':False,'shape':(2,2)}",
    ],
)
def test_array_headers_as_others_write_them(tmp_path: Path, header: str) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", array(header, np.arange(4, dtype="<f4").tobytes()))
        archive.writestr("f.npy", array(header.replace("False", "True"), bytes(12) + b"\0\0\x80?"))
        archive.writestr("s.npy", array(header.replace("(2", "(").replace("2", "", 1), bytes(4)))
    back = read_weights(path)
    assert back["w"].data.tolist() == [[0, 1], [2, 3]]
    assert back["f"].data.flags.f_contiguous


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("{'descr': (, 'fortran_order': False, 'shape': (2,), }", "not one that can be read"),
        ("{'descr': '\\d', 'fortran_order': False, 'shape': (2,), }", "unknown format"),
        ("{'descr': '(2,)f4', 'fortran_order': False, 'shape': (2,), }", "unknown format"),
        ("{'descr': '<>f4', 'fortran_order': False, 'shape': (0,), }", "unknown format"),
        ("{'descr': 'f4,f4', 'fortran_order': False, 'shape': (2,), }", "unknown format"),
        ("{'descr': {[]: 1}, 'fortran_order': False, 'shape': (2,), }", "not one that can be"),
        ("{'descr': 1if 1 else 2, 'fortran_order': False, 'shape': ()}", "not one that can be"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "not one that can be"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, " + "9" * 30 + ")}", "too large"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, " + "9" * 5000 + ")}", "w.npz"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 70 + ")}", "too many"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (,,)}", "disagree"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}", "w.npz"),
        ("(" * 3000, "not one that can be read"),
        (" " * 20_000, "header too large"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_array_headers_are_never_evaluated(tmp_path: Path, header: str, says: str) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", array(header))
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


def test_damaged_lzma_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("w.npy", bytes(range(256)) * 8)
    whole = bytearray(path.read_bytes())
    whole[50:80] = b"\xff" * 30
    path.write_bytes(bytes(whole))
    with pytest.raises(WeightsError, match=r"w\.npz: not a whole"):
        read_weights(path)


def test_sizes_beside_a_zero_count(tmp_path: Path) -> None:
    header = {"a": entry(shape=[0, 2**62, 2**62], offsets=[0, 0])}
    with pytest.raises(WeightsError, match="a: sizes too large"):
        read_weights(safetensors(tmp_path / "a.safetensors", header, b""))


@pytest.mark.parametrize("name", ["\x1b[31m", "\u2028", "a\nb", "x" * 3000, "\x00"])
def test_names_of_tensors_are_escaped_in_errors(tmp_path: Path, name: str) -> None:
    path = safetensors(tmp_path / "a.safetensors", {name: entry(offsets=[4, 12])}, b"x" * 12)
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
