import re

import numpy as np
import pytest

from edgesqueeze.checks.trouble import find_trouble
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


# The limits themselves, on values that are made up: find_trouble runs nothing.

LOW, HIGH = -2.56, 2.54
"""The range of an int8 input with a scale of 0.02; a step beyond its ends by less than half is rounding."""


def _graph(*, scale=0.02, zero_point=0, hidden_op="FULLY_CONNECTED", dtype="int8", hidden_shape=(1, 4)):
    """One input, one hidden tensor and one output of two classes."""
    graph = GraphBuilder(0)
    x = graph.input((1, 10), scale=0.02, zero_point=0)
    hidden = graph.tensor(hidden_shape, dtype, scale if dtype == "int8" else None, zero_point, name="hidden")
    graph.op(hidden_op, [x], [hidden])
    y = graph.tensor((1, 2), "float32", None, 0, name="scores")
    graph.op("ABS", [hidden], [y])
    return parse_tflite(graph.build([y]))


VARIED = np.stack([np.linspace(0, 1, 20), np.linspace(1, 0, 20)], axis=1)
"""Outputs of 20 samples, half of them of each class."""
SPREAD = np.stack([np.roll(np.linspace(LOW, HIGH, 10), row) for row in range(20)])
"""Inputs that use the whole range."""


def _found(model=None, inputs=SPREAD, outputs=VARIED, hidden=None, original=None, labels=None):
    model = model or _graph()
    activations = {} if hidden is None else {_hidden(model): hidden}
    outside = None if original is None else [original]
    return find_trouble(model, [inputs], [outputs], activations, outside, labels)


def _hidden(model):
    return next(i for i, tensor in enumerate(model.main.tensors) if tensor.name == "hidden")


def _only(findings):
    (finding,) = findings
    return finding


def test_made_up_values_without_trouble():
    assert _found() == ()


def test_eight_samples_are_enough():
    constant = np.ones((8, 2))
    finding = _only(_found(inputs=SPREAD[:8], outputs=constant))
    assert (finding.code, finding.severity, finding.subject) == ("constant-output", "error", "scores")
    assert "all 8 samples" in finding.message
    assert _found(inputs=SPREAD[:7], outputs=constant[:7]) == ()


@pytest.mark.parametrize(
    ("beyond", "share", "told"),
    [
        (HIGH + 0.011, 0.10, True),
        (HIGH + 0.009, 0.10, False),
        (LOW - 0.011, 0.10, True),
        (LOW - 0.009, 0.10, False),
        (HIGH + 1, 0.09, False),
    ],
)
def test_inputs_that_are_cut_off(beyond, share, told):
    values = np.resize(np.linspace(LOW, HIGH, 50), (20, 10)).reshape(-1)
    values[: round(share * len(values))] = beyond
    found = _found(inputs=values.reshape(20, 10))
    assert [one.code for one in found] == (["input-clipped"] if told else [])
    if told:
        assert "10% of the values are cut off" in found[0].message
        assert "takes -2.56 to 2.54" in found[0].message
        assert found[0].severity == "warning"


@pytest.mark.parametrize(("span", "told"), [(5.1 / 16.1, True), (5.1 / 15.9, False)])
def test_inputs_that_use_little_of_the_range(span, told):
    inputs = np.stack([np.roll(np.linspace(1, 1 + span, 10), row) for row in range(20)])
    assert [one.code for one in _found(inputs=inputs)] == (["input-range-unused"] if told else [])


def test_samples_that_are_all_the_same_show_nothing():
    finding = _only(_found(inputs=SPREAD[[3] * 20]))
    assert (finding.code, finding.severity) == ("same-samples", "error")


CONSTANT = np.ones((20, 2))


def test_a_constant_output_is_an_error_unless_it_should_be_constant():
    for given in ({}, {"original": VARIED}, {"labels": np.arange(20) % 2}):
        finding = _only(_found(outputs=CONSTANT, **given))
        assert (finding.code, finding.severity) == ("constant-output", "error")
    for given in ({"original": 2 * CONSTANT}, {"labels": np.ones(20, int)}):
        finding = _only(_found(outputs=CONSTANT, **given))
        assert (finding.code, finding.severity) == ("constant-output", "warning")


@pytest.mark.parametrize(
    ("tensor", "names", "said"),
    [
        ("scores", (), "scores"),
        ("scores", ("digit",), "digit"),
        ("StatefulPartitionedCall_1:0", (), "output 0"),
        ("StatefulPartitionedCall:0", ("digit",), "digit"),
    ],
)
def test_an_output_is_called_as_the_original_calls_it(tensor, names, said):
    graph = GraphBuilder(0)
    y = graph.tensor((1, 2), "float32", None, 0, name=tensor)
    graph.op("ABS", [graph.input((1, 10), scale=0.02, zero_point=0)], [y])
    model = parse_tflite(graph.build([y]))
    assert _only(find_trouble(model, [SPREAD], [CONSTANT], {}, names=names)).subject == said


def test_one_class_id_on_all_samples_may_be_right():
    finding = _only(_found(outputs=CONSTANT[:, 0].astype(np.int32)))
    assert finding.severity == "warning"
    assert _only(_found(outputs=CONSTANT[:, 0].astype(np.int32), original=np.arange(20))).severity == "error"


def test_a_collapse_on_few_samples_is_a_warning():
    found = _found(inputs=SPREAD[:10], outputs=_classes((10, 0)), original=_classes((8, 2)))
    assert [(one.code, one.severity) for one in found] == [("collapsed-output", "warning")]


def _classes(counts):
    """Scores that choose class 0 so often, and class 1 so often."""
    ids = np.repeat([0, 1], counts)
    return np.eye(2)[ids] + np.linspace(0, 0.1, len(ids))[:, None]


@pytest.mark.parametrize(
    ("chosen", "expected", "told"),
    [
        ((19, 1), (16, 4), True),
        ((1, 19), (16, 4), True),
        ((18, 2), (10, 10), False),
        ((19, 1), (17, 3), False),
    ],
)
def test_a_class_that_is_chosen_too_often(chosen, expected, told):
    wanted = ["collapsed-output"] if told else []
    against = {
        "the original": {"original": _classes(expected)},
        "the labels": {"labels": np.repeat([0, 1], expected)},
    }
    for source, given in against.items():
        found = _found(outputs=_classes(chosen), **given)
        assert [one.code for one in found] == wanted
        if told:
            assert found[0].severity == "error"
            assert found[0].message.startswith("one class is chosen on 95% of the samples; ")
            assert re.search(f"{source} gives? none more than 80%$", found[0].message)
    one_hot = np.eye(2)[np.repeat([0, 1], expected)]
    assert [one.code for one in _found(outputs=_classes(chosen), labels=one_hot)] == wanted


def test_outputs_that_choose_no_class_cannot_collapse():
    rounded = np.repeat([[0.0], [9.0]], [19, 1], axis=0)
    assert _found(outputs=rounded, original=np.linspace(-9, 9, 20)[:, None]) == ()


def test_an_output_without_labels_beside_one_that_has_them():
    truths = (None, np.zeros(20, int))
    assert _found(outputs=_classes((19, 1)), labels=truths) == ()


ALIVE = np.arange(80).reshape(20, 4) % 50


@pytest.mark.parametrize(("dead", "code"), [(4, "dead-activation"), (2, "dead-channels"), (1, None)])
def test_activations_that_never_change(dead, code):
    values = ALIVE.copy()
    values[:, :dead] = [7, 8, 9, 10][:dead]
    found = _found(hidden=values)
    assert [one.code for one in found] == ([code] if code else [])
    if code:
        assert found[0].subject == "hidden"
        assert "20 samples" in found[0].message
    if dead == 2:
        assert found[0].message.startswith("2 of 4 channels")


def test_channels_are_the_last_dimension():
    values = np.tile(ALIVE[:, None, :], (1, 3, 1))
    assert _found(hidden=values) == ()
    values[..., :2] = 0
    assert _only(_found(hidden=values)).code == "dead-channels"
    # One channel, or none, has no others to be compared with.
    assert _found(hidden=ALIVE[:, :1]) == _found(hidden=ALIVE[:, 0]) == ()


def test_activations_of_too_few_samples():
    assert _found(hidden=np.zeros((7, 4))) == ()
    assert _only(_found(hidden=np.zeros((8, 4)))).code == "dead-activation"


def test_what_only_moves_values_is_not_looked_at():
    assert _found(_graph(hidden_op="RESHAPE"), hidden=np.zeros((20, 4))) == ()


def test_what_is_an_output_is_judged_as_one():
    graph = GraphBuilder(0)
    x = graph.input((1, 10), scale=0.02, zero_point=0)
    y = graph.tensor((1, 2), "int8", 0.02, 0, name="hidden")
    graph.op("ABS", [x], [y])
    model = parse_tflite(graph.build([y]))
    assert _found(model, hidden=np.zeros((20, 2), np.int8)) == ()


@pytest.mark.parametrize("bound", [-128, 127])
@pytest.mark.parametrize(("count", "told"), [(4, True), (3, False)])
def test_values_at_the_ends_of_the_range(bound, count, told):
    values = ALIVE.copy().reshape(-1)
    values[[5, 23, 42, 60][:count]] = bound
    found = _found(hidden=values.reshape(20, 4))
    assert [one.code for one in found] == (["saturated-activation"] if told else [])
    if told:
        end, real = ("lowest", "-2.56") if bound < 0 else ("highest", "2.54")
        assert f"5% of its values sit at the {end} value it can hold ({real})" in found[0].message


@pytest.mark.parametrize(
    ("bound", "scale", "zero_point", "told"),
    [
        (-128, 0.02, -128, False),  # a ReLU's zero
        (-128, 0.02, -127, False),
        (-128, 0.02, -126, True),
        (-128, 0.02, -120, False),  # the least value of GELU
        (-128, 0.02, -114, False),  # that of swish
        (-128, 0.02, -117, True),
        (127, 6 / 255, -128, False),  # the top of a ReLU6
        (127, 1 / 256, -128, False),  # that of a sigmoid
        (127, 2 / 255, -128, True),
        (127, 6 / 253, -128, True),
    ],
)
def test_ends_where_an_activation_function_puts_them(bound, scale, zero_point, told):
    values = ALIVE.copy()
    values[:10, 0] = bound
    found = _found(_graph(scale=scale, zero_point=zero_point), hidden=values)
    assert [one.code for one in found] == (["saturated-activation"] if told else [])


@pytest.mark.parametrize(
    ("steps", "bound", "told"),
    [
        (("SOFTMAX",), -128, False),
        (("RESHAPE", "SOFTMAX"), -128, False),
        (("SOFTMAX",), 127, True),
        (("TANH",), -128, True),
        ((), -128, True),
    ],
)
def test_what_a_mask_puts_at_the_lowest_end(steps, bound, told):
    graph = GraphBuilder(0)
    scores = graph.input((1, 10), scale=0.02, zero_point=0)
    total = graph.tensor((1, 4), "int8", 0.02, 0, name="hidden")
    mask = graph.tensor((1, 4), "int8", 0.02, 0, data=np.int8([[0, 0, -128, -128]]))
    graph.op("ADD", [scores, mask], [total])
    last = total
    for step in steps:
        last = graph.reshape(last, (1, 4)) if step == "RESHAPE" else graph.unary(step, last)
    outputs = [graph.unary("ABS", last)]
    values = ALIVE.copy()
    values[:10, 0] = bound
    found = _found(parse_tflite(graph.build(outputs)), hidden=values)
    assert [one.code for one in found] == (["saturated-activation"] if told else [])


@pytest.mark.parametrize(("kind", "told"), [("MUL", False), ("SELECT_V2", False), ("TANH", True)])
def test_a_mask_may_be_computed_or_selected(kind, told):
    graph = GraphBuilder(0)
    scores, seen = graph.input((1, 10), scale=0.02, zero_point=0), graph.activation((1, 4), "int8")
    total, least = graph.tensor((1, 4), "int8", 0.02, 0, name="hidden"), graph.constant(np.int8([-128]))
    if kind == "SELECT_V2":
        graph.op(kind, [graph.tensor((1, 4), "bool"), seen, least], [total])
    else:
        mask = graph.activation((1, 4), "int8")
        graph.op(kind, [seen, least][: 2 if kind == "MUL" else 1], [mask])
        graph.op("ADD", [scores, graph.reshape(mask, (1, 4))], [total])
    values = ALIVE.copy()
    values[:10, 0] = -128
    content = graph.build([graph.unary("ABS", graph.unary("SOFTMAX", total))])
    found = _found(parse_tflite(content), hidden=values)
    assert [one.code for one in found if one.subject == "hidden"] == ["saturated-activation"] * told


def test_functions_that_reach_both_ends_by_design():
    values = ALIVE.copy()
    values[:10, 0] = 127
    assert _found(_graph(hidden_op="TANH"), hidden=values) == ()
    assert _only(_found(hidden=values)).code == "saturated-activation"
    assert _found(_graph(dtype="float32"), hidden=values.astype(np.float32)) == ()


def test_labels_of_every_place_have_their_classes_in_the_last_dimension():
    ids = np.resize([0, 1], (20, 3))
    scores = np.zeros((20, 3, 10))
    scores[..., 0] = np.linspace(1, 2, 20)[:, None]
    assert _only(_found(outputs=scores, labels=np.eye(10)[ids])).code == "collapsed-output"


def test_one_of_two_channels_is_half_of_them():
    values = ALIVE[:, :2].copy()
    values[:, 1] = 3
    assert _only(_found(hidden=values)).message.startswith("1 of 2 channels")
