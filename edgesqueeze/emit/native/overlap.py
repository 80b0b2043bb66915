"""How far an output may overlap the input of a kernel that works through both in order of addresses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.conv_shape import ConvShape


def overlap_distance(shape: ConvShape, group: int, channels_in: int, channels_out: int) -> int:
    """Bytes that an int8 input must lie behind its output's start for the two to share memory.

    The kernel slides a window. It computes its output pixels in raster order, in groups of consecutive
    pixels, and writes a group after it has read the group's inputs.

    Args:
        shape: sizes of the window; its channels do not count.
        group: output pixels in a group; the last group may be smaller.
        channels_in: bytes of an input pixel.
        channels_out: bytes of an output pixel.

    Returns:
        The distance, at least 0 (in place). Any larger distance is safe too. A kernel that computes one
        pixel at a time (group 1) of a depthwise operator may even write it channel by channel.
    """
    rows = np.maximum(0, np.arange(shape.out_height) * shape.stride_height - shape.pad_top)
    columns = np.maximum(0, np.arange(shape.out_width) * shape.stride_width - shape.pad_left)
    reads = (rows[:, None] * shape.in_width + columns).reshape(-1) * channels_in
    groups = np.arange(0, reads.size, group)
    return stream_distance(np.minimum.reduceat(reads, groups), groups * channels_out)


def stream_distance(reads: npt.NDArray[np.int64], written: npt.NDArray[np.int64]) -> int:
    """The same for a kernel whose steps are given one by one.

    What a step and all later steps read must lie behind what has been written by then.

    Args:
        reads: per step the lowest byte of the input that it reads.
        written: per step the bytes of the output that are written before it has read everything.
    """
    still_read = np.minimum.accumulate(reads[::-1])[::-1]
    return int(np.max(written - still_read, initial=0))
