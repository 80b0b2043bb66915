"""Every runtime forgets a model's state between samples, or carries it, as it is told."""

import numpy as np
import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import litert, tflite_runtime, tflm
from edgesqueeze.runners.registry import RUNNERS, with_state
from runtime_tests.support.tflite_builder import tiny_lstm, tiny_sum, tiny_svdf

RUNS = [
    litert.run,
    litert.run_builtin,
    litert.run_reference,
    pytest.param(tflm.run, marks=pytest.mark.skipif(bool(tflm.available()), reason="no tflite-micro")),
    pytest.param(
        tflite_runtime.run,
        marks=pytest.mark.skipif(bool(tflite_runtime.available()), reason="no tflite-runtime"),
    ),
]
MODELS = {"lstm": tiny_lstm, "svdf": tiny_svdf, "sum": tiny_sum}


def samples_of(model, count=3):
    rng = np.random.default_rng(1)
    shape = model.main.input_tensors[0].shape
    return [[rng.normal(0, 1, shape).astype(np.float32)] for _ in range(count)]


def values(rows):
    return np.array([row[0].ravel() for row in rows])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("run", RUNS)
def test_independent_samples_are_each_as_the_first(run, name):
    model = parse_tflite(MODELS[name]())
    samples = samples_of(model)
    alone = [run(model, [sample])[0] for sample in samples]
    np.testing.assert_array_equal(values(run(model, samples, carry_state=False)), values(alone))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("run", RUNS)
def test_a_sequence_goes_on(run, name):
    model = parse_tflite(MODELS[name]())
    samples = samples_of(model)
    apart, carried = (values(run(model, samples, carry_state=carry)) for carry in (False, True))
    np.testing.assert_array_equal(apart[0], carried[0])
    assert np.abs(apart[1:] - carried[1:]).min(axis=1).max() > 1e-3


@pytest.mark.parametrize("run", RUNS)
def test_a_sum_of_all_inputs_is_the_sum_of_all_inputs(run):
    model = parse_tflite(tiny_sum(first=10))
    samples = [[np.float32([[step, 1]])] for step in (1, 2, 3)]
    np.testing.assert_array_equal(values(run(model, samples)), [[11, 11], [13, 12], [16, 13]])
    apart = values(run(model, samples, carry_state=False))
    np.testing.assert_array_equal(apart, [[11, 11], [12, 11], [13, 11]])


@pytest.mark.parametrize("run", RUNS)
def test_without_being_told_only_steps_of_a_sequence_go_on(run):
    for name, carries in {"lstm": False, "svdf": True}.items():
        model = parse_tflite(MODELS[name]())
        samples = samples_of(model)
        expected = values(run(model, samples, carry_state=carries))
        np.testing.assert_array_equal(values(run(model, samples)), expected)


def test_a_runner_can_be_told_once_and_for_all():
    model = parse_tflite(tiny_lstm())
    samples = samples_of(model)
    runner = RUNNERS["litert"]
    assert with_state(runner, None) is runner
    told = with_state(runner, True).run(model, samples)
    np.testing.assert_array_equal(values(told), values(litert.run(model, samples, carry_state=True)))
