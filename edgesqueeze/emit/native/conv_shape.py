"""The geometry of a convolution, as kernels and their packing need it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConvShape:
    """Sizes of a 2-D convolution: activations in NHWC with batch 1.

    Attributes:
        in_height: rows of the input.
        in_width: pixels in a row of the input.
        in_channels: channels of the input.
        out_height: rows of the output.
        out_width: pixels in a row of the output.
        out_channels: channels of the output.
        kernel_height: rows of the kernel.
        kernel_width: columns of the kernel.
        stride_height: input rows from one output row to the next.
        stride_width: input columns from one output column to the next.
        dilation_height: input rows from one kernel row to the next.
        dilation_width: input columns from one kernel column to the next.
        pad_top: rows of padding above the input.
        pad_left: columns of padding to the left of the input.
    """

    in_height: int
    in_width: int
    in_channels: int
    out_height: int
    out_width: int
    out_channels: int
    kernel_height: int = 1
    kernel_width: int = 1
    stride_height: int = 1
    stride_width: int = 1
    dilation_height: int = 1
    dilation_width: int = 1
    pad_top: int = 0
    pad_left: int = 0

    @property
    def pointwise(self) -> bool:
        """Whether every output pixel depends on the input pixel at the same place only."""
        return (
            self.kernel_height == self.kernel_width == self.stride_height == self.stride_width == 1
            and self.pad_top == self.pad_left == 0
            and (self.out_height, self.out_width) == (self.in_height, self.in_width)
        )

    @property
    def small(self) -> bool:
        """Whether the window is 3x3 without dilation, and the stride 1 or 2 in both directions."""
        return (
            (self.kernel_height, self.kernel_width) == (3, 3)
            and self.dilation_height == self.dilation_width == 1
            and self.stride_height == self.stride_width
            and self.stride_height in (1, 2)
        )

    @property
    def same_size(self) -> bool:
        """Whether the stride is 1 and the output has as many pixels as the input, in rows as long."""
        sizes = (self.in_height, self.in_width) == (self.out_height, self.out_width)
        return sizes and self.stride_height == self.stride_width == 1

    @property
    def taps(self) -> int:
        """Weights per output channel of a convolution over all input channels."""
        return self.kernel_height * self.kernel_width * self.in_channels
