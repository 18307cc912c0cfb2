"""``GemmProblem -> GemmProblem``: at which sizes a library runs what was lowered."""

from __future__ import annotations

import math
from dataclasses import replace

from simulator.hardware import Hardware, Library
from simulator.units import ceil_div
from simulator.workload.lowering import GemmProblem


def demanded(problem: GemmProblem, library: Library) -> GemmProblem:
    """The problem that a library runs: as it is, or padded to the sizes that its kernels take.

    What is padded is stored and moved, too: the library takes no other matrices. Model: kernels of
    the unstructured baseline are of no library, and take any size.
    """
    if problem.own_columns:
        return problem
    bits = problem.bits
    run = library.padded("k", problem.run, bits)
    if run > problem.run:
        run = library.padded("k", problem.run, bits, problem.pattern.padded(1))
    m, n = library.padded("m", problem.m, bits), library.padded("n", problem.n, bits)
    if (m, n, run) == (problem.m, problem.n, problem.run):
        return problem
    return _resized(problem, m, n, run)


def laid_out(problem: GemmProblem, hardware: Hardware, library: Library) -> tuple[GemmProblem, ...]:
    """How a library may run a problem: the fastest is executed.

    At the sizes that it takes; of a convolution whose channels fill no whole vectors, as those of
    an image, also with zeros beside them. Model: pixels then lie in vectors of
    ``core.alignment_bytes``, as the NHWC formats of cuDNN and TensorRT (kHWC8) have them, in memory
    already, and zeros are multiplied. Groups of channels lie side by side, with no room for zeros.
    """
    taken = demanded(problem, library)
    vector = max(1, hardware.core.alignment_bytes * 8 // problem.bits)
    is_ungrouped = problem.unique_input_bytes is not None and problem.count == 1
    if problem.gathers or not is_ungrouped or taken.real_run % vector == 0:
        return (taken,)
    unit = math.lcm(vector, taken.pattern.padded(1))
    return _resized(taken, taken.m, taken.n, ceil_div(taken.run, unit) * unit), taken


def _resized(problem: GemmProblem, m: int, n: int, run: int) -> GemmProblem:
    """A problem padded to larger sizes; the input of a convolution is stored with its padding."""
    unique = problem.unique_input_bytes
    return replace(
        problem,
        m=m,
        n=n,
        k=problem.k // problem.run * run,
        run=run,
        real_run=run,
        unique_input_bytes=None if unique is None else ceil_div(unique * run, problem.real_run),
        unpadded=problem.own,
    )
