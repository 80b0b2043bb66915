import numpy as np
import pytest

import edgesqueeze
from edgesqueeze.errors import DataError, UnsupportedModelError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.tflite_builder import tiny_cnn

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-2, 2, (5, 8, 8, 1))


def _identity(shape, count=1, out=None):
    """Float inputs ``a``, ``b``, ... that come out as they are, times -1."""
    graph = GraphBuilder(0)
    inputs = [graph.input(shape, "float32", name=f"serving_default_{name}:0") for name in "ab"[:count]]
    outputs = []
    for i, x in enumerate(inputs):
        # The converter has turned the order of the outputs around.
        y = graph.tensor(out or shape, "float32", None, 0, name=f"StatefulPartitionedCall:{count - 1 - i}")
        graph.op("NEG", [x], [y])
        outputs.append(y)
    return parse_tflite(graph.build(outputs))


@pytest.mark.parametrize("runtime", ["litert", "litert-reference", "tflm"])
def test_real_numbers_in_and_out_on_any_runtime(tmp_path, runtime):
    path = tmp_path / "model.tflite"
    path.write_bytes(tiny_cnn())
    (scores,) = edgesqueeze.run(path, IMAGES, runtime=runtime)
    assert (scores.dtype, scores.shape) == (np.float32, (5, 4))
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=0.02)
    # One by one they are the same: nothing goes from one sample to the next.
    alone = [edgesqueeze.run(str(path), image[None], runtime=runtime)[0][0] for image in IMAGES]
    np.testing.assert_array_equal(scores, alone)


def test_the_channel_axis_may_be_left_out():
    model = parse_tflite(tiny_cnn())
    (with_it,), (without,) = edgesqueeze.run(model, IMAGES), edgesqueeze.run(model, IMAGES[..., 0])
    np.testing.assert_array_equal(with_it, without)


def test_several_inputs_by_name_and_outputs_in_the_originals_order():
    model = _identity((1, 3), count=2)
    a, b = RNG.normal(size=(2, 6, 3)).astype(np.float32)
    for arrays in ({"b": b, "a": a}, [a, b], (a, b)):
        first, second = edgesqueeze.run(model, arrays)
        np.testing.assert_array_equal(first, -b)
        np.testing.assert_array_equal(second, -a)


@pytest.mark.parametrize("count", [1, 3, 4, 6, 8])
def test_a_fixed_batch_takes_any_number_of_samples(count):
    values = RNG.normal(size=(count, 3)).astype(np.float32)
    (found,) = edgesqueeze.run(_identity((4, 3)), values)
    np.testing.assert_array_equal(found, -values)


def test_class_ids_stay_integers():
    graph = GraphBuilder(0)
    x = graph.input((1, 3), "float32", name="x")
    axis = graph.constant(np.array([1], np.int32))
    y = graph.tensor((1,), "int32", None, 0, name="chosen")
    graph.op("ARG_MAX", [x, axis], [y], outputType=2)  # INT32
    (ids,) = edgesqueeze.run(parse_tflite(graph.build([y])), np.eye(3, dtype=np.float32))
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, [0, 1, 2])


@pytest.mark.parametrize(
    "arrays",
    [
        {"a": np.zeros((2, 3))},
        {"a": np.zeros((2, 3)), "c": np.zeros((2, 3))},
        {"a": np.zeros((2, 3)), "b": np.zeros((3, 3))},
        {"a": np.zeros((0, 3)), "b": np.zeros((0, 3))},
        [np.zeros((2, 3))],
        np.zeros((2, 3)),
        [np.zeros((2, 3)), np.zeros((2, 4))],
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays):
    with pytest.raises(DataError):
        edgesqueeze.run(_identity((1, 3), count=2), arrays)


def test_what_cannot_run_is_refused():
    with pytest.raises(UsageError, match="no runtime 'litter'"):
        edgesqueeze.run(_identity((1, 3)), np.zeros((1, 3)), runtime="litter")
    with pytest.raises(UnsupportedModelError, match="not of one size"):
        edgesqueeze.run(_identity((4, 3), out=(2, 6)), np.zeros((1, 3)))
