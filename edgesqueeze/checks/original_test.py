import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgesqueeze.base import worker
from edgesqueeze.checks import original
from edgesqueeze.checks.original import in_output_order, original_outputs
from edgesqueeze.errors import DataError, MissingToolError, ModelFileError, UnsafeModelError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import EvalData, data_samples, random_data, real_outputs
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_two_heads


def test_a_tflite_is_run_directly(tmp_path):
    path = tmp_path / "original.tflite"
    path.write_bytes(tiny_two_heads())
    model = parse_tflite(tiny_two_heads())
    data = random_data(model, 5)
    (scores, value), _ = original_outputs(path, data)
    assert scores.shape == (5, 4)
    assert value.shape == (5, 1)
    expected = real_outputs(model, litert.run_reference(model, data_samples(model, data)))
    np.testing.assert_array_equal(scores, expected[0])


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelFileError, match="no file"):
        original_outputs(tmp_path / "gone.keras", EvalData(()))


def test_a_keras_model_without_tensorflow(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_bytes(b"")
    monkeypatch.setattr(worker.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="TensorFlow is not installed") as caught:
        original_outputs(path, EvalData((np.zeros((1, 2)),)))
    assert "edgesqueeze[compress]" in str(caught.value)


def _worker(monkeypatch, answer):
    """Let ``answer(command)`` stand for the process that runs Keras."""

    def run(command, **options):
        stdout, stderr, status = answer(command)
        return subprocess.CompletedProcess(command, status, stdout, stderr)

    monkeypatch.setattr(worker.subprocess, "run", run)
    monkeypatch.setattr(worker.importlib.util, "find_spec", lambda name: True)


def test_a_keras_model_runs_in_a_process_of_its_own(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_bytes(b"")

    def answer(command):
        at = command.index("edgesqueeze.squeeze.opening.predict_worker")
        model, data, outputs, *custom = command[at + 1 :]
        assert (model, custom) == (str(path), ["my.layers:Scale"])
        with np.load(data, allow_pickle=False) as stored:
            np.savez(outputs, output_0=stored["x"] * 2, names=np.array(["twice"]))
        return "", "", 0

    _worker(monkeypatch, answer)
    data = EvalData((np.arange(3.0),), names=("x",))
    (output,), names = original_outputs(path, data, ["my.layers:Scale"])
    np.testing.assert_array_equal(output, [0, 2, 4])
    assert names == ("twice",)


def test_its_errors_come_through(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_bytes(b"")
    data = EvalData((np.zeros(1),), names=("x",))
    told = json.dumps({"error": "DataError", "problem": "wrong", "expected": "a", "got": "b", "hint": "c"})
    _worker(monkeypatch, lambda command: (f"noise\n{told}\n", "", 2))
    with pytest.raises(DataError, match="wrong") as caught:
        original_outputs(path, data)
    assert caught.value.hint == "c"
    _worker(monkeypatch, lambda command: ("", "Traceback\nKilled", -9))
    with pytest.raises(UsageError, match="Killed"):
        original_outputs(path, data)


def test_what_holds_code_is_not_run_and_the_hint_is_no_option_of_compress(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_bytes(b"")
    told = {
        "error": "UnsafeModelError",
        "problem": "code",
        "expected": "",
        "got": "",
        "hint": "pass --unsafe",
    }
    _worker(monkeypatch, lambda command: (json.dumps(told), "", 2))
    with pytest.raises(UnsafeModelError, match="code") as caught:
        original_outputs(path, EvalData((np.zeros(1),), names=("x",)))
    assert "leave out --against" in caught.value.hint


def test_outputs_are_ordered_by_the_names_that_the_converter_gives():
    graph = GraphBuilder()
    x = graph.input((1, 6))
    second = graph.fully_connected(x, 2, name="StatefulPartitionedCall:1")
    first = graph.fully_connected(x, 3, name="StatefulPartitionedCall:0")
    model = parse_tflite(graph.build([second, first]))
    a, b = np.zeros((4, 3)), np.zeros((4, 2))
    assert in_output_order(model, [a, b])[0] is b
    # Names that contradict the sizes are not followed.
    assert in_output_order(model, [b, a])[0] is b
    single = parse_tflite(tiny_cnn())
    assert in_output_order(single, [a])[0] is a


def test_outputs_of_one_sample_and_of_names_that_tell_nothing():
    graph = GraphBuilder()
    x = graph.input((1, 6))
    second = graph.fully_connected(x, 2, name="call:1")
    first = graph.fully_connected(x, 3, name="call:0")
    a, b = np.zeros((1, 3)), np.zeros((1, 2))
    assert in_output_order(parse_tflite(graph.build([second, first])), [a, b])[0] is b
    graph = GraphBuilder()
    x = graph.input((1, 6))
    # Both claim to be the first.
    twins = [graph.fully_connected(x, 2, name=f"{name}:0") for name in ("left", "right")]
    c, d = np.zeros((4, 2)), np.ones((4, 2))
    found = in_output_order(parse_tflite(graph.build(twins)), [c, d])
    assert found[0] is c
    assert found[1] is d


def test_inputs_without_names_are_counted(tmp_path, monkeypatch):
    path = tmp_path / "model.h5"
    path.write_bytes(b"")

    def answer(command):
        data, outputs = command[-2:]
        with np.load(data) as stored:
            names = np.array(["left", "right"])
            np.savez(outputs, output_0=stored["input_0"], output_1=stored["input_1"], names=names)
        return "", "", 0

    _worker(monkeypatch, answer)
    found, _ = original_outputs(path, EvalData((np.arange(3.0), np.ones(3))))
    np.testing.assert_array_equal(found, [[0, 1, 2], [1, 1, 1]])


def test_nothing_here_imports_tensorflow():
    code = (
        "import sys, edgesqueeze.checks.verify, edgesqueeze.cli.verify; sys.exit('tensorflow' in sys.modules)"
    )
    root = Path(original.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_an_original_that_takes_other_inputs_is_another_model(tmp_path, monkeypatch):
    path = tmp_path / "other.tflite"
    path.write_bytes(tiny_cnn())
    model = parse_tflite(tiny_two_heads())
    with pytest.raises(DataError, match=r"other\.tflite takes other inputs than the \.tflite") as caught:
        original_outputs(path, EvalData((np.zeros((5, 3), np.float32),)))
    assert "--against" in caught.value.hint and "[5, 3]" in caught.value.got
    said = "ValueError: Input 0 of layer 'a' is incompatible with the layer: expected shape=(None, 10)"
    _worker(monkeypatch, lambda command: ("", f"Traceback\n{said}\n", 1))
    (tmp_path / "other.keras").write_bytes(b"")
    with pytest.raises(DataError, match=r"other\.keras takes other inputs") as caught:
        original_outputs(tmp_path / "other.keras", random_data(model, 2))
    assert caught.value.got == said
