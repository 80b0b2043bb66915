import importlib.util

import pytest

from edgesqueeze.errors import MissingToolError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import arena
from edgesqueeze.runners.memory import fit_to, needs_on
from edgesqueeze.target.load import list_targets
from runtime_tests.support.native_board import native_board
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense

MODEL = parse_tflite(tiny_cnn())


def target_with(runtime):
    return next(target for target in list_targets() if target.runtime.name == runtime)


@pytest.mark.skipif(not importlib.util.find_spec("tflite_micro"), reason="tflite-micro is not installed")
def test_a_microcontrollers_arena_is_measured():
    fit = fit_to(MODEL, target_with("tflm"))
    assert fit.ok
    assert fit.ram.verdict == "fits"
    assert 1000 < fit.ram.parts["arena"] < 10_000
    assert "measured" in fit.ram.method


def test_without_tflm_ram_is_not_checked_and_says_why(monkeypatch):
    def missing(model, core):
        raise MissingToolError("the tflite-micro package is missing")

    monkeypatch.setattr(arena, "find_arena", missing)
    fit = fit_to(MODEL, target_with("tflm"))
    assert fit.ok
    assert fit.ram.verdict == "not-checked"
    assert fit.ram.method == "the tflite-micro package is missing"


def test_elsewhere_the_activations_are_planned():
    needs = needs_on(MODEL, target_with("litert"))
    size, method = needs.arena_bytes, needs.arena_method
    largest = max(tensor.elements for tensor in MODEL.main.tensors if not tensor.is_constant)
    assert largest <= size <= sum(tensor.elements + 16 for tensor in MODEL.main.tensors)
    assert "planned" in method
    assert fit_to(MODEL, target_with("litert")).ram.verdict == "fits"


def test_native_c_tells_itself_whether_it_fits(tmp_path):
    fit = fit_to(MODEL, native_board(tmp_path))
    assert (fit.ok, fit.ops.runtime, fit.ops.verdict) == (True, "c", "fits")
    assert fit.flash.parts["model"] < len(MODEL.content)
    assert "planned when the C was generated" in fit.ram.method


def test_what_native_c_refuses_does_not_fit(tmp_path):
    fit = fit_to(parse_tflite(tiny_dense(dtype="float32")), native_board(tmp_path))
    assert not fit.ok
    assert [one.kind for one in fit.ops.missing] == ["FULLY_CONNECTED"]


def test_another_runtime_of_the_target_can_be_asked_for(tmp_path):
    board = native_board(tmp_path)
    assert fit_to(MODEL, board, "tflm").ops.runtime == "tflm"
    assert (
        fit_to(MODEL, target_with("tflm"), "c").ops.method == "every operator was given to the generator of C"
    )
