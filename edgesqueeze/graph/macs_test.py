import numpy as np
import pytest

from edgesqueeze.errors import TfliteError
from edgesqueeze.graph import NO_TENSOR, parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.macs import operator_macs
from runtime_tests.support.graph_figures import total_macs
from runtime_tests.support.tflite_builder import tiny_cnn


def macs_of(graph, output):
    model = parse_tflite(graph.build([output]))
    return [operator_macs(model.main, operator) for operator in model.main.operators]


def single(opcode, shapes, output, slots=None):
    """MACs of one float operator; the tensors that ``slots`` does not name are constants."""
    graph = GraphBuilder()
    inputs = []
    for slot, shape in enumerate(shapes):
        if shape is None:
            inputs.append(NO_TENSOR)
        elif slot in (slots or {0}):
            inputs.append(graph.input(shape, "float32"))
        else:
            inputs.append(graph.constant(np.ones(shape, np.float32)))
    y = graph.activation(output, "float32")
    graph.op(opcode, inputs, [y])
    (macs,) = macs_of(graph, y)
    return macs


def test_convolution():
    graph = GraphBuilder()
    y = graph.conv2d(graph.input((1, 8, 6, 3)), 4, kernel=(3, 5), stride=2)
    assert macs_of(graph, y) == [4 * 3 * 4 * (3 * 5 * 3)]


def test_depthwise_convolution_with_a_multiplier():
    graph = GraphBuilder()
    y = graph.depthwise_conv2d(graph.input((1, 8, 8, 3)), multiplier=2)
    assert macs_of(graph, y) == [8 * 8 * 6 * 9]


def test_what_has_no_weights_counts_nothing():
    assert [macs > 0 for macs in macs_of_model(tiny_cnn())] == [True, True, True, False, False, True, False]
    assert total_macs(parse_tflite(tiny_cnn())) == 64 * 4 * 9 + 16 * 4 * 9 + 16 * 8 * 4 + 8 * 4


def macs_of_model(content):
    main = parse_tflite(content).main
    return [operator_macs(main, operator) for operator in main.operators]


@pytest.mark.parametrize(
    ("opcode", "shapes", "output", "expected"),
    [
        # Two groups: the kernel is half as deep as the input.
        ("CONV_2D", [(1, 5, 5, 8), (6, 1, 1, 4)], (1, 5, 5, 6), 25 * 6 * 4),
        ("CONV_2D", [(2, 5, 5, 8), (6, 1, 1, 8)], (2, 5, 5, 6), 2 * 25 * 6 * 8),
        ("FULLY_CONNECTED", [(1, 7, 16), (4, 16), None], (1, 7, 4), 7 * 4 * 16),
        ("CONV_3D", [(1, 4, 4, 4, 2), (3, 3, 3, 2, 5)], (1, 2, 2, 2, 5), 8 * 5 * 27 * 2),
        # Matrices of 4 x 3 and 4 x 4 for each of four gates, over 10 steps.
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [(1, 10, 3), *[(4, 3)] * 4, *[(4, 4)] * 4],
            (1, 10, 4),
            10 * 4 * (12 + 16),
        ),
        # A coupled input gate is left out, and peepholes are element-wise.
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [(2, 10, 3), None, *[(4, 3)] * 3, None, *[(4, 4)] * 3, None, (4,), (4,)],
            (2, 10, 4),
            20 * 3 * (12 + 16),
        ),
        # As many inputs as the number of the slot for the projection, which is therefore not there.
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [(1, 10, 3), *[(4, 3)] * 4, *[(4, 4)] * 4, *[None] * 7],
            (1, 10, 4),
            10 * 4 * (12 + 16),
        ),
        # With a projection of the 4 outputs to 2.
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [(1, 10, 3), *[(4, 3)] * 4, *[(4, 2)] * 4, *[None] * 7, (2, 4)],
            (1, 10, 2),
            10 * (4 * (12 + 8) + 8),
        ),
        # One matrix for everything, as in old files.
        ("LSTM", [(1, 3), (1, 4), (16, 7), (16,), (1, 4)], (1, 4), 16 * 7),
        ("SVDF", [(1, 16), (8, 16), (8, 5)], (1, 4), 8 * 16 + 8 * 5),
        ("RNN", [(1, 6), (4, 6), (4, 4)], (1, 4), 4 * 6 + 4 * 4),
        ("ADD", [(1, 4), (4,)], (1, 4), 0),
    ],
)
def test_by_hand(opcode, shapes, output, expected):
    assert single(opcode, shapes, output) == expected


def test_transpose_convolution():
    graph = GraphBuilder()
    shape = graph.constant(np.array([1, 8, 8, 3], np.int32))
    weights = graph.constant(np.ones((3, 2, 2, 5), np.float32))
    x = graph.input((1, 4, 4, 5), "float32")
    y = graph.activation((1, 8, 8, 3), "float32")
    graph.op("TRANSPOSE_CONV", [shape, weights, x], [y])
    assert macs_of(graph, y) == [16 * 5 * 4 * 3]


def test_transpose_convolution_in_three_dimensions():
    shapes = [(5,), (2, 3, 4, 6, 5), (1, 2, 3, 2, 5)]
    assert single("CONV_3D_TRANSPOSE", shapes, (1, 4, 6, 4, 6), {2}) == (2 * 3 * 2 * 5) * (2 * 3 * 4 * 6)


def test_matrix_product_of_two_activations():
    assert single("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5)], (2, 3, 5), {0, 1}) == 2 * 3 * 5 * 4
    assert single("BATCH_MATMUL", [(3, 4), (4, 5)], (3, 5), {0, 1}) == 3 * 5 * 4


def test_matrix_product_with_the_left_side_turned():
    graph = GraphBuilder()
    left, right = graph.input((2, 4, 3), "float32"), graph.input((2, 4, 5), "float32")
    y = graph.activation((2, 3, 5), "float32")
    graph.op("BATCH_MATMUL", [left, right], [y], adjX=True)
    assert macs_of(graph, y) == [2 * 3 * 5 * 4]


def test_recurrence_over_nothing():
    assert single("RNN", [(), (4, 6)], (1, 4)) == 4 * 6
    assert single("RNN", [(2, 0), (4, 6)], (1, 4)) == 0


def test_a_custom_operator_counts_nothing():
    graph = GraphBuilder()
    y = graph.activation((1, 4), "float32")
    graph.op("CUSTOM", [graph.input((1, 4), "float32")], [y], custom_name="Mine")
    assert macs_of(graph, y) == [0]


@pytest.mark.parametrize("shapes", [[(1, 5, 5, 8)], [(1, 5, 5, 8), None], [(1, 5, 5, 8), (6, 8)]])
def test_a_convolution_without_proper_weights_is_malformed(shapes):
    with pytest.raises(TfliteError, match=r"operator 0 \(CONV_2D\)"):
        single("CONV_2D", shapes, (1, 5, 5, 6))


@pytest.mark.parametrize(
    ("opcode", "shapes", "problem"),
    [
        ("FULLY_CONNECTED", [(1, 4), (3, 2, 2)], "a rank of 3 instead of 2 at input 1"),
        ("DEPTHWISE_CONV_2D", [(1, 5, 5, 8), (3, 3, 8)], "a rank of 3 instead of 4 at input 1"),
        ("CONV_3D", [(1, 4, 4, 4, 2), (3, 3, 2, 5)], "a rank of 4 instead of 5 at input 1"),
        ("CONV_3D_TRANSPOSE", [(5,), (3, 3, 2, 5)], "a rank of 4 instead of 5 at input 1"),
        ("TRANSPOSE_CONV", [(4,), (3, 2, 2, 5)], "nothing at input 2"),
        ("BATCH_MATMUL", [(4,), (4, 3)], "a rank of 1 at input 0"),
        ("RNN", [None, (4, 6)], "nothing at input 0"),
    ],
)
def test_what_lacks_an_input_or_has_another_rank_is_malformed(opcode, shapes, problem):
    with pytest.raises(TfliteError, match=rf"operator 0 \({opcode}\) has {problem}"):
        single(opcode, shapes, (1, 3))


def test_an_operator_without_an_output_is_malformed():
    graph = GraphBuilder()
    x = graph.input((1, 4), "float32")
    graph.op("FULLY_CONNECTED", [x, graph.constant(np.ones((3, 4), np.float32))], [])
    main = parse_tflite(graph.build([x])).main
    with pytest.raises(TfliteError, match=r"operator 0 \(FULLY_CONNECTED\) has no output"):
        operator_macs(main, main.operators[0])
