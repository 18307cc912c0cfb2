"""What a thread block of a depthwise convolution takes: a patch of pixels of some channels.

It loads every input below its windows once, and keeps it for all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simulator.units import ceil_div
from simulator.workload.layer import Conv

PATCH_WIDTH = 8
"""Model: a thread block of a depthwise convolution takes patches of so many pixels across."""

MOST_CHANNELS = 64
"""Model: and so many channels, at most: 128 bytes of fp16."""


class Window(NamedTuple):
    """What patches of a convolution's outputs read of a channel, each input once.

    Attributes
    ----------
    width : int
        Outputs across a patch.
    span : int
        Inputs across it.
    reach, stride : int
        Inputs that the first row of outputs reads down, and that each further one adds.
    """

    width: int
    span: int
    reach: int
    stride: int

    @classmethod
    def of(cls, layer: Conv) -> Window:
        (kernel_h, kernel_w), (stride, stride_w) = layer.pair("kernel"), layer.pair("stride")
        dilation_h, dilation_w = layer.pair("dilation")
        width = min(layer.out_w, PATCH_WIDTH)
        span = stride_w * (width - 1) + dilation_w * (kernel_w - 1) + 1
        return cls(width, span, dilation_h * (kernel_h - 1) + 1, stride)

    def inputs(self, outputs: Any) -> Any:
        """Of so many outputs; of arrays, too."""
        return self.span * (self.stride * (ceil_div(outputs, self.width) - 1) + self.reach)
