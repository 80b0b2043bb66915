import pytest

from edgesqueeze.emit.scratch import cmsis_nn_extra
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.tflite_builder import tiny_dense


def single(build, shape, dtype="int8"):
    """Scratch of a graph's one operator, and lasting memory, for plain, DSP and MVE cores."""
    graph = GraphBuilder()
    main = parse_tflite(graph.build([build(graph, graph.input(shape, dtype))])).main
    extras = [cmsis_nn_extra(main, family) for family in ("plain", "dsp", "mve")]
    return [extra.scratch.get(0, 0) for extra in extras], [extra.persistent for extra in extras]


@pytest.mark.parametrize(
    ("build", "shape", "expected"),
    [
        # Two columns of int16, rounded up to 4 taps: 2 * 12 * 2; with vectors four rows of 16.
        (lambda g, x: g.conv2d(x, 2), (1, 8, 8, 1), [48, 48, 64]),
        (lambda g, x: g.conv2d(x, 2), (1, 8, 8, 16), [576, 576, 576]),
        (lambda g, x: g.conv2d(x, 2, kernel=1), (1, 8, 8, 16), [0, 64, 0]),
        (lambda g, x: g.conv2d(x, 2, kernel=1, stride=2), (1, 8, 8, 16), [0, 0, 0]),
        (lambda g, x: g.depthwise_conv2d(x), (1, 8, 8, 16), [0, 0, 4464]),
        (lambda g, x: g.depthwise_conv2d(x, kernel=5), (1, 8, 8, 16), [0, 800, 12400]),
        (lambda g, x: g.depthwise_conv2d(x, kernel=5, dilation=2), (1, 8, 8, 16), [0, 0, 0]),
        (lambda g, x: g.depthwise_conv2d(x, multiplier=8), (1, 8, 8, 1), [0, 0, 0]),
        (lambda g, x: g.average_pool(x, 4), (1, 8, 8, 16), [0, 64, 0]),
        (lambda g, x: g.max_pool(x, 4), (1, 8, 8, 16), [0, 0, 0]),
        (lambda g, x: g.softmax(x), (1, 8), [0, 0, 0]),
    ],
)
def test_scratch_of_int8_operators(build, shape, expected):
    assert single(build, shape) == (expected, [0, 0, 0])


def test_dense_layers_keep_sums_with_vectors():
    assert single(lambda g, x: g.fully_connected(x, 10), (1, 64)) == ([0, 0, 0], [0, 0, 48])


def test_float_models_add_nothing():
    assert single(lambda g, x: g.conv2d(x, 2), (1, 8, 8, 1), "float32") == ([0, 0, 0], [0, 0, 0])
    main = parse_tflite(tiny_dense(dtype="float32")).main
    assert cmsis_nn_extra(main, "mve").persistent == 0
