"""SQUARED_DIFFERENCE, DIV, LOG_SOFTMAX and REDUCE_MIN: equal to TensorFlow Lite Micro, on every core."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.records import Operation, Refused, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, qemu, tflm
from runtime_tests.support.native_calls import run_graph
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

EVERY = np.arange(-128, 128).astype(np.int8)
GRIDS = [np.repeat(EVERY, 256).reshape(256, 256), np.tile(EVERY, 256).reshape(256, 256)]


def drawn(rng, low, high):
    return float(np.float32(10 ** rng.uniform(low, high)))


def squared_difference(graph, shapes):
    rng = graph.rng
    scales = [drawn(rng, -2.5, -1) for _ in shapes]
    inputs = [
        graph.input(shape, "int8", scale, int(rng.integers(-128, 128)))
        for shape, scale in zip(shapes, scales, strict=True)
    ]
    step = (255 * max(scales)) ** 2 / 255 * rng.uniform(0.1, 2)
    y = graph.tensor(np.broadcast_shapes(*shapes), "int8", step, int(rng.integers(-128, 128)))
    graph.op("SQUARED_DIFFERENCE", inputs, [y])
    return y


def log_softmax(graph, shape, scale):
    x = graph.input(shape, "int8", scale, int(graph.rng.integers(-128, 128)))
    y = graph.tensor(shape, "int8", 1 / 16, 127)
    graph.op("LOG_SOFTMAX", [x], [y])
    return y


def reduce_min(graph, shape, axes, keep):
    x = graph.input(shape)
    y = graph.like(x, [1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes])
    graph.op("REDUCE_MIN", [x, graph.constant(np.array(axes, np.int32))], [y], keepDims=keep)
    return y


def div(graph, scales, zeros, divisor, activation="NONE"):
    x = graph.input((256,), "int8", scales[0], zeros[0])
    by = graph.tensor((1,), "int8", scales[1], zeros[1], data=np.array([divisor], np.int8))
    y = graph.tensor((256,), "int8", scales[2], zeros[2])
    graph.op("DIV", [x, by], [y], fusedActivationFunction=activation)
    return y


def all_kinds(graph):
    return [
        squared_difference(graph, ((1, 4, 3, 5), (1, 4, 3, 5))),
        squared_difference(graph, ((1, 4, 3, 5), (5,))),
        squared_difference(graph, ((1, 4, 1, 5), (1, 1, 3, 1))),
        *(log_softmax(graph, (3, depth), scale) for depth, scale in ((1, 0.1), (10, 0.2), (40, 0.003))),
        reduce_min(graph, (1, 6, 4, 5), (1, 2), keep=True),
        reduce_min(graph, (1, 9, 3), (2,), keep=False),
        reduce_min(graph, (1, 9, 1), (2,), keep=False),
    ]


def compared(run, model, seed):
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    for row, expected in zip(run(samples), tflm.run(model, samples), strict=True):
        for operator, one, other in zip(model.main.operators, row, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=str(operator))


def test_results_are_those_of_tflm_under_sanitizers():
    graph = GraphBuilder(1)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, 1)


@pytest.mark.parametrize("core", PROCESSORS)
def test_results_on_each_core_are_those_of_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(3)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(lambda samples: qemu.runner(PROCESSORS[core])(model, samples), model, 3)


def equal(graph, outputs, inputs):
    model = parse_tflite(graph.build(outputs))
    (expected,) = tflm.run(model, [inputs])
    got, _ = run_graph(model.main, LOWERINGS, inputs)
    for one, other, operator in zip(got, expected, model.main.operators, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=str(operator))


def test_all_pairs_of_squared_differences_are_those_of_tflm():
    graph = GraphBuilder(5)
    equal(graph, [squared_difference(graph, ((256, 256), (256, 256))) for _ in range(12)], GRIDS * 12)


def test_log_softmax_of_many_rows_and_scales_is_that_of_tflm():
    graph, inputs, outputs = GraphBuilder(6), [], []
    for number in range(40):
        depth = int(graph.rng.integers(1, 300))
        outputs.append(log_softmax(graph, (20, depth), drawn(graph.rng, -3, 0.5)))
        spread = (1, 5, 30, 128)[number % 4]
        inputs.append(graph.rng.integers(-spread, spread, (20, depth)).astype(np.int8))
    equal(graph, outputs, inputs)


def test_quotients_by_constants_are_those_of_tflm():
    graph, outputs = GraphBuilder(7), []
    for number in range(16):
        by = int(graph.rng.integers(100, 128))
        scales = (drawn(graph.rng, -2.5, -1), drawn(graph.rng, -2.5, -1))
        step = float(np.float32(scales[0] / scales[1] / 128 * graph.rng.uniform(0.5, 1.9)))
        zero = int(graph.rng.integers(-128, 128))
        activation = ("NONE", "RELU", "RELU6")[number % 3]
        if number % 4 == 0:
            by = -by
        outputs.append(div(graph, (*scales, step), (zero, 0, -zero // 2), by, activation))
    equal(graph, outputs, [EVERY] * 16)


def quotients(graph, shape, divisors, ratio, zeros=(5, -128, 3), activation="NONE"):
    """DIV of two inputs; ``ratio``: of a step of the input to one of the divisor times one of the output."""
    x, by = graph.input(shape, "int8", 0.04, zeros[0]), graph.input(divisors, "int8", 0.02, zeros[1])
    y = graph.tensor(np.broadcast_shapes(shape, divisors), "int8", 0.04 / 0.02 / ratio, zeros[2])
    graph.op("DIV", [x, by], [y], version=2, fusedActivationFunction=activation)
    return y


def test_quotients_of_all_pairs_but_by_zero_are_those_of_tflm():
    graph = GraphBuilder(8)
    rows = EVERY.reshape(1, 256)
    outputs = [
        quotients(graph, (256, 256), (256, 256), 70),
        quotients(graph, (256, 256), (1, 256), 250, (-128, 4, 0), "RELU"),
        quotients(graph, (256, 256), (1, 256), 2000, (0, 127, -9)),
    ]
    inputs = [*GRIDS, GRIDS[0], rows, GRIDS[0], rows]
    model = parse_tflite(graph.build(outputs))
    (expected,) = tflm.run(model, [inputs])
    got, _ = run_graph(model.main, LOWERINGS, inputs)
    for one, other, by in zip(got, expected, (GRIDS[1] != -128, GRIDS[1] != 4, GRIDS[1] != 127), strict=True):
        np.testing.assert_array_equal(one[by], other[by])
    assert got[0][:, 0].tolist() == [-128] * 133 + [3] + [127] * 122


def reason(graph, y):
    main = parse_tflite(graph.build([y])).main
    with pytest.raises(UnsupportedOperationError) as caught:
        LOWERINGS[main.operators[0].opcode](Operation(main, main.operators[0], "reference"))
    return str(caught.value)


def test_quotients_that_no_runtime_defines_are_refused():
    graph = GraphBuilder()
    assert "it divides by zero" in reason(graph, div(graph, (0.1, 0.1, 0.1), (0, 5, 0), 5))
    graph = GraphBuilder()
    assert "no runtime defines it" in reason(graph, div(graph, (0.1, 0.1, 0.1), (0, 0, 0), 127))
    graph = GraphBuilder()
    z = quotients(graph, (4,), (4,), 60)
    assert "shifted by 17 to 32 bits, expected 1 to 31" in reason(graph, z)


def test_scales_that_overflow_are_refused():
    graph = GraphBuilder()
    x, y = graph.input((4,), "int8", 1.0), graph.input((4,), "int8", 1.0)
    z = graph.tensor((4,), "int8", 1e-6, 0)
    graph.op("SQUARED_DIFFERENCE", [x, y], [z])
    assert "too small" in reason(graph, z)
    graph = GraphBuilder()
    assert "too small" in reason(graph, log_softmax(graph, (1, 4), 1e-9))


def test_another_scale_of_log_softmax_is_refused():
    graph = GraphBuilder()
    x, y = graph.input((1, 4)), graph.tensor((1, 4), "int8", 0.1, 127)
    graph.op("LOG_SOFTMAX", [x], [y])
    result = lower(parse_tflite(graph.build([y])), "reference")
    assert isinstance(result, Refused)
    assert "expected the scale 1/16" in result.refusals[0].reason
