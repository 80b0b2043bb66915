"""Transposed convolutions as convolutions of rows: on each core equal to TFLite Micro, byte for byte."""

import ctypes

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.lower.transpose_conv_test import Layer
from edgesqueeze.emit.native.records import Operation
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import qemu, tflm
from runtime_tests.support.native_calls import _fill, _library
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


def layer(shape, channels, kernel, stride, padding="SAME", extra=0, **others):
    options = {"per_channel": True, "bias": True, "zero_points": (-7, 5), "scale": 0.1} | others
    return Layer(shape, channels, kernel, stride, padding, extra, **options)


IN_ROWS = [
    layer((4, 6, 8), 8, (2, 2), (2, 2), zero_points=(-128, -128), activation="RELU"),
    layer((3, 5, 4), 3, (2, 2), (2, 2), per_channel=False),
    layer((5, 7, 5), 5, (3, 3), (2, 2)),
    layer((4, 3, 16), 4, (3, 3), (2, 2), "VALID"),
    layer((3, 4, 6), 2, (4, 4), (2, 2), bias=False),
    layer((2, 9, 3), 1, (5, 4), (2, 3), "VALID"),
    layer((9, 1, 8), 6, (3, 1), (2, 1)),
    layer((1, 9, 20), 7, (1, 4), (1, 2), zero_points=(127, -3)),
    layer((4, 4, 7), 9, (3, 2), (1, 1), activation="RELU6"),
]
NOT_IN_ROWS = [
    layer((3, 3, 4), 4, (1, 1), (2, 2)),  # outputs that meet no input
    layer((3, 3, 4), 4, (3, 3), (2, 2), "VALID", 2),  # the same behind the last input
    layer((3, 3, 4), 4, (2, 2), (2, 2), scale=0.0002),  # scales of more than 1/2
]


def kernels_of(source):
    return [one.kernels[0] for one in source.layers]


@pytest.mark.parametrize("core", ["m4", "m55"])
def test_results_on_each_core_are_those_of_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(3)
    model = parse_tflite(graph.build([one.add(graph) for one in [*IN_ROWS, *NOT_IN_ROWS]]))
    kernels = kernels_of(emit_native(model, core=PROCESSORS[core].kernel_core))
    assert kernels[: len(IN_ROWS)] == ["es_transpose_conv2d_rows_s8"] * len(IN_ROWS)
    assert kernels[len(IN_ROWS) :] == ["es_transpose_conv2d_s8"] * len(NOT_IN_ROWS)
    samples = random_inputs([one.shape for one in model.main.input_tensors], 3)
    got = qemu.runner(PROCESSORS[core])(model, samples)
    for row, expected in zip(got, tflm.run(model, samples), strict=True):
        for number, (one, other) in enumerate(zip(row, expected, strict=True)):
            np.testing.assert_array_equal(one, other, err_msg=f"layer {number}")


@pytest.mark.parametrize("wanted", IN_ROWS)
def test_scratch_memory_is_as_large_as_the_kernel_says(wanted):
    graph = GraphBuilder(0)
    main = parse_tflite(graph.build([wanted.add(graph)])).main
    call, *_ = LOWERINGS["TRANSPOSE_CONV"](Operation(main, main.operators[0], "reference"))
    bytes_of = getattr(_library(call.function), f"{call.function}_scratch_bytes")
    alive = []
    assert call.scratch_bytes == bytes_of(ctypes.byref(_fill(call.parameters, alive)))


def test_a_layer_of_one_image_at_a_time_needs_no_more_memory_than_both_tensors():
    """The output lies over its input as far as no row that is still read is written."""
    graph = GraphBuilder(0)
    one = layer((8, 8, 16), 16, (2, 2), (2, 2))
    arena = emit_native(parse_tflite(graph.build([one.add(graph)])), core="cortex-m4").arena_bytes
    assert arena < 8 * 8 * 16 + 16 * 16 * 16
