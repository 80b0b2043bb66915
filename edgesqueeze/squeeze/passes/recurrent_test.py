"""Recurrent kernels through every pass: what is asked for is counted in the file, whatever form it takes."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.graph.stats import weight_stats
from edgesqueeze.squeeze.layers.weights import kernels_of, model_kernels
from edgesqueeze.squeeze.passes.naming import named
from edgesqueeze.squeeze.passes.promises import find_parts
from edgesqueeze.squeeze.passes.state import Trained
from runtime_tests.support.tiny_keras import passed, randomize

layers = tf_keras.layers
BROKEN = {"kernel-not-found", "sparsity-missed", "clusters-missed", "settled-moved", "bits-missed"}
STEPS, FEATURES, UNITS = 5, 6, 8
FORMS = {
    "lstm": lambda: layers.LSTM(UNITS, name="it"),
    "gru": lambda: layers.GRU(UNITS, name="it"),
    "gru, reset before": lambda: layers.GRU(UNITS, reset_after=False, name="it"),
    "simple": lambda: layers.SimpleRNN(UNITS, name="it"),
    "lstm without bias": lambda: layers.LSTM(UNITS, use_bias=False, name="it"),
    "both ways, lstm": lambda: layers.Bidirectional(layers.LSTM(UNITS, name="lstm"), name="it"),
    "both ways, gru": lambda: layers.Bidirectional(layers.GRU(UNITS, name="gru"), name="it"),
    "cell": lambda: layers.RNN(layers.LSTMCell(UNITS), name="it"),
    "cells": lambda: layers.RNN([layers.LSTMCell(UNITS), layers.GRUCell(7)], name="it"),
    "each step": lambda: layers.TimeDistributed(layers.Dense(UNITS), name="it"),
}


def _model(make, masked=False, **options):
    x = tf_keras.Input((STEPS, FEATURES), name="x", **options)
    inner = make()(layers.Masking()(x) if masked else x)
    return randomize(tf_keras.Model(x, layers.Dense(3, name="last")(inner), name="tiny"))


def _counted(model, tflite):
    """By kernel its tensors' elements as stored, and as real numbers."""
    found = {kernel.key: find_parts(tflite, kernel) for kernel in model_kernels(model)}
    return {key: np.concatenate([tensor.data.ravel() for _, tensor in parts]) for key, parts in found.items()}


def _assert_kept(made, zeros, clusters):
    counted = _counted(made.model, made.tflite)
    assert len(counted) == len(list(model_kernels(made.model)))
    for key, values in counted.items():
        assert abs(np.mean(values == 0) - zeros) <= max(0.01, 0.5 / values.size + 1e-9), key
        assert np.unique(values).size <= clusters, key
    assert not {one.code for one in made.findings} & BROKEN


@pytest.mark.parametrize("form", FORMS)
def test_every_form_keeps_both_promises_in_the_integers_of_the_file(form):
    made = passed(_model(FORMS[form]), {"prune": {"sparsity": 0.5}, "cluster": {"clusters": 8}})
    _assert_kept(made, 0.5, 8)
    (layer,) = [one for one in made.model.layers if one.name == "it"]
    assert {key.layer for key in made.promises} == {"it", "last"}
    assert all(made.promises[kernel.key].settled for kernel in kernels_of(layer))


@pytest.mark.parametrize(
    ("form", "mode"), [("lstm", "int16x8"), ("lstm", "float16"), ("gru", "none"), ("cells", "dynamic")]
)
def test_every_mode_keeps_both_promises(form, mode):
    raw = {"prune": {"sparsity": 0.6}, "cluster": {"clusters": 6}, "quantize": {"mode": mode}}
    _assert_kept(passed(_model(FORMS[form]), raw), 0.6, 6)


@pytest.mark.parametrize("form", ["lstm", "gru"])
def test_kernels_that_dynamic_range_quantization_makes_integers_of(form):
    x = tf_keras.Input((STEPS, 32), name="x")
    make = {"lstm": layers.LSTM, "gru": layers.GRU}[form]
    model = randomize(tf_keras.Model(x, layers.Dense(3, name="last")(make(40, name="it")(x)), name="tiny"))
    raw = {"prune": {"sparsity": 0.6}, "cluster": {"clusters": 6}, "quantize": {"mode": "dynamic"}}
    made = passed(model, raw)
    _assert_kept(made, 0.6, 6)
    counted = _counted(made.model, made.tflite)
    assert {values.dtype.name for key, values in counted.items() if key.layer == "it"} == {"int8"}


def test_a_masked_lstm_has_another_form_and_keeps_both_promises():
    raw = {"prune": {"sparsity": 0.5}, "cluster": {"clusters": 8}}
    _assert_kept(passed(_model(FORMS["lstm"], masked=True), raw), 0.5, 8)


def _trained(student, steps, **how):
    """A few steps towards zero outputs, large ones: what is not held would move."""
    optimizer = tf_keras.optimizers.legacy.Adam(0.05)
    x = np.random.default_rng(3).normal(size=(8, *student.inputs[0].shape[1:])).astype(np.float32)
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(student(x, training=True)))
        variables = student.trainable_variables
        pairs = zip(tape.gradient(loss, variables), variables, strict=True)
        optimizer.apply_gradients((gradient, one) for gradient, one in pairs if gradient is not None)
    return Trained(3, float(loss))


@pytest.mark.parametrize("form", ["both ways, lstm", "cells", "each step"])
def test_training_keeps_zeros_and_values_and_moves_the_rest(form):
    model = _model(FORMS[form])
    raw = {"prune": {"sparsity": 0.5, "schedule": "constant"}, "cluster": {"clusters": 8}}
    untouched, made = passed(model, raw), passed(model, raw, train=_trained)
    _assert_kept(made, 0.5, 8)
    for before, after in zip(model_kernels(untouched.model), model_kernels(made.model), strict=True):
        assert before.key == after.key
        assert np.abs(before.value - after.value).max() > 1e-3
    biases = [
        np.abs(one.numpy() - other.numpy()).max()
        for one, other in zip(untouched.model.weights, made.model.weights, strict=True)
        if "bias" in one.name
    ]
    assert min(biases) > 1e-3


def test_two_of_four_holds_down_the_columns_of_every_gate():
    made = passed(_model(FORMS["both ways, lstm"]), {"prune": {"structure": "2:4"}})
    recurrent = [one for one in model_kernels(made.model) if one.attribute == "recurrent_kernel"]
    assert len(recurrent) == 2
    for kernel in recurrent:
        for _, tensor in find_parts(made.tflite, kernel):
            assert ((tensor.data.reshape(-1, 4) != 0).sum(axis=1) == 2).all()
    assert not [one for one in made.findings if one.code == "prune-structure"]


def test_a_gate_of_an_lstm_has_one_scale_and_a_column_of_a_gru_its_own():
    scales = {}
    for form in ("lstm", "gru"):
        made = passed(_model(FORMS[form]), {})
        kernel = next(model_kernels(made.model))
        scales[form] = [
            (part.name, tensor.quantization.scales.size) for part, tensor in find_parts(made.tflite, kernel)
        ]
    assert scales["lstm"] == [("input", 1), ("forget", 1), ("cell", 1), ("output", 1)]
    assert scales["gru"] == [("gates", 2 * UNITS), ("candidate", UNITS)]


def test_kernels_are_called_after_their_layer():
    made = passed(_model(FORMS["both ways, gru"]), {})
    names = {one.name for one in weight_stats(named(made.model, made.tflite)) if one.role == "weights"}
    ways = ("forward_gru", "backward_gru")
    kernels = {f"it/{way}/{kind}" for way in ways for kind in ("kernel", "recurrent_kernel")}
    wanted = {f"{kernel}/{part}" for kernel in kernels for part in ("gates", "candidate")}
    assert names == {*wanted, "tiny/last/MatMul"}
