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
    run, stored = problem.run, problem.real_run
    if library.padded("k", stored, bits) > stored:
        run = stored = library.padded("k", run, bits, problem.pattern.padded(1))
    return _resized(
        problem, library.padded("m", problem.m, bits), library.padded("n", problem.n, bits),
        run, stored,
    )  # fmt: skip


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
    whole = ceil_div(taken.run, unit) * unit
    return _resized(taken, taken.m, taken.n, whole, whole), taken


def _resized(problem: GemmProblem, m: int, n: int, run: int, stored: int) -> GemmProblem:
    """A problem padded to larger sizes; ``stored`` are channels of a convolution's input, or
    inputs, as they lie in memory."""
    if (m, n, run, stored) == (problem.m, problem.n, problem.run, problem.real_run):
        return problem
    unique = problem.unique_input_bytes
    return replace(
        problem,
        m=m,
        n=n,
        k=problem.k // problem.run * run,
        run=run,
        real_run=stored,
        unique_input_bytes=None if unique is None else ceil_div(unique * stored, problem.real_run),
        unpadded=problem.own,
    )
