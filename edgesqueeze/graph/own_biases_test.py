import numpy as np

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.own_biases import with_own_biases


def applied(times):
    """A dense layer that is applied to its own output."""
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 3), "float32", name="x")
    weights = graph.constant(graph.rng.normal(size=(3, 3)).astype(np.float32))
    bias = graph.constant(np.float32([1, 2, 3]))
    for _ in range(times):
        y = graph.tensor((1, 3), "float32")
        graph.op("FULLY_CONNECTED", [x, weights, bias], [y], fusedActivationFunction="NONE")
        x = y
    return graph.build([x])


def test_each_operator_has_a_bias_of_its_own():
    found = parse_tflite(with_own_biases(applied(3))).main
    biases = [one.inputs[2] for one in found.operators]
    assert len(set(biases)) == 3
    for one in biases:
        np.testing.assert_array_equal(found.tensors[one].data, [1, 2, 3])
    assert len({one.inputs[1] for one in found.operators}) == 1


def test_one_operator_keeps_its_bias():
    content = applied(1)
    assert with_own_biases(content) is content
