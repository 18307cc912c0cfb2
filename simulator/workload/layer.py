"""Layers as a network has them, before anything is known of the machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from simulator.errors import WorkloadError, did_you_mean
from simulator.sparsity import AnyPattern, parse_pattern
from simulator.units import DTYPE_BITS, ceil_div
from simulator.workload.attention import Attention
from simulator.workload.fields import MAX_SIZE as MAX_SIZE
from simulator.workload.fields import check_fields, check_switches, is_count
from simulator.workload.operators import OPERATORS, operator_of, parts_of


@dataclass(frozen=True)
class Gemm:
    """A linear layer: ``Y[m, n] = W[m, k] . X[k, n]`` with prunable weights W.

    Parameters
    ----------
    name : str
    m, n, k : int
        Rows of W (output features), columns of X (tokens), reduction (input features).
    batch : int
        Independent GEMMs of this shape, each with weights of its own.
    dtype : str
        Format of weights and activations.
    pattern : str, Pattern or Unstructured, optional
        Pattern of the weights along k: ``2:4``, ``128:2:20``, ``unstructured:0.5``; None is dense.
    repeat : int
        How often the layer occurs, one launch each time.
    accumulate : bool
        The product is added to what Y holds: BLAS's C, with a beta that is not zero, or a residual
        that the epilogue adds.
    epilogue : tuple of str
        Operators that a framework runs on Y after the product, of `operators.OPERATORS`, which most
        stacks fold into it.
    inputs : tuple of str
        Names of the layers whose outputs are read; empty: not known.
    """

    name: str
    m: int
    n: int
    k: int
    batch: int = 1
    dtype: str = "fp16"
    pattern: AnyPattern | str | None = None
    repeat: int = 1
    accumulate: bool = False
    epilogue: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self, ("m", "n", "k", "batch", "repeat"))
        check_switches(self, ("accumulate",))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense layer, once."""
        return self.m * self.n * self.k * self.batch


@dataclass(frozen=True)
class Matmul:
    """A product of two activations, ``Y[m, n] = A[m, k] . B[k, n]``: always dense.

    Parameters are those of `Gemm`; ``batch`` counts heads times samples.

    Parameters
    ----------
    cached : bool
        A is kept from token to token, as the keys and values of a decoder are, so that the A of
        all layers lie in memory at once.
    epilogue, inputs
        As in `Gemm`.
    """

    name: str
    m: int
    n: int
    k: int
    batch: int = 1
    dtype: str = "fp16"
    repeat: int = 1
    cached: bool = False
    epilogue: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self, ("m", "n", "k", "batch", "repeat"))

    @property
    def macs(self) -> int:
        """Multiply-accumulates, once."""
        return self.m * self.n * self.k * self.batch


@dataclass(frozen=True)
class Conv:
    """A 2-D convolution, NHWC; depthwise where ``groups == in_channels``.

    Parameters
    ----------
    name : str
    in_channels, out_channels : int
    in_h, in_w : int
        Input size, without padding.
    kernel, stride, dilation : int or (int, int)
        Height and width.
    padding : int, (int, int) or (int, int, int, int)
        All sides; height and width; or top, left, bottom, right.
    groups : int
        Divides both channel counts.
    batch : int
        Images.
    ceil_output : bool
        Round the output size up (SCALE-Sim does) instead of down.
    dtype, pattern, repeat, accumulate, epilogue, inputs
        As in `Gemm`.
    """

    name: str
    in_channels: int
    out_channels: int
    in_h: int
    in_w: int
    kernel: int | tuple[int, int] = 1
    stride: int | tuple[int, int] = 1
    padding: int | tuple[int, ...] = 0
    dilation: int | tuple[int, int] = 1
    groups: int = 1
    batch: int = 1
    ceil_output: bool = False
    dtype: str = "fp16"
    pattern: AnyPattern | str | None = None
    repeat: int = 1
    accumulate: bool = False
    epilogue: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("kernel", "stride", "dilation"):
            object.__setattr__(self, name, _pair(self, name))
        pads = self.padding if isinstance(self.padding, list | tuple) else (self.padding,)
        if len(pads) not in (1, 2, 4) or not all(is_count(p, 0, 2**20) for p in pads):
            raise WorkloadError(
                f"{self.name}.padding", "not a padding", got=self.padding, want="1, 2 or 4 counts"
            )
        object.__setattr__(self, "padding", (tuple(pads) * 4)[:4])
        _check(self, ("in_channels", "out_channels", "in_h", "in_w", "groups", "batch", "repeat"))
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise WorkloadError(
                f"{self.name}.groups",
                "must divide in_channels and out_channels",
                got=self.groups,
                want=f"a divisor of {self.in_channels} and {self.out_channels}",
            )
        if self.out_h < 1 or self.out_w < 1:
            raise WorkloadError(
                self.name,
                "the kernel is larger than the padded input",
                got=f"{self.in_h}x{self.in_w}",
                hint="raise the padding or lower kernel or dilation",
            )

    @cached_property
    def out_h(self) -> int:
        return self._out(0, self.in_h)

    @cached_property
    def out_w(self) -> int:
        return self._out(1, self.in_w)

    @property
    def positions(self) -> int:
        """Kernel positions: kernel height x width."""
        return self.pair("kernel")[0] * self.pair("kernel")[1]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense layer, once, padding positions included."""
        channels = self.in_channels // self.groups
        pixels = self.batch * self.out_h * self.out_w
        return self.out_channels * pixels * self.positions * channels

    @cached_property
    def unique_inputs(self) -> int:
        """Input elements that at least one output reads, over the whole batch."""
        return self.batch * self.in_channels * self._touched(0) * self._touched(1)

    def pair(self, name: str) -> tuple[int, int]:
        """Height and width of ``kernel``, ``stride`` or ``dilation``."""
        value = getattr(self, name)
        return value[0], value[1]

    @property
    def pads(self) -> tuple[int, int, int, int]:
        """Top, left, bottom, right."""
        assert not isinstance(self.padding, int)
        top, left, bottom, right = self.padding
        return top, left, bottom, right

    def _out(self, axis: int, size: int) -> int:
        pads = self.pads[axis] + self.pads[axis + 2]
        reach = self.pair("dilation")[axis] * (self.pair("kernel")[axis] - 1) + 1
        room = size + pads - reach
        stride = self.pair("stride")[axis]
        if room < 0:
            return 0
        return (ceil_div(room, stride) if self.ceil_output else room // stride) + 1

    def _touched(self, axis: int) -> int:
        """How much of the input's height (axis 0) or width (axis 1) some output reads."""
        size = (self.in_h, self.in_w)[axis]
        kernel, stride = self.pair("kernel")[axis], self.pair("stride")[axis]
        dilation, pad = self.pair("dilation")[axis], self.pads[axis]
        if stride == 1 and dilation == 1:
            return min(size, self._out(axis, size) + kernel - 1 - pad)
        # Tap r touches r * dilation - pad + stride * j for every output j: an interval of j among
        # the positions of one remainder modulo stride. Count the union of each remainder's.
        taps: dict[int, list[int]] = {}
        for tap in range(kernel):
            first, remainder = divmod(tap * dilation - pad, stride)
            taps.setdefault(remainder, []).append(first)
        outputs, touched = self._out(axis, size), 0
        for remainder, firsts in taps.items():
            end = 0
            for first in sorted(firsts):
                low, high = (
                    max(first, end),
                    min(first + outputs, ceil_div(size - remainder, stride)),
                )
                touched += max(0, high - low)
                end = max(end, high)
        return touched


LISTED = "listed"
"""The stack of a workload whose layers are kernels as they are listed."""

ROW_BYTES = 49152
"""Model: a row of 48 KiB stays on the chip between passes: what any thread block may have of shared
memory (CUDA C++ Programming Guide, table of compute capabilities), as PyTorch's softmax asks it."""


@dataclass(frozen=True)
class Stream:
    """A layer that only moves data: elementwise, pooling, softmax, normalisation.

    Parameters
    ----------
    name : str
    reads, writes : int
        Elements of its inputs and outputs; the latter are written once.
    op : str
        What it is, of `operators.OPERATORS`; ``add+normalization`` where several are one kernel.
    dtype, repeat, inputs
        As in `Gemm`.
    passes : int
        How often its inputs are read: more than once where a row does not stay on the chip. What is
        read again may still lie in L2.
    row : int, optional
        Elements of a row: its passes follow each other, and rows follow rows. None: all inputs are
        read before any is read again.
    """

    name: str
    reads: int
    writes: int
    op: str = "elementwise"
    dtype: str = "fp16"
    repeat: int = 1
    passes: int = 1
    row: int | None = None
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self, ("reads", "writes", "repeat", "passes") + ("row",) * (self.row is not None))
        for op in parts_of(self.op):
            if op not in OPERATORS:
                hint = did_you_mean(op, OPERATORS)
                raise WorkloadError(f"{self.name}.op", "unknown operator", got=op, hint=hint)
        if self.row is not None and self.row > self.reads:
            raise WorkloadError(
                f"{self.name}.row", "is longer than all inputs",
                want=f"at most reads = {self.reads}", got=self.row,
            )  # fmt: skip

    def over_rows(self, row: int) -> Stream:
        """The same layer over rows of so many elements, if it sums over them.

        Model: rows that do not stay are read once for every sum, and once for the outputs:
        PyTorch's softmax looks for the maximum, sums, and scales; its layer norm takes mean and
        variance in one pass, and scales.
        """
        reductions = operator_of(self.op).reductions
        if not reductions or row > self.reads:  # embeddings read indices
            return self
        is_wide = row * DTYPE_BITS[self.dtype] > ROW_BYTES * 8
        return replace(self, passes=1 + reductions if is_wide else 1, row=row)

    @property
    def macs(self) -> int:
        return 0


Layer = Gemm | Matmul | Conv | Stream | Attention


@dataclass(frozen=True)
class Workload:
    """A named list of layers, run in order.

    Parameters
    ----------
    name : str
    layers : iterable of Layer
    notes : iterable of str
        What was assumed when the trace was read; the report repeats them.
    blocks : int
        How many equal blocks the network has, of which these layers are one. Figures are of the
        one; memory must hold all.
    stack : str
        As which software stack it is run unless another is asked for, of `stack.STACKS`;
        ``listed``: each layer is a kernel.
    members : iterable of tuple of str
        Where layers are the kernels of a stack: names of the network's layers that each holds, in
        order. Empty: each is one.
    """

    name: str
    layers: tuple[Layer, ...]
    notes: tuple[str, ...] = field(default=())
    blocks: int = 1
    stack: str = LISTED
    members: tuple[tuple[str, ...], ...] = field(default=(), repr=False)

    def __init__(
        self,
        name: str,
        layers: Iterable[Layer],
        notes: Iterable[str] = (),
        blocks: int = 1,
        stack: str = LISTED,
        members: Iterable[tuple[str, ...]] = (),
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "layers", tuple(layers))
        object.__setattr__(self, "notes", tuple(notes))
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "stack", stack)
        object.__setattr__(self, "members", tuple(members))
        if not is_count(blocks, 1, MAX_SIZE):
            raise WorkloadError(f"{name} blocks", "not a count", got=blocks, want="1 or more")
        if not self.layers:
            raise WorkloadError(name, "has no layers")
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise WorkloadError(name, "not a layer", got=layer)

    @property
    def holds(self) -> tuple[tuple[str, ...], ...]:
        """Names of the network's layers that each layer is."""
        return self.members or tuple((layer.name,) for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense network."""
        return sum(layer.macs * layer.repeat for layer in self.layers)


def _check(layer: Gemm | Matmul | Conv | Stream, counts: tuple[str, ...]) -> None:
    """Counts are integers in range, the dtype exists, the pattern parses."""
    check_fields(layer, counts)
    if isinstance(layer, Gemm | Conv) and layer.pattern is not None:
        object.__setattr__(layer, "pattern", parse_pattern(layer.pattern, f"{layer.name}.pattern"))


def _pair(layer: Conv, name: str) -> tuple[int, int]:
    value = getattr(layer, name)
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2 or not all(is_count(v, 1, 2**20) for v in pair):
        raise WorkloadError(
            f"{layer.name}.{name}", "not a size", got=value, want="one or two counts"
        )
    return pair[0], pair[1]
