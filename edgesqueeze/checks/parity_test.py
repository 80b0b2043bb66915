from dataclasses import replace

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.checks.parity import Reference, choose_reference, compare_runtimes
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import litert
from edgesqueeze.runners.registry import Runner, find_runner
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual

LITERT = find_runner("litert-reference")


def _case(content, count=8):
    model = parse_tflite(content)
    return model, data_samples(model, random_data(model, count))


def _reference(model, samples):
    return Reference(LITERT, litert.run_reference(model, samples), ())


def _with_bias_off_by(steps, index, name="faulty"):
    """A runtime whose operator number ``index`` adds too much: ``steps`` of its output's scale."""

    def run(model, samples):
        record = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model.content, 0))
        graph = record.subgraphs[0]
        operator = graph.operators[index]
        bias = graph.tensors[operator.inputs[2]]
        scales = np.asarray(bias.quantization.scale)
        output_scale = graph.tensors[operator.outputs[0]].quantization.scale[0]
        buffer = record.buffers[bias.buffer]
        values = np.frombuffer(np.asarray(buffer.data, np.uint8).tobytes(), np.int32)
        values = (values + np.round(steps * output_scale / scales)).astype(np.int32)
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        builder = flatbuffers.Builder(1024)
        builder.Finish(record.Pack(builder), b"TFL3")
        return litert.run_reference(parse_tflite(bytes(builder.Output())), samples)

    return Runner(name, name, lambda: None, run)


def _only(model, samples, runner, **options):
    parity = compare_runtimes(model, samples, [runner], reference=_reference(model, samples), **options)
    return parity, parity.runtimes[1]


def test_the_same_kernels_are_identical():
    model, samples = _case(tiny_cnn())
    parity, row = _only(model, samples, replace(LITERT, name="twin"))
    assert parity.ok
    assert (row.status, row.max_lsb, row.mean_lsb, row.differing_share) == ("identical", 0, 0, 0)
    assert row.top1_agreement == 1
    assert row.first_divergence is None
    assert parity.runtimes[0].status == "reference"


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_fault_is_found_where_it_is(index):
    model, samples = _case(tiny_cnn())
    parity, row = _only(model, samples, _with_bias_off_by(6, index))
    assert not parity.ok
    assert row.status == "broken"
    assert row.first_divergence.operator == index == row.worst_layer.operator
    assert row.first_divergence.kind == model.main.operators[index].kind
    assert 5 <= row.first_divergence.max_lsb <= 7
    assert "alone" in row.reason


def test_rounding_that_is_carried_on_is_not_a_fault():
    model, samples = _case(tiny_cnn())
    parity, row = _only(model, samples, _with_bias_off_by(1, 0))
    assert parity.ok
    assert row.status == "rounding"
    assert row.first_divergence.max_lsb == 1
    assert row.first_divergence.within_tolerance


def test_the_tolerance_is_the_users():
    model, samples = _case(tiny_cnn())
    assert not _only(model, samples, _with_bias_off_by(1, 0), tolerance_lsb=0.0)[0].ok
    assert _only(model, samples, _with_bias_off_by(6, 0), tolerance_lsb=8.0)[0].ok


def test_a_runtime_that_promises_the_bits_is_held_to_it():
    model, samples = _case(tiny_cnn())
    parity, row = _only(model, samples, replace(_with_bias_off_by(1, 0), exact=True))
    assert row.status == "broken"
    assert "bits" in row.reason
    assert row.first_divergence.operator == 0
    assert not parity.ok


def test_a_fault_outside_of_the_operators_is_one():
    model, samples = _case(tiny_residual())

    def mixed_up(model, samples):
        # Right in pieces, wrong as a whole, as an error in planning memory would be.
        outputs = litert.run_reference(model, samples)
        whole = len(model.main.inputs) == 1
        return [[np.roll(value, 1, -1) for value in row] for row in outputs] if whole else outputs

    _, row = _only(model, samples, Runner("mixed", "mixed", lambda: None, mixed_up))
    assert row.status == "broken"
    assert row.reason == "the outputs differ, and no operator differs alone"


def test_float_models_are_compared_relatively():
    model, samples = _case(tiny_dense(dtype="float32"))
    for factor, status in ((1 + 3e-5, "rounding"), (1.01, "broken")):

        def scaled(model, samples, factor=factor):
            outputs = litert.run_reference(model, samples)
            return [[value * np.float32(factor) for value in row] for row in outputs]

        _, row = _only(model, samples, Runner("scaled", "scaled", lambda: None, scaled))
        assert row.status == status
        assert row.max_lsb is None
        assert row.max_relative == pytest.approx(factor - 1, rel=0.05)


def test_dequantized_outputs_count_steps():
    model, samples = _case(tiny_cnn(io="float32"))
    _, row = _only(model, samples, _with_bias_off_by(40, 3))
    assert row.max_lsb == round(row.max_lsb) > 0
    assert row.max_relative is None


def _refusing(error):
    def run(model, samples):
        raise error

    return Runner("refusing", "Refusing", lambda: None, run)


def test_a_runtime_that_cannot_run_the_model_is_a_failure_only_if_asked_for():
    model, samples = _case(tiny_cnn())
    runner = _refusing(UnsupportedModelError("no such operator", got="FOO"))
    parity, row = _only(model, samples, runner)
    assert parity.ok
    assert (row.status, row.reason) == ("unsupported", "no such operator: FOO")
    assert not _only(model, samples, runner, required=True)[0].ok


def test_a_runtime_that_is_not_installed_is_listed():
    model, samples = _case(tiny_cnn())
    _, row = _only(model, samples, Runner("gone", "Gone", lambda: "install it", litert.run))
    assert (row.status, row.reason) == ("unavailable", "install it")


def test_the_reference_is_the_first_that_can():
    model, samples = _case(tiny_cnn())
    refusing = _refusing(UnsupportedModelError("no such operator"))
    reference = choose_reference(model, samples, [refusing, LITERT])
    assert reference.runner is LITERT
    parity = compare_runtimes(model, samples, [refusing, LITERT], reference=reference)
    assert [row.status for row in parity.runtimes] == ["reference", "unsupported"]
    with pytest.raises(UnsupportedModelError, match="no runtime"):
        choose_reference(model, samples, [refusing])


def test_the_record_survives_json():
    model, samples = _case(tiny_cnn())
    parity, _ = _only(model, samples, _with_bias_off_by(6, 0))
    assert type(parity).model_validate_json(parity.model_dump_json()) == parity
