"""Which tensors of a file are parts of compressed or quantised weights, and so no weights to prune.

Such formats keep a matrix in several tensors beside each other: values, and what says where they
belong or how they are scaled. A part looks like a matrix of its own, but its zeros mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from simulator.weights.files import Tensor

LONGEST_NAME = 80
FLOATS = ("fp64", "fp32", "fp16", "bf16")


@dataclass(frozen=True)
class Encoding:
    """A way to keep a matrix in parts.

    Attributes
    ----------
    name : str
        For people: ``a sparse bitmask``.
    marks : frozenset of str
        Parts, any of which proves the encoding.
    parts : frozenset of str
        Those that prove nothing alone; a module's own weight is always one.
    pair : frozenset of str
        Parts that prove it together.
    """

    name: str
    marks: frozenset[str]
    parts: frozenset[str] = frozenset()
    pair: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SCALED = "quantised weights and their scales"

ENCODINGS = (
    Encoding(
        "a sparse bitmask",
        _words("bitmask compressed row_offsets"),
        _words("shape values nonzeros weight_values"),
    ),
    Encoding(
        "2:4 values and their metadata",
        _words("meta metadata packed B_24 B_meta weight_meta weight_metadata scale_packed"),
        _words("values sparse nonzeros s scales weight_values weight_packed weight_scale"
               " weight_shape"),
    ),
    Encoding(
        "a sparse matrix",
        _words("crow_indices ccol_indices col_indices row_indices indptr"),
        _words("values indices data shape"),
    ),
    Encoding("weights beside the masks that prune them", _words("weight_mask weight_orig")),
    Encoding("GPTQ or AWQ weights", _words("qweight qzeros g_idx"), _words("scales zeros")),
    Encoding("Marlin weights", _words("workspace"), _words("B s"), pair=_words("B s")),
    Encoding(
        "bitsandbytes weights",
        _words("absmax quant_map nested_absmax nested_quant_map SCB weight_format"),
    ),
    Encoding(
        "packed weights",
        _words("weight_packed weight_shape weight_g_idx weight_zero_point weight_global_scale"),
        _words("weight_scale input_scale input_zero_point input_global_scale"),
    ),
    Encoding("MXFP4 weights", _words("_blocks"), _words("scales")),
    Encoding("HQQ weights", _words("W_q"), _words("scale zero")),
    Encoding(
        "weights of a codebook",
        _words("codebooks Qidxs centroids res_centroids outlier_centroids"),
        _words("codes indices scales weight_scale weight_bias SU SV"),
    ),
    Encoding(
        "EXL2 weights",
        _words("q_weight q_scale q_scale_max q_groups q_group_size q_invperm q_perm"),
    ),
    Encoding("Quanto weights", _words("_data _shift"), _words("_scale")),
    Encoding(
        "torchao weights",
        _words("qdata weight_qdata _weight_qdata"),
        _words("scale zero_point weight_scale _weight_scale _weight_zero_point"),
    ),
    Encoding(
        SCALED,
        _words("scales weight_scale weight_scale_inv weight_scale_2 weight_scales weight_qscale"
               " weight_zeros weight_scale_and_zero"),
        _words("biases zeros input_scale output_scale scale zero_point"),
    ),
)  # fmt: skip
"""The first that a part proves is taken."""

SCALES = frozenset(_words("scale zero_point zeros _scale"))
"""Beside weights of whole numbers they say that those are quantised; beside others, nothing."""

PARTS = SCALES.union(*(encoding.marks | encoding.parts for encoding in ENCODINGS)) - {"weight"}
ENDINGS = re.compile(
    r"(.+)[_/:](blocks|scales|bitmask|compressed|row_offsets|qweight|qzeros|g_idx|absmax|quant_map"
    r"|qdata)"
)
"""Of names without a dot before the part: ``gate_up_proj_blocks``."""

STATE = re.compile(r"(.*)\.quant_state\..+")
"""bitsandbytes keeps more of its parts a level deeper."""

CENTROIDS = re.compile(r"(.*)\.((res_|outlier_)?centroids)\.weight")
"""VPTQ keeps its codebooks in modules of their own."""

NUMBERS_OF_THINGS = re.compile(
    r"(.*[._])?(ids?|idx|index|indices|mask|codes|perm|permutation|labels|tokens|positions?|lut)"
)
"""Names of whole numbers that are no weights."""


def left_alone(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Tensors of a file that are no weights to prune or to count zeros of, and what they are."""
    integers = {name for name, one in tensors.items() if one.dtype not in FLOATS}
    found = {
        name: f"parts of {encoding}"
        for name, encoding in encoded(tensors, integers).items()
    }  # fmt: skip
    for name in integers:
        if tensors[name].is_weights and NUMBERS_OF_THINGS.fullmatch(name):
            found.setdefault(name, "whole numbers that are no weights")
    return {name: found[name] for name in tensors if name in found}


def encoded(names: Iterable[str], integers: Container[str] = ()) -> dict[str, str]:
    """Names of tensors that are parts of encoded weights, and the encoding's.

    Parameters
    ----------
    names : iterable of str
        Of all tensors that may lie beside each other.
    integers : container of str
        Those of whole numbers: with a scale or zero point beside them they are quantised.
    """
    homes: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        home, part = _split(name)
        homes.setdefault(home, []).append((part, name))
    return {name: what for parts in homes.values() for name, what in _encoded(parts, integers)}


def encoding_of(name: str, names: Container[str], *, is_integer: bool) -> str | None:
    """The encoding of one layer's weights by what lies beside its tensor; None if they are plain.

    Parameters
    ----------
    name : str
        With or without ``.weight``; the tensor itself need not be there.
    """
    home = name.removesuffix(".weight")
    beside = (f"{base}.{part}" for base in (home, f"{home}.weight") for part in PARTS)
    there = sorted(one for one in beside if one != name and one in names)
    found = encoded([name, *there], [name] if is_integer else [])
    return found.get(name) or next(iter(found.values()), None)


def summary(found: Mapping[str, str]) -> list[str]:
    """A line a kind: what is left alone as what, how many tensors, and one of them."""
    kinds: dict[str, list[str]] = {}
    for name, what in found.items():
        kinds.setdefault(what, []).append(name)
    return [
        f"left alone as {what}: {len(names)} tensor{'s' * (len(names) > 1)},"
        f" such as {_printable(names[0])}"
        for what, names in kinds.items()
    ]


def _printable(name: str) -> str:
    """A name in a line; files may hold any."""
    shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return shown if shown.isprintable() else shown.encode("unicode_escape").decode()


def _split(name: str) -> tuple[str, str]:
    """A module and the part of it that a tensor is; ``fc`` alone is its weight."""
    state = STATE.fullmatch(name)
    if state is not None:
        return state[1].removesuffix(".weight"), "quant_map"
    codebook = CENTROIDS.fullmatch(name)
    if codebook is not None:
        return codebook[1], codebook[2]
    home, dot, part = name.rpartition(".")
    if dot and (part in PARTS or part == "weight"):
        return home.removesuffix(".weight"), part
    ending = ENDINGS.fullmatch(name)
    if ending is not None:
        return ending[1], "_blocks" if ending[2] == "blocks" else ending[2]
    return name, "weight"


def _encoded(
    parts: Sequence[tuple[str, str]], integers: Container[str]
) -> Iterator[tuple[str, str]]:
    """The parts of one module that are encoded."""
    kinds = {part for part, _ in parts}
    for encoding in ENCODINGS:
        is_marked = not encoding.marks.isdisjoint(kinds)
        if is_marked or (encoding.pair and encoding.pair <= kinds):
            known = encoding.marks | encoding.parts | {"weight"}
            yield from ((name, encoding.name) for part, name in parts if part in known)
            return
    is_integer = any(part == "weight" and name in integers for part, name in parts)
    if is_integer and not kinds.isdisjoint(SCALES):
        yield from ((name, SCALED) for part, name in parts if part in SCALES or part == "weight")
