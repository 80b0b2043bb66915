import numpy as np
import pytest

from edgesqueeze.errors import DataError, UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples, in_graph_order, random_data, real_inputs
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_two_heads


@pytest.mark.parametrize(
    "content", [tiny_cnn(), tiny_cnn(io="uint8"), tiny_cnn(io="float32"), tiny_dense(dtype="int16")]
)
def test_random_samples_fill_the_inputs_range(content):
    model = parse_tflite(content)
    samples = data_samples(model, random_data(model, 50))
    tensor = model.main.input_tensors[0]
    values = np.stack([row[0] for row in samples])
    assert values.shape == (50, *tensor.shape)
    assert values.dtype == tensor.dtype
    if tensor.dtype != "float32":
        limits = np.iinfo(tensor.dtype)
        assert np.ptp(values.astype(int)) > 0.99 * (int(limits.max) - int(limits.min))


def test_random_samples_depend_on_the_seed_alone():
    model = parse_tflite(tiny_cnn())
    first, again, other = (random_data(model, 2, seed).inputs[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_random_integers_without_scale_are_small():
    graph = GraphBuilder()
    x = graph.input((1, 30), "int32")
    model = parse_tflite(graph.build([graph.unary("ABS", x)]))
    (values,) = random_data(model, 4).inputs
    assert set(values.ravel()) == {0, 1}


def test_inputs_are_matched_by_name():
    model = parse_tflite(tiny_two_heads())
    left, right = np.zeros((3, 8)), np.ones((3, 6))
    assert in_graph_order(model, EvalData((right, left), names=("gyro", "accel/x")))[0] is left
    samples = data_samples(model, EvalData((left, right)))
    assert [value.shape for value in samples[0]] == [(1, 8), (1, 6)]
    assert [value.shape for value in real_inputs(model, EvalData((left, right)))] == [(3, 8), (3, 6)]


def test_data_that_do_not_fit_are_refused():
    model = parse_tflite(tiny_two_heads())
    with pytest.raises(DataError, match="takes 2 inputs"):
        data_samples(model, EvalData((np.zeros((3, 8)),)))
    with pytest.raises(DataError, match="same number of samples"):
        data_samples(model, EvalData((np.zeros((3, 8)), np.zeros((2, 6)))))
    with pytest.raises(DataError, match="or none"):
        data_samples(model, EvalData((np.zeros((0, 8)), np.zeros((0, 6)))))


def test_a_fixed_batch_is_refused():
    graph = GraphBuilder()
    x = graph.input((4, 2), "float32")
    model = parse_tflite(graph.build([graph.unary("ABS", x)]))
    with pytest.raises(UnsupportedModelError, match="4 samples at once"):
        data_samples(model, EvalData((np.zeros((4, 2)),)))


def test_a_scalar_input():
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 4), "float32")
    scale = graph.input((), "float32", name="scale")
    y = graph.tensor((1, 4), "float32")
    graph.op("MUL", [x, scale], [y], fusedActivationFunction="NONE")
    model = parse_tflite(graph.build([y]))
    samples = data_samples(model, random_data(model, 3, 0))
    assert [[value.shape for value in sample] for sample in samples] == [[(1, 4), ()]] * 3
    for (values, factor), (output,) in zip(samples, litert.run(model, samples), strict=True):
        assert np.array_equal(output, values * factor)
