"""How fused attention kernels use a machine: a section of the YAML."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from simulator.hardware.core import Source
from simulator.hardware.library import MAX_STAGE_BUFFERS, Kernels
from simulator.hardware.section import Count, NotNegative, Section, Size, Switch
from simulator.units import ceil_div


class AttentionTile(Section):
    """A block of queries, and the block of keys and values that it meets in a stage."""

    rows: Size = Field(description="Queries of a tile, of all heads that share keys and values.")
    context: Size = Field(description="Positions whose keys and values a stage takes.")
    head_dim: Size = Field(description="Features of the widest head that the tile is offered for.")
    warps: Size = Field(
        4, description="Warps that divide the rows; each reads all keys and values."
    )

    @property
    def fragment_rows(self) -> int:
        """Rows of a warp."""
        return ceil_div(self.rows, self.warps)


WIDEST: Final = 65536

# Dao, FlashAttention-2 (2023): its forward kernels for sm80, flash_fwd_launch_template.h; tiles of
# 64 rows are those of its kernels for split contexts. Model: for machines that hold none of those,
# and for wider heads, smaller ones.
FLASH_ATTENTION_2: Final = (
    AttentionTile(rows=128, context=128, head_dim=64),
    AttentionTile(rows=64, context=256, head_dim=64),
    AttentionTile(rows=128, context=64, head_dim=128),
    AttentionTile(rows=64, context=128, head_dim=128),
    AttentionTile(rows=64, context=64, head_dim=256),
    AttentionTile(rows=64, context=32, head_dim=WIDEST),
    AttentionTile(rows=32, context=32, head_dim=WIDEST, warps=2),
    AttentionTile(rows=16, context=16, head_dim=WIDEST, warps=1),
)


class AttentionKernels(Kernels):
    """Kernels of both products of a block of context, and the softmax between them.

    What a machine does not say is as in FlashAttention-2.
    """

    tiles: tuple[AttentionTile, ...] = Field(
        FLASH_ATTENTION_2,
        min_length=1,
        description="Tiles that the kernels offer; default: those of FlashAttention-2.",
    )
    # Model: FlashAttention-2 loads keys while it multiplies with values, and the other way round,
    # so that about half of a stage is in flight: taken as two, of which one is worked on.
    stage_buffers: Annotated[int, Field(ge=1, le=MAX_STAGE_BUFFERS, strict=True)] = Field(
        2, description="Blocks of keys and values in flight, at most."
    )
    splits: tuple[Count, ...] = Field(
        (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128),
        min_length=1,
        description="Parts of the context that are offered to cores of their own.",
    )
    overlapped: Switch = Field(
        False,
        description="Softmax of some rows beside products of others, in the same core; false: "
        "after each other.",
    )
    queries: Source = Field(
        "scratchpad",
        description="Where a tile keeps its queries: in the scratchpad, read anew each stage, or "
        "held in registers.",
    )
    # Model: about an L2 round trip, as of GEMMs.
    epilogue_ns: NotNegative = Field(
        300, description="Fixed part of an epilogue, besides the transfer of outputs."
    )
    reduction_kernel: Switch = Field(
        True,
        description="Split contexts are put together by a kernel that starts anew, and pays "
        "kernel_start_ns once more.",
    )

    def offered(self, head_dim: int) -> list[list[AttentionTile]]:
        """Tiles for heads of a width: those of the least that covers it; then those of each wider
        one, for machines that do not hold all of those."""
        widths = sorted({tile.head_dim for tile in self.tiles})
        wide = [width for width in widths if width >= head_dim] or widths[-1:]
        return [[tile for tile in self.tiles if tile.head_dim == width] for width in wide]
