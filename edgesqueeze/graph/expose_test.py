import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgesqueeze.errors import UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.expose import with_outputs
from runtime_tests.support.graph_figures import computed_tensors
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_two_heads


def outputs(content, value):
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def test_intermediate_tensors_come_out_and_the_result_stays():
    model = parse_tflite(tiny_cnn())
    value = np.random.default_rng(0).integers(-128, 128, (1, 8, 8, 1)).astype(np.int8)
    tensors = computed_tensors(model)
    assert tensors[-1] == model.main.outputs[0]

    exposed = with_outputs(model, tensors)

    results = outputs(exposed.content, value)
    assert [result.shape for result in results] == [model.main.tensors[i].shape for i in tensors]
    np.testing.assert_array_equal(results[-1], outputs(model.content, value)[0])
    assert np.ptp(results[0]) > 20


def test_the_record_says_what_the_new_file_says():
    model = parse_tflite(tiny_two_heads(), name="heads")
    picked = computed_tensors(model)[2:4]

    exposed = with_outputs(model, picked)

    again = parse_tflite(exposed.content, name="heads")
    assert again.main.outputs == exposed.main.outputs == picked
    assert again.sha256 == exposed.sha256 != model.sha256
    assert again.main.inputs == model.main.inputs


def test_nothing_but_the_list_of_outputs_changes():
    model = parse_tflite(tiny_cnn())
    exposed = with_outputs(model, [model.main.operators[0].outputs[0]])
    shared = exposed.content[: len(model.content)]
    assert sum(a != b for a, b in zip(shared, model.content, strict=True)) <= 4
    assert model.main.outputs == parse_tflite(model.content).main.outputs


def test_a_file_of_odd_length_is_padded():
    model = parse_tflite(tiny_cnn() + b"\0")
    exposed = with_outputs(model, computed_tensors(model))
    assert parse_tflite(exposed.content).main.outputs == computed_tensors(model)


@pytest.mark.parametrize("indices", [[], [1000], [-1], [3, 3]])
def test_bad_indices_are_refused(indices):
    with pytest.raises(UsageError):
        with_outputs(parse_tflite(tiny_cnn()), indices)


def test_a_constant_is_refused():
    graph = GraphBuilder()
    x = graph.input((1, 4))
    model = parse_tflite(graph.build([graph.fully_connected(x, 2, name="dense")]))
    kernel = model.main.operators[0].inputs[1]
    with pytest.raises(UsageError, match="dense/kernel"):
        with_outputs(model, [kernel])
