"""The same model on every runtime of this machine must compute the same.

TFLM is the reference. LiteRT's reference kernels give its very bits, except that their FULLY_CONNECTED is at
times one step off; the other kernels may round differently in any operator, but no more than that.
"""

import functools
import os

import pytest

from edgesqueeze.checks.parity import choose_reference, compare_runtimes
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners.registry import RUNNERS
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual, tiny_two_heads

MODELS = {
    "cnn": tiny_cnn(),
    "cnn-other-seed": tiny_cnn(seed=7),
    "cnn-uint8-io": tiny_cnn(io="uint8"),
    "cnn-float-io": tiny_cnn(io="float32"),
    "dense": tiny_dense(),
    "dense-float": tiny_dense(dtype="float32"),
    "dense-int16": tiny_dense(dtype="int16"),
    "residual": tiny_residual(),
    "two-heads": tiny_two_heads(),
}


def _ready(name):
    runner = RUNNERS[name]
    reason = runner.available()
    if reason:
        message = f"{runner.title}: {reason}"
        # scripts/test names the runtimes that cannot be installed on this machine at all.
        if os.environ.get("CI") and name not in os.environ.get("EDGESQUEEZE_WITHOUT", "").split():
            pytest.fail(message)
        pytest.skip(message)
    return runner


@functools.cache
def _case(key):
    """A model, samples, and what TFLM computes for them: one run serves all other runtimes."""
    model = parse_tflite(MODELS[key], key)
    samples = data_samples(model, random_data(model, 32))
    return model, samples, choose_reference(model, samples, [RUNNERS["tflm"]])


NATIVE = ("c", "qemu")
"""They take integers in the middle of a model only."""
CASES = [
    (key, name)
    for key in MODELS
    for name in RUNNERS
    if name != "tflm" and not (name in NATIVE and key == "dense-float")
]


@pytest.mark.parametrize(("key", "name"), CASES)
def test_runtimes_agree_with_tflm(key, name):
    _ready("tflm")
    runner = _ready(name)
    model, samples, reference = _case(key)
    parity = compare_runtimes(model, samples, [runner], required=True, reference=reference)
    row = parity.runtimes[1]
    assert parity.ok, row
    assert row.status == "identical" or not runner.exact, row
    if name == "litert-reference" and row.status != "identical":
        assert row.first_divergence.kind == "FULLY_CONNECTED", row
        assert row.worst_layer.max_lsb == 1, row
