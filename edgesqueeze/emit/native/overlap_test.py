"""How far outputs may overlap inputs: the closed form against a simulation byte by byte."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.overlap import overlap_distance

small = st.integers(1, 6)


@st.composite
def shapes(draw):
    in_height, in_width, kernel_height, kernel_width = (draw(small) for _ in range(4))
    stride_height, stride_width = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    pad_top, pad_left = draw(st.integers(0, kernel_height - 1)), draw(st.integers(0, kernel_width - 1))
    return ConvShape(
        in_height=in_height,
        in_width=in_width,
        in_channels=1,
        out_height=(in_height - 1 + pad_top) // stride_height + 1,
        out_width=(in_width - 1 + pad_left) // stride_width + 1,
        out_channels=1,
        kernel_height=kernel_height,
        kernel_width=kernel_width,
        stride_height=stride_height,
        stride_width=stride_width,
        pad_top=pad_top,
        pad_left=pad_left,
    )


def is_safe(shape, group, channels_in, channels_out, distance):
    """Whether no group reads what an earlier group has overwritten."""
    in_bytes = shape.in_height * shape.in_width * channels_in
    out_bytes = shape.out_height * shape.out_width * channels_out
    written = np.zeros(distance + in_bytes + out_bytes, bool)
    pixels = [(y, x) for y in range(shape.out_height) for x in range(shape.out_width)]
    for start in range(0, len(pixels), group):
        for y, x in pixels[start : start + group]:
            top = y * shape.stride_height - shape.pad_top
            left = x * shape.stride_width - shape.pad_left
            for row in range(max(0, top), min(top + shape.kernel_height, shape.in_height)):
                for column in range(max(0, left), min(left + shape.kernel_width, shape.in_width)):
                    pixel = distance + (row * shape.in_width + column) * channels_in
                    if written[pixel : pixel + channels_in].any():
                        return False
        written[start * channels_out : min(start + group, len(pixels)) * channels_out] = True
    return True


@settings(derandomize=True, deadline=None, max_examples=150)
@given(shapes(), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_distance_is_safe_and_the_smallest(shape, group, channels_in, channels_out):
    distance = overlap_distance(shape, group, channels_in, channels_out)
    assert is_safe(shape, group, channels_in, channels_out, distance)
    assert is_safe(shape, group, channels_in, channels_out, distance + 3)
    # A window that begins in the padding beyond the input's end reads nothing, which the form ignores.
    reaches_beyond = (shape.out_height - 1) * shape.stride_height - shape.pad_top >= shape.in_height or (
        shape.out_width - 1
    ) * shape.stride_width - shape.pad_left >= shape.in_width
    if distance and not reaches_beyond:
        assert not is_safe(shape, group, channels_in, channels_out, distance - 1)


@pytest.mark.parametrize(
    ("shape", "group", "channels", "distance"),
    [
        (ConvShape(5, 5, 8, 5, 5, 16), 1, (8, 16), 24 * 8),
        (ConvShape(5, 5, 16, 5, 5, 8), 2, (16, 8), 0),
        (ConvShape(8, 8, 4, 4, 4, 4, 2, 2, 2, 2), 1, (4, 4), 0),
        (ConvShape(4, 4, 1, 4, 4, 1, 3, 3, pad_top=1, pad_left=1), 1, (1, 1), 5),
        (ConvShape(1, 1, 64, 1, 1, 256), 1, (64, 256), 0),
    ],
)
def test_known_distances(shape, group, channels, distance):
    assert overlap_distance(shape, group, *channels) == distance
