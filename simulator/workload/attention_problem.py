"""``Attention -> AttentionProblem``: what the tensor cores see of attention."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.hardware import Hardware
from simulator.sparsity import DENSE, Pattern
from simulator.units import DTYPE_BITS, ceil_div, output_bits
from simulator.workload.attention import Attention
from simulator.workload.fields import require_dtype
from simulator.workload.lowering import GemmProblem, Role


@dataclass(frozen=True)
class AttentionProblem:
    """``count`` groups of heads, each with keys and values of its own, in one launch.

    The rows of a group are the queries of all its heads. Model: they follow each other position by
    position, the heads of a position side by side, as where kernels pack grouped heads.

    Attributes
    ----------
    seq : int
        Positions of queries.
    sharing : int
        Heads of a group.
    context, head_dim : int
        Keys and values of a group, and their features.
    pairs : int
        Queries and keys of a head that meet.
    """

    seq: int
    sharing: int
    context: int
    head_dim: int
    count: int
    causal: bool
    pairs: int
    dtype: str

    pattern: Pattern = DENSE
    rows_role: Role = "activations"
    columns_role: Role = "activations"
    gathers: bool = False
    inputs_are_rows: bool = False

    @classmethod
    def of(cls, layer: Attention, hardware: Hardware) -> AttentionProblem:
        """What a layer becomes.

        Raises
        ------
        WorkloadError
            If the machine does not compute in the layer's dtype.
        """
        require_dtype(layer, hardware)
        return cls(
            layer.seq, layer.heads // layer.kv_heads, layer.context, layer.head_dim,
            layer.batch * layer.kv_heads, layer.causal, layer.pairs, layer.dtype,
        )  # fmt: skip

    @property
    def m(self) -> int:
        """Rows of Q and Y."""
        return self.seq * self.sharing

    @property
    def n(self) -> int:
        """Columns of Y."""
        return self.head_dim

    @property
    def k(self) -> int:
        """What stages run along."""
        return self.context

    @property
    def own(self) -> AttentionProblem:
        """It is never padded."""
        return self

    @property
    def bits(self) -> int:
        """Of an element of Q, K or V."""
        return DTYPE_BITS[self.dtype]

    @property
    def output_bits(self) -> int:
        """Of an element of Y."""
        return output_bits(self.dtype)

    @property
    def slots_used(self) -> int:
        """MACs of pairs that meet: the useful part of what is executed."""
        return 2 * self.count * self.sharing * self.pairs * self.head_dim

    @property
    def scores(self) -> GemmProblem:
        """Q . K', of all the context."""
        return self._product(self.context, self.head_dim)

    @property
    def values(self) -> GemmProblem:
        """The probabilities times V."""
        return self._product(self.head_dim, self.context)

    def _product(self, n: int, k: int) -> GemmProblem:
        return GemmProblem(
            self.m, n, k, self.count, k, k, self.dtype, DENSE, self.rows_role, self.columns_role
        )

    def row_ends(self, tile_rows: int, block: int) -> tuple[int, ...]:
        """Of each tile of rows, one past the last block of context that its last query sees; empty
        where all see all."""
        if not self.causal:
            return ()
        lasts = (min(end, self.m) - 1 for end in range(tile_rows, self.m + tile_rows, tile_rows))
        before = self.context - self.seq
        return tuple(ceil_div(before + last // self.sharing + 1, block) for last in lasts)


Problem = GemmProblem | AttentionProblem
"""Whatever multiplies."""
