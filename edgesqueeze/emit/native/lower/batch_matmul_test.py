"""BATCH_MATMUL: equal to TensorFlow Lite Micro on the host, under sanitizers, and on every core."""

import ctypes

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.table import LOWERINGS
from edgesqueeze.emit.native.records import Operation, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, litert, qemu, tflm
from runtime_tests.support.native_calls import _fill, _library
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


def product(graph, shape1, shape2, *, turned=(False, False), constant=False):
    """A product of matrices with drawn scales and zero points."""
    rng = graph.rng
    scales = [float(np.float32(10 ** rng.uniform(-2.5, -1))) for _ in range(2)]
    zeros = [int(rng.choice([-128, -3, 0, 40])) for _ in range(2)]
    x = graph.input(shape1, "int8", scales[0], zeros[0])
    if constant:
        data = rng.integers(-128, 128, shape2).astype(np.int8)
        y = graph.tensor(shape2, "int8", scales[1], zeros[1], data=data)
    else:
        y = graph.input(shape2, "int8", scales[1], zeros[1])
    depth = shape1[-2] if turned[0] else shape1[-1]
    step = float(np.float32(scales[0] * scales[1] * depth**0.5 * rng.uniform(20, 90)))
    result = [shape1[-1] if turned[0] else shape1[-2], shape2[-2] if turned[1] else shape2[-1]]
    shape = (*np.broadcast_shapes(shape1[:-2], shape2[:-2]), *result)
    z = graph.tensor(shape, "int8", step, int(rng.integers(-128, 128)))
    graph.op("BATCH_MATMUL", [x, y], [z], adjX=turned[0], adjY=turned[1])
    return z


def all_kinds(graph):
    return [
        product(graph, (1, 5, 9), (1, 9, 7)),
        product(graph, (1, 9, 5), (1, 9, 6), turned=(True, False)),
        product(graph, (1, 2, 5, 18), (1, 2, 8, 18), turned=(False, True)),
        product(graph, (2, 3, 16, 4), (2, 3, 3, 16), turned=(True, True)),
        product(graph, (3, 1, 4, 33), (1, 2, 33, 5)),
        product(graph, (2, 3, 4), (4, 9)),
        product(graph, (1, 4, 20), (20, 6), constant=True),
        product(graph, (1, 3, 1), (1, 1, 2)),
    ]


def compared(run, model, seed, oracle=tflm.run):
    samples = random_inputs([tensor.shape for tensor in model.main.input_tensors], seed)
    for row, expected in zip(run(samples), oracle(model, samples), strict=True):
        for operator, one, other in zip(model.main.operators, row, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=str(operator))


@pytest.mark.parametrize("oracle", [tflm.run, litert.run_reference])
@pytest.mark.parametrize("seed", range(3))
def test_results_are_those_of_the_runtimes_under_sanitizers(seed, oracle):
    graph = GraphBuilder(seed)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, seed, oracle)


@pytest.mark.parametrize("core", PROCESSORS)
def test_results_on_each_core_are_those_of_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(3)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(lambda samples: qemu.runner(PROCESSORS[core])(model, samples), model, 3)


def lowered(graph, y):
    main = parse_tflite(graph.build([y])).main
    return LOWERINGS["BATCH_MATMUL"](Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_scratch_memory_is_as_large_as_the_kernel_says(turned):
    graph = GraphBuilder()
    shapes = [
        (1, *(size[::-1] if turn else size)) for size, turn in zip(((3, 7), (7, 5)), turned, strict=True)
    ]
    (call,) = lowered(graph, product(graph, *shapes, turned=turned))
    library = _library("es_batch_matmul_s8")
    parameters = _fill(call.parameters, [])
    assert call.scratch_bytes == library.es_batch_matmul_s8_scratch_bytes(ctypes.byref(parameters))


def test_matrices_that_do_not_fit_are_refused():
    graph = GraphBuilder()
    x, y, z = graph.input((1, 3, 4)), graph.input((1, 5, 6)), graph.tensor((1, 3, 6), "int8", 0.1, 0)
    graph.op("BATCH_MATMUL", [x, y], [z], adjX=False, adjY=False)
    with pytest.raises(UnsupportedOperationError, match="matrices of 4 columns and 5 rows"):
        lowered(graph, z)
