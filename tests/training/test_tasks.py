"""Are tasks read as they are, and is what is none refused in a line?"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from simulator.errors import TrainingError
from simulator.training.choice import Choice
from simulator.training.tasks import Data, load_task, read_idx


def idx(values: np.ndarray) -> bytes:
    sizes = np.array(values.shape, ">u4").tobytes()
    return bytes((0, 0, 8, values.ndim)) + sizes + values.astype(np.uint8).tobytes()


def fashion(folder: Path, *, packed: bool) -> Choice:
    """Four small files; every image is of one grey."""
    for part, count in (("train", 6), ("t10k", 4)):
        greys = np.arange(count) * 50
        for name, values in (
            ("images-idx3", np.broadcast_to(greys[:, None, None], (count, 28, 28))),
            ("labels-idx1", np.arange(count) % 3),
        ):
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(idx(values)) if packed else idx(values))
    return Choice("fashion", (("path", "images"),))


def test_digits_are_split_by_a_fixed_seed() -> None:
    data = load_task(Choice("digits"), Path())
    assert data.shape == (1, 8, 8)
    assert data.classes == 10
    assert (len(data.y_train), len(data.y_test)) == (1347, 450)
    assert data.y_test[:8].tolist() == [6, 5, 2, 0, 5, 5, 4, 4]
    assert data.x_train.dtype == np.float32
    assert (data.x_train.min(), data.x_train.max()) == (-1, 1)


@pytest.mark.parametrize("packed", [True, False])
def test_fashion_is_read_from_a_folder_beside_the_file(tmp_path: Path, packed: bool) -> None:
    (tmp_path / "images").mkdir()
    choice = fashion(tmp_path / "images", packed=packed)
    data = load_task(choice, tmp_path)
    assert data.shape == (1, 28, 28)
    assert data.y_train.tolist() == [0, 1, 2, 0, 1, 2]
    assert data.x_test[3, 0, 9, 9] == pytest.approx((150 / 255 - 0.286) / 0.353)


def test_equal_data_have_equal_digests(tmp_path: Path) -> None:
    digests = []
    for folder, packed in ((tmp_path / "one", True), (tmp_path / "two", False)):
        (folder / "images").mkdir(parents=True)
        digests.append(load_task(fashion(folder / "images", packed=packed), folder).digest)
    assert digests[0] == digests[1] != load_task(Choice("digits"), Path()).digest


def test_a_missing_folder_says_where_the_files_come_from(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no such folder.*apt-get install dataset-fashion"):
        load_task(Choice("fashion", (("path", "nowhere"),)), tmp_path)
    with pytest.raises(TrainingError, match=r"train-images.*no such file.*apt-get install"):
        load_task(Choice("fashion", (("path", "."),)), tmp_path)


WHOLE = idx(np.zeros((2, 3, 3)))


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [("cut", WHOLE[:-1], "is not whole, want 18 values of (2, 3, 3), got 17"),
     ("long", WHOLE + b"0", "is not whole, want 18 values of (2, 3, 3), got 19"),
     ("head", WHOLE[:9], "is none, want an IDX file of bytes in 3 dimensions"),
     ("text", b"not an IDX file at all", "is none"), ("labels", idx(np.zeros(9)), "is none"),
     ("other.gz", b"no gzip", "cannot be read"),
     ("cut.gz", gzip.compress(WHOLE, mtime=0)[:-9], "cannot be read")],
)  # fmt: skip
def test_broken_files_are_refused(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TrainingError) as caught:
        read_idx(path, 3)
    assert str(caught.value).startswith(f"{path}: {what}")


TASK = """
import numpy as np
def good():
    x = np.arange(12.0).reshape(6, 2)
    return x, np.arange(6) % 2, x, np.arange(6) % 2
def three():
    return good()[:3]
def raises():
    return 1 / 0
def words():
    return [["a"]], [0], [[1.0]], [0]
def nan():
    return [[np.nan]], [0], [[1.0]], [0]
def labels():
    return [[1.0], [2.0]], [0], [[1.0]], [0]
def negative():
    return [[1.0], [2.0]], [0, -1], [[1.0]], [0]
def wide():
    return [[1.0]], [0], [[1.0, 2.0]], [0]
number = 3
"""


def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> Data:
    """A module of a name of its own, since modules are remembered."""
    module = f"task_of_{name}"
    (tmp_path / f"{module}.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    return load_task(Choice(f"{module}:{name}"), tmp_path)


def test_a_function_is_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = foreign(tmp_path, monkeypatch, "good")
    assert (data.shape, data.classes) == ((2,), 2)


@pytest.mark.parametrize(
    ("name", "what"),
    [("three", "returns something else, want arrays x_train, y_train, x_test, y_test"),
     ("raises", "raised: ZeroDivisionError: division by zero"),
     ("words", "x_train: no numbers, want an array"),
     ("nan", "x_train: no samples, want finite numbers, a sample a row"),
     ("labels", "y_train: another shape, want one label a sample, (2,), got (1,)"),
     ("negative", "y_train: no classes, want whole numbers from 0 on"),
     ("wide", "x_test: another shape, want samples of (1,), as x_train, got (2,)"),
     ("number", "has no such function"), ("absent", "has no such function")],
)  # fmt: skip
def test_what_is_no_task_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    with pytest.raises(TrainingError) as caught:
        foreign(tmp_path, monkeypatch, name)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"task no\.such:thing: cannot be imported"):
        load_task(Choice("no.such:thing"), tmp_path)
