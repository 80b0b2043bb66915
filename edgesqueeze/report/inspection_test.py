import json

import numpy as np
import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.report.inspection import Inspection, inspect_model
from edgesqueeze.target.fit import check_fit
from edgesqueeze.target.load import list_targets
from edgesqueeze.target.needs import needs_of
from runtime_tests.support.graph_figures import total_macs
from runtime_tests.support.tflite_builder import (
    tiny_cnn,
    tiny_compiled,
    tiny_dense,
    tiny_lstm,
    tiny_misplaced,
    tiny_sum,
    tiny_two_heads,
    tiny_uint8,
)


def codes(inspection):
    return [finding.code for finding in inspection.findings]


def test_a_model_by_hand():
    graph = GraphBuilder()
    weights = np.array([[0, 1, 1, 2], [0, 0, 0, 3]], np.int8)
    y = graph.fully_connected(graph.input((1, 4), scale=0.5, zero_point=7, name="x"), 2, weights=weights)
    found = inspect_model(parse_tflite(graph.build([graph.softmax(y)]), name="hand"))
    assert (found.model, found.description, found.quantization) == ("hand", "tiny", "full-int8")
    assert (found.totals.operators, found.totals.macs, found.totals.weights) == (2, 8, 8)
    assert found.totals.sparsity == 0.5
    (x,) = found.inputs
    assert (x.name, x.shape, x.dtype, x.scale, x.zero_point) == ("x", (1, 4), "int8", 0.5, 7)
    dense, softmax = found.operators
    assert (dense.kind, dense.output_shape, dense.output_dtype) == ("FULLY_CONNECTED", (1, 2), "int8")
    assert (dense.macs, dense.weights_bytes, dense.sparsity) == (8, 8 + 8, 0.5)
    assert (dense.distinct_values, dense.distinct_values_per_channel_max) == (4, 3)
    assert (softmax.macs, softmax.weights_bytes, softmax.sparsity) == (0, 0, None)
    assert found.ok
    assert found.fit is None


@pytest.mark.parametrize("content", [tiny_cnn(), tiny_two_heads(), tiny_dense(dtype="float32")])
def test_totals_are_sums_and_the_record_survives_json(content):
    model = parse_tflite(content)
    found = inspect_model(model)
    assert found.totals.macs == total_macs(model) == sum(one.macs for one in found.operators)
    assert found.sizes.weights_bytes == sum(one.weights_bytes for one in found.operators)
    document = json.loads(found.model_dump_json())
    assert document["schema_version"] == 1
    assert Inspection.model_validate(document) == found


def test_float_operators_are_a_warning():
    graph = GraphBuilder()
    x = graph.unary("TANH", graph.dequantize(graph.fully_connected(graph.input((1, 4)), 4)))
    found = inspect_model(parse_tflite(graph.build([x])))
    assert found.float_operators == (2,)
    assert found.quantization == "mixed"
    finding = next(one for one in found.findings if one.code == "float-operators")
    assert (finding.subject, finding.severity) == ("TANH", "warning")


def test_custom_operators_are_a_warning():
    graph = GraphBuilder()
    y = graph.activation((1, 4), "float32")
    graph.op("CUSTOM", [graph.input((1, 4), "float32")], [y], custom_name="Mine")
    assert "custom-operators" in codes(inspect_model(parse_tflite(graph.build([y]))))


@pytest.mark.parametrize(
    ("signature", "expected"), [((-1, 4, 2), False), ((1, -1, 2), True), ((1, 4, 2), False)]
)
def test_an_open_batch_is_usual_and_another_open_dimension_is_not(signature, expected):
    graph = GraphBuilder()
    x = graph.tensor((1, 4, 2), "float32", signature=signature)
    graph.inputs.append(x)
    found = inspect_model(parse_tflite(graph.build([graph.unary("TANH", x)])))
    assert ("open-dimension" in codes(found)) is expected
    assert found.inputs[0].shape == signature


def test_large_metadata_are_noted():
    graph = GraphBuilder()
    y = graph.conv2d(graph.input((1, 8, 8, 1)), 64, kernel=1)
    assert "large-metadata" in codes(inspect_model(parse_tflite(graph.build([y]))))
    assert "large-metadata" not in codes(inspect_model(parse_tflite(tiny_dense(dtype="float32"))))


def test_a_model_that_does_not_fit_is_not_ok():
    target = next(target for target in list_targets() if target.device_class == "mcu")
    model = parse_tflite(tiny_cnn())
    assert inspect_model(model, check_fit(target, needs_of(model, 1000))).ok
    assert not inspect_model(model, check_fit(target, needs_of(model, 1 << 40))).ok


def test_legacy_uint8_is_called_so():
    found = inspect_model(parse_tflite(tiny_uint8()))
    assert found.quantization == "legacy-uint8"
    finding = next(one for one in found.findings if one.code == "legacy-uint8")
    assert "converted anew" in finding.message
    # Unsigned at the borders only is something else.
    borders = inspect_model(parse_tflite(tiny_cnn(io="uint8")))
    assert borders.quantization == "full-int8"
    assert "legacy-uint8" not in codes(borders)


def test_a_program_for_a_neural_processor_is_called_so():
    found = inspect_model(parse_tflite(tiny_compiled("edgetpu-custom-op")))
    assert found.quantization == "compiled"
    assert "compiled-for-npu" in codes(found)
    assert "custom-operators" not in codes(found)


@pytest.mark.parametrize(
    ("content", "said"),
    [(tiny_lstm(), "reset it before each sample"), (tiny_sum(), "reset it before a new sequence")],
)
def test_state_is_told_and_a_graph_for_first_values_is_no_branch(content, said):
    found = inspect_model(parse_tflite(content))
    (finding,) = (one for one in found.findings if one.code == "keeps-state")
    assert said in finding.message
    assert "subgraphs" not in codes(found)


def test_a_quantized_dimension_that_does_not_exist_is_told():
    finding = next(
        one for one in inspect_model(parse_tflite(tiny_misplaced())).findings if one.code == "misplaced-axis"
    )
    assert finding.message.startswith("3 vectors")
