import json

import numpy as np
import pytest

from edgesqueeze.checks import verify as verify_module
from edgesqueeze.checks.original import Said
from edgesqueeze.checks.verify import NO_DATA, Verification, verify
from edgesqueeze.errors import UnsupportedModelError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.recipe.sections import DataOptions
from edgesqueeze.runners import litert
from edgesqueeze.runners.registry import Runner
from edgesqueeze.runners.samples import EvalData
from runtime_tests.support.tflite_builder import (
    tiny_cnn,
    tiny_compiled,
    tiny_lstm,
    tiny_misplaced,
    tiny_open,
    tiny_sum,
    tiny_two_heads,
)

LITERT = ("litert-reference",)


def _images(count=20):
    return np.random.default_rng(1).uniform(-2.4, 2.4, (count, 8, 8, 1))


def test_without_data_it_says_what_that_means():
    result = verify(parse_tflite(tiny_cnn()), runtimes=LITERT)
    assert result.ok
    assert result.data == "random"
    assert result.fidelity is None
    assert [finding.message for finding in result.findings] == [NO_DATA]


def test_labels_give_accuracy_and_the_original_agreement(tmp_path):
    path = tmp_path / "float.tflite"
    path.write_bytes(tiny_cnn(seed=1))
    model = parse_tflite(tiny_cnn())
    labels = np.arange(20) % 4
    result = verify(model, data=EvalData((_images(),), labels), against=path, runtimes=LITERT)
    (output,) = result.fidelity.outputs
    assert result.data == "given"
    assert result.fidelity.samples == 20
    assert 0 <= output.accuracy.compressed <= 1
    assert 0 <= output.accuracy.original <= 1
    # Another model's weights: it must not pass for the same one.
    assert output.normalized_error > 0.1


def test_a_model_agrees_with_itself(tmp_path):
    path = tmp_path / "same.tflite"
    path.write_bytes(tiny_cnn())
    result = verify(parse_tflite(tiny_cnn()), against=path, runtimes=LITERT)
    (output,) = result.fidelity.outputs
    assert (output.top1_agreement, output.normalized_error, output.max_error) == (1, 0, 0)


def test_more_data_than_parity_needs():
    result = verify(
        parse_tflite(tiny_cnn()), data=EvalData((_images(200),)), runtimes=LITERT, max_samples=150
    )
    assert result.samples == 150
    assert result.parity.samples == 64


def test_trouble_is_told():
    pixels = EvalData((np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1)),))
    result = verify(parse_tflite(tiny_cnn()), data=pixels, runtimes=LITERT)
    assert "input-clipped" in {finding.code for finding in result.findings}


def test_a_model_that_tflm_does_not_have_goes_by_litert():
    graph = GraphBuilder()
    x = graph.input((1, 5), "float32")
    y = graph.tensor((1, 5), "float32")
    graph.op("GELU", [x], [y])
    result = verify(parse_tflite(graph.build([y])))
    assert result.parity.reference == "litert-reference"
    rows = {row.runtime: row for row in result.parity.runtimes}
    assert rows["tflm"].status in ("unsupported", "unavailable")
    assert rows["litert"].status in ("identical", "rounding")
    assert result.ok


def test_a_program_for_a_neural_processor_is_called_so():
    with pytest.raises(UnsupportedModelError, match="model was compiled for a Google Edge TPU"):
        verify(parse_tflite(tiny_compiled("edgetpu-custom-op")))


def test_an_unknown_runtime():
    with pytest.raises(UsageError, match="no runtime"):
        verify(parse_tflite(tiny_cnn()), runtimes=("cloud",))


def test_the_json_holds_what_the_report_promises():
    result = verify(parse_tflite(tiny_cnn()), runtimes=LITERT)
    document = json.loads(result.model_dump_json())
    assert document["schema_version"] == 2
    assert document["parity"]["reference"] == result.parity.reference
    assert Verification.model_validate_json(result.model_dump_json()) == result


def _sequences(count, seed=2):
    return np.random.default_rng(seed).normal(0, 1, (count, 5, 3)).astype(np.float32)


def test_an_lstm_is_judged_on_independent_samples(tmp_path):
    path = tmp_path / "same.tflite"
    path.write_bytes(tiny_lstm())
    values = _sequences(30)
    # Labels that only a model without memory of other samples gets right.
    alone = [litert.run(parse_tflite(tiny_lstm()), [[row[None]]])[0][0] for row in values]
    labels = np.concatenate(alone).argmax(axis=1)
    data = EvalData((values,), labels)
    found = verify(parse_tflite(tiny_lstm()), data=data, against=path, runtimes=LITERT)
    assert found.fidelity.outputs[0].accuracy.compressed == 1
    assert "state-reset" in {finding.code for finding in found.findings}
    carried = verify(parse_tflite(tiny_lstm()), data=data, runtimes=LITERT, carry_state=True)
    assert carried.fidelity.outputs[0].accuracy.compressed < 1
    assert "state-carried" in {finding.code for finding in carried.findings}


def test_a_streaming_model_is_judged_on_a_sequence_from_its_start():
    steps = np.arange(200, dtype=np.float32).reshape(100, 2)
    expected = 10 + np.cumsum(steps, axis=0)
    found = verify(
        parse_tflite(tiny_sum()), data=EvalData((steps,), expected), runtimes=LITERT, max_samples=80
    )
    (output,) = found.fidelity.outputs
    assert (found.samples, output.accuracy.metric, output.accuracy.compressed) == (
        80,
        "mean_absolute_error",
        0,
    )
    assert {finding.code for finding in found.findings} >= {"state-carried"}
    assert found.ok


def test_the_operators_of_a_streaming_model_are_run_alone_too(monkeypatch):
    model = parse_tflite(tiny_sum())
    wrong = Runner("litert", "Wrong", lambda: None, _off_by_some)
    monkeypatch.setattr(verify_module, "require_runner", lambda name: wrong)
    result = verify(model, runtimes=("litert",))
    row = next(row for row in result.parity.runtimes if row.runtime == "litert")
    assert row.status == "broken"
    assert row.worst_layer.kind == "ADD"


def _off_by_some(model, samples, *, carry_state=None):
    return [[value + np.float32(0.5) for value in row] for row in litert.run(model, samples)]


@pytest.mark.parametrize(
    ("content", "code"), [(tiny_misplaced(), "misplaced-axis"), (tiny_open(), "open-dimension")]
)
def test_what_was_assumed_about_the_file_is_told(content, code):
    result = verify(parse_tflite(content), runtimes=LITERT)
    assert result.ok
    assert code in {finding.code for finding in result.findings}


def _asked(monkeypatch, outputs, names):
    """Stands in for the original; what it was given is in the list."""
    given = []

    def answer(path, data, custom_objects=()):
        given.append(data.inputs)
        return Said([np.asarray(one) for one in outputs], names)

    monkeypatch.setattr(verify_module, "original_outputs", answer)
    return given


def _two_heads(tmp_path, **labels):
    rng = np.random.default_rng(0)
    inputs = {"x_test/accel/x": rng.normal(size=(12, 8)), "x_test/gyro": rng.normal(size=(12, 6))}
    np.savez(tmp_path / "data.npz", **inputs, **{f"y_test/{name}": one for name, one in labels.items()})
    return parse_tflite(tiny_two_heads()), tmp_path / "data.npz"


def test_labels_are_found_by_what_the_original_calls_its_outputs(tmp_path, monkeypatch):
    labels = {"amount": np.linspace(0, 1, 12), "kind": np.arange(12) % 4}
    model, data = _two_heads(tmp_path, **labels)
    rng = np.random.default_rng(1)
    _asked(monkeypatch, [rng.random((12, 4)), rng.random((12, 1))], ("kind", "amount"))
    found = verify(model, data=data, against="m.keras", runtimes=LITERT)
    told = {(one.name, one.metric) for one in found.fidelity.figures if one.truth == "labels"}
    assert told >= {("kind", "accuracy"), ("amount", "normalized_error")}
    assert "labels-not-used" not in {finding.code for finding in found.findings}


def test_labels_that_belong_to_no_output_are_named(tmp_path):
    model, data = _two_heads(tmp_path, amount=np.linspace(0, 1, 12))
    found = verify(model, data=data, runtimes=LITERT)
    (finding,) = [one for one in found.findings if one.code == "labels-not-used"]
    assert "labels named amount" in finding.message
    assert "--against" in finding.message
    assert found.fidelity is None


@pytest.mark.parametrize(("lifted", "factor"), [(False, 0.5), (True, 1.0)])
def test_an_original_that_still_normalizes_gets_raw_data(monkeypatch, lifted, factor):
    given = _asked(monkeypatch, [np.zeros((20, 4))], ("scores",))
    options = DataOptions(scale=0.5, lift_normalization=lifted)
    verify(
        parse_tflite(tiny_cnn()),
        data=EvalData((_images(),)),
        against="m.keras",
        options=options,
        runtimes=LITERT,
    )
    np.testing.assert_allclose(given[0][0], factor * _images(), rtol=1e-6)


def test_a_model_without_operators_has_nothing_inside_to_look_at():
    graph = GraphBuilder()
    found = verify(parse_tflite(graph.build([graph.input((1, 6))])), runtimes=["litert-reference"])
    assert found.ok and "activations-not-seen" not in [one.code for one in found.findings]
