"""Real numbers behind an inner DEQUANTIZE: what TensorFlow Lite Micro computes, up to the C library."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool

CLOSE = 2e-6
"""How far results of another C library may be off, of the value or of one."""


def real(graph, shape, scale=0.05):
    return graph.dequantize(graph.input(shape, "int8", scale, int(graph.rng.integers(-128, 128))))


def unary(graph, opcode, x, **options):
    y = graph.tensor(graph.shapes[x], "float32")
    graph.op(opcode, [x], [y], **options)
    return y


def pair(graph, opcode, x, y, activation="NONE"):
    z = graph.tensor(np.broadcast_shapes(graph.shapes[x], graph.shapes[y]), "float32")
    options = {"potScaleInt16": False} if opcode in ("ADD", "SUB") else {}
    options |= {} if opcode in ("MAXIMUM", "MINIMUM") else {"fusedActivationFunction": activation}
    graph.op(opcode, [x, y], [z], **options)
    return z


def place(graph, opcode, x, axis):
    shape = [size for i, size in enumerate(graph.shapes[x]) if i != axis % len(graph.shapes[x])]
    y = graph.tensor(shape, "int32")
    graph.op(opcode, [x, graph.constant(np.array(axis, np.int32))], [y], outputType=2)
    return y


def product(graph, x, y, *, turned=(False, False)):
    sides = [graph.shapes[x][-1 if turned[0] else -2], graph.shapes[y][-2 if turned[1] else -1]]
    lead = np.broadcast_shapes(graph.shapes[x][:-2], graph.shapes[y][:-2])
    z = graph.tensor((*lead, *sides), "float32")
    graph.op("BATCH_MATMUL", [x, y], [z], adjX=turned[0], adjY=turned[1])
    return z


def numbers(graph, *shape):
    return graph.constant(graph.rng.normal(0, 2, shape).astype(np.float32))


def exact(graph):
    """What needs no function of the C library: boxes of a detector, ways back to int8."""
    grid = pair(graph, "ADD", real(graph, (1, 6, 4)), numbers(graph, 1, 6, 1))
    scaled = pair(graph, "MUL", grid, numbers(graph, 4), "RELU")
    ratio = pair(graph, "DIV", scaled, numbers(graph, 1, 6, 4))
    flat = graph.tensor((1, 24), "float32")
    graph.op("RESHAPE", [ratio, graph.constant(np.array([1, 24], np.int32))], [flat], newShape=[1, 24])
    return [
        unary(graph, "ABS", flat),
        pair(graph, "SUB", real(graph, (1, 5)), real(graph, (1, 5)), "RELU6"),
        pair(graph, "DIV", real(graph, (9, 3)), graph.constant(np.array([0, -0.0, 2], np.float32))),
        pair(graph, "MAXIMUM", real(graph, (9, 3)), numbers(graph, 3)),
        pair(graph, "MINIMUM", ratio, numbers(graph, 1, 1, 4)),
        pair(graph, "MINIMUM", real(graph, (2, 5)), graph.constant(np.array(np.inf, np.float32))),
        place(graph, "ARG_MAX", real(graph, (3, 9)), -1),
        place(graph, "ARG_MIN", real(graph, (2, 5, 3)), 1),
        place(graph, "ARG_MAX", pair(graph, "ADD", grid, numbers(graph, 4)), 2),
        unary(graph, "NEG", real(graph, (1, 7))),
        unary(graph, "SQUARE", real(graph, (1, 7))),
        unary(graph, "RELU", real(graph, (1, 9))),
        unary(graph, "RELU6", real(graph, (1, 9))),
        graph.fully_connected(graph.quantize(scaled), 5),
        product(graph, real(graph, (5, 9)), real(graph, (9, 4))),
        product(graph, real(graph, (2, 3, 7)), real(graph, (2, 6, 7)), turned=(False, True)),
        product(graph, real(graph, (3, 1, 8, 2)), real(graph, (4, 8, 3)), turned=(True, False)),
        product(graph, real(graph, (1, 12)), numbers(graph, 12, 5)),
    ]


def close(graph):
    return [
        unary(graph, "SOFTMAX", real(graph, (3, 10), 0.1), beta=1.0),
        unary(graph, "SOFTMAX", real(graph, (1, 2, 5)), beta=0.5),
        unary(graph, "LOG_SOFTMAX", real(graph, (2, 12), 0.1)),
        unary(graph, "LOGISTIC", real(graph, (1, 50), 0.2)),
        unary(graph, "TANH", real(graph, (1, 50))),
        unary(graph, "EXP", real(graph, (1, 50))),
        unary(graph, "RSQRT", unary(graph, "EXP", real(graph, (1, 9)))),
        unary(graph, "SQRT", unary(graph, "SQUARE", real(graph, (1, 9)))),
        unary(graph, "LOG", unary(graph, "EXP", real(graph, (1, 9)))),
    ]


def model_of(layers, seed):
    graph = GraphBuilder(seed)
    return parse_tflite(graph.build(layers(graph)))


def compared(run, model, seed, tolerance):
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    for row, expected in zip(run(samples), tflm.run(model, samples), strict=True):
        for number, (one, other) in enumerate(zip(row, expected, strict=True)):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, tolerance, tolerance, err_msg=f"output {number}")


@pytest.mark.parametrize("seed", range(3))
def test_arithmetic_is_that_of_tflm_to_the_bit(seed):
    model = model_of(exact, seed)
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, seed, 0)


@pytest.mark.parametrize("seed", range(3))
def test_functions_are_those_of_tflm_up_to_the_c_library(seed):
    model = model_of(close, seed)
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, seed, CLOSE)


@pytest.mark.parametrize("core", PROCESSORS)
def test_results_on_each_core_are_those_of_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    for layers, tolerance in ((exact, 0), (close, CLOSE)):
        model = model_of(layers, 4)
        compared(lambda samples, of=model: qemu.runner(PROCESSORS[core])(of, samples), model, 4, tolerance)


def test_outputs_are_where_they_were_computed():
    source = emit_native(model_of(close, 0))
    assert [io.converts for io in source.outputs] == [False] * 9
    (header,) = (text for name, text in source.files.items() if name.endswith("model.h"))
    assert "const float *model_output_0(const model_model *model);" in header


def test_other_operators_on_real_numbers_are_refused():
    graph = GraphBuilder()
    model = parse_tflite(graph.build([graph.fully_connected(real(graph, (1, 8)), 4)]))
    result = lower(model, "reference")
    assert isinstance(result, Refused)
    assert [one.kind for one in result.refusals] == ["FULLY_CONNECTED"]
    assert "is float32, expected int8" in result.refusals[0].reason
