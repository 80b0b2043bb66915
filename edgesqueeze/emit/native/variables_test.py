"""State as tensors of the graph: which there are, and what they hold at first."""

import numpy as np

from edgesqueeze.emit.native.variables import IN_PLACE, with_state_tensors
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.streaming import Streams, streaming_cnn


def test_variables_become_tensors_behind_all_others():
    model = parse_tflite(streaming_cnn())
    kept = with_state_tensors(model)
    count = len(model.main.tensors)
    assert not kept.refusals
    assert [state.tensor for state in kept.states] == list(range(count, count + 5))
    names = [kept.graph.tensors[state.tensor].name for state in kept.states]
    assert names == ["first/rows", "block_0/rows", "block_1/rows", "block_2/rows", "last/rows"]
    assert all(kept.graph.tensors[state.tensor].variable for state in kept.states)
    assert kept.states[0].first.array.tolist() == list(range(-50, -34))
    assert (kept.states[1].uniform, kept.states[0].uniform) == (True, False)


def test_assignments_come_last_where_all_reads_come_before():
    operators = with_state_tensors(parse_tflite(streaming_cnn())).graph.operators
    assert [one.opcode for one in operators[-5:]] == ["ASSIGN_VARIABLE"] * 5
    assert not any(one.opcode in ("VAR_HANDLE", "CALL_ONCE") for one in operators)
    in_order = with_state_tensors(parse_tflite(streaming_cnn()), in_place=False).graph.operators
    assert [one.index for one in in_order] == sorted(one.index for one in operators)
    assert not any(one.options.get(IN_PLACE) for one in in_order)


def test_a_model_without_state_stays_as_it_is():
    graph = GraphBuilder()
    model = parse_tflite(graph.build([graph.fully_connected(graph.input((1, 4)), 2)]))
    kept = with_state_tensors(model)
    assert (kept.states, kept.refusals) == ((), ())
    assert kept.graph.operators == model.main.operators


def test_a_first_value_of_another_size_is_refused():
    graph = GraphBuilder()
    streams = Streams(graph)
    x = graph.input((1, 4))
    streams.read(streams.variable("v", np.zeros((1, 3), np.int8)), x, (1, 4))
    (refusal,) = with_state_tensors(parse_tflite(graph.build([graph.fully_connected(x, 2)]))).refusals
    assert refusal.reason == "a variable of int8[1, 4] is set to int8[1, 3]"


def test_a_variable_of_two_sizes_is_refused():
    graph = GraphBuilder()
    streams = Streams(graph)
    x = graph.input((1, 4))
    variable = streams.variable("v", np.zeros((1, 4), np.int8))
    streams.read(variable, x, (1, 4))
    streams.assign(variable, graph.fully_connected(x, 2))
    (refusal,) = with_state_tensors(parse_tflite(graph.build([graph.fully_connected(x, 2)]))).refusals
    assert refusal.reason == "a variable of several types: int8[1, 2], int8[1, 4]"
