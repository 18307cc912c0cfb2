"""``Layer -> GemmProblem``: what the tensor cores see of a layer, and under which pattern."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final, Literal

from simulator.hardware import Hardware
from simulator.hardware.library import Unit
from simulator.quantities import count
from simulator.sparsity import (
    CHOSEN,
    DENSE,
    AnyPattern,
    MetadataCode,
    Pattern,
    Unstructured,
    VectorPattern,
    parse_pattern,
)
from simulator.units import DTYPE_BITS, bits_to_bytes, ceil_div, output_bits
from simulator.workload.fields import require_dtype
from simulator.workload.gathered import Gathered, fetch_ways
from simulator.workload.layer import Conv, Gemm, Layer, Matmul
from simulator.workload.window import MOST_CHANNELS, Window

Role = Literal["weights", "activations"]

Executed = Pattern | VectorPattern | Gathered

FASTER: Final = ", which is faster"
"""What notes say of a layer that might have run as it was asked to."""

DENSE_FASTER: Final = "dense would be faster"
"""What they say where the machine's software runs no layer dense that follows a pattern."""


@dataclass(frozen=True)
class GemmProblem:
    """``count`` GEMMs ``Y[m, n] = rows[m, k] . columns[k, n]`` in one launch.

    The rows operand is W (or, swapped, X of a dense layer); only it can be compressed.

    Attributes
    ----------
    m, n, k : int
        Sizes; k includes the channel padding of sparse convolutions.
    count : int
        Independent GEMMs: batch of matmuls, groups of convolutions.
    run, real_run : int
        Weights per kernel position along k, with and without channel padding; k = positions * run.
    dtype : str
    pattern : Pattern, VectorPattern or Gathered
        As executed; dense is 1:1.
    rows_role, columns_role : str
        Which counters their bytes go to.
    unique_input_bytes : int or None
        Of a convolution: input bytes of one of the ``count`` GEMMs, each counted once. None where
        the activations matrix itself is stored.
    inputs_are_rows : bool
        Swapped: the activations are the rows operand.
    accumulates : bool
        Y is read before it is written: the product is added to it.
    unpadded : GemmProblem or None
        As it was before it was padded to the sizes that a library takes, or laid out for lanes.
    unit : str
        What multiplies: tensor cores, or vector lanes.
    window : Window or None
        Each row has columns of its own: rows are channels of a depthwise convolution.
    """

    m: int
    n: int
    k: int
    count: int
    run: int
    real_run: int
    dtype: str
    pattern: Executed
    rows_role: Role = "weights"
    columns_role: Role = "activations"
    unique_input_bytes: int | None = None
    inputs_are_rows: bool = False
    accumulates: bool = False
    unpadded: GemmProblem | None = None
    unit: Unit = "tensor"
    window: Window | None = None

    @property
    def own(self) -> GemmProblem:
        """What was asked for: without the padding that a library demands."""
        return self.unpadded or self

    @property
    def bits(self) -> int:
        """Bits of one element of either operand."""
        return DTYPE_BITS[self.dtype]

    @property
    def output_bits(self) -> int:
        """Bits of one element of Y as stored."""
        return output_bits(self.dtype)

    @property
    def macs(self) -> int:
        """Useful MACs of the dense problem: no padding, nothing skipped."""
        own = self.own
        return own.m * own.n * (own.k // own.run) * own.real_run * own.count

    @property
    def gathers(self) -> bool:
        """Every slot fetches activations of its own."""
        return isinstance(self.pattern, Gathered)

    @property
    def own_columns(self) -> bool:
        """No row shares columns with another: every slot multiplies elements of its own."""
        return self.gathers or self.window is not None

    @property
    def windowed(self) -> tuple[Window, int] | None:
        """What decides how many columns a tile loads, where that is not its width."""
        return (self.window, self.k) if self.window is not None else None

    def columns_elements(self, m: Any, n: Any, k: Any) -> Any:
        """Of X, that a stage of ``m x n x k`` holds; of arrays, too."""
        if self.window is not None:
            return ceil_div(m * self.window.inputs(n) * k, self.k)
        return self.pattern.columns(k) * n

    @property
    def conflict_ratio(self) -> Fraction:
        """Cycles that a wave of fetches takes; whole groups are read without bank conflicts."""
        return self.pattern.conflict_ratio if isinstance(self.pattern, Gathered) else Fraction(1)

    @property
    def slots_used(self) -> int:
        """MACs of slots that can hold a weight: the useful part of what is executed."""
        own = self.own
        a_row = (own.k // own.run) * own.pattern.useful_slots(own.real_run)
        return own.m * own.n * a_row * own.count

    @property
    def padding_note(self) -> str:
        """Which sizes a library pads, if any."""
        own = self.own
        if self.window is not None:
            return ""
        sizes = ("n", "m", "k") if self.inputs_are_rows else ("m", "n", "k")
        pairs = zip(sizes, (own.m, own.n, own.k), (self.m, self.n, self.k), strict=True)
        padded = sorted(
            f"{size} from {less} to {more}" for size, less, more in pairs if less < more
        )
        return f"padded for the library: {', '.join(padded)}" if padded else ""

    def metadata_bits(self, rows: Any, weights: Any, code: MetadataCode) -> Any:
        """Stored with ``weights`` consecutive weights of ``rows`` rows: each row's, and shared;
        of arrays, too."""
        of_rows = rows * self.pattern.stored_metadata_bits(weights, code)
        return of_rows + self.pattern.shared_metadata_bits(rows, weights)

    @property
    def can_swap(self) -> bool:
        """Whether operands may be exchanged: where none is compressed, and rows share columns."""
        return self.pattern.is_dense and self.window is None

    def swapped(self) -> GemmProblem:
        """The same product with the operands exchanged: ``Y' = X' . W'``, dense only."""
        assert self.can_swap
        return replace(
            self,
            m=self.n,
            n=self.m,
            rows_role=self.columns_role,
            columns_role=self.rows_role,
            inputs_are_rows=True,
            unpadded=self.unpadded and self.unpadded.swapped(),
        )


@dataclass(frozen=True)
class Lowered:
    """The problems that a layer may become, and why.

    Attributes
    ----------
    problems : tuple of GemmProblem
        One for every pattern that may be executed, the sparsest first: the fastest is executed.
    reason : str
        Why it runs otherwise than asked, where that is known before it is simulated.
    """

    problems: tuple[GemmProblem, ...]
    asked: AnyPattern
    reason: str = ""

    @property
    def problem(self) -> GemmProblem:
        """That of the sparsest pattern."""
        return self.problems[0]

    def note(self, executed: Executed) -> str:
        """What a reader should know of the pattern executed."""
        if self.reason or executed == self.asked or self.asked.is_dense:
            return self.reason
        if isinstance(self.asked, Unstructured):  # real weights may have another density
            return ""
        is_choice = any(problem.pattern == self.asked for problem in self.problems)
        name = "dense" if executed.is_dense else f"as {executed}"
        return f"{self.asked} runs {name}" + FASTER * is_choice


def lower(
    layer: Gemm | Matmul | Conv,
    asked: AnyPattern,
    hardware: Hardware,
    *,
    has_mask: bool = False,
    library: str | None = None,
) -> Lowered:
    """What ``layer`` becomes on ``hardware`` if its weights are pruned to ``asked``.

    Parameters
    ----------
    has_mask : bool
        Real weights are at hand: hardware that skips non-zeros then runs weights of no pattern as
        full groups of its largest size, of which each costs its real non-zeros.
    library : str, optional
        The one that runs it, where that is not the machine's choice.

    Raises
    ------
    WorkloadError
        If the machine does not compute in the layer's dtype.
    """
    require_dtype(layer, hardware)
    patterns, reason = _executed(layer, asked, hardware, library)
    group = hardware.sparsity.largest_group
    if has_mask and patterns == [DENSE] and hardware.sparsity.skip == "nonzeros" and group > 1:
        patterns, reason = [Pattern(group, group)], f"real non-zeros in groups of {group}"
    problems = [_problem(layer, pattern) for pattern in patterns]
    if library is None and hardware.library.vector is not None and DENSE in patterns:
        problems += _on_lanes(layer, problems[patterns.index(DENSE)])
    return Lowered(tuple(problems), asked, reason)


def _problem(layer: Gemm | Matmul | Conv, executed: Executed) -> GemmProblem:
    if isinstance(layer, Conv):
        return _convolution(layer, executed)
    role: Role = "activations" if isinstance(layer, Matmul) else "weights"
    return GemmProblem(
        layer.m, layer.n, layer.k, layer.batch, layer.k, layer.k, layer.dtype, executed, role,
        accumulates=isinstance(layer, Gemm) and layer.accumulate,
    )  # fmt: skip


def _on_lanes(layer: Gemm | Matmul | Conv, problem: GemmProblem) -> list[GemmProblem]:
    """A depthwise convolution as vector lanes run it: channels side by side, each with its weights.

    Rows are as many channels as divide all of them, and their inputs are loaded once a patch.
    """
    if not isinstance(layer, Conv) or (problem.m, problem.run) != (1, 1) or problem.count == 1:
        return []
    channels = max(c for c in range(1, MOST_CHANNELS + 1) if problem.count % c == 0)
    assert problem.unique_input_bytes is not None
    return [
        replace(
            problem,
            m=channels,
            count=problem.count // channels,
            unique_input_bytes=problem.unique_input_bytes * channels,
            unpadded=problem,
            unit="vector",
            window=Window.of(layer),
        )
    ]


def asked_pattern(layer: Layer, override: AnyPattern | None) -> AnyPattern:
    """The pattern that the user wants for a layer: the override, else what the trace says."""
    if isinstance(layer, Gemm | Conv):
        if override is not None:
            return override
        if layer.pattern is not None:
            return parse_pattern(layer.pattern)
    return DENSE


def _executed(
    layer: Gemm | Matmul | Conv, asked: AnyPattern, hardware: Hardware, library: str | None
) -> tuple[list[Executed], str]:
    """The patterns as which a layer may run: dense, and why, only where no other contains it, or
    where the machine's software times both."""
    if asked.is_dense:
        return [DENSE], ""
    sparsity = hardware.sparsity
    if isinstance(asked, Unstructured):
        if sparsity.skip == "none":
            return [DENSE], f"{asked} runs dense: {hardware.name} skips no zeros"
        ways = fetch_ways(hardware, layer.dtype)
        return [Gathered.seeded(asked, _depth(layer), ways)], ""
    channels = layer.in_channels // layer.groups if isinstance(layer, Conv) else layer.k
    hosts = _hosts(asked, hardware, library, channels)
    if not hosts:
        return [DENSE], f"{asked} runs dense: no pattern of {hardware.name} contains it"
    filled: list[Executed] = [pattern for pattern in hosts if pattern.group <= channels]
    if not filled:
        few = f"{count(channels, 'channel')} {'is' if channels == 1 else 'are'} less than a group"
        return [DENSE], f"{asked} runs dense: {few}"
    # Where a pattern that contains it would run dense for want of channels, so may this one.
    may_be_dense = len(filled) < len(hosts) or _times_both(hosts, hardware, library)
    return filled + [DENSE] * may_be_dense, ""


def _times_both(
    hosts: list[Pattern | VectorPattern], hardware: Hardware, library: str | None
) -> bool:
    """Whether the machine's software times a layer dense, too.

    Where the user names a library, that one runs. Rows that choose columns together have kernels of
    their own, which come with no others.
    """
    is_plain = all(isinstance(host, Pattern) for host in hosts)
    return hardware.library.dense_where_faster and library is None and is_plain


def _hosts(
    asked: Pattern | VectorPattern, hardware: Hardware, library: str | None, channels: int
) -> list[Pattern | VectorPattern]:
    """The patterns that contain what is asked, sparsest first.

    Where rows choose columns together: on hardware that skips zeros of 2:4 with libraries that
    gather, those of as many rows, or of equal parts of them, as may choose together. And whatever
    contains each of its rows.
    """
    sparsity = hardware.sparsity
    if isinstance(asked, Pattern):
        return [*sparsity.capability.hosts(asked, sparsity.metadata)]
    skips = sparsity.skip != "none" and sparsity.capability.executes(CHOSEN)
    together = hardware.vector_rows(library) if skips else []
    of_rows = _hosts(asked.of_rows, hardware, library, channels)
    return [*asked.hosts(together, channels), *of_rows]


def _depth(layer: Gemm | Matmul | Conv) -> int:
    """Weights of a row along k, without padding."""
    if isinstance(layer, Conv):
        return layer.positions * layer.in_channels // layer.groups
    return layer.k


def _convolution(layer: Conv, executed: Executed) -> GemmProblem:
    """im2col with channels fastest; sparse runs pad channels so that no group straddles."""
    channels = layer.in_channels // layer.groups
    padded = executed.padded(channels)
    return GemmProblem(
        m=layer.out_channels // layer.groups,
        n=layer.batch * layer.out_h * layer.out_w,
        k=layer.positions * padded,
        count=layer.groups,
        run=padded,
        real_run=channels,
        dtype=layer.dtype,
        pattern=executed,
        unique_input_bytes=bits_to_bytes(
            layer.unique_inputs // layer.groups * DTYPE_BITS[layer.dtype]
        ),
        accumulates=layer.accumulate,
    )
