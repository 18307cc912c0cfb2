"""Compiled loops over masks and compressed weights, at the speed of memory.

A mask has one byte a weight, 0 or 1, or one bit a weight as ``np.packbits(mask, axis=1)`` packs
them. Either is read as words of up to eight bytes whose set bits are counted, vectors of words at
a time. What these loops call is in this file, since numba's cache does not see edits across files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.jit import OPTIONS, numba
from simulator.units import ceil_div

ByteMask = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]

TILE_GROUPS = 8192
"""Groups whose counts stay in the first-level cache while the rows of a block pass by."""

CHUNK_BYTES = 1 << 21
"""Bytes copied or unpacked at a time where rows do not end at whole words."""


@numba.njit(**OPTIONS)
def _ones(counts, word):
    """Bits set of a word, in the type of ``counts``.

    LLVM knows this idiom for the instruction that counts bits, and narrows it to the word's width.
    """
    word = np.uint64(word)
    pairs = np.uint64(0x3333333333333333)
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & pairs) + ((word >> np.uint64(2)) & pairs)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return counts.dtype.type((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@numba.njit(**OPTIONS)
def _raise_to(words, per, line_a, line_b, line_c, line_d, counts):
    """Raise ``counts`` (groups,) to the non-zeros of four rows; returns all bits seen.

    Lines are (groups * per,) of the type of ``words``; from three words a group on, only the
    first is read. Indices start at 0, so that LLVM sees no negative index and vectorises.
    """
    unsigned, small = words.dtype.type, counts.dtype.type
    seen = unsigned(0)
    if per == 1:
        for i in range(counts.shape[0]):
            a, b, c, d = line_a[i], line_b[i], line_c[i], line_d[i]
            seen = unsigned(seen | a | b | c | d)
            upper = max(_ones(counts, a), _ones(counts, b))
            lower = max(_ones(counts, c), _ones(counts, d))
            counts[i] = max(counts[i], upper, lower)
    elif per == 2:
        for i in range(counts.shape[0]):
            a, b, c, d = line_a[2 * i], line_b[2 * i], line_c[2 * i], line_d[2 * i]
            e, f, g, h = line_a[2 * i + 1], line_b[2 * i + 1], line_c[2 * i + 1], line_d[2 * i + 1]
            seen = unsigned(seen | a | b | c | d | e | f | g | h)
            first = small(_ones(counts, a) + _ones(counts, e))
            second = small(_ones(counts, b) + _ones(counts, f))
            third = small(_ones(counts, c) + _ones(counts, g))
            fourth = small(_ones(counts, d) + _ones(counts, h))
            counts[i] = max(counts[i], first, second, third, fourth)
    else:
        for i in range(counts.shape[0]):
            count = small(0)
            for j in range(per):
                word = line_a[i * per + j]
                seen = unsigned(seen | word)
                count = small(count + _ones(counts, word))
            counts[i] = max(counts[i], count)
    return seen


@numba.njit(**OPTIONS)
def _lane_max(words, per, top, bottom, first, counts):
    """Raise ``counts`` to the non-zeros of its groups, from ``first`` on, of rows top..bottom.

    ``words`` is (rows, groups * per), uint8 to uint64. Four rows a pass: a quarter of the traffic
    of ``counts``; LLVM merges what four times the same row would read.
    """
    left, right = first * per, (first + counts.shape[0]) * per
    seen = words.dtype.type(0)
    row = top
    while per <= 2 and row + 4 <= bottom:
        line_a, line_b = words[row, left:right], words[row + 1, left:right]
        line_c, line_d = words[row + 2, left:right], words[row + 3, left:right]
        seen |= _raise_to(words, per, line_a, line_b, line_c, line_d, counts)
        row += 4
    while row < bottom:
        line = words[row, left:right]
        seen |= _raise_to(words, per, line, line, line, line, counts)
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
            counts = out[block, first : min(groups, first + tile)]
            seen |= _lane_max(words, per, block * lanes, bottom, first, counts)
    return seen


@numba.njit(**OPTIONS)
def _stage_slots(words, per, lanes, first_group, depth, tile, out):
    """Add every group's largest count to its (block, stage) of ``out``; ``tile`` is scratch."""
    rows, groups, size = words.shape[0], words.shape[1] // per, tile.shape[0]
    seen = words.dtype.type(0)
    for block in range(out.shape[0]):
        bottom = min(rows, (block + 1) * lanes)
        for first in range(0, groups, size):
            counts = tile[: min(groups - first, size)]
            counts[:] = 0
            seen |= _lane_max(words, per, block * lanes, bottom, first, counts)
            stage, used = divmod(first_group + first, depth)
            left, right = 0, min(counts.shape[0], depth - used)
            while left < right:
                part, total = counts[left:right], np.int64(0)
                for i in range(part.shape[0]):
                    total += part[i]
                out[block, stage] += total
                stage, left, right = stage + 1, right, min(counts.shape[0], right + depth)
    return seen


@numba.njit(**OPTIONS)
def _above(counts, keep):
    """How many counts are above ``keep``."""
    most, above = counts.dtype.type(keep), np.int32(0)
    for i in range(counts.shape[0]):
        above = np.int32(above + np.int32(counts[i] > most))
    return above


@numba.njit(**OPTIONS)
def _broken(words, per, keep, tile, found):
    """Count groups of more than ``keep``; ``found`` is (number, row, group, count) of the first.

    Eight rows are looked at as one, and row by row only where one of them breaks the pattern.
    """
    rows, groups, size = words.shape[0], words.shape[1] // per, tile.shape[0]
    seen = words.dtype.type(0)
    for top in range(0, rows, 8):
        bottom = min(rows, top + 8)
        for first in range(0, groups, size):
            counts = tile[: min(groups - first, size)]
            counts[:] = 0
            seen |= _lane_max(words, per, top, bottom, first, counts)
            if not _above(counts, keep):
                continue
            for row in range(top, bottom):
                counts[:] = 0
                _lane_max(words, per, row, row + 1, first, counts)
                broken = _above(counts, keep)
                if broken and (not found[0] or row < found[1]):
                    i = 0
                    while counts[i] <= keep:
                        i += 1
                    found[1], found[2], found[3] = row, first + i, counts[i]
                found[0] += broken
    return seen


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
def compress_groups(weights, mask, keep, group, bits, choose, where, values, stream, at):
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
    where : array (keep + 1,), int64
        Scratch.
    values : array (rows, groups * keep), as ``weights``; zeroed
    stream : array, uint8; zeroed
    at : int
        Bit of the stream where the metadata begins.

    Returns
    -------
    int
        -1, or ``row * groups + group`` of the first group with more than ``keep`` non-zeros.
    """
    rows, k = weights.shape
    groups = values.shape[1] // keep
    for row in range(rows):
        for index in range(groups):
            left = index * group
            valid = min(group, k - left)
            count = 0
            for i in range(valid):  # without a branch: `where` has room for one place too many
                where[min(count, keep)] = i
                count += mask[row, left + i] != 0
            if count > keep:
                return row * groups + index
            slot = index * keep
            if count == keep:
                for i in range(keep):
                    values[row, slot + i] = weights[row, left + where[i]]
            else:  # slots without a weight take the first free positions
                spare = keep - count
                count = 0
                for i in range(group):
                    kept = i < valid and mask[row, left + i] != 0
                    if kept or spare > 0:
                        where[count] = i
                        if kept:
                            values[row, slot + count] = weights[row, left + i]
                        else:
                            spare -= 1
                        count += 1
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
def _group_terms(channels, members, keep, own, thresholds, constants, order):
    """For each channel of a group: what a channel in its place would have to beat, row by row.

    With S the sum of the ``keep`` largest of a row, the group with channel c replaced by x keeps
    ``S - s + max(x, t)``: c kept: s = c and t the largest not kept; else s = t the smallest kept.
    """
    rows, group = channels.shape[1], members.shape[0]
    for j in range(group):
        constants[members[j]] = 0
    for row in range(rows):
        for j in range(group):
            own[j] = channels[members[j], row]
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
def _swap_gain(channels, thresholds, constants, a, b):
    """What swapping channels a and b of different groups adds to the kept magnitude."""
    gain = constants[a] + constants[b]
    for row in range(channels.shape[1]):
        gain += max(channels[b, row], thresholds[a, row])
        gain += max(channels[a, row], thresholds[b, row])
    return gain


@numba.njit(**OPTIONS)
def improve_by_swaps(
    channels, places, keep, group, firsts, seconds, thresholds, constants, own, order, budget
):  # fmt: skip
    """Swap channels of different groups while that keeps more, in a given order of pairs.

    Parameters
    ----------
    channels : array (k, rows), int32
        Magnitudes, one channel of the weights after another, k in whole groups.
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
        _group_terms(channels, places[left : left + group], keep, own, thresholds, constants, order)
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
                gain = _swap_gain(channels, thresholds, constants, places[p], places[q])
                if gain > 0:
                    places[p], places[q] = places[q], places[p]
                    for place in (p, q):
                        left = place // group * group
                        members = places[left : left + group]
                        _group_terms(channels, members, keep, own, thresholds, constants, order)
                    total += gain
        if total == before:
            return total, tried


WRAPPING = np.errstate(over="ignore")
"""Where kernels run uncompiled, numpy warns of what compiled integers do and `_ones` relies on."""


class Broken(NamedTuple):
    """Groups of more than ``keep`` non-zeros: how many, and the first."""

    groups: int
    row: int
    group: int
    nonzeros: int


@WRAPPING
def lane_slots(
    mask: ByteMask, group: int, lockstep_rows: int, k: int | None = None
) -> npt.NDArray[Any]:
    """Slots that each group takes of each block of rows: those of the block's fullest row.

    Parameters
    ----------
    mask : array (rows, k), uint8 or bool; or (rows, ceil(k / 8)), uint8
        Zeros and ones; or their bits, the first in the highest bit (``np.packbits``).
    group : int
        Weights of a group; the last group of a row may be partial.
    lockstep_rows : int
        Rows of a block; the last block may have fewer.
    k : int, optional
        Weights of a row of packed bits; default: the mask has one byte a weight.

    Returns
    -------
    array (ceil(rows / lockstep_rows), ceil(k / group)), the smallest unsigned type that holds group

    Raises
    ------
    WeightsError
        If the mask is no matrix of zeros and ones, or bits beyond k are set.
    """
    mask, groups = _checked(mask, k, group, lockstep_rows)
    shape = ceil_div(mask.shape[0], lockstep_rows), groups
    out = np.zeros(shape, dtype=np.min_scalar_type(group))
    for top, first, per, words in _pieces(mask, k, group, lockstep_rows):
        blocks = ceil_div(words.shape[0], lockstep_rows)
        part = out[top // lockstep_rows :, first:][:blocks, : words.shape[1] // per]
        seen = _lane_slots(words, per, lockstep_rows, TILE_GROUPS, part)
        _check_bytes(seen, words, k)
    return out


@WRAPPING
def stage_slots(
    mask: ByteMask, group: int, lockstep_rows: int, groups_per_stage: int, k: int | None = None
) -> IntArray:
    """Slots that each stage takes of each block of rows: `lane_slots` summed over its groups.

    Parameters
    ----------
    mask, k
        As of `lane_slots`.
    groups_per_stage : int
        Depth of a stage in groups; the last stage may have fewer.

    Returns
    -------
    array (ceil(rows / lockstep_rows), ceil(groups / groups_per_stage)), int64

    Raises
    ------
    WeightsError
        As `lane_slots`.
    """
    mask, groups = _checked(mask, k, group, lockstep_rows, groups_per_stage)
    shape = ceil_div(mask.shape[0], lockstep_rows), ceil_div(groups, groups_per_stage)
    out = np.zeros(shape, dtype=np.int64)
    tile = np.zeros(TILE_GROUPS, dtype=np.min_scalar_type(group))
    for top, first, per, words in _pieces(mask, k, group, lockstep_rows):
        part = out[top // lockstep_rows :][: ceil_div(words.shape[0], lockstep_rows)]
        seen = _stage_slots(words, per, lockstep_rows, first, groups_per_stage, tile, part)
        _check_bytes(seen, words, k)
    return out


@WRAPPING
def broken_groups(mask: ByteMask, keep: int, group: int, k: int | None = None) -> Broken:
    """Groups of more than ``keep`` non-zeros, ``keep`` at most ``group``.

    Parameters
    ----------
    mask, k
        As of `lane_slots`.

    Raises
    ------
    WeightsError
        As `lane_slots`.
    """
    mask, _ = _checked(mask, k, group)
    tile = np.zeros(TILE_GROUPS, dtype=np.min_scalar_type(group))
    total, first = 0, (-1, -1, 0)
    for top, left, per, words in _pieces(mask, k, group, 1):
        found = np.zeros(4, dtype=np.int64)
        _check_bytes(_broken(words, per, keep, tile, found), words, k)
        number, row, index, count = found.tolist()
        candidate = (top + row, left + index, count)
        if number and (not total or candidate < first):
            first = candidate
        total += number
    return Broken(total, *first)


def _checked(mask: ByteMask, k: int | None, *positive: int) -> tuple[ByteMask, int]:
    """The mask as uint8, and the groups of a row; ``positive`` begins with the group."""
    if mask.ndim != 2 or mask.dtype not in (np.uint8, np.bool_) or not mask.size:
        got = f"{mask.dtype} of shape {mask.shape}"
        raise WeightsError("mask", "not a mask", want="bytes (rows, k), one a weight", got=got)
    if min(positive) < 1:
        raise WeightsError("mask", "group, rows and stages must be >= 1", got=positive)
    if k is not None:
        if mask.shape[1] != ceil_div(k, 8):
            want = f"{ceil_div(k, 8)} bytes a row"
            raise WeightsError("packed mask", "wrong width", want=want, got=mask.shape[1])
        if k % 8 and np.any(mask.view(np.uint8)[:, -1] & (0xFF >> (k % 8))):
            raise WeightsError("packed mask", "bits beyond the last weight are set")
    return mask.view(np.uint8), ceil_div(k or mask.shape[1], positive[0])


Pieces = Iterator[tuple[int, int, int, npt.NDArray[Any]]]


def _pieces(mask: ByteMask, k: int | None, group: int, lanes: int) -> Pieces:
    """(top row, first group, words a group, words (rows, groups * words a group)) of a mask.

    Bits set of the words are weights, of byte masks and of packed ones: packed bits are unpacked
    only where groups are no whole bytes.
    """
    if k is None:
        yield from _word_pieces(mask, group, lanes)
    elif group % 8 == 0:
        yield from _word_pieces(mask, group // 8, lanes)
    else:
        high = lanes * max(1, CHUNK_BYTES // (k * lanes))
        for top in range(0, mask.shape[0], high):
            part = np.unpackbits(mask[top : top + high], axis=1, count=k)
            for row, first, per, words in _word_pieces(part, group, lanes):
                yield top + row, first, per, words


def _word_pieces(mask: ByteMask, group: int, lanes: int) -> Pieces:
    """`_pieces` of groups of ``group`` bytes.

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
        for first in range(0, ceil_div(k, group), deep):
            part = mask[top : top + high, first * group : (first + deep) * group]
            groups = ceil_div(part.shape[1], group)
            padded = np.zeros((part.shape[0], groups * group), dtype=np.uint8)
            padded[:, : part.shape[1]] = part
            yield top, first, group // width, padded.view(dtype)


def _check_bytes(seen: int, words: npt.NDArray[Any], k: int | None) -> None:
    """Refuse a byte mask (``k`` is None) whose bytes are not all 0 or 1."""
    ones = int.from_bytes(b"\1" * words.dtype.itemsize, "little")
    if k is None and int(seen) & ~ones:
        raise WeightsError("mask", "has bytes other than 0 and 1", want="mask != 0 as bool")
