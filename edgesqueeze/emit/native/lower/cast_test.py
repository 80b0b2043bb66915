"""CAST, places and indices: equal to LiteRT and TensorFlow Lite Micro."""

import numpy as np
import pytest

from edgesqueeze.emit.native.borders import HELD
from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, litert, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.tools import require_tool

VALUES = [-32768, -129, -128, -127, -2, -1, 0, 1, 2, 127, 128, 255, 256, 32767, 100_000, -100_001]
REAL = [-128.0, -3.7, -1.5, -0.2, 0.0, 0.9, 1.5, 2.5, 127.9]


def cast(graph, x, dtype):
    y = graph.tensor(graph.shapes[x], dtype)
    graph.op("CAST", [x], [y])
    return y


def given(dtype):
    """Numbers of a type, of which C defines what they are in any other: no large or missing ones."""
    if dtype == "float32":
        return np.array([REAL], np.float32)
    return np.array([VALUES]).astype(dtype)


def every_cast():
    """From each type to each other that LiteRT has, and the values to cast."""
    graph, values, outputs = GraphBuilder(), [], []
    for source in HELD:
        values.append(given(source))
        x = graph.input(values[-1].shape, source)
        outputs += [cast(graph, x, dtype) for dtype in HELD if (source, dtype) != ("float32", "uint8")]
    return parse_tflite(graph.build(outputs)), values


def equal(got, expected):
    for number, (one, other) in enumerate(zip(got, expected, strict=True)):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, err_msg=f"output {number}")


def test_each_type_becomes_each_other_as_in_litert():
    model, values = every_cast()
    (got,) = host_c.host_program(emit_native(model), sanitize=True).run([values])
    equal(got, litert.run_reference(model, [values])[0])


def looked_up(graph):
    """Rows of tables at places that are given or computed; floats that are cast to places; ways back."""
    words = graph.input((1, 6), "int32")
    rng = graph.rng
    table = graph.tensor((10, 8), "int8", 0.02, -1, data=rng.integers(-128, 128, (10, 8)).astype(np.int8))
    vectors = graph.like(table, (1, 6, 8))
    graph.op("GATHER", [table, words], [vectors], version=2, axis=0, batchDims=0)
    batches = graph.input((2, 3, 5), "int8", 0.1, 4)
    chosen = graph.like(batches, (2, 3, 4))
    places = graph.constant(rng.integers(0, 5, (2, 4)).astype(np.int32))
    graph.op("GATHER", [batches, places], [chosen], version=2, axis=2, batchDims=1)
    best = graph.tensor((1, 6), "int32")
    graph.op("ARG_MAX", [vectors, graph.constant(np.array([2], np.int32))], [best], outputType=2)
    shuffled = graph.like(batches, (2, 3, 12))
    order = graph.constant(rng.integers(0, 5, 12).astype(np.int32))
    graph.op("GATHER", [batches, order], [shuffled], version=2, axis=2, batchDims=0)
    return [vectors, chosen, cast(graph, best, "float32"), best, shuffled, graph.fully_connected(vectors, 4)]


def lookups():
    graph = GraphBuilder(2)
    model = parse_tflite(graph.build(looked_up(graph)))
    batches = graph.rng.integers(-128, 128, (2, 3, 5)).astype(np.int8)
    return model, [[np.array([[0, 9, 3, 3, 1, 7]], np.int32), batches]]


def test_rows_at_given_places_are_those_of_tflm():
    model, samples = lookups()
    (expected,) = tflm.run(model, samples)
    source = emit_native(model)
    assert "int32_t *model_input_0(const model_model *model);" in source.files["model.h"]
    (got,) = host_c.host_program(source, sanitize=True).run(samples)
    equal(got, expected)


@pytest.mark.parametrize("core", ["m0plus", "m55"])
def test_results_on_cores_are_the_same(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model, samples = lookups()
    equal(qemu.runner(PROCESSORS[core])(model, samples)[0], tflm.run(model, samples)[0])


def test_places_outside_count_as_the_nearest_inside():
    model, ((_, batches),) = lookups()
    outside = np.array([[-(2**31), 2**31 - 1, 3, 10, -1, 7]], np.int32)
    run = host_c.host_program(emit_native(model), sanitize=True).run
    equal(run([[outside, batches]])[0], run([[outside.clip(0, 9), batches]])[0])


def test_bytes_that_are_cast_and_quantized_become_a_table_at_the_border():
    graph = GraphBuilder(1)
    image = graph.input((1, 16, 16, 3), "uint8")
    x = graph.tensor((1, 16, 16, 3), "int8", 1.3, -100)
    graph.op("QUANTIZE", [cast(graph, image, "float32")], [x])
    model = parse_tflite(graph.build([graph.conv2d(x, 4)]))
    source = emit_native(model)
    assert source.layers[0].kernels == ("es_lookup_s8",)
    assert source.inputs[0].converts
    assert source.arena_bytes < 4 * 16 * 16 * 3
    samples = [[np.arange(768).astype(np.uint8).reshape(1, 16, 16, 3)]]
    equal(host_c.host_program(source, sanitize=True).run(samples)[0], litert.run_reference(model, samples)[0])


def test_what_is_read_twice_lies_in_the_arena():
    graph = GraphBuilder(1)
    x = graph.input((1, 12), "float32")
    y = graph.tensor((1, 12), "float32")
    graph.op("ABS", [x], [y])
    z = graph.dequantize(graph.fully_connected(graph.quantize(x), 5))
    model = parse_tflite(graph.build([y, z, cast(graph, z, "int32")]))
    source = emit_native(model)
    assert [io.converts for io in (*source.inputs, *source.outputs)] == [False] * 4
    samples = [[np.linspace(-6, 6, 12, dtype=np.float32).reshape(1, 12)]]
    equal(host_c.host_program(source, sanitize=True).run(samples)[0], tflm.run(model, samples)[0])
