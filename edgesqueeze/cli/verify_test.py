import json
import re
from types import SimpleNamespace

import click
import numpy as np
import pytest
from click.testing import CliRunner

from edgesqueeze.checks import parity
from edgesqueeze.checks.agreement import fidelity
from edgesqueeze.checks.records import RuntimeParity
from edgesqueeze.cli import verify as module
from edgesqueeze.cli.verify import _fidelity_line as fidelity_line
from edgesqueeze.cli.verify import verify
from edgesqueeze.errors import DataError
from edgesqueeze.runners import litert
from edgesqueeze.runners.registry import RUNNERS, Runner
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(tiny_cnn())
    return path


def _run(*arguments):
    return CliRunner().invoke(verify, [str(argument) for argument in arguments], catch_exceptions=False)


def _wrong(model, samples):
    return [[value[..., ::-1] for value in row] for row in litert.run_reference(model, samples)]


def test_a_table_within_100_columns(model):
    done = _run(model, "--runtime", "litert-builtin", "--runtime", "litert")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert "LiteRT with XNNPACK" in done.output
    assert "says nothing about accuracy" in done.output
    assert lines[-1] == "parity holds"
    table = [line for line in lines if "LiteRT w" in line]
    assert len(table) >= 2
    assert max(len(line.rstrip()) for line in table) <= 100


def test_json_is_one_document(model):
    done = _run(model, "--runtime", "litert-reference", "--against", model, "--json")
    document = json.loads(done.output)
    assert document["ok"] is True
    assert document["fidelity"]["outputs"][0]["max_error"] == 0


def test_figures_against_the_original(model):
    done = _run(model, "--runtime", "litert-reference", "--against", model)
    assert "same class as the original on 100.0%" in done.output


def test_accuracy_on_data_with_labels(model, tmp_path):
    inputs = np.random.default_rng(0).uniform(-2, 2, (12, 8, 8, 1))
    np.savez(tmp_path / "data.npz", x_train=inputs[:1], x_test=inputs, y_test=np.arange(12) % 4)
    done = _run(model, "--runtime", "litert-reference", "--data", tmp_path / "data.npz", "--json")
    document = json.loads(done.output)
    assert (document["data"], document["samples"]) == ("given", 12)
    assert document["fidelity"]["outputs"][0]["accuracy"]["metric"] == "accuracy"


def test_other_data_are_refused(model):
    with pytest.raises(DataError, match="npz"):
        _run(model, "--data", "folder")


def test_float_outputs_are_relative(tmp_path):
    path = tmp_path / "float.tflite"
    path.write_bytes(tiny_dense(dtype="float32"))
    assert _run(path, "--runtime", "litert").exit_code == 0


def test_broken_parity_exits_with_1(model, monkeypatch):
    wrong = Runner("litert", "Wrong", lambda: None, _wrong)
    monkeypatch.setattr("edgesqueeze.checks.verify.require_runner", lambda name: wrong)
    monkeypatch.setattr(parity, "RUNNERS", {"litert-reference": RUNNERS["litert-reference"]})
    done = _run(model, "--runtime", "litert")
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == "parity is broken"
    assert "largest:" in done.output


def test_every_option_has_help():
    assert all(option.help for option in verify.params if isinstance(option, click.Option))


def test_the_help_names_every_runtime():
    words = set(re.findall(r"[\w-]+", verify.help))
    assert set(RUNNERS) <= words


@pytest.mark.parametrize(
    ("count", "shown"),
    [(1, "r0"), (4, "r0; r1; r2; r3"), (5, "r0; r1; r2; and 2 more, which --json lists")],
)
def test_of_many_reasons_the_first_are_shown(count, shown):
    reason = "; ".join(f"r{number}" for number in range(count))
    row = RuntimeParity(runtime="c", title="native C", status="unsupported", reason=reason)
    assert module._remarks((row,)) == [f"native C: {shown}"]


def test_of_two_normalized_errors_it_is_said_which_is_against_the_original():
    values = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    rows = [SimpleNamespace(runtime="tflm", title="TFLM")]
    for labels, said in (
        ([values + 0.2], "normalized error against the original"),
        (None, "; normalized error 0"),
    ):
        found = fidelity([values], [values * 1.1], labels)
        result = SimpleNamespace(
            parity=SimpleNamespace(runtimes=rows, reference="tflm"), fidelity=found, samples=40
        )
        assert said in fidelity_line(found.outputs[0], result)
