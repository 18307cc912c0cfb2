"""Attention as one layer: two products with a softmax between them, whose scores are never stored.

``Y = softmax(Q . K') . V`` for every head; Dao et al., FlashAttention (2022).
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.errors import WorkloadError
from simulator.units import DTYPE_BITS, bits_to_bytes
from simulator.workload.fields import check_fields, check_switches


@dataclass(frozen=True)
class Attention:
    """Scaled dot-product attention; Q and Y are ``[batch, heads, seq, head_dim]``, K and V
    ``[batch, kv_heads, context, head_dim]``.

    Parameters
    ----------
    name : str
    heads, kv_heads : int
        Of queries, and of keys and values: each is shared by ``heads / kv_heads`` of queries.
    seq, context : int
        Positions of queries; of keys and values, those of earlier tokens included.
    head_dim : int
        Features of a head.
    batch : int
        Sequences.
    causal : bool
        Query i sees keys up to ``i + context - seq``: itself and what came before.
    dtype : str
        Format of Q, K and V, in which both products are taken.
    repeat : int
        How often the layer occurs, one launch each time.
    cached : bool
        K and V are kept from token to token, so that those of all layers lie in memory at once.
    epilogue, inputs
        As in `Gemm`.

    Examples
    --------
    >>> Attention("block", heads=32, kv_heads=8, seq=1, context=2048, head_dim=128).macs
    16777216
    """

    name: str
    heads: int
    kv_heads: int
    seq: int
    context: int
    head_dim: int
    batch: int = 1
    causal: bool = False
    dtype: str = "fp16"
    repeat: int = 1
    cached: bool = False
    epilogue: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self, (*SIZES, "repeat"))
        check_switches(self, ("causal", "cached"))
        if self.heads % self.kv_heads:
            raise WorkloadError(
                f"{self.name}.kv_heads", "must divide heads", got=self.kv_heads,
                want=f"a divisor of {self.heads}",
            )  # fmt: skip
        if self.causal and self.context < self.seq:
            raise WorkloadError(
                f"{self.name}.context", "leaves causal queries without a key", got=self.context,
                want=f"at least seq = {self.seq}",
            )  # fmt: skip

    @property
    def pairs(self) -> int:
        """Queries and keys of a head that meet."""
        if not self.causal:
            return self.seq * self.context
        return self.seq * (self.context - self.seq) + self.seq * (self.seq + 1) // 2

    @property
    def macs(self) -> int:
        """Multiply-accumulates of both products, once; of causal attention only what is seen."""
        return 2 * self.batch * self.heads * self.pairs * self.head_dim

    @property
    def exponentials(self) -> int:
        """Of the softmax: one a score."""
        return self.batch * self.heads * self.pairs

    @property
    def kv_bytes(self) -> int:
        """Keys and values."""
        elements = 2 * self.batch * self.kv_heads * self.context * self.head_dim
        return bits_to_bytes(elements * DTYPE_BITS[self.dtype])


SIZES = ("heads", "kv_heads", "seq", "context", "head_dim", "batch")
"""Counts that a trace has columns of."""
