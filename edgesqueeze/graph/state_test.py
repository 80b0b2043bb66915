from dataclasses import replace

import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.state import first_graphs, resource_variables, state_of
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_lstm, tiny_sum, tiny_svdf


def test_a_model_without_state_needs_nothing_between_samples():
    state = state_of(parse_tflite(tiny_cnn()))
    assert not state
    assert not state.carries
    assert [state.between(carry) for carry in (None, False, True)] == ["nothing"] * 3
    assert not state.is_sequence(True)


def test_an_lstm_takes_a_whole_sequence_and_is_reset():
    state = state_of(parse_tflite(tiny_lstm()))
    assert state
    assert state.variables == ("UNIDIRECTIONAL_SEQUENCE_LSTM",)
    assert [state.between(carry) for carry in (None, False, True)] == ["reset", "reset", "nothing"]
    assert not state.is_sequence()
    assert state.is_sequence(True)


def test_an_svdf_takes_one_step_and_goes_on():
    state = state_of(parse_tflite(tiny_svdf()))
    assert [state.between(carry) for carry in (None, False)] == ["nothing", "reset"]
    assert state.is_sequence()


def test_resource_variables_go_on_and_only_a_new_start_resets_them():
    model = parse_tflite(tiny_sum())
    state = state_of(model)
    assert (state.resources, resource_variables(model), first_graphs(model)) == (1, 1, {1})
    assert [state.between(carry) for carry in (None, False)] == ["nothing", "restart"]
    assert state.describe() == "1 resource variable"


def test_variables_that_nothing_assigns_to_after_the_start_are_constants():
    model = parse_tflite(tiny_sum())
    main = replace(
        model.main, operators=tuple(o for o in model.main.operators if o.opcode != "ASSIGN_VARIABLE")
    )
    constant = replace(model, graphs=(main, *model.graphs[1:]))
    assert not state_of(constant)
    assert resource_variables(constant) == 1


@pytest.mark.parametrize("name", ["CIRCULAR_BUFFER", "SignalDelay"])
def test_custom_operators_with_memory_are_streaming(name):
    graph = GraphBuilder()
    x, y = graph.input((1, 2)), graph.tensor((1, 2))
    graph.op("CUSTOM", [x], [y], custom_name=name)
    state = state_of(parse_tflite(graph.build([y])))
    assert state.describe() == name
    assert state.is_sequence()
    assert state.between(False) == "restart"
