import numpy as np
import pytest

from edgesqueeze.checks.verify import trouble_on
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners.samples import EvalData
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_residual

RNG = np.random.default_rng(5)


def _codes(content, inputs, original=None, labels=None):
    findings = trouble_on(parse_tflite(content), EvalData((inputs,), labels), original)
    return {finding.code for finding in findings}


def _dense(weights, *, scale=0.02, activation="NONE", softmax=True):
    """16 inputs of a range of about -2.5 to 2.5, into as many units as there are rows of weights."""
    graph = GraphBuilder(3)
    x = graph.input((1, 16), scale=scale)
    hidden = graph.fully_connected(x, len(weights), activation, name="hidden", weights=weights)
    y = graph.fully_connected(hidden, 4, name="scores")
    return graph.build([graph.softmax(y) if softmax else y])


HEALTHY = RNG.integers(-127, 128, (8, 16))
INPUTS = RNG.uniform(-2.4, 2.4, (64, 16))


@pytest.mark.parametrize(
    ("content", "shape", "reach"),
    [
        (tiny_cnn(), (8, 8, 1), 2.4),
        (tiny_cnn(io="float32"), (8, 8, 1), 6.0),
        (tiny_residual(), (8, 8, 4), 2.4),
        (_dense(HEALTHY), (16,), 2.4),
    ],
)
def test_healthy_models_have_no_trouble(content, shape, reach):
    inputs = np.random.default_rng(1).uniform(-reach, reach, (64, *shape))
    assert _codes(content, inputs) == set()


def test_constant_output_and_dead_activation():
    codes = _codes(_dense(np.zeros((8, 16))), INPUTS)
    assert {"constant-output", "dead-activation"} <= codes


def test_dead_channels():
    weights = HEALTHY.copy()
    weights[:5] = 0
    assert _codes(_dense(weights), INPUTS) == {"dead-channels"}


def test_saturated_activation():
    # Ten times the weights that the output's scale was made for.
    graph = GraphBuilder(3)
    x = graph.input((1, 16), scale=0.2)
    y = graph.fully_connected(x, 8, name="hidden", weights=HEALTHY)
    content = graph.build([graph.softmax(graph.fully_connected(y, 4))])
    assert "saturated-activation" in _codes(content, 10 * INPUTS)


def test_zeros_of_a_relu_are_not_saturation():
    graph = GraphBuilder(3)
    x = graph.input((1, 16))
    y = graph.tensor((1, 16), "int8", 6 / 255, -128, name="relu6")
    graph.op("QUANTIZE", [x], [y])
    z = graph.tensor((1, 16), "int8", 6 / 255, -128, name="relu6_again")
    graph.op("RELU6", [y], [z])
    content = graph.build([graph.fully_connected(z, 4)])
    assert "saturated-activation" not in _codes(content, INPUTS)


def test_collapsed_output_against_the_original_and_the_labels():
    content = _dense(HEALTHY)
    healthy = np.eye(4)[RNG.integers(0, 4, 64)]
    one_sided = INPUTS[:1] + RNG.normal(0, 0.02, (64, 16))
    assert "collapsed-output" in _codes(content, one_sided, original=[healthy])
    assert "collapsed-output" in _codes(content, one_sided, labels=healthy.argmax(1))
    # Data of one class only are nobody's fault.
    assert "collapsed-output" not in _codes(content, one_sided, labels=np.zeros(64, int))
    assert "collapsed-output" not in _codes(content, one_sided)


def test_pixels_for_a_model_that_takes_small_numbers():
    codes = _codes(_dense(HEALTHY, scale=1 / 255), RNG.integers(0, 256, (64, 16)).astype(np.uint8))
    assert "input-clipped" in codes


def test_small_numbers_for_a_model_that_takes_pixels():
    codes = _codes(_dense(HEALTHY, scale=1.0), RNG.uniform(0, 1, (64, 16)))
    assert "input-range-unused" in codes


def test_the_scale_of_a_float_input_is_that_of_its_quantization():
    assert "input-clipped" in _codes(tiny_cnn(io="float32"), RNG.uniform(0, 255, (16, 8, 8, 1)))


def test_a_handful_of_samples_tells_nothing():
    assert _codes(_dense(np.zeros((8, 16))), INPUTS[:4]) == set()
