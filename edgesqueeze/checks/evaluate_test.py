import numpy as np
import pytest

from edgesqueeze.checks.evaluate import Originals, evaluate
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData
from runtime_tests.support.tflite_builder import tiny_lstm, tiny_sum


def batches(values, size):
    return ([values[start : start + size]] for start in range(0, len(values), size))


def originals(values, outputs):
    return Originals((outputs,), None, EvalData((values,)))


@pytest.mark.parametrize("size", [2, 3, 8])
def test_a_sequence_goes_on_over_batches(size):
    steps = np.arange(16, dtype=np.float32).reshape(8, 2)
    expected = 10 + np.cumsum(steps, axis=0)
    found = evaluate(originals(steps, expected), parse_tflite(tiny_sum()), batches(steps, size))
    np.testing.assert_array_equal(found.compressed[0], expected)


def test_independent_samples_are_as_if_each_were_alone():
    model = parse_tflite(tiny_lstm())
    values = np.random.default_rng(0).normal(0, 1, (7, 5, 3)).astype(np.float32)
    alone = np.concatenate([litert.run(model, [[row[None]]])[0][0] for row in values])
    found = evaluate(originals(values, alone), model, batches(values, 3))
    np.testing.assert_array_equal(found.compressed[0], alone)


@pytest.mark.parametrize("content", [tiny_sum(), tiny_lstm()])
def test_what_goes_beyond_the_originals_samples_is_left_out(content):
    model = parse_tflite(content)
    shape = (9, *model.main.input_tensors[0].shape[1:])
    values = np.ones(shape, np.float32)
    found = evaluate(originals(values[:5], np.zeros((5, 2), np.float32)), model, batches(values, 2))
    assert len(found.compressed[0]) == 5


def test_what_xnnpack_refuses_is_judged_on_other_kernels_and_told(monkeypatch):
    def refuse(model, samples):
        raise UnsupportedModelError("LiteRT (xnnpack kernels) cannot run tiny")

    model = parse_tflite(tiny_lstm())
    values = np.random.default_rng(0).normal(0, 1, (7, 5, 3)).astype(np.float32)
    wanted = np.concatenate([litert.run_builtin(model, [[row[None]]])[0][0] for row in values])
    monkeypatch.setattr(litert, "run", refuse)
    found = evaluate(originals(values, wanted), model, batches(values, 3))
    np.testing.assert_array_equal(found.compressed[0], wanted)
    (finding,) = found.findings
    assert finding.code == "xnnpack-refuses"
    assert "switch XNNPACK off" in finding.message
    monkeypatch.setattr(litert, "run_builtin", refuse)
    with pytest.raises(UnsupportedModelError):
        evaluate(originals(values, wanted), model, batches(values, 3))
