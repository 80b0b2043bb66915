"""The geometry of operators that slide a window over one image: convolutions and pools."""

from __future__ import annotations

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.operands import require_int16_sizes
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError

MARGINS = "margins"
"""Option of a convolution: rows of padding above and below its input, columns left and right of it. What lies
below and to the right may be negative: so much of the input is not read."""


def window_shape(
    operation: Operation, window: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> ConvShape:
    """The sizes of an operator with strides and padding among its options.

    Args:
        operation: an operator whose first input and first output are images.
        window: rows and columns of the kernel or pool.
        dilation: input rows, or columns, from one row, or column, of the window to the next.

    Raises:
        UnsupportedOperationError: a batch, sizes beyond int16, or an output of another size than TFLite's.
    """
    source, output = operation.input(0).shape, operation.output().shape
    if len(source) != 4 or source[0] != 1:
        raise UnsupportedOperationError(
            f"the input has the shape {list(source)}, expected 4 dimensions and batch 1"
        )
    stride = (operation.option("stride_h"), operation.option("stride_w"))
    require_int16_sizes((*source, *window, *stride, *dilation))
    same = operation.option("padding") == "SAME"
    margins = operation.operator.options.get(MARGINS, ((0, 0), (0, 0)))
    sizes, pads = [], []
    for size, count, step, gap, margin in zip(source[1:3], window, stride, dilation, margins, strict=True):
        extent = (count - 1) * gap + 1
        out = -(-size // step) if same else (size + sum(margin) - extent) // step + 1
        sizes.append(out)
        pads.append(max(0, (out - 1) * step + extent - size) // 2 if same else margin[0])
        require_int16_sizes((extent, pads[-1]))
    if len(output) != 4 or tuple(output[:3]) != (1, *sizes):
        raise UnsupportedOperationError(
            f"the output has the shape {list(output)}, expected {[1, *sizes]} and channels"
        )
    require_int16_sizes(output)
    return ConvShape(
        in_height=source[1],
        in_width=source[2],
        in_channels=source[3],
        out_height=sizes[0],
        out_width=sizes[1],
        out_channels=output[3],
        kernel_height=window[0],
        kernel_width=window[1],
        stride_height=stride[0],
        stride_width=stride[1],
        dilation_height=dilation[0],
        dilation_width=dilation[1],
        pad_top=pads[0],
        pad_left=pads[1],
    )
