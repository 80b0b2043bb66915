"""int16 activations with int8 weights: equal to TensorFlow Lite Micro on the host and on every core."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, litert, qemu, tflm
from runtime_tests.support.native_figures import PROCESSORS
from runtime_tests.support.tools import require_tool

SCALE = 6 / 32767
EXTREMES = (-32768, 32767)


def image(graph, *shape, scale=SCALE):
    return graph.input((1, *shape), "int16", scale, 0)


def activated(graph, y, activation):
    """The same layer with a fused activation."""
    kind = schema.ActivationFunctionType
    graph.operators[-1].builtinOptions.fusedActivationFunction = getattr(kind, activation)
    return y


def narrow(graph, y):
    """The same layer with biases of 32 bits, for which TensorFlow Lite Micro takes sums of 32 bits."""
    bias = graph.operators[-1].inputs[-1]
    data = graph.rng.integers(-3000, 3000, graph.shapes[bias]).astype(np.int32)
    graph.operators[-1].inputs[-1] = graph.tensor(data.shape, "int32", 1e-5, 0, data=data)
    return y


def unbiased(graph, y):
    graph.operators[-1].inputs = [*graph.operators[-1].inputs[:2], -1]
    return y


def grouped(graph, y, groups):
    """The same convolution whose output channels see a part of the input channels."""
    inputs = graph.operators[-1].inputs
    channels, height, width, depth = graph.shapes[inputs[1]]
    shape = (channels, height, width, depth // groups)
    data = graph.rng.integers(-127, 128, shape).astype(np.int8)
    scales = graph.rng.uniform(0.7, 1.3, channels) / (73 * (height * width * shape[3]) ** 0.5)
    inputs[1] = graph.tensor(shape, "int8", scales, [0] * channels, data=data)
    return y


def lowest(*shape):
    """Weights with which sums of the lowest inputs need more than 32 bits."""
    return np.full(shape, -128)


def convolutions(graph):
    def conv(channels, *options, **named):
        size = tuple(int(one) for one in graph.rng.integers(3, 9, 2))
        return graph.conv2d(image(graph, *size, channels), *options, **named)

    def depthwise(channels, *options, **named):
        size = tuple(int(one) for one in graph.rng.integers(3, 9, 2))
        return graph.depthwise_conv2d(image(graph, *size, channels), *options, **named)

    return [
        conv(3, 5, activation="RELU"),
        conv(8, 6, 1),
        conv(5, 4, (2, 3), 2, "VALID"),
        conv(4, 3, 3, dilation=2),
        narrow(graph, conv(6, 4)),
        depthwise(5),
        depthwise(3, (1, 3), 2, activation="RELU6"),
        depthwise(2, 3, multiplier=2),
        depthwise(4, 2, dilation=2),
        graph.depthwise_conv2d(image(graph, 9, 1, 6), (4, 1), activation="RELU"),
        graph.fully_connected(image(graph, 70), 9),
        graph.fully_connected(image(graph, 4, 11), 3, "RELU", per_channel=True),
        graph.fully_connected(image(graph, 600), 3, weights=np.full((3, 600), 127)),
        unbiased(graph, graph.fully_connected(image(graph, 13), 4)),
        transpose_conv(graph, (4, 5, 3), 6, 3, 2, "SAME"),
        transpose_conv(graph, (3, 3, 4), 2, 2, 2, "VALID"),
        transpose_conv(graph, (3, 4, 2), 3, 4, 1, "SAME", biased=False),
        transpose_conv(graph, (3, 5, 4), 5, 3, 2, "VALID", fusedActivationFunction="RELU6"),
        transpose_conv(graph, (9, 1, 3), 4, 4, 2, "SAME", fusedActivationFunction="RELU"),
        transpose_conv(graph, (2, 2, 140), 3, 3, 2, "SAME", weights=lowest(3, 3, 3, 140)),
    ]


def large(graph):
    """What kernels do several ways: sums beyond 32 bits, groups, odd numbers of channels, few pixels."""
    return [
        graph.conv2d(image(graph, 3, 5, 64), 3, weights=lowest(3, 3, 3, 64)),
        graph.conv2d(image(graph, 2, 2, 700), 2, 1, weights=lowest(2, 1, 1, 700)),
        narrow(graph, graph.conv2d(image(graph, 3, 3, 64), 2, weights=lowest(2, 3, 3, 64))),
        unbiased(graph, graph.conv2d(image(graph, 4, 4, 60), 3)),
        grouped(graph, graph.conv2d(image(graph, 5, 4, 6), 10), 2),
        grouped(graph, graph.conv2d(image(graph, 7, 5, 9), 3, (3, 2), 2, "VALID"), 3),
        grouped(graph, graph.conv2d(image(graph, 5, 5, 8), 8, 1), 2),
        graph.conv2d(image(graph, 5, 7, 3), 1, (2, 3), activation="RELU_N1_TO_1"),
        graph.conv2d(image(graph, 1, 1, 5), 4, 1, activation="RELU"),
        graph.conv2d(image(graph, 1, 2, 36), 7, 1),
        graph.conv2d(image(graph, 9, 3, 1), 5, (5, 3), 2),
        graph.conv2d(image(graph, 9, 8, 3), 4, (3, 2), dilation=3),
        graph.depthwise_conv2d(image(graph, 5, 6, 1), 3, multiplier=3),
        graph.depthwise_conv2d(image(graph, 6, 5, 7), activation="RELU"),
        graph.depthwise_conv2d(image(graph, 5, 9, 4), activation="RELU_N1_TO_1"),
        graph.depthwise_conv2d(image(graph, 9, 6, 5), 3, 2),
        graph.depthwise_conv2d(image(graph, 7, 8, 6), 3, 2, "VALID", weights=lowest(1, 3, 3, 6)),
        graph.depthwise_conv2d(image(graph, 1, 1, 2)),
        graph.fully_connected(image(graph, 1300), 6, weights=lowest(6, 1300)),
        graph.fully_connected(image(graph, 5, 64), 8, "RELU_N1_TO_1"),
        graph.fully_connected(image(graph, 3), 5),
    ]


def rows(graph):
    """Depthwise convolutions over one row of pixels, and with dilation."""

    def depthwise(shape, *options, **named):
        return graph.depthwise_conv2d(image(graph, *shape), *options, **named)

    return [
        depthwise((1, 20, 6), (1, 5)),
        depthwise((1, 31, 5), (1, 3), 2, activation="RELU"),
        depthwise((1, 24, 4), (1, 4), padding="VALID", activation="RELU6"),
        depthwise((6, 17, 9), (1, 6), 2),
        depthwise((1, 43, 8), (1, 5), dilation=4, activation="RELU"),
        depthwise((1, 37, 3), (1, 3), dilation=3),
        depthwise((1, 30, 3), (1, 4), dilation=2, padding="VALID"),
        depthwise((26, 1, 4), (9, 1), activation="RELU"),
        depthwise((1, 19, 3), (1, 10), 2),
        depthwise((1, 21, 2), (1, 7), padding="VALID", weights=lowest(1, 1, 7, 2)),
        depthwise((1, 9, 2), (1, 5), activation="RELU_N1_TO_1"),
        depthwise((8, 9, 12), dilation=2, activation="RELU"),
        depthwise((11, 7, 5), (3, 2), dilation=3),
        depthwise((1, 20, 3), (1, 5), multiplier=2),
        depthwise((1, 6, 3), (1, 5), 3),
        depthwise((9, 9, 4), 3, 2, dilation=1, multiplier=2),
        depthwise((5, 6, 3), (2, 3), multiplier=5, activation="RELU"),
        depthwise((5, 6, 2), (3, 2), multiplier=3, padding="VALID"),
        depthwise((7, 7, 2), 5, activation="RELU6"),
        depthwise((8, 8, 3), (3, 4), 2, activation="RELU"),
        depthwise((9, 12, 3), 3, 2),
        depthwise((4, 4, 6), (4, 5), 3),
        depthwise((1, 30, 5), (1, 3), dilation=12),
        depthwise((14, 5, 8), (5, 1), dilation=3),
        depthwise((5, 5, 9), (5, 5), padding="VALID"),
        depthwise((3, 2, 4), (2, 2), 4, activation="RELU"),
    ]


def transpose_conv(graph, shape, channels, kernel, stride, padding, *, biased=True, weights=None, **options):
    height, width, depth = shape
    sizes = [n * stride if padding == "SAME" else (n - 1) * stride + kernel for n in (height, width)]
    x = image(graph, height, width, depth)
    area = (channels, kernel, kernel, depth)
    data = graph.rng.integers(-127, 128, area) if weights is None else weights
    scales = graph.rng.uniform(0.7, 1.3, channels) / (73 * (kernel * kernel * depth) ** 0.5)
    weights = graph.tensor(data.shape, "int8", scales, [0] * channels, data=data.astype(np.int8))
    inputs = [graph.constant(np.array([1, *sizes, channels], np.int32)), weights, x]
    if biased:
        bias = graph.rng.integers(-3000, 3000, channels).astype(np.int64)
        inputs.append(graph.tensor((channels,), "int64", scales * SCALE, [0] * channels, data=bias))
    y = graph.activation((1, *sizes, channels), "int16")
    options |= {"padding": padding, "strideW": stride, "strideH": stride}
    graph.op("TRANSPOSE_CONV", inputs, [y], version=4, **options)
    return y


def extremum(graph, opcode, shapes):
    inputs = [graph.input(shape, "int16", SCALE, 0) for shape in shapes]
    z = graph.tensor(np.broadcast_shapes(*shapes), "int16", SCALE, 0)
    graph.op(opcode, inputs, [z])
    return z


def pair(graph, opcode, shapes, activation="NONE", *, ratios=None, step=None):
    """An operator of two inputs; ratios of scales to ``SCALE`` and a step of the output can be given."""
    drawn = graph.rng.uniform(0.2, 2, 2) if ratios is None else ratios
    scales = [float(np.float32(SCALE * one)) for one in drawn]
    inputs = [graph.input(shape, "int16", scale, 0) for shape, scale in zip(shapes, scales, strict=True)]
    reach = scales[0] * scales[1] * 32767 if opcode == "MUL" else sum(scales)
    out_scale = float(np.float32(reach * (graph.rng.uniform(0.3, 1.5) if step is None else step)))
    z = graph.tensor(np.broadcast_shapes(*shapes), "int16", out_scale, 0)
    options = {} if opcode == "MUL" else {"potScaleInt16": False}
    graph.op(opcode, inputs, [z], fusedActivationFunction=activation, **options)
    return z


def unary(graph, opcode, scale, out_scale, shape=(1, 300), **options):
    x = graph.input(shape, "int16", scale, 0)
    y = graph.tensor(shape, "int16", out_scale, 0)
    graph.op(opcode, [x], [y], **options)
    return y


def enlarged(graph, shape, size):
    x = graph.input(shape, "int16", SCALE, 0)
    y = graph.tensor((shape[0], *size, shape[3]), "int16", SCALE, 0)
    sizes = graph.constant(np.array(size, np.int32))
    graph.op("RESIZE_NEAREST_NEIGHBOR", [x, sizes], [y], alignCorners=False, halfPixelCenters=False)
    return y


def mean(graph, shape, axes, ratio):
    return reduced(graph, "MEAN", shape, axes, ratio)


def reduced(graph, opcode, shape, axes, ratio):
    y = graph.tensor([n for i, n in enumerate(shape) if i not in axes], "int16", SCALE * ratio, 0)
    inputs = [graph.input(shape, "int16", SCALE, 0), graph.constant(np.array(axes, np.int32))]
    graph.op(opcode, inputs, [y], keepDims=False)
    return y


def values(graph):
    one = 1 / 32768
    return [
        pair(graph, "ADD", ((1, 40), (1, 40))),
        pair(graph, "ADD", ((1, 3, 4, 5), (5,)), "RELU6"),
        pair(graph, "SUB", ((1, 3, 1, 5), (1, 3, 4, 1)), "RELU"),
        pair(graph, "SUB", ((1, 41), (1, 41)), "RELU_N1_TO_1"),
        pair(graph, "ADD", ((1, 7, 1), (1, 7, 3))),
        pair(graph, "ADD", ((1, 21), (1, 1)), ratios=(1, 1)),
        pair(graph, "SUB", ((1, 1), (1, 21)), ratios=(1, 1)),
        pair(graph, "ADD", ((1, 20), (1, 20)), ratios=(3e-11, 1)),
        pair(graph, "ADD", ((1, 20), (1, 20)), ratios=(1, 0.3), step=1e-4),
        pair(graph, "SUB", ((1, 20), (1, 20)), ratios=(1, 1), step=9e4),
        pair(graph, "MUL", ((1, 40), (1, 40))),
        pair(graph, "MUL", ((1, 21), (1, 21)), ratios=(1, 1), step=1e-7),
        pair(graph, "MUL", ((1, 21), (1, 21)), ratios=(1, 1), step=4e-5),
        pair(graph, "MUL", ((1, 21), (1, 21)), ratios=(1, 1), step=1e4),
        pair(graph, "MUL", ((1, 3, 4, 5), (1, 1, 1, 5)), "RELU_N1_TO_1"),
        extremum(graph, "MAXIMUM", ((1, 40), (1, 40))),
        extremum(graph, "MINIMUM", ((1, 3, 1, 5), (1, 3, 4, 1))),
        extremum(graph, "MAXIMUM", ((1, 3, 4, 5), (1, 1, 1, 5))),
        graph.max_pool(image(graph, 6, 5, 3), 2),
        activated(graph, graph.max_pool(image(graph, 7, 5, 4), 3, "SAME"), "RELU6"),
        activated(graph, graph.max_pool(image(graph, 4, 6, 5, scale=0.001), 2), "RELU"),
        graph.average_pool(image(graph, 7, 7, 3), 3, "SAME"),
        mean(graph, (1, 6, 5, 7), (1, 2), 0.7),
        mean(graph, (2, 9, 5), (0, 2), 1.3),
        unary(graph, "LEAKY_RELU", 0.0003, 0.0002, alpha=0.2),
        reduced(graph, "SUM", (1, 6, 5, 7), (1, 2), 9.3),
        unary(graph, "QUANTIZE", 0.0003, 0.0007),
        unary(graph, "RELU", 0.0003, 0.0003),
        unary(graph, "RELU", 0.0003, 0.0002),
        unary(graph, "RELU6", 0.0003, 0.0003),
        unary(graph, "RELU6", 0.0003, 6 / 32767),
        enlarged(graph, (1, 3, 4, 3), (6, 7)),
        enlarged(graph, (2, 3, 2, 2), (4, 3)),
        unary(graph, "LOGISTIC", 2.0**-12, one),
        unary(graph, "LOGISTIC", 0.0003, one),
        unary(graph, "LOGISTIC", 0.00001, one),
        unary(graph, "TANH", 2.0**-12, one),
        unary(graph, "TANH", 0.0002, one),
        unary(graph, "SOFTMAX", 0.0003, one, (3, 12), beta=1.0),
        unary(graph, "SOFTMAX", 0.001, one, (2, 200), beta=0.5),
        unary(graph, "SOFTMAX", 0.00002, one, (2, 1), beta=1.0),
    ]


def network(graph):
    """Float at both ends, a branch, and operators that move values."""
    x = graph.quantize(graph.input((1, 8, 6, 2), "float32"), "int16")
    x = graph.conv2d(x, 4, activation="RELU")
    parts = [graph.like(x, (1, 8, 6, 2)) for _ in range(2)]
    graph.op("SPLIT", [graph.constant(np.array(3, np.int32)), x], parts, numSplits=2)
    padded = graph.like(x, (1, 9, 8, 2))
    pads = graph.constant(np.array([(0, 0), (1, 0), (1, 1), (0, 0)], np.int32))
    graph.op("PAD", [parts[0], pads], [padded])
    rows = graph.like(x, (1, 4, 6, 2))
    bounds = [graph.constant(np.array(one, np.int32)) for one in ((0, 0, 0, 0), (1, 8, 6, 2), (1, 2, 1, 1))]
    masks = dict.fromkeys(("beginMask", "endMask", "ellipsisMask", "newAxisMask", "shrinkAxisMask"), 0)
    graph.op("STRIDED_SLICE", [parts[1], *bounds], [rows], **masks)
    flat = [graph.reshape(padded, (1, 144)), graph.reshape(rows, (1, 48))]
    turned = graph.like(x, (1, 6, 4, 2))
    graph.op("TRANSPOSE", [rows, graph.constant(np.array([0, 2, 1, 3], np.int32))], [turned])
    joined = graph.concatenate([*flat, graph.reshape(turned, (1, 48))])
    return [graph.dequantize(graph.softmax(graph.fully_connected(joined, 10)))]


def model_of(layers, seed):
    graph = GraphBuilder(seed)
    return parse_tflite(graph.build(layers(graph)))


def samples_of(model, seed):
    rng = np.random.default_rng(seed)
    kinds = [lambda shape: rng.integers(-32768, 32768, shape), lambda shape: rng.integers(-900, 900, shape)]
    kinds += [lambda shape, value=value: np.full(shape, value) for value in EXTREMES]
    return [
        [
            (kind(one.shape) * (SCALE if one.dtype == "float32" else 1)).astype(one.dtype)
            for one in model.main.input_tensors
        ]
        for kind in kinds
    ]


def compared(run, model, seed):
    samples = samples_of(model, seed)
    for row, expected in zip(run(samples), tflm.run(model, samples), strict=True):
        for number, (one, other) in enumerate(zip(row, expected, strict=True)):
            np.testing.assert_array_equal(one, other, err_msg=f"output {number}")


@pytest.mark.parametrize("layers", [convolutions, large, rows, values, network])
@pytest.mark.parametrize("seed", range(3))
def test_results_are_those_of_tflm_under_sanitizers(layers, seed):
    model = model_of(layers, seed)
    compared(host_c.host_program(emit_native(model), sanitize=True).run, model, seed)


def test_largest_values_are_those_of_litert():
    """TensorFlow Lite Micro has REDUCE_MAX of int8 only."""
    shapes = [((1, 6, 5, 7), (1, 2)), ((2, 9, 5), (2,)), ((3, 4), (0, 1))]
    model = model_of(lambda graph: [reduced(graph, "REDUCE_MAX", *one, 1) for one in shapes], 1)
    samples = samples_of(model, 1)
    got = host_c.host_program(emit_native(model), sanitize=True).run(samples)
    for row, expected in zip(got, litert.run_reference(model, samples), strict=True):
        for one, other in zip(row, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("core", PROCESSORS)
def test_results_on_each_core_are_those_of_tflm(core):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    for layers in (convolutions, large, rows, values, network):
        model = model_of(layers, 5)
        compared(lambda samples, of=model: qemu.runner(PROCESSORS[core])(of, samples), model, 5)


def test_inputs_and_outputs_lie_in_the_arena_as_int16():
    source = emit_native(model_of(lambda graph: [graph.fully_connected(image(graph, 8), 4)], 0))
    (header,) = (text for name, text in source.files.items() if name == "model.h")
    assert "int16_t *model_input(const model_model *model);" in header
    assert "const int16_t *model_output(const model_model *model);" in header


def reason(graph, y):
    result = lower(parse_tflite(graph.build([y])), "reference")
    assert isinstance(result, Refused)
    return str(result.refusals[0].reason)


def test_what_tflm_does_not_take_is_refused():
    graph = GraphBuilder()
    x = graph.input((1, 8), "int16", SCALE, 3)
    assert "has the zero point 3, expected 0" in reason(graph, graph.fully_connected(x, 4))
    graph = GraphBuilder()
    for channels, multiplier in ((4, 1), (1, 3)):
        graph = GraphBuilder()
        y = narrow(graph, graph.depthwise_conv2d(image(graph, 5, 5, channels), multiplier=multiplier))
        assert "the biases are int32, expected int64" in reason(graph, y)
    graph = GraphBuilder()
    y = narrow(graph, transpose_conv(graph, (3, 3, 2), 4, 2, 2, "SAME"))
    assert "the biases are int32, expected int64" in reason(graph, y)
    graph = GraphBuilder()
    assert "expected 1/32768" in reason(graph, unary(graph, "TANH", 0.0002, 0.0001))
    graph = GraphBuilder()
    assert "is int16, expected int8" in reason(graph, unary(graph, "ELU", 0.0002, 0.0001))
