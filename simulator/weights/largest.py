"""Compiled loops that find the largest magnitudes of groups, and add up what is kept.

All of them see float32; magnitudes are ordered as the integers of their bits. A kernel and its
callees are in one file, since numba's cache does not see edits across files.
"""

from __future__ import annotations

import numba
import numpy as np

from simulator.jit import OPTIONS

MAGNITUDE = np.uint32(0x7FFFFFFF)
COMPARED_GROUP = 16
"""In groups of so many weights each is compared with all others; larger ones are searched."""

SUMS = 6
"""Of |w|, then of w^2: all, kept by the pattern, kept unstructured but for ties."""


@numba.njit(**OPTIONS)
def count_digits(bits, high, prefix, frequency):
    """Count the upper or lower 16 bits of magnitudes; returns the largest magnitude's bits.

    Lower bits are counted of those magnitudes whose upper ones are ``prefix``.
    """
    largest = np.uint32(0)
    for i in range(bits.shape[0]):
        magnitude = bits[i] & MAGNITUDE
        largest = max(largest, magnitude)
        if high:
            frequency[magnitude >> np.uint32(16)] += 1
        elif magnitude >> np.uint32(16) == prefix:
            frequency[magnitude & np.uint32(0xFFFF)] += 1
    return largest


@numba.njit(**OPTIONS)
def _keep_compared(lines, keep, kept):
    """Mark the ``keep`` largest of a group (width, inner), each position of inner for itself."""
    width, inner = lines.shape
    for i in range(width):
        for j in range(inner):
            mine, above = lines[i, j] & MAGNITUDE, 0
            for other in range(width):
                bits = lines[other, j] & MAGNITUDE
                above += bits > mine or (bits == mine and other < i)
            kept[i, j] = above < keep


@numba.njit(**OPTIONS)
def _keep_searched(lines, keep, kept):
    """The same by a search for the ``keep``-th largest, bit by bit."""
    width, inner = lines.shape
    for j in range(inner):
        least = np.uint32(0)
        for bit in range(30, -1, -1):
            tried, count = least | np.uint32(1 << bit), 0
            for i in range(width):
                count += lines[i, j] & MAGNITUDE >= tried
            if count >= keep:
                least = tried
        ties = keep
        for i in range(width):
            ties -= lines[i, j] & MAGNITUDE > least
        for i in range(width):
            magnitude = lines[i, j] & MAGNITUDE
            is_tie = magnitude == least and ties > 0
            ties -= is_tie
            kept[i, j] = magnitude > least or is_tie


@numba.njit(**OPTIONS)
def keep_largest(bits, keep, group, kept):
    """Mark the ``keep`` largest of every group of (outer, channels, inner); ties: earlier."""
    for outer in range(bits.shape[0]):
        for left in range(0, bits.shape[1], group):
            lines, marks = bits[outer, left : left + group], kept[outer, left : left + group]
            if lines.shape[0] <= keep:
                marks[:] = True
            elif group <= COMPARED_GROUP:
                _keep_compared(lines, keep, marks)
            else:
                _keep_searched(lines, keep, marks)


@numba.njit(**OPTIONS)
def add_up(values, kept, least, sums):
    """Add up what `SUMS` names; returns how many are kept and not zero."""
    nonzeros = 0
    for i in range(values.shape[0]):
        magnitude, mark = np.float64(abs(values[i])), np.float64(kept[i])
        energy, free = magnitude * magnitude, np.float64(magnitude > least)
        sums[0] += magnitude
        sums[1] += magnitude * mark
        sums[2] += magnitude * free
        sums[3] += energy
        sums[4] += energy * mark
        sums[5] += energy * free
        nonzeros += kept[i] and magnitude != 0
    return nonzeros
