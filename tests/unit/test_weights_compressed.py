"""Are the parts that formats keep a matrix in told from weights, and weights from such parts?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.weights.compressed import left_alone, summary
from simulator.weights.files import FORMATS, Tensor

KINDS = {kind.lstrip("<"): ours for ours, kind in FORMATS.values() if ours != "bf16"}


def tensors(**kinds: str) -> dict[str, Tensor]:
    """Matrices by name; ``__`` stands for a dot."""
    found = {}
    for key, kind in kinds.items():
        name, data = key.replace("__", "."), np.ones((8, 8), kind)
        found[name] = Tensor(name, KINDS[kind], data)
    return found


ENCODED: dict[str, tuple[str, Any]] = {
    "bitmask": ("a sparse bitmask", tensors(
        a__compressed="f4", a__bitmask="u1", a__shape="i8", a__row_offsets="i8")),
    "bitmask-below": ("a sparse bitmask", tensors(
        a__weight__compressed="f4", a__weight__bitmask="u1")),
    "bitmask-beside": ("a sparse bitmask", tensors(a="f4", a__bitmask="u1")),
    "shard-without-mask": ("a sparse bitmask", tensors(a__compressed="f4")),
    "gptq": ("GPTQ or AWQ weights", tensors(
        a__qweight="i4", a__qzeros="i4", a__scales="f2", a__g_idx="i4")),
    "scales-alone": ("quantised weights", tensors(a__scales="f2")),
    "packed": ("packed weights", tensors(
        a__weight_packed="i4", a__weight_scale="f2", a__weight_zero_point="i4",
        a__weight_shape="i8")),
    "int8": ("quantised weights", tensors(a__weight="i1", a__weight_scale="f2")),
    "block-scales": ("quantised weights", tensors(a__weight="i1", a__weight_scale_inv="f4")),
    "static": ("quantised weights", tensors(a__weight="i1", a__scale="f4", a__zero_point="i4")),
    "bitsandbytes-8": ("bitsandbytes weights", tensors(a__weight="i1", a__SCB="f4")),
    "bitsandbytes-4": ("bitsandbytes weights", tensors(
        a__weight="u1", a__weight__absmax="f4", a__weight__quant_map="f4",
        a__weight__quant_state__bitsandbytes__nf4="u1")),
    "semi-structured": ("2:4 values", tensors(a__weight="f2", a__meta="i2")),
    "semi-structured-packed": ("2:4 values", tensors(a__packed="f2", a__meta="i2")),
    "mxfp4": ("MXFP4 weights", tensors(a__up_proj_blocks="u1", a__up_proj_scales="u1")),
    "mlx": ("quantised weights", tensors(a__weight="u4", a__scales="f2", a__biases="f2")),
    "marlin": ("Marlin weights", tensors(a__B="i4", a__s="f2")),
    "codebooks": ("weights of a codebook", tensors(a__codes="i1", a__codebooks="f2")),
    "metadata": ("2:4 values", tensors(a__sparse="f2", a__metadata="i2")),
    "torchao": ("torchao weights", tensors(
        a___weight_qdata="i1", a___weight_scale="f4", a___weight_zero_point="i1")),
    "vptq": ("weights of a codebook", tensors(
        a__indices="i4", a__centroids__weight="f2", a__res_centroids__weight="f2",
        a__weight_scale="f2", a__weight_bias="f2")),
    "mask": ("weights beside the masks", tensors(a__weight_orig="f4", a__weight_mask="f4")),
    "csr": ("a sparse matrix", tensors(a__crow_indices="i8", a__col_indices="i8", a__values="f4")),
}  # fmt: skip


@pytest.mark.parametrize("kind", ENCODED)
def test_every_part_is_known_and_none_beside_it(kind: str) -> None:
    encoding, parts = ENCODED[kind]
    plain = tensors(b__weight="f4", c="i1", a__bias="f4", norm__weight="f2")
    found = left_alone({**plain, **parts})
    assert found.keys() == parts.keys()
    assert all(what.startswith(f"parts of {encoding}") for what in found.values())


@pytest.mark.parametrize(
    "names",
    [
        tensors(a__weight="f4", a__scale="f4"),  # a layer scale
        tensors(a__values="f4", a__shape="i8", a__data="f4"),
        tensors(compressed="f4", bitmask="u1"),  # modules of that name
        tensors(a__weight="i1", b__weight_scale_factor="f4"),
        tensors(bert__position_ids="i8"),
        tensors(a__weight="f4", a__weight__permutation="i8"),  # written by prune
    ],
)
def test_what_only_sounds_alike_stays(names: dict[str, Tensor]) -> None:
    assert left_alone(names) == {}


def test_whole_numbers_that_are_no_weights() -> None:
    found = left_alone(tensors(a__indices="i1", token_ids="i1", a__mask="i1", a__weight="i1"))
    assert set(found) == {"a.indices", "token_ids", "a.mask"}
    assert set(found.values()) == {"whole numbers that are no weights"}


def test_a_summary_is_a_printable_line_a_kind() -> None:
    odd = "\x1b[31m" + "x" * 500 + ".qweight"
    lines = summary({odd: "parts of A", "b": "parts of A", "c": "parts of B"})
    assert lines[0].startswith("left alone as parts of A: 2 tensors, such as \\x1b[31mxxx")
    assert lines[1] == "left alone as parts of B: 1 tensor, such as c"
    assert all(line.isprintable() and len(line) < 200 for line in lines)
