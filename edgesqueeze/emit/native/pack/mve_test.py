"""The MVE kernels: packing, scratch memory, and results in an emulator."""

import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.pack import mve as pack_mve
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import qemu, tflm
from edgesqueeze.target.processor import Processor
from runtime_tests.support.tools import require_tool

KERNELS = Path(__file__).parents[3] / "kernels"


def weights_of(*shape, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)


def unpack_pair(packed, taps):
    """The weights of two output channels, as es_multiply_s8 reads them."""
    tail = (taps - 1) % 16 + 1
    rows = [list(packed[:tail]), list(packed[tail : 2 * tail])]
    for step in range(2 * tail, 2 * taps, 32):
        rows[0] += list(packed[step : step + 16])
        rows[1] += list(packed[step + 16 : step + 32])
    return np.array(rows, np.int8)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 11), st.integers(1, 4), st.integers(1, 4), st.integers(1, 9), st.integers(0, 99))
def test_conv2d_packing_keeps_every_weight(channels, height, width, inputs, seed):
    weights = weights_of(channels, height, width, inputs, seed=seed)
    packed = pack_mve.conv2d(weights).array
    assert packed.size == weights.size
    by_columns = weights.transpose(0, 2, 1, 3).reshape(channels, -1)
    taps = by_columns.shape[1]
    blocked = channels - channels % 4
    for first in range(0, blocked, 2):
        pair = unpack_pair(packed[first * taps : (first + 2) * taps], taps)
        np.testing.assert_array_equal(pair, by_columns[first : first + 2])
    np.testing.assert_array_equal(packed[blocked * taps :].reshape(-1, taps), by_columns[blocked:])


def test_depthwise_packing_is_channel_by_channel():
    weights = weights_of(3, 3, 5)
    packed = pack_mve.depthwise_3x3(weights).array.reshape(5, 3, 3)
    np.testing.assert_array_equal(packed, weights.transpose(2, 0, 1))


def test_depthwise_packing_is_tap_by_tap_in_blocks_of_sixteen():
    weights = weights_of(3, 2, 21)
    packed = pack_mve.depthwise(weights).array
    np.testing.assert_array_equal(packed[: 6 * 16].reshape(6, 16), weights.reshape(6, 21)[:, :16])
    np.testing.assert_array_equal(packed[6 * 16 :].reshape(6, 5), weights.reshape(6, 21)[:, 16:])


def test_fully_connected_weights_stay_as_they_are():
    weights = weights_of(6, 11)
    np.testing.assert_array_equal(pack_mve.fully_connected(weights).array.reshape(6, 11), weights)


SHAPES = [
    ConvShape(8, 8, 16, 8, 8, 32),
    ConvShape(5, 3, 70, 5, 3, 9),
    ConvShape(5, 3, 40, 5, 3, 8),
    ConvShape(32, 32, 3, 16, 16, 8, 3, 3, 2, 2),
    ConvShape(50, 10, 1, 25, 5, 64, 10, 4, 2, 2, 1, 1, 4, 1),
    ConvShape(9, 9, 16, 9, 9, 16, 3, 3, 1, 1, 1, 1, 1, 1),
    ConvShape(25, 5, 64, 25, 5, 64, 3, 3, 1, 1, 1, 1, 1, 1),
    ConvShape(48, 49, 16, 24, 25, 16, 3, 3, 2, 2),
    ConvShape(24, 23, 16, 12, 12, 16, 3, 3, 2, 2),
    ConvShape(60, 9, 2000, 60, 9, 2000, 3, 3, 1, 1, 1, 1, 1, 1),
    ConvShape(9, 2, 9363, 9, 2, 9363, 3, 3, 1, 1, 1, 1, 1, 1),
]

SCRATCH = {
    "es_conv2d_s8": pack_mve.conv2d_scratch,
    "es_conv2d_1x1_s8": pack_mve.conv2d_1x1_scratch,
    "es_depthwise_conv2d_3x3_s8": pack_mve.depthwise_3x3_scratch,
    "es_depthwise_conv2d_s8": pack_mve.depthwise_scratch,
    "es_fully_connected_s8": lambda shape: pack_mve.fully_connected_scratch(shape.in_channels),
    "es_fully_connected_columns_s8": lambda shape: pack_mve.dense_columns_scratch(shape.out_channels),
}


@pytest.mark.parametrize("kernel", SCRATCH)
def test_scratch_memory_is_what_the_kernel_says(kernel, tmp_path):
    """The compiler computes a kernel's scratch memory: it refuses calls of ``differs`` that remain."""
    compiler = require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    dense = kernel.startswith("es_fully_connected")
    kind = "es_fully_connected" if dense else "es_conv2d"
    lines = [f'#include "{kernel}.c"']
    lines.append('extern void differs(void) __attribute__((error("the scratch memory differs")));')
    for i, shape in enumerate(SHAPES):
        sizes = {"in_features": shape.in_channels, "out_features": shape.out_channels}
        layer = sizes if dense else asdict(shape)
        members = ", ".join(f".{name} = {value}" for name, value in layer.items())
        lines.append(f"static const {kind} layer_{i} = {{{members}}};")
        lines.append(f"void check_{i}(void) {{")
        lines.append(
            f"  if ({kernel}_scratch_bytes(&layer_{i}) != {SCRATCH[kernel](shape)}) {{ differs(); }}"
        )
        lines.append("}")
    source = tmp_path / "scratch.c"
    source.write_text("\n".join(lines) + "\n")
    folders = [f"-I{KERNELS / name}" for name in ("mve", "include", "reference")]
    flags = ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-O3", "-std=c99", *folders, "-c"]
    subprocess.run([compiler, *flags, str(source), "-o", str(tmp_path / "scratch.o")], check=True)


POINTWISE = [  # image, output channels
    ((3, 5, 8), 8),
    ((1, 1, 64), 3),
    ((2, 2, 5), 1),
    ((1, 7, 36), 9),
    ((1, 2, 3), 4),
    ((3, 3, 16), 12),
    ((4, 5, 48), 20),
    ((1, 6, 130), 6),
]
CONVOLUTIONS = [  # image, output channels, kernel, stride, padding, dilation
    ((9, 11, 3), 8, 3, 2, "SAME", 1),
    ((9, 7, 1), 16, 3, 1, "SAME", 1),
    ((10, 4, 1), 6, (10, 4), 2, "SAME", 1),
    ((30, 7, 1), 8, (10, 4), 2, "SAME", 1),
    ((5, 9, 6), 3, (2, 3), 1, "VALID", 1),
    ((9, 9, 8), 4, 3, 1, "SAME", 2),
    ((9, 9, 5), 1, (3, 2), 1, "VALID", 3),
    ((6, 5, 16), 7, 1, 2, "VALID", 1),
    ((6, 5, 16), 8, 3, 1, "SAME", 1),
    ((3, 3, 70), 2, 3, 1, "SAME", 1),
    ((3, 2, 1), 4, 5, 1, "SAME", 1),
    ((7, 8, 7), 12, (5, 3), 1, "VALID", 1),
    ((9, 9, 4), 4, 2, 3, "VALID", 1),
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
    ((30, 27, 3), 1, "SAME"),
    ((25, 31, 2), 2, "SAME"),
    ((9, 1, 3), 1, "SAME"),
]


DEPTHWISE = [  # image, kernel, stride, padding, dilation
    ((9, 7, 16), 5, 1, "SAME", 1),
    ((8, 9, 21), (7, 7), 1, "SAME", 1),
    ((20, 1, 33), (9, 1), 1, "SAME", 1),
    ((1, 20, 5), (1, 3), 2, "SAME", 1),
    ((6, 12, 17), (1, 5), 1, "VALID", 1),
    ((9, 9, 12), 3, 1, "SAME", 2),
    ((11, 10, 40), (2, 4), 3, "VALID", 1),
    ((5, 5, 1 + 15), 2, 2, "SAME", 1),
    ((4, 3, 7), (9, 5), 1, "SAME", 1),
    ((7, 7, 3), 1, 1, "SAME", 1),
]


def random_layers(seed):
    """Independent layers of many shapes: those that the kernels take different ways for."""
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
    for inputs, units in [(1, 1), (64, 12), (30, 7), (256, 4), (260, 5), (701, 6), (16, 18)]:
        outputs.append(graph.fully_connected(graph.input((1, inputs)), units))
    outputs.append(graph.fully_connected(graph.input((1, 40)), 22, per_channel=True))
    return parse_tflite(graph.build(outputs))


@pytest.mark.parametrize("core", ["cortex-m55"])
def test_kernels_equal_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = random_layers(3)
    rng = np.random.default_rng(3)
    shapes = [tensor.shape for tensor in model.main.input_tensors]
    samples = [[rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes] for _ in range(3)]
    samples += [[np.full(shape, value, np.int8) for shape in shapes] for value in (-128, 127)]
    processor = Processor(core, "single", dsp=True, mve="float")
    for got, expected in zip(qemu.runner(processor)(model, samples), tflm.run(model, samples), strict=True):
        for index, (one, other) in enumerate(zip(got, expected, strict=True)):
            np.testing.assert_array_equal(one, other, err_msg=f"layer {index}")
