"""How the kernels of a library use a machine, and which library runs what: sections of the YAML."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from simulator.hardware.core import Promotion, RegisterBuffers
from simulator.hardware.section import Count, NotNegative, Ratio, Section, Size, Switch
from simulator.units import DTYPE_BITS, ceil_div

_WIDTH = {"type": "integer", "minimum": 1}
Width = Annotated[Count, WithJsonSchema({"anyOf": [_WIDTH, {"type": "array", "items": _WIDTH}]})]
Dispatch = Literal["dynamic", "round_robin", "contiguous"]
Side = Literal["m", "n", "k"]
Unit = Literal["tensor", "vector"]

MAX_STAGE_BUFFERS = 64
MAX_CLUSTER = 16  # CUDA's largest cluster, where a kernel opts for more than 8


class Tile(Section):
    """A tile that a library's kernels offer: the part of Y that a core works on at a time."""

    m: Count = Field(description="Rows of Y that a core works on at a time.")
    n: Width = Field(
        description="Columns of Y that a core works on at a time; a list of widths is a tile of "
        "each width."
    )
    slots: Count = Field(
        description="Depth of a stage, in slots of 16 bits a row; other dtypes take as many bytes. "
        "Along k it grows with group / keep."
    )
    fragment_m: Count = Field(
        description="Rows whose operands share one register load, such as a warp's; default: all "
        "of m."
    )
    fragment_n: Count = Field(
        description="Columns whose operands share one register load, such as a warp's; default: "
        "all of n."
    )
    fallback: Switch = Field(
        False, description="Offered only where none of the other tiles gives every core one."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_fragment(cls, value: object) -> object:
        if isinstance(value, dict):
            return {f"fragment_{axis}": value[axis] for axis in "mn" if axis in value} | value
        return value

    @model_validator(mode="after")
    def _fragment_in_tile(self) -> Tile:
        if self.fragment_m > self.m or self.fragment_n > self.n:
            raise ValueError("a fragment cannot be larger than its tile")
        return self


class ClusterShape(Section):
    """How many tiles side by side are worked on by a cluster of cores that share what they read."""

    m: Annotated[int, Field(ge=1, le=MAX_CLUSTER, strict=True)] = Field(
        1, description="Tiles along m that a cluster works on; they share blocks of X."
    )
    n: Annotated[int, Field(ge=1, le=MAX_CLUSTER, strict=True)] = Field(
        1, description="Tiles along n that a cluster works on; they share blocks of W."
    )

    @property
    def cores(self) -> int:
        return self.m * self.n

    @model_validator(mode="after")
    def _not_too_many(self) -> ClusterShape:
        if self.cores > MAX_CLUSTER:
            raise ValueError(f"a cluster has at most {MAX_CLUSTER} cores, got {self.m}x{self.n}")
        return self


class Sizes(Section):
    """Rows of W, columns of X and depth of a product: of a convolution, k are channels."""

    m: Count = Field(1, description="Of the rows of W: outputs, or output channels.")
    n: Count = Field(1, description="Of the columns of X: tokens, or pixels of outputs.")
    k: Count = Field(1, description="Of the depth of the product: inputs, or input channels.")


class Kernels(Section):
    """How kernels use the machine, whatever they compute."""

    dispatch: Dispatch = Field(
        "dynamic",
        description="Who takes the next tile. dynamic: the core that is free next; round_robin: "
        "cores in turn; contiguous: each core has a run of tiles of its own.",
    )
    prefetch: Switch = Field(
        False,
        description="Stages of the next tile are requested while a core works on the one before, "
        "as in persistent kernels; false: after its main loop, once accumulators are free.",
    )
    epilogue_overlap: Switch = Field(
        False,
        description="The epilogue runs beside the next tile's main loop, which takes a second set "
        "of accumulators.",
    )
    epilogue_ns: NotNegative = Field(
        0,
        description="Fixed part of an epilogue, besides the transfer of outputs: scaling, "
        "conversion, the last store. Fitted, or about an L2 round trip.",
    )
    epilogue_staged: Switch = Field(
        False,
        description="Outputs are laid into the scratchpad, and read from there on their way out, "
        "instead of leaving registers straight through the port.",
    )
    reduction_kernel: Switch = Field(
        False,
        description="Partial sums of k-splits are added up by a kernel that starts anew, and pays "
        "kernel_start_ns once more.",
    )


class Library(Kernels):
    """How the kernels of one library use the machine; nothing in it is a correction factor.

    What it leaves out is the machine's.
    """

    # `Hardware.under` puts the two together.

    unit: Unit = Field(
        "tensor", description="What multiplies: tensor cores, or the lanes of core.vector."
    )
    tiles: tuple[Tile, ...] = Field(
        min_length=1,
        description="Tiles that its kernels offer, from their source or their names in profiles.",
    )
    stage_buffers: Annotated[int, Field(ge=1, le=MAX_STAGE_BUFFERS, strict=True)] = Field(
        description="Stages in flight, at most; fewer where the scratchpad holds fewer."
    )
    splits: tuple[Count, ...] = Field(
        (1,),
        min_length=1,
        description="k-splits offered: in how many parts along k cores may share a tile; default: "
        "none.",
    )
    register_buffers: RegisterBuffers | None = Field(
        None, description="Fragment loads hide behind MACs (2) or add to them (1); default: "
        "core.register_file.buffers.",
    )  # fmt: skip
    sums: Literal["fp32", "fp16"] = Field(
        "fp32", description="Format of the sums of fp16 products: fp16 is faster on some machines."
    )
    barrier_cycles: NotNegative | None = Field(
        None,
        description="Added to every stage, while warps meet; default: core.barrier_cycles.",
    )
    promotion: Promotion | None = Field(
        None, description="How CUDA cores add partial sums; default: core.promotion."
    )
    whole_tiles: Switch | None = Field(
        None, description="Whether edges are multiplied whole; default: core.whole_tiles."
    )
    busy_ratio: Ratio | None = Field(
        None,
        description="Share of the cores that has to be busy: k-splits are offered only where no "
        "tile, fallbacks apart, gives that many of them one; default: always.",
    )
    swizzle: Count = Field(
        1,
        description="Rows of tiles walked together, for reuse in L2; 1: row by row; as many as "
        "there are, or more: column by column.",
    )
    choice: Literal["time", "largest_tile", "waves"] = Field(
        "time",
        description="How a tile is chosen. time: the fastest; largest_tile: the largest that gives "
        "every core one (by time among equals, and where none does); waves: that of the fewest "
        "waves of cores, then of the fullest last wave, then the smallest.",
    )
    swap: Switch = Field(True, description="Dense GEMMs may swap W and X where that fits better.")
    vector_rows: tuple[Size, ...] = Field(
        (),
        description="Rows that may choose columns together: 128 runs patterns such as 128:2:20, "
        "with 2:4 on the columns chosen. Tiles lie within such rows.",
    )
    cluster: ClusterShape = Field(
        ClusterShape(),
        description="Tiles of which L2 sends shared blocks once: Hopper's multicast. Wants "
        "dispatch: round_robin; along a side whose tiles it does not divide each is on its own.",
    )
    epilogue_slice_bytes: Count | None = Field(
        None,
        description="Where sums add to what memory holds: outputs of a fragment that are waited "
        "for together; default: all.",
    )
    least: Sizes = Field(
        Sizes(), description="Least sizes that its kernels take; smaller ones are padded."
    )
    multiples: Sizes = Field(
        Sizes(), description="Sizes, in elements, to whose multiples others are padded."
    )
    multiples_bits: Sizes = Field(
        Sizes(), description="The same in bits: 128 are 8 elements of fp16 and 16 of int8."
    )

    @model_validator(mode="after")
    def _rows_have_tiles(self) -> Library:
        for rows in self.vector_rows:
            if all(rows % tile.m for tile in self.tiles):
                raise ValueError(f"vector_rows: no tile's m divides {rows}")
        if self.vector_rows and self.cluster.cores > 1:
            raise ValueError("vector_rows: rows that choose columns of their own share no cluster")
        return self

    @model_validator(mode="after")
    def _clusters_are_dealt_out(self) -> Library:
        if self.cluster.cores > 1 and self.dispatch != "round_robin":
            raise ValueError(
                f"a cluster wants dispatch: round_robin, as persistent kernels have, "
                f"got {self.dispatch}"
            )
        return self

    def padded(self, size: Side, elements: int, bits: int, unit: int = 1) -> int:
        """The least size that its kernels take for so many elements, in whole units."""
        of_width = ceil_div(getattr(self.multiples_bits, size), bits)
        unit = math.lcm(unit, of_width, getattr(self.multiples, size))
        return ceil_div(max(elements, getattr(self.least, size)), unit) * unit

    @field_validator("tiles", mode="before")
    @classmethod
    def _every_width(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        return [tile for written in value for tile in _widths(written)]


def _widths(tile: object) -> list[object]:
    """A tile of every width that is listed."""
    if isinstance(tile, dict) and isinstance(tile.get("n"), list):
        return [{**tile, "n": n} for n in tile["n"]]
    return [tile]


class LibraryChoice(Section):
    """Which library runs dense layers and which runs sparse ones, by name."""

    dense: str = Field(
        description="Name of the library that runs dense layers, and unstructured ones."
    )
    sparse: str = Field(
        description="Name of the library that runs layers under a keep:group pattern."
    )
    vector: str | None = Field(
        None,
        description="Runs dense layers on core.vector where that is faster: those that leave "
        "instructions of the tensor cores nearly empty. Default: none.",
    )
    dtypes: dict[str, str] = Field(
        {},
        description='Other libraries for some dtypes: keys are "dense" or "sparse" and a dtype, as '
        'in {"dense fp8": deepgemm}.',
    )
    dense_where_faster: Switch = Field(
        False,
        description="A layer whose weights follow a pattern runs dense where that is faster, as in "
        "software that keeps both kinds of weights and times both.",
    )

    @field_validator("dtypes")
    @classmethod
    def _kind_and_dtype(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            kind, _, dtype = key.partition(" ")
            if kind not in ("dense", "sparse") or dtype not in DTYPE_BITS:
                raise ValueError(f"want 'dense' or 'sparse' and a dtype, got '{key}'")
        return value

    def of(self, *, is_dense: bool, dtype: str) -> str:
        """Name of the library that runs a pattern in a dtype."""
        kind = "dense" if is_dense else "sparse"
        return self.dtypes.get(f"{kind} {dtype}", self.dense if is_dense else self.sparse)
