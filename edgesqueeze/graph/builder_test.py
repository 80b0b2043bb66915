import numpy as np
import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual, tiny_two_heads


def test_a_seed_gives_the_same_bytes_and_another_gives_others():
    assert tiny_cnn(1) == tiny_cnn(1) != tiny_cnn(2)


@pytest.mark.parametrize("content", [tiny_cnn(), tiny_dense(), tiny_residual(), tiny_two_heads()])
def test_constants_start_at_multiples_of_16(content):
    for tensor in parse_tflite(content).main.tensors:
        if tensor.is_constant and tensor.stored_bytes >= 16:
            assert content.index(tensor.data.tobytes()) % 16 == 0


def test_weights_can_be_given():
    graph = GraphBuilder()
    weights = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    y = graph.fully_connected(graph.input((1, 4)), 3, weights=weights)
    main = parse_tflite(graph.build([y])).main
    np.testing.assert_array_equal(main.tensors[main.operators[0].inputs[1]].data, weights)


def test_a_wrong_option_is_refused():
    graph = GraphBuilder()
    x = graph.input((1, 4))
    with pytest.raises(AttributeError, match="SoftmaxOptionsT has no field alpha"):
        graph.op("SOFTMAX", [x], [x], alpha=1.0)


def test_equal_constants_are_stored_once_and_are_tensors_each():
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 32))
    weights = graph.rng.integers(-127, 128, (32, 32)).astype(np.int8)
    for _ in range(4):
        x = graph.fully_connected(x, 32, weights=weights)
    content = graph.build([x])
    assert content.count(weights.tobytes()) == 1
    main = parse_tflite(content).main
    kernels = [main.tensors[operator.inputs[1]] for operator in main.operators]
    assert len({kernel.index for kernel in kernels}) == 4
    assert all(np.array_equal(kernel.data, weights) for kernel in kernels)
