"""Convolutions that add up the inputs of a value: their streams, their results, and what they take."""

import numpy as np
import pytest

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.packing import factored
from edgesqueeze.emit.native.packing.cost import FACTORED_CORES
from edgesqueeze.emit.native.packing.factored_conv import FACTORED
from edgesqueeze.emit.native.packing.sites import sites_of
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from edgesqueeze.runners.firmware_build import build_firmware
from edgesqueeze.runners.qemu import run_firmware
from runtime_tests.support.native_figures import PROCESSORS, layer_instructions
from runtime_tests.support.packed_layers import FACTORED_BOARDS, FACTORED_MACHINES, clustered, force
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

ROWS = {row.name: row for row in FACTORED}
OPTIMIZE = {"factored": "time", "palette-factored": "size"}


@pytest.fixture
def arm():
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")


def test_random_weights_come_back():
    rng = np.random.default_rng(0)
    for _ in range(200):
        kernel = rng.choice([(1, 1), (3, 3), (2, 5), (10, 4), (1, 40), (5, 1)])
        channels, outputs = int(rng.choice([1, 3, 8, 60, 300])), int(rng.integers(1, 7))
        stride, dilation = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        shape = ConvShape(
            99, 99, channels, 9, 9, outputs, *kernel.tolist(), stride, stride, dilation, dilation
        )
        rows = clustered(
            rng, (outputs, shape.taps), values=int(rng.choice([2, 3, 16])), zeros=rng.choice([0.3, 0.9, 1.0])
        )
        found = factored.sorted_channels(rows, shape)
        if found is None:
            continue
        ordered = found.passage.in_order(rows, shape)
        plain = factored.plain_stream([found])
        np.testing.assert_array_equal(factored.decode(plain, found.passage, outputs), ordered)
        packed = factored.palette_stream([found], 2, False)
        if packed is not None:
            np.testing.assert_array_equal(factored.palette_weights(packed, outputs, shape.taps, 2), ordered)
        else:
            assert any(len(set(one.values)) < len(one.values) for one in found.channels)


def test_not_where_hardly_any_inputs_share_a_weight():
    shape = ConvShape(9, 9, 100, 9, 9, 2)
    rows = np.arange(-100, 100).reshape(2, 100).astype(np.int8)
    assert factored.sorted_channels(rows, shape) is None
    assert (
        factored.sorted_channels(np.ones((2, 300 * 300), np.int8), ConvShape(9, 999, 300, 9, 9, 2, 1, 300))
        is None
    )


def layers(zeros, seed=0):
    """Windows, strides, dilation, rests of rows, segments, one channel, more than 241 inputs of a value."""
    rng = np.random.default_rng(seed)

    def conv(x, channels, kernel, values=16, **options):
        weights = clustered(rng, (channels, *kernel, graph.shapes[x][3]), zeros=zeros, values=values)
        return graph.conv2d(x, channels, kernel, weights=weights, **options)

    graph = GraphBuilder(seed, name="factored")
    x = conv(graph.input((1, 43, 31, 8)), 24, (3, 3), stride=2)
    x = conv(x, 33, (1, 1), stride=2)
    y = conv(x, 31, (3, 2), dilation=2)
    x = conv(x, 31, (2, 3), padding="SAME")
    x = conv(graph.add(x, y), 7, (2, 3), padding="VALID")
    x = conv(x, 300, (1, 1))
    x = conv(x, 5, (5, 3), values=3)
    x = conv(conv(x, 1, (3, 1)), 12, (3, 5), stride=2)
    return graph.build([x])


def samples_of(model, seed=3):
    return random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)


def encodings(source):
    return [layer.packing.encoding for layer in source.layers if layer.packing]


@pytest.mark.parametrize("ram_bytes", [None, 0])
@pytest.mark.parametrize("name", ROWS)
def test_on_this_computer_equals_tflm(name, ram_bytes, monkeypatch):
    require_tool("gcc", "gcc")
    force(monkeypatch, name)
    for zeros in (0.0, 0.6, 0.97):
        model = parse_tflite(layers(zeros, seed=int(10 * zeros)))
        source = emit_native(model, optimize=OPTIMIZE[name], ram_bytes=ram_bytes)
        assert encodings(source).count(name) >= 3
        got = host_c.host_program(source, sanitize=True).run(samples_of(model))
        np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize(
    ("board", "level"), [("m0plus", "O3"), ("m0plus", "Os"), ("m3", "Os"), ("m33", "O3")]
)
def test_on_cores_equals_tflm(board, name, level, monkeypatch, arm):
    force(monkeypatch, name)
    processor = FACTORED_BOARDS[board]
    model = parse_tflite(layers(0.5 if level == "O3" else 0.9, seed=1))
    source = emit_native(model, core=processor.kernel_core, optimize=OPTIMIZE[name])
    assert encodings(source).count(name) >= 3
    got = run_firmware(build_firmware(source, processor, level), samples_of(model)).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


def test_in_several_parts_where_memory_is_short(monkeypatch, arm):
    force(monkeypatch, "palette-factored")
    graph = GraphBuilder(0, name="wide")
    weights = clustered(np.random.default_rng(0), (62, 3, 3, 16))
    model = parse_tflite(graph.build([graph.conv2d(graph.input((1, 9, 7, 16)), 62, weights=weights)]))
    source = emit_native(model, core="cortex-m0plus", optimize="size")
    (packing,) = (layer.packing for layer in source.layers)
    assert packing.parts > 1
    got = run_firmware(build_firmware(source, PROCESSORS["m0plus"], "O3"), samples_of(model)).outputs
    np.testing.assert_array_equal(got, tflm.run(model, samples_of(model)))


def one_convolution(shape, kernel, zeros):
    height, width, depth = shape
    graph = GraphBuilder(1, name="one")
    x = graph.average_pool(graph.input((1, 2 * height, 2 * width, depth)), 2)
    weights = clustered(np.random.default_rng(1), (32, kernel, kernel, depth), zeros=zeros)
    return parse_tflite(graph.build([graph.conv2d(x, 32, kernel, weights=weights)]))


@pytest.mark.parametrize(
    ("core", "shape", "kernel", "zeros", "most"),
    [
        ("m0plus", (25, 5, 64), 1, 0.0, 0.71),
        ("m0plus", (16, 16, 16), 3, 0.0, 0.48),
        ("m0plus", (8, 8, 64), 3, 0.0, 0.33),
        ("m0plus", (8, 8, 64), 3, 0.8, 0.14),
        ("m3", (16, 16, 32), 3, 0.0, 0.7),
        ("m3", (16, 16, 32), 3, 0.8, 0.32),
    ],
)
def test_convolutions_take_what_the_formula_says(core, shape, kernel, zeros, most, monkeypatch, arm):
    model, processor = one_convolution(shape, kernel, zeros), PROCESSORS[core]
    counts = {}
    for name in ("plain", *ROWS):
        force(monkeypatch, name)
        source = emit_native(model, core=processor.kernel_core, optimize=OPTIMIZE.get(name, "time"))
        (layer,) = (one for one in source.layers if one.packing)
        assert layer.packing.encoding == name
        counts[name] = layer_instructions(source, processor, samples_of(model))[layer.index]
        (site,) = sites_of(lower(model, source.kernel_set), source.kernel_set)
        if name in ROWS:
            parts = layer.packing.parts or 1
            estimate = ROWS[name].instructions(site, -(-site.outputs // parts), FACTORED_MACHINES[core])
            assert estimate == pytest.approx(counts[name], rel=0.09)
    assert counts["factored"] <= most * counts["plain"]


def test_only_cores_that_gain_by_it_use_it():
    model = one_convolution((16, 16, 32), 3, 0.8)
    for core in (None, "cortex-a7", "cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55"):
        source = emit_native(model, core=core, optimize="time")
        assert ("factored" in encodings(source)) == (core in FACTORED_CORES)
