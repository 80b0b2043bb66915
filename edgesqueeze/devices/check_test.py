import numpy as np
import pytest

from edgesqueeze.devices.check import check_outputs
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import litert
from edgesqueeze.runners.registry import RUNNERS
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual, tiny_two_heads


def never(model, samples, threads):
    raise AssertionError("the outputs alone settle it")


def case(content):
    model = parse_tflite(content)
    sample = data_samples(model, random_data(model, 1))[0]
    return model, sample, litert.run(model, [sample])[0]


def on_this_computer(model, samples, threads):
    return litert.run(model, samples)


@pytest.mark.parametrize("content", [tiny_cnn(), tiny_two_heads(), tiny_dense(dtype="float32")])
def test_the_very_same(content):
    model, sample, outputs = case(content)
    check = check_outputs(model, sample, {1: outputs, 2: outputs}, never)
    assert (check.ok, check.exact, check.compared, check.reference) == (True, True, True, "litert")
    assert check.differing_share == 0


def test_rounding_of_one_operator():
    model, sample, (outputs,) = case(tiny_residual())
    check = check_outputs(model, sample, {1: [outputs], 2: [outputs - 1]}, never)
    assert (check.ok, check.exact, check.max_lsb) == (True, False, 1)
    assert check.differing_share == 1


def test_floats_within_a_thousandth_of_the_range():
    model, sample, (outputs,) = case(tiny_dense(dtype="float32"))
    nearly = outputs + np.float32(5e-4) * np.abs(outputs).max()
    check = check_outputs(model, sample, {1: [nearly]}, never)
    assert check.ok
    assert check.max_relative == pytest.approx(5e-4, rel=1e-2)
    assert check.max_lsb is None


def test_the_reference_kernels_are_right_too(monkeypatch):
    model, sample, (outputs,) = case(tiny_residual())
    far = RUNNERS["litert"]
    wrong = type(far)(far.name, far.title, far.available, lambda *_: [[outputs ^ 64]])
    monkeypatch.setattr("edgesqueeze.runners.registry.RUNNERS", {**RUNNERS, "litert": wrong})
    check = check_outputs(model, sample, {1: [outputs]}, never)
    assert (check.ok, check.reference) == (True, "litert-reference")


def test_a_wrong_answer_is_wrong_however_fast():
    model, sample, outputs = case(tiny_residual())

    def broken(pieces, samples, threads):
        rows = litert.run(pieces, samples)
        return [[row[0] + 9, *row[1:]] for row in rows]

    check = check_outputs(model, sample, {1: outputs, 2: [outputs[0] ^ 64]}, broken)
    assert not check.ok
    assert check.max_lsb >= 64
    assert check.worst_layer.kind == "CONV_2D"
    assert "operator alone is off" in check.reason


def test_rounding_that_the_network_carries_on_is_right():
    model, sample, (outputs,) = case(tiny_residual())
    threads_asked = []

    def off_by_one(pieces, samples, threads):
        threads_asked.append(threads)
        return [[value - 1 for value in row] for row in litert.run(pieces, samples)]

    check = check_outputs(model, sample, {2: [outputs - 7]}, off_by_one)
    assert (check.ok, check.exact, check.max_lsb) == (True, False, 7)
    assert "within rounding" in check.reason
    assert set(threads_asked) == {2}


def test_operators_are_right_but_the_outputs_are_not():
    model, sample, (outputs,) = case(tiny_residual())
    check = check_outputs(model, sample, {1: [outputs ^ 64]}, on_this_computer)
    assert not check.ok
    assert "no operator differs alone" in check.reason


def test_operators_that_cannot_be_run_alone_leave_a_stricter_limit():
    model, sample, (outputs,) = case(tiny_residual())

    def refuse(pieces, samples, threads):
        raise UnsupportedModelError("no")

    for off, ok in ((5, True), (60, False)):
        moved = np.where(outputs > 0, outputs - off, outputs + off).astype(np.int8)
        assert check_outputs(model, sample, {1: [moved]}, refuse).ok is ok


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number_is_wrong(value):
    model, sample, (outputs,) = case(tiny_dense(dtype="float32"))
    check = check_outputs(model, sample, {1: [np.full_like(outputs, value)]}, on_this_computer)
    assert not check.ok
    assert check.max_relative == np.inf


def test_other_shapes_are_wrong():
    model, sample, (outputs,) = case(tiny_dense())
    assert not check_outputs(model, sample, {1: [outputs[:, :2]]}, never).ok
    assert not check_outputs(model, sample, {1: []}, never).ok


def test_what_this_computer_cannot_run_is_not_compared(monkeypatch):
    model, sample, outputs = case(tiny_dense())

    def refuse(*_):
        raise UnsupportedModelError("LiteRT cannot")

    refusing = type(RUNNERS["litert"])("litert", "", lambda: None, refuse)
    monkeypatch.setattr("edgesqueeze.runners.registry.RUNNERS", {"litert": refusing})
    check = check_outputs(model, sample, {1: outputs}, never)
    assert (check.ok, check.compared, check.exact) == (True, False, None)
    assert "LiteRT cannot" in check.reason

    def missing(*_):
        raise ImportError

    absent = type(RUNNERS["litert"])("litert", "", lambda: None, missing)
    monkeypatch.setattr("edgesqueeze.runners.registry.RUNNERS", {"litert": absent})
    assert "not installed" in check_outputs(model, sample, {1: outputs}, never).reason
