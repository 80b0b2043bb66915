import signal
import subprocess
import sys

import numpy as np
import pytest

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners.exchange import last_words, run_elsewhere
from runtime_tests.support.tflite_builder import tiny_dense, tiny_lstm

MODEL = parse_tflite(tiny_dense(), "tiny")
SAMPLES = [[np.full((1, 2), number, np.int8), np.full((1, 3), 10 * number, np.int16)] for number in range(4)]

TWICE = """
import sys, numpy as np
model, inputs, outputs, between = sys.argv[1:]
assert between == 'nothing'
assert open(model, 'rb').read(8)[4:] == b'TFL3'
stored = np.load(inputs)
assert stored.files == ['input_0', 'input_1']
np.savez(outputs, output_0=2 * stored['input_1'], output_1=stored['input_0'])
"""


def run(program, samples=SAMPLES):
    return run_elsewhere([sys.executable, "-c", program], MODEL, samples, "Elsewhere")


def test_arrays_go_there_and_come_back():
    found = run(TWICE)
    assert len(found) == 4
    for number, (first, second) in enumerate(found):
        np.testing.assert_array_equal(first, np.full((1, 3), 20 * number))
        np.testing.assert_array_equal(second, np.full((1, 2), number))
        assert (first.dtype, second.dtype) == (np.int16, np.int8)


@pytest.mark.parametrize(("carry", "expected"), [(None, "reset"), (True, "nothing")])
def test_the_program_is_told_what_to_do_between_samples(carry, expected):
    program = "import sys; sys.exit(sys.argv[4])"
    model = parse_tflite(tiny_lstm(), "tiny")
    with pytest.raises(UnsupportedModelError, match=f"cannot run tiny: {expected}"):
        run_elsewhere([sys.executable, "-c", program], model, SAMPLES, "Elsewhere", carry)


def test_without_samples_nothing_is_run():
    assert run("raise SystemExit(1)", []) == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; print('first\\nno such operator', file=sys.stderr); sys.exit(1)", "no such operator"),
        ("import sys; sys.exit(5)", "it ended with status 5"),
        ("import os; os.abort()", f"it was ended by signal {signal.SIGABRT.value}"),
    ],
)
def test_a_program_that_fails_says_why(program, words):
    with pytest.raises(UnsupportedModelError) as caught:
        run(program)
    assert caught.value.problem == f"Elsewhere cannot run tiny: {words}"


def test_what_was_said_before_a_crash():
    done = subprocess.CompletedProcess([], -11, "", "one\nassertion failed\n")
    assert last_words(done) == "it was ended by signal 11 after saying: assertion failed"
