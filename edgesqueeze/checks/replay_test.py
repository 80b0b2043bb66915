import numpy as np
import pytest

from edgesqueeze.checks.replay import data_tensors, differing_layers, replay, taken_apart
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.expose import with_outputs
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import (
    tiny_cnn,
    tiny_dense,
    tiny_lstm,
    tiny_residual,
    tiny_two_heads,
)


@pytest.mark.parametrize(
    "content",
    [tiny_cnn(), tiny_cnn(io="float32"), tiny_dense(dtype="int16"), tiny_residual(), tiny_two_heads()],
)
def test_pieces_compute_what_the_whole_does(content):
    model = parse_tflite(content)
    samples = data_samples(model, random_data(model, 3))
    pieces = taken_apart(model)
    values = litert.run_reference(with_outputs(model, pieces.tensors), samples)
    again = replay(pieces, samples, values, litert.run_reference)
    for row, other in zip(values, again, strict=True):
        for have, want in zip(other, row, strict=True):
            np.testing.assert_array_equal(have, want)


def test_pieces_do_not_feed_each_other():
    model = parse_tflite(tiny_cnn())
    graph = taken_apart(model).model.main
    written = {index for operator in graph.operators for index in operator.outputs}
    assert not written.intersection(index for operator in graph.operators for index in operator.inputs)
    assert len(graph.outputs) == len(model.main.operators)


def test_a_reference_does_not_differ_from_itself():
    model = parse_tflite(tiny_cnn())
    samples = data_samples(model, random_data(model, 2))
    assert differing_layers(model, samples, litert.run_reference, litert.run_reference, 2.0) == []


def test_what_does_not_depend_on_the_input_is_left_out():
    graph = GraphBuilder()
    x = graph.input((1, 4), "float32")
    constant = graph.constant(np.ones((1, 4), np.float32))
    fixed = graph.unary("ABS", constant)
    y = graph.add(x, fixed)
    model = parse_tflite(graph.build([y]))
    assert data_tensors(model.main) == (y,)


def test_dynamic_shapes_are_not_taken_apart():
    graph = GraphBuilder()
    x = graph.tensor((1, 1), "float32", signature=(1, -1), name="x")
    graph.inputs.append(x)
    assert taken_apart(parse_tflite(graph.build([graph.unary("ABS", x)]))) is None


@pytest.mark.parametrize(
    ("step", "off", "fine"), [(0, 0.01, False), (0, 5e-5, True), (3, 1.5e-4, True), (3, 0.1, False)]
)
def test_an_operator_of_many_steps_carries_rounding_on(step, off, fine):
    """A difference in the first step is its own; later ones may be larger, if all together stay small."""
    model = parse_tflite(tiny_lstm())
    samples = data_samples(model, random_data(model, 2))

    def other(asked, given):
        rows = litert.run_reference(asked, given)
        return [[_moved(value, step, off) for value in row] for row in rows]

    found = differing_layers(model, samples, litert.run_reference, other, 2.0)
    (lstm,) = [one for one in found if one.kind == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    assert lstm.within_tolerance == fine


def _moved(value, step, off):
    if value.shape != (1, 5, 4):
        return value
    value = value.copy()
    value[:, step] += off
    return value
