import numpy as np
import pytest

from edgesqueeze.checks.exact import EXACT, exact_output
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder


def reduction(opcode="SUM", axes=(1, 2), shape=(1, 3), keep=False, scales=(0.1, 0.1), zeros=(0, 0)):
    graph = GraphBuilder()
    x = graph.input((1, 4, 4, 3), "int8", scales[0], zeros[0])
    y = graph.tensor(shape, "int8", scales[1], zeros[1])
    graph.op(opcode, [x, graph.constant(np.array(axes, np.int32))], [y], keepDims=keep)
    return parse_tflite(graph.build([y])).main


def exact(graph, values):
    return exact_output(graph, graph.operators[0], {graph.inputs[0]: values})


def test_sixteen_fours_are_sixty_four():
    np.testing.assert_array_equal(exact(reduction(), np.full((1, 4, 4, 3), 4, np.int8)), [[64, 64, 64]])


def test_zero_points_scales_and_the_ends_of_the_range():
    graph = reduction(scales=(0.1, 0.4), zeros=(3, -5))
    values = np.zeros((1, 4, 4, 3), np.int8) + np.int8([4, -128, 127])
    # 16 steps of 0.1 are 4 of 0.4; the others are far outside.
    np.testing.assert_array_equal(exact(graph, values), [[4 - 5, -128, 127]])


def test_a_mean_keeps_its_dimensions_and_counts_from_the_end():
    graph = reduction("MEAN", axes=(-1,), shape=(1, 4, 4, 1), keep=True)
    values = np.zeros((1, 4, 4, 3), np.int8) + np.int8([1, 2, 6])
    np.testing.assert_array_equal(exact(graph, values), np.full((1, 4, 4, 1), 3))


def test_operators_and_types_without_a_rule():
    graph = GraphBuilder()
    x = graph.input((1, 4), "float32")
    floats = parse_tflite(graph.build([graph.mean(x, (1,))])).main
    assert exact(floats, np.zeros((1, 4), np.float32)) is None
    graph = GraphBuilder()
    other = parse_tflite(graph.build([graph.unary("ABS", graph.input((1, 4)))])).main
    assert "ABS" not in EXACT
    assert exact(other, np.zeros((1, 4), np.int8)) is None


@pytest.mark.parametrize("values", [{}])
def test_inputs_that_are_not_known(values):
    graph = reduction()
    assert exact_output(graph, graph.operators[0], values) is None
