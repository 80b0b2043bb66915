"""Codes of Huffman's: their lengths, their limit, and what unpacking other values than a few takes."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.packing import huffman
from edgesqueeze.emit.native.packing.huffman import HUFFMAN, limited_lengths
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import tflm
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from runtime_tests.support.native_figures import PROCESSORS, layer_instructions
from runtime_tests.support.packed_layers import force
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


def test_lengths_are_those_of_huffman():
    assert limited_lengths([1, 1]) == [1, 1]
    assert limited_lengths([8, 4, 2, 1, 1]) == [1, 2, 3, 4, 4]
    assert limited_lengths([5, 5, 5, 5]) == [2, 2, 2, 2]


def test_codes_are_complete_and_no_longer_than_12_bits():
    fibonacci = [1, 1]
    while len(fibonacci) < 20:
        fibonacci.append(sum(fibonacci[-2:]))
    for counts in (fibonacci, [1] * 255 + [10**6], list(range(1, 200))):
        lengths = limited_lengths(counts)
        assert sum(2.0**-length for length in lengths) == 1
        assert max(lengths) <= huffman.LONGEST
        order = np.argsort(counts, kind="stable")
        assert all(np.diff(np.array(lengths)[order]) <= 0)


def test_bits_are_close_to_the_entropy():
    rng = np.random.default_rng(0)
    weights = np.clip(np.round(rng.normal(0, 6, 40_000)), -128, 127).astype(np.int8)
    _, counts = np.unique(weights, return_counts=True)
    share = counts / weights.size
    entropy = -(share * np.log2(share)).sum()
    stream = HUFFMAN.encode(weights, (weights.size,), False)
    assert entropy < 8 * len(stream) / weights.size < entropy + 0.06


def test_all_values_equally_often_are_not_held():
    assert HUFFMAN.encode(np.arange(-128, 128).astype(np.int8), (256,), False) is None


def bells(width):
    """Layers whose weights are normally distributed, as those of trained networks are about."""
    rng = np.random.default_rng(2)

    def weights(*shape):
        return np.clip(np.round(rng.normal(0, width, shape)), -127, 127).astype(np.int8)

    graph = GraphBuilder(3, name="bells")
    x = graph.average_pool(graph.input((1, 32, 32, 24)), 16)
    x = graph.conv2d(x, 64, kernel=1, weights=weights(64, 1, 1, 24))
    x = graph.conv2d(x, 48, kernel=(2, 1), weights=weights(48, 2, 1, 64))
    x = graph.fully_connected(graph.reshape(x, (1, 192)), 64, weights=weights(64, 192))
    return parse_tflite(graph.build([x]))


@pytest.mark.parametrize("width", [2, 12])
@pytest.mark.parametrize("core", ["m0plus", "m3", "m4", "m55"])
def test_unpacking_takes_what_the_formula_says(core, width, monkeypatch):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model, processor = bells(width), PROCESSORS[core]
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], 3)
    force(monkeypatch)
    plain = emit_native(model, core=processor.kernel_core)
    force(monkeypatch, "huffman")
    packed = emit_native(model, core=processor.kernel_core, optimize="size")
    before, after = (layer_instructions(source, processor, samples) for source in (plain, packed))
    layers = [layer for layer in packed.layers if layer.packing]
    assert [layer.packing.encoding for layer in layers] == ["huffman"] * 3
    for layer in layers:
        expected = layer.packing.unpack_instructions * layer.packing.plain_bytes
        assert after[layer.index] - before[layer.index] == pytest.approx(expected, rel=0.12)
    got = run_firmware(build_firmware(packed, processor, "Os"), samples).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples))
