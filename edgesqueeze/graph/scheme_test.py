import numpy as np
import pytest

from edgesqueeze.graph import NO_TENSOR, parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.scheme import float_operators, scheme_of
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tiny_cnn(), "full-int8"),
        (tiny_cnn(io="float32"), "full-int8"),
        (tiny_dense(dtype="int16"), "full-int16x8"),
        (tiny_dense(dtype="float32"), "float32"),
    ],
)
def test_the_usual_ones(content, expected):
    assert scheme_of(parse_tflite(content)) == expected


def two_dense(dtype, *, direct):
    """A dense layer with weights of another type, followed by one in float32."""
    graph = GraphBuilder()
    x = graph.input((1, 4), "float32")
    scale = 0.1 if dtype == "int8" else None
    weights = graph.tensor((4, 4), dtype, scale, data=np.ones((4, 4), dtype))
    y = graph.activation((1, 4), "float32")
    graph.op("FULLY_CONNECTED", [x, weights if direct else graph.dequantize(weights), NO_TENSOR], [y])
    return parse_tflite(graph.build([graph.fully_connected(y, 2)]))


@pytest.mark.parametrize(
    ("dtype", "direct", "expected"),
    [("int8", True, "dynamic-range"), ("int8", False, "weight-only"), ("float16", False, "float16")],
)
def test_float_layers_among_quantized_weights_do_not_count(dtype, direct, expected):
    model = two_dense(dtype, direct=direct)
    assert scheme_of(model) == expected
    assert float_operators(model) == ()


def test_a_float_operator_in_an_integer_model():
    graph = GraphBuilder()
    x = graph.fully_connected(graph.input((1, 4)), 4)
    x = graph.unary("TANH", graph.dequantize(x))
    model = parse_tflite(graph.build([graph.fully_connected(graph.quantize(x), 2)]))
    assert float_operators(model) == (2,)
    assert scheme_of(model) == "mixed"


def test_without_weights_the_types_tell():
    graph = GraphBuilder()
    x = graph.input((1, 4, 4, 1), "float32")
    assert scheme_of(parse_tflite(graph.build([graph.max_pool(x, 2)]))) == "float32"
    graph = GraphBuilder()
    y = graph.tensor((1,), "int32")
    graph.op("ABS", [graph.input((1,), "int32")], [y])
    assert scheme_of(parse_tflite(graph.build([y]))) == "unknown"
