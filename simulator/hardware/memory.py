"""What the cores of a machine share, as its YAML describes it: L2 and main memory."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulator.hardware.section import Count, NotNegative, Positive, Ratio, Section


class Halves(Section):
    """An L2 in two halves: half of the blocks are far from any one core."""

    far_latency_cycles: NotNegative = Field(description="Added to a far access.")
    link_bytes_per_cycle: Positive = Field(description="Between the halves.")


class L2(Section):
    """The cache that all cores share."""

    bytes: Count
    bytes_per_cycle: Positive
    latency_cycles: NotNegative
    halves: Halves | None = None
    start: Literal["cold", "warm", "carried", "repeated"] = Field(
        "cold",
        description="What it holds at the start of each layer: nothing; all that the layer reads; "
        "what the layers before left; the same in a later inference, with the weights that stayed.",
    )
    foreign_dirty_ratio: Annotated[float, Field(ge=0, le=1, strict=True)] = Field(
        0.0,
        description="Share of L2 that at the start of each layer holds what others wrote, and that "
        "is written to DRAM when the layer's reads evict it; of the first layer, where it is known "
        "what the others wrote.",
    )

    @property
    def is_carried(self) -> bool:
        """Whether layers find what the ones before left."""
        return self.start in ("carried", "repeated")


class Dram(Section):
    """Main memory."""

    bytes: Count
    bytes_per_second: Positive
    efficiency_ratio: Ratio = Field(
        1.0,
        description="Sustained over peak bandwidth; of reads, where writes have another.",
    )
    write_efficiency_ratio: Ratio | None = Field(
        None,
        description="What a written byte costs among reads, for which the bus turns around; "
        "default: efficiency_ratio.",
    )
    latency_ns: NotNegative = Field(description="From a core's request to the data, unloaded.")


class Memory(Section):
    """What the cores share."""

    l2: L2
    dram: Dram
    writes: Literal["l2", "dram"] = Field(
        "l2", description="Outputs go to L2 and to DRAM on eviction, or straight to DRAM."
    )
