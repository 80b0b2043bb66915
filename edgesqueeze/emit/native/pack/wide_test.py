"""int8 weights for int16 activations: their order for the DSP extension, scratch memory, and speed."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.kernels import ALIGNMENT
from edgesqueeze.emit.native.pack import wide
from edgesqueeze.emit.native.pack.dsp_test import SHAPES, compile_checks, weights_of
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.native_figures import PROCESSORS, layer_instructions
from runtime_tests.support.tools import require_tool

ORDER = [0, 2, 1, 3]


def test_every_set_has_a_row():
    assert set(wide.WIDE_PACKING) == set(ALIGNMENT)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(0, 9),
)
def test_weights_of_a_convolution_stand_in_pairs_of_channels(channels, groups, height, width, inputs, seed):
    weights = weights_of(groups * channels, height, width, inputs, seed=seed)
    words = wide.conv2d_dsp(weights, groups).array.reshape(groups, -(-channels // 2), -1, 2, 4)[..., ORDER]
    unpacked = words.transpose(0, 1, 3, 2, 4).reshape(groups, channels + channels % 2, -1)
    run = width * inputs
    row = run + run % 2
    expected = np.zeros((groups, channels, height, row), np.int8)
    expected[..., :run] = weights.reshape(groups, channels, height, run)
    flat = expected.reshape(groups, channels, -1)
    np.testing.assert_array_equal(unpacked[:, :channels, : flat.shape[2]], flat)
    assert np.count_nonzero(unpacked) == np.count_nonzero(weights)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(1, 13), st.integers(1, 30), st.integers(0, 9))
def test_weights_of_a_fully_connected_layer_stand_in_groups_of_four(outputs, inputs, seed):
    weights = weights_of(outputs, inputs, seed=seed)
    words = wide.fully_connected_dsp(weights).array.reshape(-(-outputs // 4), -(-inputs // 4), 4, 4)
    unpacked = words[..., ORDER].swapaxes(1, 2).reshape(outputs + -outputs % 4, -1)
    np.testing.assert_array_equal(unpacked[:outputs, :inputs], weights)
    assert np.count_nonzero(unpacked) == np.count_nonzero(weights)


def test_scratch_memory_is_what_the_kernel_says(tmp_path):
    checks = [
        (asdict(shape) | {"filter_channels": shape.in_channels}, wide.conv2d_dsp_scratch(shape, 1))
        for shape in SHAPES
    ]
    shape = replace(SHAPES[0], in_channels=12, out_channels=9)
    checks.append((asdict(shape) | {"filter_channels": 4}, wide.conv2d_dsp_scratch(shape, 3)))
    compile_checks(tmp_path, "es_conv2d_s16", "es_conv2d_wide", checks)
    packing = wide.WIDE_PACKING["dsp"]
    checks = [(asdict(shape), packing.depthwise_3x3_scratch(shape)) for shape in SHAPES]
    compile_checks(tmp_path, "es_depthwise_conv2d_3x3_s16", "es_conv2d_wide", checks)


DEPTHWISE = [
    ConvShape(1, 40, 6, 1, 40, 6, 1, 5, pad_left=2),
    ConvShape(7, 33, 5, 4, 33, 5, 1, 4, stride_height=2, pad_left=1),
    ConvShape(9, 9, 2, 9, 9, 2, 3, 2, pad_top=1),
    ConvShape(9, 9, 3, 9, 9, 3, 3, 2, pad_top=1),
    ConvShape(1, 40, 3, 1, 40, 6, 1, 5, pad_left=2),
    ConvShape(3, 3, 8, 3, 3, 8, 5, 5, pad_top=2, pad_left=2),
    ConvShape(4, 9, 1, 4, 9, 1, 1, 5, pad_left=2),
]


def test_scratch_memory_of_depthwise_windows(tmp_path):
    scratch = wide.WIDE_PACKING["dsp"].depthwise_scratch
    words = {"output": "{.wide = ES_WIDE_IN_WORDS}"}
    checks = [(asdict(shape) | words, scratch(shape)) for shape in [*DEPTHWISE, *SHAPES]]
    compile_checks(tmp_path, "es_depthwise_conv2d_s16", "es_conv2d_wide", checks)
    assert [scratch(shape) for shape in DEPTHWISE] == [48, 40, 28, 56, 96, 0, 0]


def image(graph, *shape):
    return graph.input((1, *shape), "int16", 6 / 32767, 0)


FAST = {  # instructions for a multiply-accumulate on Cortex-M4 and Cortex-M55, at most
    "1x1": (1.1, 1.2, lambda graph: graph.conv2d(image(graph, 8, 8, 64), 64, 1)),
    "1x1, few channels": (1.6, 2.1, lambda graph: graph.conv2d(image(graph, 12, 12, 16), 32, 1)),
    "3x3": (1.2, 1.2, lambda graph: graph.conv2d(image(graph, 12, 12, 16), 16)),
    "3x3 of 3 channels": (2.6, 3.3, lambda graph: graph.conv2d(image(graph, 16, 16, 3), 8, 3, 2)),
    "depthwise 3x3": (2.9, 2.8, lambda graph: graph.depthwise_conv2d(image(graph, 8, 8, 64))),
    "depthwise 3x3, stride 2": (
        4.1,
        3.4,
        lambda graph: graph.depthwise_conv2d(image(graph, 12, 12, 16), 3, 2),
    ),
    "depthwise 5x5": (3.0, 1.8, lambda graph: graph.depthwise_conv2d(image(graph, 8, 8, 32), 5)),
    "depthwise 9x1": (4.8, 2.7, lambda graph: graph.depthwise_conv2d(image(graph, 20, 1, 40), (9, 1))),
    "depthwise 1x3": (5.5, 4.7, lambda graph: graph.depthwise_conv2d(image(graph, 1, 60, 128), (1, 3))),
    "depthwise 1x5": (4.7, 3.5, lambda graph: graph.depthwise_conv2d(image(graph, 1, 40, 64), (1, 5))),
    "depthwise 1x5, dilated": (
        4.2,
        3.5,
        lambda graph: graph.depthwise_conv2d(image(graph, 1, 60, 64), (1, 5), dilation=4),
    ),
    "depthwise 3x3, dilated": (
        4.1,
        2.7,
        lambda graph: graph.depthwise_conv2d(image(graph, 10, 10, 32), dilation=2),
    ),
    "depthwise, multiplier": (
        4.6,
        4.7,
        lambda graph: graph.depthwise_conv2d(image(graph, 12, 12, 8), multiplier=4),
    ),
    "fully connected": (1.35, 1.1, lambda graph: graph.fully_connected(image(graph, 640), 128)),
}


@pytest.mark.parametrize("name", FAST)
def test_instructions(name):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    *limits, layer = FAST[name]
    graph = GraphBuilder(3)
    model = parse_tflite(graph.build([layer(graph)]))
    (tensor,) = model.main.input_tensors
    values = np.random.default_rng(3).integers(-32768, 32768, tensor.shape).astype(np.int16)
    for core, most in zip(("m4", "m55"), limits, strict=True):
        source = emit_native(model, core=PROCESSORS[core].kernel_core)
        instructions = layer_instructions(source, PROCESSORS[core], [[values]])[0]
        assert instructions <= most * source.layers[0].macs, core
