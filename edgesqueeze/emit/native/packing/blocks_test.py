"""Streams without blocks of zeros: what is packed comes back, and what cannot be packed is refused."""

from dataclasses import replace

import numpy as np

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.pack import dsp
from edgesqueeze.emit.native.packing import blocks, columns, dense_blocks
from edgesqueeze.emit.native.packing.blocks import stored_blocks
from runtime_tests.support.packed_layers import in_blocks

ANY = ConvShape(1, 1, 1, 1, 1, 1)


def words_of(weights):
    """The words that the dense kernel reads, as weights of pairs of outputs."""
    words = dsp.conv2d(weights).array.view("<i2").reshape(-1, 4)
    pairs = blocks.separate(words).reshape(-(-len(weights) // 2), -1, 4, 2)
    return pairs[:, :, [0, 2, 1, 3]].transpose(0, 3, 1, 2).reshape(2 * len(pairs), -1)[: len(weights)]


def test_random_kernels_come_back():
    rng = np.random.default_rng(0)
    checked = 0
    for _ in range(300):
        kernel = tuple(int(one) for one in rng.integers(1, 5, 2))
        shape = (int(rng.integers(1, 9)), *kernel, int(rng.choice([1, 3, 4, 5, 16, 100])))
        zeros = rng.choice([0.2, 0.8, 0.99, 1.0])
        weights = in_blocks(rng, shape, (2, 4), values=int(rng.integers(1, 16)), zeros=zeros)
        sizes = replace(ANY, kernel_height=shape[1], kernel_width=shape[2], in_channels=shape[3])
        stored = stored_blocks(weights.reshape(shape[0], -1), sizes)
        if stored is None:  # too many blocks
            continue
        checked += 1
        expected = words_of(weights)
        plain = blocks.plain_stream(stored)
        np.testing.assert_array_equal(blocks.decode(plain, shape[0], expected.shape[1] // 4), expected)
        outputs = int(rng.choice([2, 4, 8]))
        packed = blocks.palette_stream(stored, outputs)
        assert packed is not None
        parts = range(0, len(stored), outputs // 2)
        expected_parts = [blocks.plain_stream(stored[at : at + outputs // 2]) for at in parts]
        assert blocks.unpacked(packed, parts) == expected_parts
        assert blocks.memory_bytes(stored, outputs) >= max(len(part) for part in expected_parts)
    assert checked > 250


def test_a_gap_that_no_skip_goes_over_stores_blocks_of_zeros():
    weights = np.zeros((2, 1, 1, 2000), np.int8)
    weights[0, 0, 0, [3, 1999]] = 5
    sizes = replace(ANY, in_channels=2000)
    stored = stored_blocks(weights.reshape(2, -1), sizes)
    assert len(stored[0].words) == 2 + 5  # 498 blocks of zeros between them, 85 at a time and one
    stream = blocks.plain_stream(stored)
    np.testing.assert_array_equal(blocks.decode(stream, 2, 500), words_of(weights))


def test_what_a_stream_cannot_hold():
    sizes = replace(ANY, in_channels=1024)
    rows = np.zeros((2, 1024), np.int8)
    rows[1, 0] = -128
    assert stored_blocks(rows, sizes) is None
    assert dense_blocks.stream(rows) is None
    rows[:] = 1
    assert stored_blocks(rows, sizes) is None  # 256 blocks
    rows[:, :4] = 0
    assert stored_blocks(rows, sizes) is not None
    many = np.arange(-8, 9, dtype=np.int8)[None].repeat(2, 0)
    stored = stored_blocks(many, replace(sizes, in_channels=17))
    assert blocks.palette_stream(stored, 2) is None  # 17 values


def test_even_sums_must_fit_into_24_bits():
    most = (1 << 23) // 128  # of the magnitudes of an output's weights
    rows = np.zeros((2, 1000), np.int8)
    rows[0, : most // 127] = 127
    rows[0, most // 127] = most % 127 - 1
    assert blocks.fits_sums(rows)
    assert stored_blocks(rows, replace(ANY, in_channels=1000)) is not None
    assert dense_blocks.stream(rows) is not None
    rows[0, most // 127] += 1
    assert stored_blocks(rows, replace(ANY, in_channels=1000)) is None
    assert dense_blocks.stream(rows) is None
    assert dense_blocks.stream(rows[::-1].copy()) is not None  # odd outputs have 32 bits


def test_random_columns_come_back():
    rng = np.random.default_rng(2)
    for _ in range(150):
        kernel = tuple(int(one) for one in rng.integers(1, 4, 2))
        shape = (4 * int(rng.integers(1, 10)), *kernel, int(rng.choice([1, 3, 16, 17, 100])))
        zeros = rng.choice([0.2, 0.8, 0.99, 1.0])
        weights = in_blocks(rng, shape, (16, 1), values=int(rng.integers(1, 16)), zeros=zeros)
        sizes = replace(ANY, kernel_height=shape[1], kernel_width=shape[2], in_channels=shape[3])
        groups = columns.stored_groups(weights.reshape(shape[0], -1), sizes)
        expected = weights.transpose(0, 2, 1, 3).reshape(shape[0], -1)
        plain = columns.plain_stream(groups)
        np.testing.assert_array_equal(columns.decode(plain, *expected.shape), expected)
        outputs, vectors = int(rng.choice([16, 32])), bool(rng.integers(2))
        packed = columns.palette_stream(groups, outputs, vectors)
        starts = range(0, len(groups), outputs // 16)
        parts = [columns.plain_stream(groups[at : at + outputs // 16]) for at in starts]
        assert columns.unpacked(packed, len(parts), vectors) == parts
        assert columns.memory_bytes(groups, outputs) >= max(len(part) for part in parts)


def test_columns_want_multiples_of_four_outputs():
    assert columns.stored_groups(np.ones((6, 3), np.int8), replace(ANY, in_channels=3)) is None
    groups = columns.stored_groups(
        np.arange(1, 18, dtype=np.int8)[None].repeat(4, 0), replace(ANY, in_channels=17)
    )
    assert columns.palette_stream(groups, 16, False) is None  # 17 values


def test_random_dense_kernels_come_back():
    rng = np.random.default_rng(1)
    for _ in range(200):
        shape = int(rng.integers(1, 11)), int(rng.choice([1, 3, 16, 255, 256, 257, 600]))
        rows = in_blocks(rng, shape, (4, 1), zeros=rng.choice([0.0, 0.5, 0.9, 1.0]))
        stream = dense_blocks.stream(rows)
        assert stream is not None and len(stream) % 4 == 0
        np.testing.assert_array_equal(dense_blocks.decode(stream, *shape), rows)
        rows[rows != 0] = rng.integers(-128, 128, np.count_nonzero(rows))
        stream = dense_blocks.column_stream(rows)
        np.testing.assert_array_equal(dense_blocks.decode_columns(stream, *shape), rows)
