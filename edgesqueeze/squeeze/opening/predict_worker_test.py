import json
import sys
import types

import numpy as np
import pytest

from edgesqueeze.errors import ModelFileError
from edgesqueeze.squeeze.opening import predict_worker


@pytest.fixture
def keras(monkeypatch):
    """Stands for the module that loads Keras models, so that no TensorFlow is needed here."""
    module = types.ModuleType("edgesqueeze.squeeze.opening.load")
    module.asked = []

    def load_model(path, custom_objects=None, unsafe=False):
        module.asked.append((path, custom_objects, unsafe))
        return types.SimpleNamespace(
            model=types.SimpleNamespace(input_names=["a", "b"], output_names=["twice", "same"])
        )

    module.load_model = load_model
    module.predict = lambda loaded, inputs: [inputs["a"] * 2, inputs["b"]]
    monkeypatch.setitem(sys.modules, "edgesqueeze.squeeze.opening.load", module)
    return module


def _main(tmp_path, arrays, *custom):
    np.savez(tmp_path / "in.npz", **arrays)
    return predict_worker.main(["m.keras", str(tmp_path / "in.npz"), str(tmp_path / "out.npz"), *custom])


def test_outputs_are_written(keras, tmp_path):
    assert _main(tmp_path, {"b": np.ones(2), "a": np.arange(3)}) == 0
    with np.load(tmp_path / "out.npz") as stored:
        np.testing.assert_array_equal(stored["output_0"], [0, 2, 4])
        np.testing.assert_array_equal(stored["output_1"], [1, 1])
        assert list(stored["names"]) == ["twice", "same"]
    # Code that is stored in the file is never run from here.
    assert keras.asked[0][2] is False


def test_other_names_are_taken_in_order(keras, tmp_path):
    assert _main(tmp_path, {"input_0": np.arange(3), "input_1": np.ones(2)}) == 0
    with np.load(tmp_path / "out.npz") as stored:
        np.testing.assert_array_equal(stored["output_0"], [0, 2, 4])


def test_custom_classes_are_imported(keras, tmp_path):
    assert _main(tmp_path, {"a": np.ones(1), "b": np.ones(1)}, "collections:OrderedDict") == 0
    assert list(keras.asked[0][1]) == ["OrderedDict"]


@pytest.mark.parametrize("name", ["nowhere:Layer", "json:Layer", ""])
def test_a_class_that_is_not_there(keras, tmp_path, capsys, name):
    assert _main(tmp_path, {"a": np.ones(1)}, name) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "UsageError"


def test_errors_go_to_stdout_as_json(keras, tmp_path, capsys):
    def fail(path, **options):
        raise ModelFileError("broken", got="half a file", hint="export again")

    keras.load_model = fail
    assert _main(tmp_path, {"a": np.ones(1)}) == 2
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "error": "ModelFileError",
        "problem": "broken",
        "expected": "",
        "got": "half a file",
        "hint": "export again",
    }
