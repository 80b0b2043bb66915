import ast
import subprocess
import sys

import numpy as np
import pytest

from edgesqueeze.base.lazy import Lazy
from edgesqueeze.errors import MissingToolError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import build_cache, tflite_runtime, tflm
from edgesqueeze.runners.registry import RUNNERS, find_runner, require_runner
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_two_heads
from runtime_tests.support.tools import require_tool


def test_names_are_the_keys():
    assert all(name == runner.name for name, runner in RUNNERS.items())


def test_the_reference_comes_first():
    assert next(iter(RUNNERS)) == "tflm"


def test_every_row_names_functions_that_exist():
    for runner in RUNNERS.values():
        assert all(callable(one.load()) for one in (runner.available, runner.run) if isinstance(one, Lazy))


def test_the_table_imports_no_runtime():
    code = (
        "import sys\nfrom edgesqueeze.runners.registry import RUNNERS\n"
        "assert RUNNERS['litert'].available() is None\n"
        "print(sorted(name for name in sys.modules if name.startswith('edgesqueeze.runners.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name.rpartition(".")[2] for name in ast.literal_eval(done.stdout)}
    assert imported == {"registry", "samples", "ids"}


def test_an_unknown_runtime():
    with pytest.raises(UsageError, match="no runtime 'onnx'") as caught:
        find_runner("onnx")
    assert "litert" in caught.value.expected


def test_a_runtime_that_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(tflite_runtime, "environment_path", lambda: tmp_path)
    with pytest.raises(MissingToolError, match="--install"):
        require_runner("tflite-runtime")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="gcc not found; apt-get install gcc libc6-dev"):
        require_runner("c")
    with pytest.raises(MissingToolError, match="qemu-system-arm not found; apt-get install"):
        require_runner("qemu")
    monkeypatch.setattr(tflm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="pip install tflite-micro"):
        require_runner("tflm")


def test_native_c_promises_the_references_bits():
    assert [name for name, runner in RUNNERS.items() if runner.exact] == ["c", "qemu"]
    assert [name for name, runner in RUNNERS.items() if not runner.by_default] == ["qemu"]


@pytest.mark.parametrize("name", ["c", "qemu"])
@pytest.mark.parametrize("content", [tiny_cnn(), tiny_two_heads()])
def test_native_c_runs_whole_models(monkeypatch, tmp_path, name, content):
    monkeypatch.setattr(build_cache, "cache_folder", lambda: tmp_path)
    for tool, package in (("gcc", "gcc"), ("arm-none-eabi-gcc", "gcc-arm-none-eabi")):
        require_tool(tool, package)
    require_tool("qemu-system-arm", "qemu-system-arm")
    model = parse_tflite(content, "tiny")
    samples = data_samples(model, random_data(model, 5))
    expected, found = RUNNERS["tflm"].run(model, samples), RUNNERS[name].run(model, samples)
    for want, have in zip(expected, found, strict=True):
        for one, other in zip(want, have, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            np.testing.assert_array_equal(one, other)
    assert RUNNERS[name].run(model, []) == []
