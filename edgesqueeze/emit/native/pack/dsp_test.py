"""The kernels for the DSP extension: packing, scratch memory, and results in an emulator."""

import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.kernels import files_of
from edgesqueeze.emit.native.pack import dsp as pack_dsp
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import qemu, tflm
from edgesqueeze.target.processor import Processor
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

KERNELS = Path(__file__).parents[3] / "kernels"
ORDER = [0, 2, 1, 3]


def weights_of(*shape, seed=0):
    return np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int8)


def unpack_words(words):
    """Even and odd channels of words ``256 * even + odd``."""
    odd = words.astype(np.int8)
    return ((words.astype(np.int32) - odd) >> 8).astype(np.int8), odd


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 7), st.integers(1, 4), st.integers(1, 4), st.integers(1, 9), st.integers(0, 99))
def test_conv2d_packing_keeps_every_weight(channels, height, width, inputs, seed):
    weights = weights_of(channels, height, width, inputs, seed=seed)
    words = pack_dsp.conv2d(weights).array.view("<i2")
    even, odd = unpack_words(words.reshape(-(-channels // 2), -1, 4)[..., ORDER])
    unpacked = np.stack([even, odd], axis=1).reshape(channels + channels % 2, -1)
    run = width * inputs
    rests = run > 4 and run % 4 == 1
    row = run - 1 if rests else -(-run // 4) * 4
    expected = np.zeros((len(unpacked), height, row), np.int8)
    expected[:channels, :, : min(run, row)] = weights.reshape(channels, height, run)[:, :, :row]
    np.testing.assert_array_equal(unpacked[:, : height * row], expected.reshape(len(unpacked), -1))
    if rests:
        places = [ORDER[ky % 4] + ky // 4 * 4 for ky in range(height)]
        last = weights.reshape(channels, height, run)[:, :, -1]
        np.testing.assert_array_equal(unpacked[:channels, height * row :][:, places], last)
    assert np.count_nonzero(unpacked) == np.count_nonzero(weights)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 13), st.integers(1, 30), st.integers(0, 99))
def test_fully_connected_packing_keeps_every_weight(outputs, inputs, seed):
    weights = weights_of(outputs, inputs, seed=seed)
    words = pack_dsp.fully_connected(weights).array.view("<i2")
    steps = -(-inputs // 4)
    even, odd = unpack_words(words.reshape(-(-outputs // 4), steps, 2, 4)[..., ORDER])
    unpacked = np.stack([even, odd], axis=3).transpose(0, 2, 3, 1, 4).reshape(-1, 4 * steps)
    expected = np.zeros_like(unpacked)
    expected[:outputs, :inputs] = weights
    np.testing.assert_array_equal(unpacked, expected)


def test_depthwise_channels_are_padded():
    weights = weights_of(3, 3, 5)
    packed = pack_dsp.depthwise(weights).array.reshape(3, 3, 8)
    np.testing.assert_array_equal(packed[:, :, :5], weights)
    assert not packed[:, :, 5:].any()


def test_weights_of_minus_128_are_refused():
    weights = weights_of(2, 1, 1, 8)
    assert pack_dsp.fits_pairs(weights)
    weights[0, 0, 0, 3] = -128
    assert not pack_dsp.fits_pairs(weights)
    with pytest.raises(ValueError, match="-128"):
        pack_dsp.conv2d(weights)
    with pytest.raises(ValueError, match="-128"):
        pack_dsp.fully_connected(weights.reshape(2, 8))


SHAPES = [
    ConvShape(8, 8, 16, 8, 8, 32),
    ConvShape(5, 3, 7, 5, 3, 9),
    ConvShape(32, 32, 3, 16, 16, 8, 3, 3, 2, 2),
    ConvShape(50, 10, 1, 25, 5, 64, 10, 4, 2, 2, 1, 1, 4, 1),
    ConvShape(9, 9, 6, 9, 9, 6, 3, 3, 1, 1, 1, 1, 1, 1),
    ConvShape(25, 5, 64, 25, 5, 64, 3, 3, 1, 1, 1, 1, 1, 1),
    ConvShape(48, 49, 16, 24, 25, 16, 3, 3, 2, 2),
    ConvShape(7, 7, 10, 3, 3, 11, 5, 3, 1, 1, 1, 2),
    ConvShape(7, 7, 7, 3, 5, 11, 5, 3),
    ConvShape(7, 7, 1, 3, 7, 2, 5, 1),
    ConvShape(24, 24, 32, 24, 24, 32, 5, 5, 1, 1, 1, 1, 2, 2),
    ConvShape(12, 13, 6, 3, 4, 6, 2, 4, 1, 2, 9, 2),
    ConvShape(12, 13, 6, 6, 13, 6, 4, 1, 2, 1, 3, 1, 2),
]

SCRATCH = {
    "es_conv2d_s8": pack_dsp.conv2d_scratch,
    "es_conv2d_blocks_s8": pack_dsp.conv2d_scratch,
    "es_conv2d_1x1_s8": pack_dsp.conv2d_1x1_scratch,
    "es_depthwise_conv2d_s8": pack_dsp.depthwise_scratch,
    "es_depthwise_conv2d_3x3_s8": pack_dsp.depthwise_3x3_scratch,
    "es_depthwise_pixels_s8": pack_dsp.depthwise_pixels_scratch,
}


def compile_checks(folder, kernel, kind, checks):
    """Have the compiler compute a kernel's scratch memory: it refuses calls of ``differs`` that remain."""
    compiler = require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    files = [name for name in files_of("dsp", [kernel]) if name.endswith(".c")]
    lines = [f'#include "{file}"' for file in files]
    lines.append('extern void differs(void) __attribute__((error("the scratch memory differs")));')
    for i, (layer, size) in enumerate(checks):
        members = ", ".join(f".{name} = {value}" for name, value in layer.items())
        lines.append(f"static const {kind} layer_{i} = {{{members}}};")
        lines.append(f"void check_{i}(void) {{")
        lines.append(f"  if ({kernel}_scratch_bytes(&layer_{i}) != {size}) {{ differs(); }}")
        lines.append("}")
    source = folder / "scratch.c"
    source.write_text("\n".join(lines) + "\n")
    folders = [f"-I{KERNELS / name}" for name in ("dsp", "include", "reference")]
    flags = ["-mcpu=cortex-m4", "-mthumb", "-O3", "-std=c99", *folders, "-c"]
    subprocess.run([compiler, *flags, str(source), "-o", str(folder / "scratch.o")], check=True)


@pytest.mark.parametrize("kernel", SCRATCH)
def test_scratch_memory_is_what_the_kernel_says(kernel, tmp_path):
    checks = [(asdict(shape), SCRATCH[kernel](shape)) for shape in SHAPES]
    compile_checks(tmp_path, kernel, "es_conv2d", checks)


def test_scratch_memory_of_fully_connected(tmp_path):
    checks = [
        ({"in_features": inputs, "out_features": 5}, pack_dsp.fully_connected_scratch(inputs))
        for inputs in (1, 7, 64, 256, 257, 2048)
    ]
    compile_checks(tmp_path, "es_fully_connected_s8", "es_fully_connected", checks)


POINTWISE = [  # image, output channels
    ((3, 5, 8), 6),
    ((1, 1, 64), 3),
    ((2, 2, 5), 1),
    ((1, 7, 36), 9),
    ((1, 2, 3), 2),
    ((4, 5, 6), 4),
    ((2, 5, 1), 2),
    ((3, 4, 22), 6),
    ((7, 8, 12), 1),
]
CONVOLUTIONS = [  # image, output channels, kernel, stride, padding, dilation
    ((9, 11, 3), 8, 3, 2, "SAME", 1),
    ((9, 7, 4), 5, 3, 1, "SAME", 1),
    ((10, 4, 1), 6, (10, 4), 2, "SAME", 1),
    ((5, 9, 6), 3, (2, 3), 1, "VALID", 1),
    ((9, 9, 8), 4, 3, 1, "SAME", 2),
    ((9, 9, 5), 1, (3, 2), 1, "VALID", 3),
    ((6, 5, 16), 7, 1, 2, "VALID", 1),
    ((3, 3, 70), 2, 3, 1, "SAME", 1),
    ((3, 2, 1), 4, 5, 1, "SAME", 1),
    ((7, 8, 7), 2, (5, 3), 1, "VALID", 1),
]
DEPTHWISE_3X3 = [  # image, stride, padding
    ((9, 5, 8), 1, "SAME"),
    ((5, 9, 7), 1, "SAME"),
    ((1, 1, 4), 1, "SAME"),
    ((3, 3, 3), 1, "VALID"),
    ((6, 6, 12), 2, "SAME"),
    ((7, 9, 5), 2, "SAME"),
    ((9, 4, 6), 2, "VALID"),
    ((2, 9, 2), 1, "SAME"),
    ((4, 1, 9), 1, "SAME"),
    ((7, 2, 11), 2, "SAME"),
    ((8, 3, 5), 2, "VALID"),
]
DEPTHWISE = [  # image, kernel, stride, padding, dilation
    ((9, 8, 8), 5, 1, "SAME", 1),
    ((8, 9, 5), (7, 6), 2, "SAME", 1),
    ((7, 7, 6), (2, 5), 3, "VALID", 1),
    ((11, 9, 7), (1, 3), 1, "SAME", 1),
    ((12, 5, 4), (10, 1), 1, "VALID", 1),
    ((9, 10, 4), 3, 1, "SAME", 2),
    ((13, 12, 12), (3, 4), 1, "SAME", 3),
    ((12, 13, 2), (2, 3), 1, "VALID", 5),
    ((3, 2, 8), 5, 1, "SAME", 2),
    ((9, 9, 4), 1, 4, "SAME", 1),
    ((5, 1, 3), 5, 1, "SAME", 1),
    ((7, 6, 9), (3, 1), 1, "SAME", 1),
    ((9, 5, 6), (4, 1), 2, "SAME", 1),
    ((11, 14, 5), (7, 1), 1, "SAME", 2),
]


MOST_OF_640 = 102
"""Of 640 weights of this size a sum of products with any int8 has 24 bits."""


def test_sums_of_many_inputs_that_are_small():
    assert pack_dsp.small_sums(np.full((1, 640), MOST_OF_640, np.int8))
    assert not pack_dsp.small_sums(np.array([[0] * 640, [MOST_OF_640 + 1] * 640], np.int8))
    most = np.array([[127] * 516 + [3]], np.int8)  # 65,535 times -128 is the least sum but 128
    assert pack_dsp.small_sums(most)
    assert not pack_dsp.small_sums(most + (most == 3))
    assert not pack_dsp.small_sums(np.ones((1, 512), np.int8)), "few inputs need not be looked at"


def random_layers(seed, least=False):
    """Independent layers of many shapes: those that the kernels take different ways for.

    ``least``: the outputs' zero point is -128, so that no sum below zero counts.
    """
    graph = GraphBuilder(seed)
    outputs = []

    def image(height, width, channels):
        zero_point = int(graph.rng.integers(-128, 128))
        return graph.input((1, height, width, channels), "int8", 0.05, zero_point)

    for shape, channels in POINTWISE:
        outputs.append(graph.conv2d(image(*shape), channels, 1))
    for shape, channels, kernel, stride, padding, dilation in CONVOLUTIONS:
        outputs.append(graph.conv2d(image(*shape), channels, kernel, stride, padding, dilation=dilation))
    for shape, stride, padding in DEPTHWISE_3X3:
        outputs.append(graph.depthwise_conv2d(image(*shape), 3, stride, padding))
    for shape, kernel, stride, padding, dilation in DEPTHWISE:
        outputs.append(graph.depthwise_conv2d(image(*shape), kernel, stride, padding, dilation=dilation))
    in_place = graph.depthwise_conv2d(graph.depthwise_conv2d(image(9, 7, 6), (5, 1)), (3, 4))
    outputs.append(graph.depthwise_conv2d(graph.depthwise_conv2d(in_place, (4, 5)), 2, dilation=2))
    for inputs, units in [(1, 1), (64, 12), (30, 7), (256, 4), (260, 5), (701, 6), (704, 6), (1030, 3)]:
        outputs.append(graph.fully_connected(graph.input((1, inputs)), units))
    for size in (MOST_OF_640, MOST_OF_640 + 1):
        weights = np.full((8, 640), size) * np.array([[1], [-1]] * 4)
        outputs.append(graph.fully_connected(graph.input((1, 640)), 8, weights=weights))
    outputs.append(graph.fully_connected(graph.input((1, 40)), 6, per_channel=True))
    for output in outputs if least else ():
        graph.tensors[output].quantization.zeroPoint = [-128]
    return parse_tflite(graph.build(outputs))


LONG_SUMS = [  # image and kernel size: inputs of an output
    ((2, 4, 512), 1, 512),
    ((2, 2, 516), 1, 516),
    ((4, 1, 600), 1, 600),
    ((5, 6, 40), (3, 5), 600),
    ((2, 2, 1024), 1, 1024),
    ((4, 3, 256), 3, 2304),
    ((3, 4, 259), 3, 2331),
    ((2, 2, 512), 3, 4608),
]


def layers_with_long_sums(seed, layers):
    """Layers whose weights are all 127 or -127, and whose outputs reach from the least to the largest sum."""
    graph = GraphBuilder(seed)
    outputs = []
    for number, (image, kernel, taps) in enumerate(layers):
        x = graph.input((1, *image), "int8", 6 * 73 / (taps**0.5 * 127 * 128))
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        signs = graph.rng.choice([-1, 1], (4 + number % 2, taps))
        signs[0] = 1
        signs[1] = -1
        signs[2] = np.where(np.arange(taps) < taps // 2, 1, -1)
        weights = 127 * signs.reshape(-1, *size, image[2])
        outputs.append(graph.conv2d(x, len(weights), kernel, weights=weights))
    return parse_tflite(graph.build(outputs))


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7"])
def test_sums_of_any_length_equal_tflm(core):
    model = layers_with_long_sums(5, LONG_SUMS)
    source = emit_native(model, core=core)
    assert not any("general" in name for name in source.files)
    assert_equals_tflm(model, core, 5)


@pytest.mark.parametrize(("core", "seed"), [("cortex-m4", 1), ("cortex-m33", 2)])
def test_kernels_equal_tflm(core, seed):
    assert_equals_tflm(random_layers(seed), core, seed)


@pytest.mark.parametrize("fpu", ["none", "single"])
def test_kernels_without_sums_below_zero_equal_tflm(fpu):
    assert_equals_tflm(random_layers(3, least=True), "cortex-m4", 3, fpu)


def assert_equals_tflm(model, core, seed, fpu="single"):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    rng = np.random.default_rng(seed)
    shapes = [tensor.shape for tensor in model.main.input_tensors]
    samples = [[rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes] for _ in range(3)]
    samples += [[np.full(shape, value, np.int8) for shape in shapes] for value in (-128, 127)]
    processor = Processor(core, fpu, dsp=True, mve="none")
    for got, expected in zip(qemu.runner(processor)(model, samples), tflm.run(model, samples), strict=True):
        for index, (one, other) in enumerate(zip(got, expected, strict=True)):
            np.testing.assert_array_equal(one, other, err_msg=f"layer {index}")


def global_windows(graph):
    """Depthwise convolutions with few outputs, as of windows that cover the input, and with small windows."""

    def layer(shape, *options, padding="VALID", **named):
        x = graph.input((1, *shape), "int8", 0.02, int(graph.rng.integers(-128, 128)))
        return graph.depthwise_conv2d(x, *options, padding, **named)

    return [
        layer((7, 7, 9), 7, 1),
        layer((3, 3, 4), 3, 1, activation="RELU"),
        layer((9, 9, 17), (4, 3), 3),
        layer((8, 1, 6), (8, 1), 1),
        layer((1, 9, 5), (1, 4), 2),
        layer((7, 5, 12), 3, 1, dilation=2),
        layer((2, 2, 67), 3, 1, padding="SAME"),
        layer((9, 12, 130), 2, 2, padding="SAME"),
        layer((1, 31, 7), (1, 3), 2, padding="SAME"),
        layer((11, 9, 66), (3, 2), 2, padding="SAME"),
        layer((5, 5, 3), 5, 1),
        layer((9, 9, 8), 1, 2),
        layer((1, 40, 7), (1, 3), 1, padding="SAME", dilation=11),
        layer((3, 19, 3), 2, 1, padding="SAME", dilation=5),
    ]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(4, 11), st.integers(0, 99))
def test_weights_of_pixels_stand_in_pairs_of_taps(height, width, channels, seed):
    weights = weights_of(height, width, channels, seed=seed)
    rows = weights.reshape(-1, channels)
    packed = pack_dsp.depthwise_pixels(weights).array.reshape(-(-channels // 4), -1)
    for number, group in enumerate(packed):
        first = min(4 * number, channels - 4)
        for tap, row in enumerate(rows[:, first : first + 4]):
            start = tap // 2 * 8 + tap % 2 * 2
            alone = tap == len(rows) - 1 and tap % 2 == 0
            places = start + np.array([0, 1, 2, 3] if alone else [0, 1, 4, 5])
            np.testing.assert_array_equal(group[places], row)


@pytest.mark.parametrize("core", ["m4", "m33", "m55"])
def test_depthwise_windows_that_cover_the_input(core):
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(7)
    model = parse_tflite(graph.build(global_windows(graph)))
    samples = random_inputs([one.shape for one in model.main.input_tensors], 7)
    got = qemu.runner(PROCESSORS[core])(model, samples)
    for row, expected in zip(got, tflm.run(model, samples), strict=True):
        for one, other in zip(row, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    kernels = [layer.kernels[0] for layer in emit_native(model, core=PROCESSORS[core].kernel_core).layers]
    assert kernels.count("es_depthwise_pixels_s8") == (0 if core == "m55" else 10)
