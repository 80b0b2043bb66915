import pytest

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.in_place import with_kept_inputs, with_own_outputs

SHAPE = (1, 4)


def outputs(content):
    graph = parse_tflite(content).main
    return [graph.tensors[one].name for one in graph.outputs]


@pytest.fixture
def summed():
    graph = GraphBuilder(seed=1)
    x = graph.input(SHAPE, "float32", name="x")
    one, other = graph.unary("TANH", x, name="one"), graph.unary("ABS", x, name="other")
    total = graph.add(graph.add(one, other, name="inner"), x, name="total")
    return graph.build([total])


def test_what_a_sum_may_overwrite_is_an_output_and_comes_last(summed):
    kept = with_kept_inputs(summed)
    # The model's input and its own output are never overwritten.
    assert outputs(kept) == ["total", "one", "other", "inner"]
    own = with_own_outputs(kept, summed)
    assert outputs(own) == ["total"]
    assert len(parse_tflite(own).main.operators) == 4


@pytest.mark.parametrize("kind", ["ABS", "SOFTMAX"])
def test_a_softmax_is_written_over_its_scores(kind):
    graph = GraphBuilder(seed=1)
    scores = graph.unary("TANH", graph.input(SHAPE, "float32"), name="scores")
    total = graph.softmax(scores, name="total") if kind == "SOFTMAX" else graph.unary(kind, scores)
    assert ("scores" in outputs(with_kept_inputs(graph.build([total])))) == (kind == "SOFTMAX")


def test_what_has_no_such_operator_stays_as_it_is():
    graph = GraphBuilder(seed=1)
    content = graph.build([graph.unary("TANH", graph.input(SHAPE, "float32"))])
    assert with_kept_inputs(content) is content
    assert with_own_outputs(content, content) is content


def test_real_numbers_of_further_outputs_go_with_them():
    parts = []
    for more in (False, True):
        graph = GraphBuilder(seed=1)
        inner = graph.unary("TANH", graph.input(SHAPE))
        found = [graph.dequantize(graph.unary("ABS", inner)), *([graph.dequantize(inner)] if more else [])]
        parts.append(graph.build(found))
    own = parse_tflite(with_own_outputs(parts[1], parts[0])).main
    assert [one.opcode for one in own.operators] == ["TANH", "ABS", "DEQUANTIZE"]
