import re

import numpy as np
import pytest

from edgesqueeze.errors import DataError, UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import (
    EvalData,
    check_samples,
    data_samples,
    in_graph_order,
    named_places,
    per_output,
    plain_name,
    random_data,
    random_samples,
    real_inputs,
    real_outputs,
    safe_name,
)
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


def of_batch(batch, out=None):
    graph = GraphBuilder()
    x = graph.input((batch, 2), "float32")
    y = graph.tensor((out or batch, 2), "float32")
    graph.op("ABS", [x], [y])
    return parse_tflite(graph.build([y]))


@pytest.mark.parametrize("count", [1, 4, 6])
def test_a_fixed_batch_is_filled_up_and_cut_off_again(count):
    model, values = of_batch(4), np.arange(2.0 * count).reshape(-1, 2)
    samples = data_samples(model, EvalData((values,)))
    assert {value.shape for sample in samples for value in sample} == {(4, 2)}
    assert len(samples) == -(-count // 4)
    np.testing.assert_array_equal(
        np.concatenate([one for (one,) in samples])[count:], values[-1:].repeat(-count % 4, 0)
    )
    (outputs,) = real_outputs(model, samples, count)
    np.testing.assert_array_equal(outputs, values)


def test_batches_of_several_sizes_are_refused():
    with pytest.raises(UnsupportedModelError, match="not of one size"):
        data_samples(of_batch(4, 2), EvalData((np.zeros((4, 2)),)))


def test_random_samples_take_any_shape():
    ((first,), (second,)) = random_samples(of_batch(4, 2), 2, seed=3)
    assert first.shape == second.shape == (4, 2)
    assert not np.array_equal(first, second)


def test_random_data_are_the_random_samples_as_real_numbers():
    model = parse_tflite(tiny_two_heads())
    for one, other in zip(
        random_samples(model, 3, 1), data_samples(model, random_data(model, 3, 1)), strict=True
    ):
        for raw, again in zip(one, other, strict=True):
            np.testing.assert_array_equal(raw, again)


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


def test_a_pick_spreads_over_all_samples():
    data = EvalData((np.arange(100)[:, None],), np.arange(100), ("x",)).pick(5)
    np.testing.assert_array_equal(data.labels[0], [0, 25, 50, 74, 99])
    np.testing.assert_array_equal(data.inputs[0][:, 0], data.labels[0])
    assert data.names == ("x",)


def test_a_pick_of_more_than_there_is_takes_all():
    data = EvalData((np.arange(3), np.arange(3.0)), (None, np.arange(3))).pick(9)
    assert [len(values) for values in data.inputs] == [3, 3]
    assert data.labels[0] is None
    np.testing.assert_array_equal(data.labels[1], [0, 1, 2])
    assert EvalData((np.arange(3),)).pick(2).labels is None


def test_labels_by_output():
    labels = np.arange(3)
    assert per_output(None) == ()
    assert per_output(labels)[0] is labels
    assert len(per_output(labels)) == 1
    assert per_output([None, labels]) == (None, labels)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("serving_default_x:0", "x"),
        ("x", "x"),
        ("a:0b", "a:0b"),
        ("my_serving_default_x:12", "my_serving_default_x"),
    ],
)
def test_names_without_what_the_converter_adds(name, plain):
    graph = GraphBuilder()
    x = graph.input((1, 4), name=name)
    model = parse_tflite(graph.build([graph.unary("ABS", x)]))
    assert plain_name(model.main.input_tensors[0]) == plain


@pytest.mark.parametrize(
    ("name", "safe"),
    [("accel/x y", "accel_x_y"), ("a-1.b", "a_1.b"), ("x_1", "x_1"), ("1x", "input_1x"), ("", "input_")],
)
def test_names_that_tensorflow_takes(name, safe):
    assert safe_name(name) == safe


def test_a_single_input_is_taken_whatever_it_is_called():
    model = parse_tflite(tiny_cnn())
    images = np.zeros((2, 8, 8, 1))
    assert in_graph_order(model, EvalData((images,), names=("photos",)))[0] is images


@pytest.mark.parametrize(
    ("sample", "problem", "got"),
    [
        ([np.zeros((1, 8), np.int8)], "has the wrong number of arrays", "1"),
        ([np.zeros((1, 8), np.int8), np.zeros((1, 6), np.uint8)], "does not fit input", "uint8"),
        (
            [np.zeros((1, 8), np.int8), np.zeros(6, np.int8)],
            "does not fit input",
            r"int8 in the shape \(6,\)",
        ),
        ([np.zeros((1, 6), np.int8), np.zeros((1, 8), np.int8)], "does not fit input", r"\(1, 6\)"),
    ],
)
def test_a_sample_that_is_not_what_the_graph_takes(sample, problem, got):
    model = parse_tflite(tiny_two_heads(), "heads")
    right = [np.zeros((1, 8), np.int8), np.zeros((1, 6), np.int8)]
    check_samples(model, [right, right])
    with pytest.raises(DataError, match="sample 1 ") as caught:
        check_samples(model, [right, sample])
    assert problem in caught.value.problem
    assert re.search(got, caught.value.got)
    assert "data_samples" in caught.value.hint


def test_a_sample_of_the_other_byte_order():
    model = parse_tflite(tiny_dense(dtype="int16"))
    shape = model.main.input_tensors[0].shape
    check_samples(model, [[np.zeros(shape, np.int16)]])
    with pytest.raises(DataError) as caught:
        check_samples(model, [[np.zeros(shape, np.dtype(np.int16).newbyteorder())]])
    assert caught.value.got.startswith("byte-swapped int16")


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (("call:1", "call:0"), [1, 0]),
        (("call:0", "call:1"), [0, 1]),
        (("call:1", "call:1"), [0, 1]),
        (("call:1", "call:2"), [0, 1]),
        (("call:1", "other"), [0, 1]),
    ],
)
def test_outputs_are_numbered_by_the_names_that_the_converter_gives(names, places):
    graph = GraphBuilder()
    x = graph.input((1, 6))
    model = parse_tflite(graph.build([graph.fully_connected(x, 2, name=name) for name in names]))
    assert named_places(model) == places


@pytest.mark.parametrize("heads", [("call:0",), ("call:2", "call:0")])
def test_an_output_that_is_an_input_has_the_place_that_is_left(heads):
    graph = GraphBuilder()
    x = graph.input((1, 6), name="serving_default_x:0")
    model = parse_tflite(graph.build([x, *(graph.fully_connected(x, 2, name=name) for name in heads)]))
    assert named_places(model) == [1, *(int(name[-1]) for name in heads)]
