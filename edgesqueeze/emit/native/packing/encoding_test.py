"""What the packers write is read back: every encoding, for both layouts, on weights of all kinds."""

import numpy as np
import pytest

from edgesqueeze.emit.native.packing.encoding import palette_of
from edgesqueeze.emit.native.packing.table import ENCODINGS, PLAIN

MOST_VALUES = {"small-palette": 8}
SIZES = (1, 2, 7, 16, 31, 32, 33, 63, 64, 65, 576, 1000)


def random_weights(rng, size, values, zeros):
    palette = rng.choice(256, values, replace=False) - 128
    return np.where(rng.random(size) < zeros, 0, rng.choice(palette, size)).astype(np.int8)


def random_parts(rng, size):
    cuts = np.sort(rng.choice(size, min(3, size - 1), replace=False)) if size > 1 else []
    edges = [0, *(int(cut) for cut in cuts if cut), size]
    return tuple(int(part) for part in np.diff(edges))


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("name", ENCODINGS)
def test_random_weights_come_back(name, vectors):
    encoding = ENCODINGS[name]
    rng = np.random.default_rng(len(name))
    held = 0
    for _ in range(400):
        size = int(rng.choice(SIZES))
        values = int(rng.integers(1, MOST_VALUES.get(name, 16) + 4))
        weights = random_weights(rng, size, values, rng.choice([0, 0.5, 0.9, 0.99, 1]))
        parts = random_parts(rng, size)
        stream = encoding.encode(weights, parts, vectors)
        if stream is None:
            continue
        held += 1
        assert len(stream) % 4 == 0
        np.testing.assert_array_equal(encoding.decode(stream, parts, vectors), weights)
    assert held > 100


@pytest.mark.parametrize(
    "weights",
    [[5], [0], [-128], [0] * 100, [-128] * 33, list(range(-4, 4)), [-128, 127, 0] * 11, [0] * 300 + [1]],
)
@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("name", ENCODINGS)
def test_edges_come_back(name, vectors, weights):
    array = np.array(weights, np.int8)
    stream = ENCODINGS[name].encode(array, (array.size,), vectors)
    assert stream is not None
    np.testing.assert_array_equal(ENCODINGS[name].decode(stream, (array.size,), vectors), array)


def test_seventeen_values_are_too_many_for_indices_of_4_bits():
    weights = np.arange(17, dtype=np.int8) - 8
    held = [name for name, row in ENCODINGS.items() if row.encode(weights, (17,), False) is not None]
    assert held == ["bitmap", "huffman"]


def test_nine_values_are_too_many_for_indices_of_3_bits():
    weights = np.arange(9, dtype=np.int8) - 4
    held = [name for name, row in ENCODINGS.items() if row.encode(weights, (9,), True) is not None]
    assert held == [name for name in ENCODINGS if name != "small-palette"]
    without_zero = np.arange(1, 9, dtype=np.int8)
    stream = ENCODINGS["small-palette"].encode(without_zero, (8,), False)
    assert stream is not None and len(stream) == 8 + 12


def test_sixteen_values_without_zero_have_a_palette_but_no_zeros_to_skip():
    weights = np.arange(1, 17, dtype=np.int8)
    held = [name for name, row in ENCODINGS.items() if row.encode(weights, (16,), False) is not None]
    assert held == ["palette", "bitmap", "huffman"]


def test_a_palette_per_channel_is_more_than_16_values():
    channels = np.arange(64, dtype=np.int8).reshape(4, 16)
    assert palette_of(np.repeat(channels, 9)) is None


def test_bytes_of_a_thousand_weights():
    weights = np.zeros(1024, np.int8)
    weights[::8] = 3
    sizes = {name: len(row.encode(weights, (1024,), False)) for name, row in ENCODINGS.items()}
    assert sizes == {
        "palette": 16 + 512,
        "small-palette": 8 + 384,
        "pairmap": 16 + 64 + 128,
        "runs": 16 + 4 + 128,
        "bitmap": 128 + 128,
        "huffman": 12 + 4 + 4 + 128 + 4,
    }


def test_names_are_those_of_the_rows():
    assert all(name == row.name for name, row in ENCODINGS.items())
    assert PLAIN not in ENCODINGS
