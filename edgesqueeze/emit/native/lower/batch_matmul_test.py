"""BATCH_MATMUL, and FULLY_CONNECTED of computed weights: equal to TensorFlow Lite Micro on every core."""

import ctypes
import math

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.table import INT16, LOWERINGS
from edgesqueeze.emit.native.records import Operation, Struct, UnsupportedOperationError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, litert, qemu, tflm
from runtime_tests.support.native_calls import _fill, _library
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.random_layers import extreme_inputs
from runtime_tests.support.tools import require_tool

LARGEST = {"int8": 128, "int16": 32768}


def operands(graph, shapes, constant=(), dtype="int8"):
    """Two inputs, or constants at some positions, with drawn scales and zero points."""
    found = []
    for place, shape in enumerate(shapes):
        scale = float(np.float32(10 ** graph.rng.uniform(-2.5, -1) * 128 / LARGEST[dtype]))
        zero = int(graph.rng.choice([-128, -3, 0, 40])) if dtype == "int8" else 0
        if place in constant:
            data = graph.rng.integers(-LARGEST[dtype], LARGEST[dtype], shape).astype(dtype)
            found.append(graph.tensor(shape, dtype, scale, zero, data=data))
        else:
            found.append(graph.input(shape, dtype, scale, zero))
    return found


def result(graph, sources, shape, depth):
    """What sums of so many products become, with a drawn scale and zero point."""
    dtype = graph.dtypes[sources[0]]
    rise = math.prod(map(graph.scale_of, sources)) * depth**0.5 * LARGEST[dtype]
    step = float(np.float32(rise * graph.rng.uniform(0.15, 0.7)))
    return graph.tensor(shape, dtype, step, int(graph.rng.integers(-128, 128)) if dtype == "int8" else 0)


def product(graph, shape1, shape2, *, turned=(False, False), constant=(), dtype="int8"):
    """A product of matrices."""
    sources = operands(graph, (shape1, shape2), constant, dtype)
    depth = shape1[-2] if turned[0] else shape1[-1]
    sides = [shape1[-1] if turned[0] else shape1[-2], shape2[-2] if turned[1] else shape2[-1]]
    shape = (*np.broadcast_shapes(shape1[:-2], shape2[:-2]), *sides)
    z = result(graph, sources, shape, depth)
    graph.op("BATCH_MATMUL", sources, [z], adjX=turned[0], adjY=turned[1])
    return z


def dense(graph, rows, units, depth, *, constant=(), biased=True, activation="NONE"):
    """A fully connected layer whose weights may be computed, and have a zero point."""
    sources = operands(graph, ((rows, depth), (units, depth)), constant)
    y = result(graph, sources, (rows, units), depth)
    if biased:
        biases = graph.rng.integers(-3000, 3000, units).astype(np.int32)
        sources.append(graph.tensor(biases.shape, "int32", 1e-4, 0, data=biases))
    graph.op("FULLY_CONNECTED", sources, [y], version=4, fusedActivationFunction=activation)
    return y


def all_kinds(graph):
    return [*products(graph), *products_of_int16(graph), *dense_layers(graph)]


def products(graph):
    return [
        product(graph, (1, 5, 9), (1, 9, 7)),
        product(graph, (1, 9, 5), (1, 9, 6), turned=(True, False)),
        product(graph, (1, 2, 5, 18), (1, 2, 8, 18), turned=(False, True)),
        product(graph, (2, 3, 16, 4), (2, 3, 3, 16), turned=(True, True)),
        product(graph, (3, 1, 4, 33), (1, 2, 33, 5)),
        product(graph, (2, 3, 4), (4, 9)),
        product(graph, (1, 4, 20), (20, 6), constant=(1,)),
        product(graph, (4, 5), (1, 5, 3), constant=(0,)),
        product(graph, (1, 3, 1), (1, 1, 2)),
    ]


def products_of_int16(graph):
    return [
        product(graph, (1, 5, 9), (1, 9, 7), dtype="int16"),
        product(graph, (1, 9, 5), (1, 9, 6), turned=(True, False), dtype="int16"),
        product(graph, (1, 2, 5, 200), (1, 2, 8, 200), turned=(False, True), dtype="int16"),
        product(graph, (2, 3, 16, 4), (2, 3, 3, 16), turned=(True, True), dtype="int16"),
        product(graph, (3, 1, 4, 33), (1, 2, 33, 5), dtype="int16"),
        product(graph, (1, 4, 20), (20, 6), constant=(1,), dtype="int16"),
    ]


def dense_layers(graph):
    return [
        dense(graph, 3, 7, 20),
        dense(graph, 1, 5, 33, activation="RELU"),
        dense(graph, 4, 4, 6, biased=False, activation="RELU6"),
        dense(graph, 5, 3, 9, constant=(0,)),
        dense(graph, 2, 6, 12, constant=(1,)),
    ]


def compared(run, model, seed, oracle=tflm.run):
    samples = extreme_inputs(model, seed)
    for row, expected in zip(run(samples), oracle(model, samples), strict=True):
        for operator, one, other in zip(model.main.operators, row, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=str(operator))


@pytest.mark.parametrize("seed", range(3))
def test_results_are_those_of_tflm_under_sanitizers(seed):
    graph = GraphBuilder(seed)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, seed)


def test_products_are_those_of_litert():
    graph = GraphBuilder(4)
    model = parse_tflite(graph.build([*products(graph), *products_of_int16(graph)]))
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, 4, litert.run_reference)


@pytest.mark.parametrize("core", PROCESSORS)
def test_results_on_each_core_are_those_of_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(3)
    model = parse_tflite(graph.build(all_kinds(graph)))
    compared(lambda samples: qemu.runner(PROCESSORS[core])(model, samples), model, 3)


def lowered(graph, y):
    main = parse_tflite(graph.build([y])).main
    table = INT16 if graph.dtypes[y] == "int16" else LOWERINGS
    return table[main.operators[0].opcode](Operation(main, main.operators[0], "reference"))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_scratch_memory_is_as_large_as_the_kernel_says(turned, dtype):
    graph = GraphBuilder()
    shapes = [
        (1, *(size[::-1] if turn else size)) for size, turn in zip(((3, 7), (7, 5)), turned, strict=True)
    ]
    (call,) = lowered(graph, product(graph, *shapes, turned=turned, dtype=dtype))
    wanted = getattr(_library(call.function), f"{call.function}_scratch_bytes")
    sizes = {name: value for name, value in call.parameters.members.items() if name != "output"}
    parameters = _fill(Struct(call.parameters.type_name, sizes), [])
    assert call.scratch_bytes == wanted(ctypes.byref(parameters))


def test_matrices_that_do_not_fit_are_refused():
    graph = GraphBuilder()
    x, y, z = graph.input((1, 3, 4)), graph.input((1, 5, 6)), graph.tensor((1, 3, 6), "int8", 0.1, 0)
    graph.op("BATCH_MATMUL", [x, y], [z], adjX=False, adjY=False)
    with pytest.raises(UnsupportedOperationError, match="matrices of 4 columns and 5 rows"):
        lowered(graph, z)


def test_other_computed_weights_are_refused():
    graph = GraphBuilder()
    x, w, y = graph.input((2, 12)), graph.input((3, 7)), graph.tensor((2, 3), "int8", 0.1, 0)
    graph.op("FULLY_CONNECTED", [x, w, -1], [y], fusedActivationFunction="NONE")
    with pytest.raises(UnsupportedOperationError, match="24 inputs, expected a multiple of 7"):
        lowered(graph, y)
    graph = GraphBuilder()
    x, w, b = graph.input((2, 7)), graph.input((3, 7)), graph.input((4,), "int32")
    y = graph.tensor((2, 3), "int8", 0.1, 0)
    graph.op("FULLY_CONNECTED", [x, w, b], [y], fusedActivationFunction="NONE")
    with pytest.raises(UnsupportedOperationError, match="4 biases of int32, expected 3 of int32"):
        lowered(graph, y)


def wide_dense(graph):
    """Fully connected layers of int16 with weights of int16; TensorFlow Lite Micro does not have them."""
    return [
        wide_product(graph, 3, 4, 8),
        wide_product(graph, 1, 9, 33, activation="RELU"),
        wide_product(graph, 5, 2, 70, constant=(1,)),
    ]


def wide_product(graph, rows, units, depth, *, constant=(), activation="NONE"):
    sources = operands(graph, ((rows, depth), (units, depth)), constant, "int16")
    y = result(graph, sources, (rows, units), depth)
    graph.op("FULLY_CONNECTED", sources, [y], version=4, fusedActivationFunction=activation)
    return y


def same_as_litert(run, model):
    samples = extreme_inputs(model, 3)
    for row, expected in zip(run(samples), litert.run_reference(model, samples), strict=True):
        for one, other in zip(row, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_weights_of_int16_are_those_of_litert():
    graph = GraphBuilder(5)
    model = parse_tflite(graph.build(wide_dense(graph)))
    same_as_litert(host_c.host_program(emit_native(model), sanitize=True).run, model)


@pytest.mark.parametrize("core", ["m0plus", "m4", "m55"])
def test_weights_of_int16_on_each_core_are_those_of_litert(core):
    require_tool("qemu-system-arm", "qemu-system-arm")
    graph = GraphBuilder(6)
    model = parse_tflite(graph.build(wide_dense(graph)))
    same_as_litert(lambda samples: qemu.runner(PROCESSORS[core])(model, samples), model)
