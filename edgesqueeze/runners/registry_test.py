import pytest

from edgesqueeze.errors import MissingToolError, UsageError
from edgesqueeze.runners import registry, tflite_runtime
from edgesqueeze.runners.registry import RUNNERS, find_runner, require_runner


def test_names_are_the_keys():
    assert all(name == runner.name for name, runner in RUNNERS.items())


def test_the_reference_comes_first():
    assert next(iter(RUNNERS)) == "tflm"


def test_an_unknown_runtime():
    with pytest.raises(UsageError, match="no runtime 'onnx'") as caught:
        find_runner("onnx")
    assert "litert" in caught.value.expected


def test_a_runtime_that_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(tflite_runtime, "environment_path", lambda: tmp_path)
    with pytest.raises(MissingToolError, match="--install"):
        require_runner("tflite-runtime")
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="pip install tflite-micro"):
        require_runner("tflm")
