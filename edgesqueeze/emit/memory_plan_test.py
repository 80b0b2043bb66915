import importlib.util

import pytest

from edgesqueeze.emit.memory_plan import compiled_bytes, planned, planned_bytes
from edgesqueeze.emit.places import SCRATCH
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners.tflm import measure_arena
from runtime_tests.support.tflite_builder import (
    tiny_cnn,
    tiny_compiled,
    tiny_dense,
    tiny_residual,
    tiny_two_heads,
    with_plan,
)


def branches():
    """Tensors of many sizes with overlapping lives."""
    graph = GraphBuilder(seed=3)
    x = graph.input((1, 12, 12, 3))
    left = graph.conv2d(x, 7, stride=2)
    right = graph.max_pool(graph.conv2d(x, 5), 2)
    both = graph.concatenate([left, right])
    x = graph.conv2d(both, 9, kernel=1)
    late = graph.average_pool(left, 6)
    flat = graph.fully_connected(graph.reshape(x, (1, 324)), 11)
    return graph.build([flat, late, graph.softmax(graph.reshape(right, (1, 180)))])


@pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is for x86-64 Linux only"
)
@pytest.mark.parametrize(
    "content",
    [
        branches(),
        tiny_cnn(),
        tiny_cnn(io="float32"),
        tiny_dense(dtype="int16"),
        tiny_residual(),
        tiny_two_heads(),
    ],
    ids=["branches", "cnn", "float32", "int16", "residual", "two-heads"],
)
def test_the_plan_is_what_tflm_itself_makes(content):
    model = parse_tflite(content)
    assert planned_bytes(model.main) == measure_arena(model).head_bytes


def test_scratch_memory_counts_only_where_it_exceeds_what_is_free():
    graph = GraphBuilder()
    x = graph.input((1, 64))
    x = graph.fully_connected(x, 16)
    main = parse_tflite(graph.build([graph.fully_connected(x, 16)])).main
    assert planned_bytes(main) == 64 + 16
    assert planned_bytes(main, {1: 40}) == 64 + 16
    assert planned_bytes(main, {0: 40}) == 64 + 16 + 48
    assert planned_bytes(main, {1: 100}) == 16 + 16 + 112


def test_an_output_that_is_made_early_stays_to_the_end():
    """The other values could take its place after the first layer, if nobody had to read it."""
    graph = GraphBuilder()
    early = graph.fully_connected(graph.input((1, 16)), 64)
    x = graph.fully_connected(early, 16)
    last = graph.fully_connected(x, 64)
    assert planned_bytes(parse_tflite(graph.build([last])).main) == 64 + 16
    assert planned_bytes(parse_tflite(graph.build([early, last])).main) == 64 + 16 + 64


def test_a_graph_without_operators_holds_its_input():
    graph = GraphBuilder()
    x = graph.input((1, 20))
    assert planned_bytes(parse_tflite(graph.build([x])).main) == 32


def test_an_input_that_nobody_reads_is_there_for_the_first_operator_only():
    graph = GraphBuilder()
    x = graph.input((1, 16))
    graph.input((1, 256))
    x = graph.fully_connected(x, 64)
    main = parse_tflite(graph.build([graph.fully_connected(x, 256)])).main
    assert planned_bytes(main) == 256 + 64 + 16


def test_nothing_takes_nothing():
    assert planned_bytes(parse_tflite(GraphBuilder().build([])).main) == 0


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        # Eight bytes in and four out, each in 16 of its own.
        (None, 32),
        ([], 32),
        ([0, 16], 32),
        ([0, 0], 16),
        ([0, 64], 80),
        # What the plan leaves out lies beside.
        ([0, -1], 32),
        ([32, -1], 64),
        ([32], 64),
    ],
)
def test_a_compilers_own_plan(offsets, expected):
    content = tiny_compiled()
    model = parse_tflite(content if offsets is None else with_plan(content, offsets))
    assert compiled_bytes(model) == expected


def test_what_is_in_use_together_lies_apart():
    places = planned(parse_tflite(branches()).main, {0: 500, 3: 200})
    assert sum(place.name == SCRATCH for place in places) == 2
    assert max(place.end for place in places) == planned_bytes(
        parse_tflite(branches()).main, {0: 500, 3: 200}
    )
    for number, one in enumerate(places):
        for other in places[:number]:
            together = one.first <= other.last and other.first <= one.last
            assert not together or one.end <= other.offset or other.end <= one.offset
