"""SVDF in native C, compared with TensorFlow Lite Micro over sequences."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.graph import NO_TENSOR, parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

SHAPES = [(1, 1, 1, 1), (8, 4, 2, 5), (40, 6, 1, 10), (13, 9, 3, 7)]
"""Inputs, units, rank, memory."""


def add_svdf(graph, inputs, units, rank, memory, *, bias=True, state_type="int16", value=None, batch=1):
    """An SVDF with an input of its own; returns its output."""
    filters = units * rank
    x = graph.input((batch, inputs), "int8", 0.03, int(graph.rng.integers(-128, 128)))

    def weights(shape, dtype, most, scale):
        data = graph.rng.integers(-most, most + 1, shape) if value is None else np.full(shape, value)
        return graph.tensor(shape, dtype, scale, 0, data=data.astype(dtype))

    features = weights((filters, inputs), "int8", 127, 0.005)
    times = weights((filters, memory), "int16", 30000, 2e-5)
    offsets = graph.rng.integers(-100000, 100000, units).astype(np.int32)
    biases = graph.tensor((units,), "int32", 1e-7, 0, data=offsets) if bias else NO_TENSOR
    state = graph.tensor((batch, filters * memory), state_type, 0.0005, 0, variable=True)
    y = graph.tensor((batch, units), "int8", 0.02, -7)
    graph.op("SVDF", [x, features, times, biases, state], [y], rank=rank, fusedActivationFunction="RELU")
    return y


def random_svdfs(seed):
    """Independent layers; two have extreme weights."""
    graph = GraphBuilder(seed)
    outputs = [add_svdf(graph, *shape) for shape in SHAPES]
    outputs += [add_svdf(graph, 20, 3, 2, 8, value=value) for value in (-128, 127)]
    outputs.append(add_svdf(graph, 9, 5, 2, 4, batch=3))
    return parse_tflite(graph.build(outputs))


def samples_of(model, seed, count=30):
    """At least 100 steps, extremes among them."""
    shapes = [tensor.shape for tensor in model.main.input_tensors]
    return [sample for number in range(count) for sample in random_inputs(shapes, seed + number)]


def assert_equal(got, expected):
    assert len({row[1].tobytes() for row in expected}) > 20
    for number, (one, other) in enumerate(zip(got, expected, strict=True)):
        for layer, (a, b) in enumerate(zip(one, other, strict=True)):
            np.testing.assert_array_equal(a, b, err_msg=f"inference {number}, layer {layer}")


@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_sequences_equal_tflm_under_sanitizers(seed, sequence):
    model = random_svdfs(seed)
    samples = samples_of(model, seed)
    expected = tflm.run(model, samples, carry_state=sequence)
    program = host_c.host_program(emit_native(model), sanitize=True)
    assert_equal(program.run(samples, sequence=sequence), expected)


@pytest.mark.parametrize("core", PROCESSORS)
def test_sequences_on_each_core_equal_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = random_svdfs(9)
    samples = samples_of(model, 9)
    assert_equal(qemu.runner(PROCESSORS[core])(model, samples), tflm.run(model, samples))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state_type": "int8"}, "the state is int8, expected int16"),
        ({"bias": False}, "no biases, with which TensorFlow Lite Micro fails"),
    ],
)
def test_what_tflm_does_not_take_is_refused(changes, reason):
    graph = GraphBuilder()
    result = lower(parse_tflite(graph.build([add_svdf(graph, 4, 2, 1, 3, **changes)])), "reference")
    assert isinstance(result, Refused)
    assert [one.reason for one in result.refusals] == [reason]
