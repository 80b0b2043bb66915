import zlib

import numpy as np
import pytest

from edgesqueeze.errors import TfliteError
from edgesqueeze.graph import NO_TENSOR, parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.stats import metadata_bytes, sizes, weight_stats
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense


def stats_of(graph, *outputs):
    return weight_stats(parse_tflite(graph.build(list(outputs))))


def dense_with(data, shape, dtype, scales=0.1, zero_points=0, axis=0):
    """FULLY_CONNECTED with the given weights."""
    graph = GraphBuilder()
    x = graph.input((1, shape[1]))
    weights = graph.tensor(shape, dtype, scales, zero_points, axis=axis, data=data, name="w")
    y = graph.activation((1, shape[0]), "int8")
    graph.op("FULLY_CONNECTED", [x, weights, NO_TENSOR], [y])
    (one,) = stats_of(graph, y)
    return one


def test_a_dense_layer_by_hand():
    graph = GraphBuilder()
    weights = np.array([[0, 1, 1, 2], [0, 0, 0, 3]], np.int8)
    y = graph.fully_connected(graph.input((1, 4)), 2, name="dense", weights=weights)
    kernel, bias = stats_of(graph, y)
    assert (kernel.name, kernel.role, kernel.kind, kernel.operator) == (
        "dense/kernel",
        "weights",
        "FULLY_CONNECTED",
        0,
    )
    assert (kernel.shape, kernel.dtype, kernel.bytes, kernel.elements) == ((2, 4), "int8", 8, 8)
    assert kernel.sparsity == 0.5
    assert kernel.distinct_values == 4
    assert kernel.distinct_values_per_channel_max == 3
    assert (bias.role, bias.dtype, bias.bytes) == ("bias", "int32", 8)


def test_channels_lie_along_the_quantized_axis():
    graph = GraphBuilder()
    # Each of the two channels has one value; together there are two.
    weights = np.broadcast_to(np.array([5, -5], np.int8), (1, 3, 3, 2)).copy()
    y = graph.depthwise_conv2d(graph.input((1, 4, 4, 2)), weights=weights)
    kernel, _ = stats_of(graph, y)
    assert (kernel.distinct_values, kernel.distinct_values_per_channel_max) == (2, 1)


@pytest.mark.parametrize("kind", ["conv2d", "depthwise_conv2d"])
def test_without_scales_the_operator_says_where_channels_are(kind):
    graph = GraphBuilder()
    shape = (2, 1, 1, 2) if kind == "conv2d" else (1, 2, 1, 2)
    weights = np.array([1, 2, 1, 3], np.float32).reshape(shape)
    x = graph.input((1, 4, 4, 2), "float32")
    y = (
        graph.conv2d(x, 2, kernel=1, weights=weights)
        if kind == "conv2d"
        else graph.depthwise_conv2d(x, (2, 1), weights=weights)
    )
    kernel, _ = stats_of(graph, y)
    assert kernel.distinct_values == 3
    # CONV_2D: (1, 2) and (1, 3). DEPTHWISE_CONV_2D: (1, 1) and (2, 3).
    assert kernel.distinct_values_per_channel_max == 2


def test_zero_is_the_zero_point():
    data = np.array([[3, 3, 0, 1]], np.uint8)
    assert dense_with(data, (1, 4), "uint8", zero_points=3).sparsity == 0.5


def test_zero_points_may_differ_per_channel():
    data = np.array([[1, 1, 2, 2], [2, 2, 2, 1]], np.int8)
    assert dense_with(data, (2, 4), "int8", (0.1, 0.2), (1, 2)).sparsity == 5 / 8


def test_int4_is_unpacked_low_half_first():
    # 0, 1, -1 | -8, 0, 0 and a half byte of padding that does not count.
    packed = np.array([0x10, 0x8F, 0x00], np.uint8)
    one = dense_with(packed, (2, 3), "int4", (0.1, 0.2), (0, 0))
    assert (one.bytes, one.elements) == (3, 6)
    assert one.sparsity == 0.5
    assert (one.distinct_values, one.distinct_values_per_channel_max) == (4, 3)


def test_an_int4_tensor_that_is_too_short_is_refused():
    with pytest.raises(TfliteError, match="too short"):
        dense_with(np.zeros(1, np.uint8), (2, 3), "int4")


def test_minus_zero_is_zero():
    data = np.array([[0.0, -0.0, 1.0, 1.0]], np.float32)
    one = dense_with(data, (1, 4), "float32", scales=None)
    assert (one.sparsity, one.distinct_values) == (0.5, 2)


def test_bfloat16():
    data = np.array([[0x0000, 0x8000, 0x3F80, 0x4000]], np.uint16)
    one = dense_with(data, (1, 4), "bfloat16", scales=None)
    assert (one.sparsity, one.distinct_values) == (0.5, 3)


@pytest.mark.parametrize(("dtype", "scale"), [("float16", None), ("int8", 0.1)])
def test_weights_behind_dequantize_are_weights(dtype, scale):
    graph = GraphBuilder()
    x = graph.input((1, 4), "float32")
    stored = graph.tensor((2, 4), dtype, scale, data=np.arange(8).reshape(2, 4).astype(dtype), name="stored")
    weights = graph.dequantize(stored)
    y = graph.activation((1, 2), "float32")
    graph.op("FULLY_CONNECTED", [x, weights, NO_TENSOR], [y])
    (one,) = stats_of(graph, y)
    assert (one.name, one.role, one.kind, one.dtype) == ("stored", "weights", "FULLY_CONNECTED", dtype)
    assert one.bytes == 8 * np.dtype(dtype).itemsize


def test_shapes_and_axes_are_left_out_and_operands_are_constants():
    graph = GraphBuilder()
    x = graph.mean(graph.input((1, 4, 4, 2), "float32"))
    y = graph.activation((1, 2), "float32")
    graph.op("MUL", [x, graph.constant(np.ones(2, np.float32), "factor")], [y])
    (one,) = stats_of(graph, y)
    assert (one.name, one.role, one.kind, one.operator) == ("factor", "constant", "MUL", 1)


@pytest.mark.parametrize(("dtype", "count"), [("int32", 0), ("float32", 1)])
def test_a_table_of_integers_is_not_an_embedding(dtype, count):
    graph = GraphBuilder()
    x = graph.input((1,), "int32")
    y = graph.tensor((1, 3), dtype)
    graph.op("GATHER", [graph.constant(np.zeros((5, 3), dtype)), x], [y])
    assert [one.role for one in stats_of(graph, y)] == ["weights"] * count


def test_a_tensor_of_two_operators_is_listed_once():
    graph = GraphBuilder()
    x, z = graph.input((1, 4), "float32"), graph.input((1, 4), "float32")
    weights = graph.constant(np.ones((4, 4), np.float32), "shared")
    ys = [graph.activation((1, 4), "float32") for _ in range(2)]
    for source, y in zip((x, z), ys, strict=True):
        graph.op("FULLY_CONNECTED", [source, weights, NO_TENSOR], [y])
    model = parse_tflite(graph.build(ys))
    assert [one.operator for one in weight_stats(model)] == [0]
    assert sizes(model).weights_bytes == 64


@pytest.mark.parametrize(("swapped", "expected"), [(False, 1), (True, 3)])
def test_a_constant_matrix_has_columns_as_channels_unless_transposed(swapped, expected):
    graph = GraphBuilder()
    x = graph.input((1, 2, 3), "float32")
    matrix = np.broadcast_to(np.array([1, 2, 3], np.float32), (3, 3)).copy()
    y = graph.activation((1, 2, 3), "float32")
    graph.op("BATCH_MATMUL", [x, graph.constant(matrix)], [y])
    if swapped:
        from ai_edge_litert import schema_py_generated as schema

        options = schema.BatchMatMulOptionsT()
        options.adjY = True
        graph.operators[-1].builtinOptionsType = schema.BuiltinOptions.BatchMatMulOptions
        graph.operators[-1].builtinOptions = options
    (one,) = stats_of(graph, y)
    assert one.distinct_values_per_channel_max == expected


def test_per_channel_counts_agree_with_numpy():
    model = parse_tflite(tiny_cnn(seed=3))
    by_name = {tensor.name: tensor.data for tensor in model.main.tensors if tensor.is_constant}
    for one in weight_stats(model):
        data = by_name[one.name]
        axis = 3 if one.kind == "DEPTHWISE_CONV_2D" else 0
        assert one.distinct_values == np.unique(data).size
        if one.role == "weights":
            channels = np.moveaxis(data, axis, 0)
            assert one.distinct_values_per_channel_max == max(np.unique(row).size for row in channels)
        assert one.sparsity == np.mean(data == 0)


def test_sizes():
    content = tiny_dense()
    model = parse_tflite(content)
    found = sizes(model)
    assert found.tflite_bytes == len(content)
    assert found.tflite_deflate_bytes == len(zlib.compress(content, 9)) < len(content)
    # 16 x 8 and 8 x 4 weights, 8 and 4 biases of four bytes.
    assert found.weights_bytes == 128 + 32 + 4 * 12
    # Seven quantized tensors, each with a scale of 4 bytes and a zero point of 8.
    assert found.metadata_bytes == metadata_bytes(model) == 7 * 12


def test_float_models_have_no_metadata():
    assert metadata_bytes(parse_tflite(tiny_dense(dtype="float32"))) == 0
