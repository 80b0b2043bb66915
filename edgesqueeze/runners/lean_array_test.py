import numpy as np
import pytest

from edgesqueeze.errors import RequirementError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import lean_array
from edgesqueeze.runners.lean_array import tflm_array
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_compiled, tiny_dense, tiny_lstm, tiny_sum

pytest.importorskip("tflite_micro", reason="tflite-micro is for x86-64 Linux only")


@pytest.mark.parametrize("make", [tiny_cnn, tiny_dense, tiny_lstm, tiny_sum])
def test_the_smaller_one_is_taken_where_tflm_computes_the_same(make):
    model = parse_tflite(make())
    array = tflm_array(model)
    assert len(array.content) < len(model.content)
    assert array.kept == ""


def test_another_value_in_one_weight_is_noticed(monkeypatch):
    def spoiled(model):
        content = bytearray(lean(model))
        weights = max(
            (one.data for one in model.main.tensors if one.dtype == "int8" and one.is_constant), key=len
        )
        start = content.find(weights.tobytes())
        assert start > 0
        content[start : start + weights.size] = (weights.reshape(-1) ^ 0x40).tobytes()
        return bytes(content)

    lean = lean_array.lean
    monkeypatch.setattr(lean_array, "lean", spoiled)
    model = parse_tflite(tiny_dense())
    array = tflm_array(model)
    assert array.content == model.content
    assert "something else" in array.kept


def test_one_that_does_not_run_is_not_taken(monkeypatch):
    def refuse(model, samples):
        if model is not original:
            raise RequirementError("TFLite Micro cannot run it")
        return [[np.zeros(1, np.int8)]]

    original = parse_tflite(tiny_cnn())
    monkeypatch.setattr(lean_array.tflm, "run", refuse)
    array = tflm_array(original)
    assert array.content == original.content
    assert array.kept.endswith("TFLite Micro cannot run it")


def test_a_compiled_model_stays_as_it_is():
    model = parse_tflite(tiny_compiled("ethos-u"))
    assert tflm_array(model).content == model.content
