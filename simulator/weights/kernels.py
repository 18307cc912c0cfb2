"""Compiled loops over masks and compressed weights, at the speed of memory.

A mask has one byte a weight, 0 or 1, or one bit a weight as ``np.packbits(mask, axis=1)`` packs
them. Byte masks are read as words of up to eight weights: adding a word to itself, shifted, sums
its bytes, and a vector of words takes four instructions. All compiled code of the package is in
this file, since numba's cache does not see edits across files.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.jit import OPTIONS
from simulator.units import ceil_div

ByteMask = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]

TILE_GROUPS = 2048
"""Groups whose counts stay in the first-level cache while the rows of a block pass by."""

CHUNK_BYTES = 1 << 22
"""Bytes copied at a time where rows do not end at whole words."""


@numba.njit(**OPTIONS)
def _count(words, word):
    """Sum of the bytes of a word, below 256. Each cast keeps numba from widening to 64 bits."""
    unsigned = words.dtype.type
    if words.itemsize == 8:
        word = unsigned(word + unsigned(word >> np.uint64(32)))
        word = unsigned(word + unsigned(word >> np.uint64(16)))
        return np.int32(unsigned(word + unsigned(word >> np.uint64(8))) & np.uint64(255))
    if words.itemsize == 4:  # the top byte of the product is the sum of all bytes
        return np.int32(unsigned(word * unsigned(0x01010101)) >> unsigned(24))
    if words.itemsize == 2:
        return np.int32(unsigned(word * unsigned(0x0101)) >> unsigned(8))
    return np.int32(word)


@numba.njit(**OPTIONS)
def _lane_max(words, per, top, bottom, first, last, counts):
    """Raise ``counts`` to the non-zeros of groups first..last of every row; returns all bits seen.

    ``words`` is (rows, groups * per), uint8 to uint64; ``counts`` starts at group ``first``.
    Rows are slices and indices start at 0, so that LLVM sees no negative index and vectorises.
    """
    unsigned = words.dtype.type
    seen = unsigned(0)
    row = top
    if per == 1:
        while row + 4 <= bottom:  # four rows a pass: a quarter of the traffic of ``counts``
            line_a, line_b = words[row, first:last], words[row + 1, first:last]
            line_c, line_d = words[row + 2, first:last], words[row + 3, first:last]
            for i in range(last - first):
                a, b, c, d = line_a[i], line_b[i], line_c[i], line_d[i]
                seen = unsigned(seen | a | b | c | d)
                upper = max(_count(words, a), _count(words, b))
                lower = max(_count(words, c), _count(words, d))
                counts[i] = max(counts[i], upper, lower)
            row += 4
    while row < bottom:
        line = words[row, first * per : last * per]
        if per == 1:
            for i in range(last - first):
                seen = unsigned(seen | line[i])
                counts[i] = max(counts[i], _count(words, line[i]))
        elif per == 2:
            for i in range(last - first):
                a, b = line[2 * i], line[2 * i + 1]
                seen = unsigned(seen | a | b)
                counts[i] = max(counts[i], np.int32(_count(words, a) + _count(words, b)))
        else:
            for i in range(last - first):
                count = np.int32(0)
                for j in range(per):
                    word = line[i * per + j]
                    seen = unsigned(seen | word)
                    count = np.int32(count + _count(words, word))
                counts[i] = max(counts[i], count)
        row += 1
    return seen


@numba.njit(**OPTIONS)
def _lane_slots(words, per, lanes, tile, out):
    """Largest count of each (block of ``lanes`` rows, group) into zeroed ``out``."""
    rows, groups = words.shape[0], words.shape[1] // per
    seen = words.dtype.type(0)
    for block in range(out.shape[0]):
        bottom = min(rows, (block + 1) * lanes)
        for first in range(0, groups, tile):
            last = min(groups, first + tile)
            seen |= _lane_max(
                words, per, block * lanes, bottom, first, last, out[block, first:last]
            )
    return seen


@numba.njit(**OPTIONS)
def _stage_slots(words, per, lanes, first_group, depth, counts, out):
    """Add every group's largest count to its (block, stage) of ``out``."""
    rows, groups, tile = words.shape[0], words.shape[1] // per, counts.shape[0]
    seen = words.dtype.type(0)
    for block in range(out.shape[0]):
        bottom = min(rows, (block + 1) * lanes)
        for first in range(0, groups, tile):
            last = min(groups, first + tile)
            counts[:] = 0
            seen |= _lane_max(words, per, block * lanes, bottom, first, last, counts)
            i = 0
            while i < last - first:
                stage = (first_group + first + i) // depth
                end = min(last - first, (stage + 1) * depth - first_group - first)
                part, total = counts[i:end], np.int64(0)
                for j in range(part.shape[0]):
                    total += part[j]
                out[block, stage] += total
                i = end
    return seen


@numba.njit(**OPTIONS)
def _above(counts, size, keep):
    """How many of the first ``size`` counts are above ``keep``."""
    part, above = counts[:size], np.int32(0)
    for i in range(part.shape[0]):
        above = np.int32(above + np.int32(part[i] > keep))
    return above


@numba.njit(**OPTIONS)
def _broken(words, per, keep, counts, found):
    """Count groups of more than ``keep``; ``found`` is (number, row, group, count) of the first.

    Eight rows are looked at as one, and row by row only where one of them breaks the pattern.
    """
    rows, groups, tile = words.shape[0], words.shape[1] // per, counts.shape[0]
    seen = words.dtype.type(0)
    for top in range(0, rows, 8):
        bottom = min(rows, top + 8)
        for first in range(0, groups, tile):
            last = min(groups, first + tile)
            counts[:] = 0
            seen |= _lane_max(words, per, top, bottom, first, last, counts)
            if not _above(counts, last - first, keep):
                continue
            for row in range(top, bottom):
                counts[:] = 0
                _lane_max(words, per, row, row + 1, first, last, counts)
                broken = _above(counts, last - first, keep)
                if broken and (not found[0] or row < found[1]):
                    i = 0
                    while counts[i] <= keep:
                        i += 1
                    found[1], found[2], found[3] = row, first + i, counts[i]
                found[0] += broken
    return seen


@numba.njit(**OPTIONS)
def _lane_slots_bits(packed, group, lanes, out):
    """Largest counts of packed bits; group 1, 2, 4 or a multiple of 8. ``out`` is zeroed."""
    rows, groups = packed.shape[0], out.shape[1]
    for row in range(rows):
        counts = out[row // lanes]
        if group >= 8:
            width = group // 8
            for i in range(groups):
                count = np.int32(0)
                for j in range(i * width, min(packed.shape[1], (i + 1) * width)):
                    byte = np.int32(packed[row, j])
                    byte -= (byte >> 1) & 0x55
                    byte = (byte & 0x33) + ((byte >> 2) & 0x33)
                    count += (byte & 15) + (byte >> 4)
                counts[i] = max(counts[i], count)
        else:
            a_byte = 8 // group
            field = np.int32((1 << group) - 1)
            for j in range(packed.shape[1]):
                byte = np.int32(packed[row, j])
                if group >= 2:
                    byte -= (byte >> 1) & 0x55
                if group >= 4:
                    byte = (byte & 0x33) + ((byte >> 2) & 0x33)
                base = j * a_byte
                for i in range(min(a_byte, groups - base)):
                    count = (byte >> (8 - group * (i + 1))) & field
                    counts[base + i] = max(counts[base + i], count)


@numba.njit(inline="always", **OPTIONS)
def _put_bits(stream, at, value, bits):
    """Write ``bits`` bits of ``value`` at bit ``at`` of zeroed bytes, least significant first."""
    while bits > 0:
        offset = at & 7
        stream[at >> 3] |= np.uint8((value << offset) & 255)
        step = min(8 - offset, bits)
        value >>= step
        at += step
        bits -= step


@numba.njit(inline="always", **OPTIONS)
def _get_bits(stream, at, bits):
    """Read ``bits`` bits at bit ``at``."""
    value, done = np.int64(0), 0
    while done < bits:
        offset = (at + done) & 7
        step = min(8 - offset, bits - done)
        part = (np.int64(stream[(at + done) >> 3]) >> offset) & ((1 << step) - 1)
        value |= part << done
        done += step
    return value


@numba.njit(**OPTIONS)
def compress_groups(weights, mask, keep, group, bits, choose, where, values, stream):
    """Slots and metadata of every group; the inner loop of `compress`.

    Parameters
    ----------
    weights : array (rows, k), unsigned
        Raw bits of the weights.
    mask : array (rows, k), uint8
    bits : int
        Of one index; 0: no metadata; -b: b bits of the number of the mask (enumerative code).
    choose : array (group + 1, keep + 1), int64
        Binomial coefficients.
    where : array (keep,), int64
        Scratch.
    values : array (rows, groups * keep), as ``weights``; zeroed
    stream : array, uint8; zeroed

    Returns
    -------
    int
        -1, or ``row * groups + group`` of the first group with more than ``keep`` non-zeros.
    """
    rows, k = weights.shape
    groups = values.shape[1] // keep
    at = np.int64(0)
    for row in range(rows):
        for index in range(groups):
            left = index * group
            valid = min(group, k - left)
            count = 0
            for i in range(valid):
                count += mask[row, left + i] != 0
            if count > keep:
                return row * groups + index
            spare = keep - count  # slots without a weight take the first free positions
            slot = 0
            for i in range(group):
                kept = i < valid and mask[row, left + i] != 0
                if kept or spare > 0:
                    where[slot] = i
                    if kept:
                        values[row, index * keep + slot] = weights[row, left + i]
                    else:
                        spare -= 1
                    slot += 1
            if bits > 0:
                for slot in range(keep):
                    _put_bits(stream, at, where[slot], bits)
                    at += bits
            elif bits < 0:
                number = np.int64(0)
                for slot in range(keep):
                    number += choose[where[slot], slot + 1]
                _put_bits(stream, at, number, -bits)
                at -= bits
    return -1


@numba.njit(**OPTIONS)
def decompress_groups(values, stream, keep, group, bits, choose, where, weights):
    """Put every slot back where it came from in zeroed ``weights``; see `compress_groups`.

    Returns
    -------
    int
        -1, or ``row * groups + group`` of the first group whose metadata no mask has.
    """
    rows, k = weights.shape
    groups = values.shape[1] // keep
    at = np.int64(0)
    for row in range(rows):
        for index in range(groups):
            if bits > 0:
                for slot in range(keep):
                    where[slot] = _get_bits(stream, at, bits)
                    at += bits
            elif bits < 0:
                number = _get_bits(stream, at, -bits)
                at -= bits
                if number >= choose[group, keep]:
                    return row * groups + index
                place = group - 1
                for slot in range(keep - 1, -1, -1):
                    while choose[place, slot + 1] > number:
                        place -= 1
                    where[slot] = place
                    number -= choose[place, slot + 1]
                    place -= 1
            else:
                for slot in range(keep):
                    where[slot] = slot
            for slot in range(keep):
                if where[slot] >= group or (slot and where[slot] <= where[slot - 1]):
                    return row * groups + index
                column = index * group + where[slot]
                value = values[row, index * keep + slot]
                if column < k:
                    weights[row, column] = value
                elif value:
                    return row * groups + index
    return -1


@numba.njit(**OPTIONS)
def _group_terms(columns, members, keep, own, thresholds, constants, order):
    """For each column of a group: what a column in its place would have to beat, row by row.

    With S the sum of the ``keep`` largest of a row, the group with column c replaced by x keeps
    ``S - s + max(x, t)``: c kept: s = c and t the largest not kept; else s = t the smallest kept.
    """
    rows, group = columns.shape[1], members.shape[0]
    for j in range(group):
        constants[members[j]] = 0
    for row in range(rows):
        for j in range(group):
            own[j] = columns[members[j], row]
            order[j] = j
        for j in range(1, group):  # insertion sort, largest first
            chosen = order[j]
            i = j - 1
            while i >= 0 and own[order[i]] < own[chosen]:
                order[i + 1] = order[i]
                i -= 1
            order[i + 1] = chosen
        smallest_kept, largest_left = own[order[keep - 1]], own[order[keep]]
        for j in range(group):
            member = members[order[j]]
            if j < keep:
                thresholds[member, row] = largest_left
                constants[member] -= own[order[j]]
            else:
                thresholds[member, row] = smallest_kept
                constants[member] -= smallest_kept


@numba.njit(**OPTIONS)
def _swap_gain(columns, thresholds, constants, a, b):
    """What swapping columns a and b of different groups adds to the kept magnitude."""
    gain = constants[a] + constants[b]
    for row in range(columns.shape[1]):
        gain += max(columns[b, row], thresholds[a, row])
        gain += max(columns[a, row], thresholds[b, row])
    return gain


@numba.njit(**OPTIONS)
def improve_by_swaps(
    columns, places, keep, group, firsts, seconds, thresholds, constants, own, order, budget
):  # fmt: skip
    """Swap columns of different groups while that keeps more, in a given order of pairs.

    Parameters
    ----------
    columns : array (k, rows), int32
        Magnitudes, one column of the weights after another, k in whole groups.
    places : array (k,), int64
        Column at each place; changed.
    firsts, seconds : arrays, int64
        Orders in which places are tried against each other.
    thresholds, constants, own, order
        Scratch: (k, rows) int32, (k,) int64, (group,) int32, (group,) int64.
    budget : int
        Pairs to try at most.

    Returns
    -------
    gain, tried : int
        Magnitude gained, pairs tried.
    """
    total, tried = np.int64(0), np.int64(0)
    for left in range(0, places.shape[0], group):
        _group_terms(columns, places[left : left + group], keep, own, thresholds, constants, order)
    while True:
        before = total
        for i in range(firsts.shape[0]):
            for j in range(seconds.shape[0]):
                p, q = firsts[i], seconds[j]
                if p >= q or p // group == q // group:
                    continue
                if tried >= budget:
                    return total, tried
                tried += 1
                gain = _swap_gain(columns, thresholds, constants, places[p], places[q])
                if gain > 0:
                    places[p], places[q] = places[q], places[p]
                    for place in (p, q):
                        left = place // group * group
                        members = places[left : left + group]
                        _group_terms(columns, members, keep, own, thresholds, constants, order)
                    total += gain
        if total == before:
            return total, tried


class Broken(NamedTuple):
    """Groups of more than ``keep`` non-zeros: how many, and the first."""

    groups: int
    row: int
    group: int
    nonzeros: int


def lane_slots(mask: ByteMask, group: int, lockstep_rows: int) -> npt.NDArray[np.int32]:
    """Slots that each group takes of each block of rows: those of the block's fullest row.

    Parameters
    ----------
    mask : array (rows, k), uint8 or bool
        Zeros and ones.
    group : int
        Weights of a group; the last group of a row may be partial.
    lockstep_rows : int
        Rows of a block; the last block may have fewer.

    Returns
    -------
    array (ceil(rows / lockstep_rows), ceil(k / group)), int32

    Raises
    ------
    WeightsError
        If the mask is no matrix of zeros and ones.
    """
    mask = _bytes(mask, group, lockstep_rows)
    rows, k = mask.shape
    out = np.zeros((ceil_div(rows, lockstep_rows), ceil_div(k, group)), dtype=np.int32)
    for top, left, per, words in _chunks(mask, group, lockstep_rows):
        blocks = ceil_div(words.shape[0], lockstep_rows)
        part = out[top // lockstep_rows :, left // group :][:blocks, : words.shape[1] // per]
        _check_bits(_lane_slots(words, per, lockstep_rows, TILE_GROUPS, part), words)
    return out


def stage_slots(
    mask: ByteMask, group: int, lockstep_rows: int, groups_a_stage: int
) -> npt.NDArray[np.int64]:
    """Slots that each stage takes of each block of rows: `lane_slots` summed over its groups.

    Parameters
    ----------
    mask : array (rows, k), uint8 or bool
        Zeros and ones.
    groups_a_stage : int
        Depth of a stage in groups; the last stage may have fewer.

    Returns
    -------
    array (ceil(rows / lockstep_rows), ceil(groups / groups_a_stage)), int64

    Raises
    ------
    WeightsError
        If the mask is no matrix of zeros and ones.
    """
    mask = _bytes(mask, group, lockstep_rows, groups_a_stage)
    rows, k = mask.shape
    stages = ceil_div(ceil_div(k, group), groups_a_stage)
    out = np.zeros((ceil_div(rows, lockstep_rows), stages), dtype=np.int64)
    counts = np.zeros(TILE_GROUPS, dtype=np.int32)
    for top, left, per, words in _chunks(mask, group, lockstep_rows):
        first = top // lockstep_rows
        part = out[first : first + ceil_div(words.shape[0], lockstep_rows)]
        seen = _stage_slots(words, per, lockstep_rows, left // group, groups_a_stage, counts, part)
        _check_bits(seen, words)
    return out


def broken_groups(mask: ByteMask, keep: int, group: int) -> Broken:
    """Groups of more than ``keep`` non-zeros.

    Parameters
    ----------
    mask : array (rows, k), uint8 or bool
        Zeros and ones.

    Raises
    ------
    WeightsError
        If the mask is no matrix of zeros and ones.
    """
    mask = _bytes(mask, group)
    counts = np.zeros(TILE_GROUPS, dtype=np.int32)
    total, first = 0, (-1, -1, 0)
    for top, left, per, words in _chunks(mask, group, 1):
        found = np.zeros(4, dtype=np.int64)
        _check_bits(_broken(words, per, keep, counts, found), words)
        number, row, index, count = found.tolist()
        candidate = (top + row, left // group + index, count)
        if number and (not total or candidate < first):
            first = candidate
        total += number
    return Broken(total, *first)


def lane_slots_packed(
    packed: ByteMask, k: int, group: int, lockstep_rows: int
) -> npt.NDArray[np.int32]:
    """`lane_slots` of ``np.packbits(mask, axis=1)``.

    Parameters
    ----------
    packed : array (rows, ceil(k / 8)), uint8
        First weight in the highest bit.
    k : int
        Weights of a row.

    Raises
    ------
    WeightsError
        If the array has another shape, or its last bits, beyond k, are not zero.
    """
    packed = _bytes(packed, group, lockstep_rows)
    if packed.shape[1] != ceil_div(k, 8):
        want = f"{ceil_div(k, 8)} bytes a row"
        raise WeightsError("packed mask", "wrong width", want=want, got=packed.shape[1])
    if k % 8 and np.any(packed[:, -1] & (0xFF >> (k % 8))):
        raise WeightsError("packed mask", "bits beyond the last weight are set")
    rows = packed.shape[0]
    out = np.zeros((ceil_div(rows, lockstep_rows), ceil_div(k, group)), dtype=np.int32)
    if group in (1, 2, 4) or group % 8 == 0:
        _lane_slots_bits(np.ascontiguousarray(packed), group, lockstep_rows, out)
        return out
    step = lockstep_rows * max(1, CHUNK_BYTES // max(1, k * lockstep_rows))
    for top in range(0, rows, step):
        mask = np.unpackbits(packed[top : top + step], axis=1, count=k)
        part = lane_slots(mask, group, lockstep_rows)
        out[top // lockstep_rows : top // lockstep_rows + part.shape[0]] = part
    return out


def stage_slots_packed(
    packed: ByteMask, k: int, group: int, lockstep_rows: int, groups_a_stage: int
) -> npt.NDArray[np.int64]:
    """`stage_slots` of ``np.packbits(mask, axis=1)``; see `lane_slots_packed`."""
    rows, groups = packed.shape[0], ceil_div(k, group)
    out = np.empty(
        (ceil_div(rows, lockstep_rows), ceil_div(groups, groups_a_stage)), dtype=np.int64
    )
    starts = np.arange(0, groups, groups_a_stage)
    step = lockstep_rows * max(1, CHUNK_BYTES // max(1, 4 * groups))
    for top in range(0, rows, step):
        slots = lane_slots_packed(packed[top : top + step], k, group, lockstep_rows)
        first = top // lockstep_rows
        sums = np.add.reduceat(slots, starts, axis=1, dtype=np.int64)
        out[first : first + slots.shape[0]] = sums
    return out


def _bytes(mask: ByteMask, *positive: int) -> ByteMask:
    if mask.ndim != 2 or mask.dtype not in (np.uint8, np.bool_) or not mask.size:
        got = f"{mask.dtype} of shape {mask.shape}"
        raise WeightsError("mask", "not a mask", want="bytes (rows, k), one a weight", got=got)
    if min(positive) < 1:
        raise WeightsError("mask", "group, rows and stages must be >= 1", got=positive)
    return mask.view(np.uint8)


def _chunks(mask: ByteMask, group: int, lanes: int):  # type: ignore[no-untyped-def]
    """(top row, left weight, words a group, words (rows, groups * words a group)) of a mask.

    In one piece where rows are whole aligned groups; else copied piece by piece and padded.
    """
    rows, k = mask.shape
    width = next(size for size in (8, 4, 2, 1) if group % size == 0)
    dtype = np.dtype(f"u{width}")
    aligned = mask.ctypes.data % width == 0
    if mask.flags.c_contiguous and k % group == 0 and aligned:
        yield 0, 0, group // width, mask.view(dtype)
        return
    deep = min(ceil_div(k, group), max(1, CHUNK_BYTES // (group * lanes)))
    high = lanes * max(1, CHUNK_BYTES // (group * deep * lanes))
    for top in range(0, rows, high):
        for left in range(0, k, deep * group):
            part = mask[top : top + high, left : left + deep * group]
            groups = ceil_div(part.shape[1], group)
            padded = np.zeros((part.shape[0], groups * group), dtype=np.uint8)
            padded[:, : part.shape[1]] = part
            yield top, left, group // width, padded.view(dtype)


def _check_bits(seen: int, words: npt.NDArray[Any]) -> None:
    """Refuse a mask whose bytes are not all 0 or 1."""
    ones = int.from_bytes(b"\1" * words.dtype.itemsize, "little")
    if int(seen) & ~ones:
        raise WeightsError("mask", "has bytes other than 0 and 1", want="mask != 0 as bool")
