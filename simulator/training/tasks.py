"""Tasks: images or vectors with labels, to train on and to test with, a table."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import TrainingError
from simulator.training.choice import Choice, Parameter
from simulator.training.foreign import called, function_named

Array = npt.NDArray[Any]

DIGITS_TESTED = 4
"""Every fourth of the shuffled digits is tested with."""

FASHION_FOLDER = "/usr/share/datasets/fashion-mnist"
"""Where Debian's package puts the files."""

FASHION_HINT = "apt-get install dataset-fashion-mnist, or task: {fashion: {path: FOLDER}}"
FASHION_MEAN, FASHION_SPREAD = 0.286, 0.353
"""Of all pixels to train on, of 1."""

IDX_BYTES = 0x08
"""The type of IDX files that hold unsigned bytes."""


@dataclass(frozen=True)
class Data:
    """What a task gives.

    Attributes
    ----------
    x_train, x_test : array (samples, ...), float32
    y_train, y_test : array (samples,), int64
        Classes from 0 on.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return self.x_train.shape[1:]

    @property
    def classes(self) -> int:
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    @property
    def digest(self) -> str:
        """SHA-256 of all values and shapes."""
        found = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            found.update(repr(array.shape).encode() + np.ascontiguousarray(array).data)
        return found.hexdigest()


@dataclass(frozen=True)
class TaskKind:
    """How a task is read: from its choice, and the folder that paths are relative to."""

    load: Callable[[Choice, Path], tuple[Any, ...]]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def _digits(_: Choice, __: Path) -> tuple[Array, ...]:
    """1797 images of 8 x 8, from scikit-learn."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise TrainingError(
            "task digits", "needs the package scikit-learn", hint='pip install "nmsim[train]"'
        ) from None
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order].reshape(-1, 1, 8, 8) / 8 - 1, labels[order]
    is_test = np.arange(len(labels)) % DIGITS_TESTED == 0
    return images[~is_test], labels[~is_test], images[is_test], labels[is_test]


def _fashion(choice: Choice, folder: Path) -> tuple[Array, ...]:
    """70,000 images of 28 x 28, from four IDX files."""
    where = folder / Path(str(choice["path"])).expanduser()
    if not where.is_dir():
        raise TrainingError(str(where), "no such folder of IDX files", hint=FASHION_HINT)
    parts: list[Array] = []
    for part in ("train", "t10k"):
        images = read_idx(where / f"{part}-images-idx3-ubyte", 3)
        labels = read_idx(where / f"{part}-labels-idx1-ubyte", 1)
        scaled = (images[:, None].astype(np.float32) / 255 - FASHION_MEAN) / FASHION_SPREAD
        parts += [scaled, labels]
    return tuple(parts)


TASKS: dict[str, TaskKind] = {
    "digits": TaskKind(_digits),
    "fashion": TaskKind(_fashion, {"path": Parameter(FASHION_FOLDER, "a folder", bool)}),
}
"""By name; `module:function` is a task, too: it returns x_train, y_train, x_test, y_test."""


@lru_cache(maxsize=2)
def load_task(choice: Choice, folder: Path) -> Data:
    """The data of a task; the last ones are remembered, and nobody may change them.

    Raises
    ------
    TrainingError
        If it cannot be read, or is no data to classify.
    """
    where = f"task {choice.kind}"
    if choice.is_foreign:
        arrays = called(function_named(choice.kind, folder, where), where)
    else:
        arrays = TASKS[choice.kind].load(choice, folder)
    return _checked(where, arrays)


def read_idx(path: Path, dimensions: int) -> Array:
    """Read an IDX file of bytes, gzipped (``.gz``) or not.

    Format: LeCun's, http://yann.lecun.com/exdb/mnist: two zero bytes, the type, the number of
    dimensions, each as a big-endian 32-bit number, the values.

    Raises
    ------
    TrainingError
        If there is no such file, or it is not whole or not of that format.
    """
    path = next((one for one in (path, path.with_name(path.name + ".gz")) if one.exists()), path)
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise TrainingError(str(path), "no such file", hint=FASHION_HINT) from None
    except (OSError, EOFError, zlib.error) as error:
        raise TrainingError(str(path), f"cannot be read: {error}") from None
    start = 4 + 4 * dimensions
    want = f"an IDX file of bytes in {dimensions} dimensions"
    if len(content) < start or content[:4] != bytes((0, 0, IDX_BYTES, dimensions)):
        raise TrainingError(str(path), "is none", want=want)
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, 4))
    if len(content) - start != prod(shape):
        raise TrainingError(
            str(path), "is not whole", want=f"{prod(shape)} values of {shape}",
            got=len(content) - start,
        )  # fmt: skip
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _checked(where: str, given: object) -> Data:
    """Arrays of numbers that fit each other, in the formats that training takes."""
    want = "arrays x_train, y_train, x_test, y_test"
    if not isinstance(given, tuple | list) or len(given) != 4:
        raise TrainingError(where, "returns something else", want=want, got=type(given).__name__)
    arrays = [np.asarray(part) for part in given]
    names = ("x_train", "y_train", "x_test", "y_test")
    for name, array in zip(names, arrays, strict=True):
        if array.dtype.kind not in "iufb" or not array.size:
            got = f"{array.dtype} of shape {array.shape}"
            raise TrainingError(f"{where} {name}", "no numbers", want="an array", got=got)
    for x, y in (names[:2], names[2:]):
        images, labels = arrays[names.index(x)], arrays[names.index(y)]
        if images.ndim < 2 or not np.isfinite(images).all():
            want = "finite numbers, a sample a row"
            raise TrainingError(f"{where} {x}", "no samples", want=want, got=images.shape)
        if labels.shape != images.shape[:1]:
            want = f"one label a sample, {images.shape[:1]}"
            raise TrainingError(f"{where} {y}", "another shape", want=want, got=labels.shape)
        if labels.dtype.kind not in "iu" or labels.min() < 0:
            raise TrainingError(f"{where} {y}", "no classes", want="whole numbers from 0 on")
    if arrays[0].shape[1:] != arrays[2].shape[1:]:
        want = f"samples of {arrays[0].shape[1:]}, as x_train"
        raise TrainingError(f"{where} x_test", "another shape", want=want, got=arrays[2].shape[1:])
    kinds = (np.float32, np.int64, np.float32, np.int64)
    return Data(*(array.astype(kind) for array, kind in zip(arrays, kinds, strict=True)))
