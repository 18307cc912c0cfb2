"""What the cores of a machine share, as its YAML describes it: L2 and main memory."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulator.hardware.section import Count, NotNegative, Positive, Ratio, Section


class Halves(Section):
    """An L2 in two halves: half of the blocks are far from any one core."""

    far_latency_cycles: NotNegative = Field(
        description="Added to the latency of the far half; from a microbenchmark of latency."
    )
    link_bytes_per_cycle: Positive = Field(
        description="Bandwidth of the link between the halves, for all reads of far blocks "
        "together, whichever way they cross it; writes do not."
    )


class L2(Section):
    """The cache that all cores share, between them and main memory."""

    bytes: Count = Field(description="Capacity, from the data sheet; blocks are kept by LRU.")
    bytes_per_cycle: Positive = Field(
        description="Bandwidth to and from all cores together, reads and writes; the plateau of a "
        "microbenchmark rather than the data sheet's peak."
    )
    latency_cycles: NotNegative = Field(
        description="From a core's request to the data, apart from transfers; from a "
        "microbenchmark of latency."
    )
    halves: Halves | None = Field(
        None, description="An L2 in two halves, as of an A100; absent, all of it is equally near."
    )
    start: Literal["cold", "warm", "carried", "repeated"] = Field(
        "cold",
        description="What it holds at the start of each layer. cold: nothing; warm: what the layer "
        "reads; carried: what the layers before left; repeated: the same in a later inference, "
        "with the weights that stayed.",
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
    """Main memory: one queue, first come, first served."""

    bytes: Count = Field(
        description="Capacity, from the data sheet; a network whose weights and KV cache do not "
        "fit is refused."
    )
    bytes_per_second: Positive = Field(
        description="Peak bandwidth, from the data sheet; efficiency_ratio says what is reached."
    )
    efficiency_ratio: Ratio = Field(
        1.0,
        description="Sustained over peak bandwidth, fitted or from a microbenchmark; of reads, "
        "where writes have another.",
    )
    write_efficiency_ratio: Ratio | None = Field(
        None,
        description="Sustained over peak bandwidth of writes among reads, for which the bus turns "
        "around; default: efficiency_ratio.",
    )
    latency_ns: NotNegative = Field(
        description="From a core's request to the data, unloaded; from a microbenchmark of latency."
    )


class Memory(Section):
    """What the cores share: L2, main memory, and the way of outputs."""

    l2: L2 = Field(description="The cache between cores and main memory.")
    dram: Dram = Field(description="Main memory: capacity, bandwidth and latency.")
    writes: Literal["l2", "dram"] = Field(
        "l2",
        description="Where outputs go: to L2, and to DRAM on eviction (l2), or straight to DRAM.",
    )
