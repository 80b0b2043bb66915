import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import litert, tflm
from edgesqueeze.squeeze.passes import converter
from edgesqueeze.squeeze.passes.convert import convert
from edgesqueeze.squeeze.passes.converter import ConverterError, convert_graph
from runtime_tests.support.tiny_keras import source_of

layers = tf_keras.layers
STEPS, FEATURES = 6, 4


@pytest.fixture
def own_worker(monkeypatch):
    """A process of this test's own, which ends with it."""
    worker = converter._Worker()
    monkeypatch.setattr(converter, "_WORKER", worker)
    yield worker
    worker.stop()


def _model(layer):
    x = tf_keras.Input((STEPS, FEATURES), name="x")
    return tf_keras.Model(x, layer(x))


def _function(model):
    spec = tf.TensorSpec((1, STEPS, FEATURES), tf.float32, name="x")
    return tf.function(lambda x: model(x), input_signature=[spec]).get_concrete_function()


def _samples(count=12):
    return np.random.default_rng(0).normal(0, 1, (count, STEPS, FEATURES)).astype(np.float32)


def test_a_loop_that_ends_the_converter_is_an_error_and_the_next_model_converts(own_worker):
    """TensorFlow 2.21 dies of the loop of a GRU; a later one that converts it would be welcome."""
    loop, plain = _model(layers.GRU(3)), _model(layers.Dense(3))
    calibration = {"x": list(_samples()[:, np.newaxis])}
    with pytest.raises(UnsupportedModelError, match=r"signal 11 \(SIGSEGV\)") as caught:
        convert_graph(loop, _function(loop), "int8", "int8", calibration)
    assert "unroll=True" in caught.value.hint
    content = convert_graph(plain, _function(plain), "int8", "int8", calibration)
    assert parse_tflite(content).main.input_tensors[0].dtype == "int8"


def test_what_the_converter_says_comes_back(own_worker):
    model = _model(layers.Lambda(lambda x: tf.linalg.det(tf.matmul(x, x, transpose_a=True))))
    with pytest.raises(ConverterError, match="MatrixDeterminant"):
        convert_graph(model, _function(model), "none", "float32", None)


def test_a_process_that_was_killed_from_outside_is_started_anew(own_worker):
    model = _model(layers.Dense(3))
    process = own_worker.start()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert convert_graph(model, _function(model), "none", "float32", None)


def test_an_interruption_ends_the_process(own_worker):
    """An answer that comes later must not be taken for that to the next request."""
    process = own_worker.start()

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    os.kill(process.pid, signal.SIGSTOP)  # it will not answer
    signal.setitimer(signal.ITIMER_REAL, 2)
    model = _model(layers.Dense(3))
    try:
        with pytest.raises(KeyboardInterrupt):
            own_worker.work(Path("/nowhere"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert process.poll() is not None
    assert convert_graph(model, _function(model), "none", "float32", None)


def _trained(cell, masked):
    """A network that tells which of two pulses came first; with a mask, in sequences of several lengths."""
    tf_keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    count, steps = 600, 10
    x = rng.normal(0, 0.2, (count, steps, 3)).astype(np.float32)
    y = rng.integers(0, 2, count)
    places = np.sort(np.array([rng.choice(np.arange(1, 7), 2, replace=False) for _ in range(count)]), axis=1)
    for row in range(count):
        x[row, places[row, 0], y[row]] += 2
        x[row, places[row, 1], 1 - y[row]] += 2
        if masked:
            x[row, rng.integers(7, steps + 1) :] = 0
    given = tf_keras.Input((steps, 3), name="x")
    inner = layers.Masking()(given) if masked else given
    model = tf_keras.Model(given, layers.Dense(2, activation="softmax")(cell(8)(inner)))
    model.compile(tf_keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:400], y[:400], 40, 12, verbose=0)
    return model, x, y


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "masked"),
    [(layers.GRU, False), (layers.GRU, True), (layers.LSTM, True), (layers.SimpleRNN, False)],
    ids=["gru", "masked gru", "masked lstm", "simple"],
)
def test_recurrent_networks_keep_their_accuracy_in_integers(cell, masked):
    model, x, y = _trained(cell, masked)
    tflite, _ = convert(model, "int8", "float32", source_of(model, x[:200]), 200, 0)
    test, truth = x[400:], y[400:]
    wanted = np.asarray(model(test)).argmax(axis=1)
    assert np.mean(wanted == truth) > 0.9
    samples = [[row[np.newaxis]] for row in test]
    for runner in (litert, *([tflm] if sys.platform == "linux" else [])):
        found = np.array([np.asarray(one[0]).argmax() for one in runner.run(tflite, samples)])
        assert np.mean(found == truth) >= np.mean(wanted == truth) - 0.015, runner.__name__
    # The weights of all steps are stored once.
    stored = {tensor.data.tobytes() for tensor in tflite.main.tensors if tensor.data is not None}
    assert sum(map(len, stored)) < 3 * sum(weight.size for weight in model.get_weights()) + 1024
