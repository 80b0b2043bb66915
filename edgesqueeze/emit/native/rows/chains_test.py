"""Which layers can run by turns, what that needs, and which of them do."""

from dataclasses import replace

import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.place import lower_bound
from edgesqueeze.emit.native.plan import buffers_of, plan
from edgesqueeze.emit.native.rows.choose import runs_of, with_rows
from edgesqueeze.emit.native.rows.schedule import schedule_of
from edgesqueeze.emit.native.rows.stages import Chain
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.random_chains import random_chain


def lowered(graph, *outputs, kernel_set="reference"):
    return lower(parse_tflite(graph.build(list(outputs))), kernel_set)


def conv_and_pool(graph, height=20, window=2):
    x = graph.conv2d(graph.input((1, height, 20, 4)), 16, 3, padding="VALID")
    return graph.max_pool(x, window)


def lengths(model):
    return [len(run) for run in runs_of(model)]


def test_convolutions_pools_and_tables_form_a_chain():
    graph = GraphBuilder()
    x = graph.unary("LOGISTIC", conv_and_pool(graph))
    assert lengths(lowered(graph, graph.depthwise_conv2d(x))) == [4]


def residual(graph, size=16, swapped=False):
    """A block as of MobileNetV2: expanded, a window, projected, and added to what it read."""
    x = graph.conv2d(graph.input((1, size, size, 4)), 8, 3)
    y = graph.depthwise_conv2d(graph.conv2d(x, 48, 1))
    y = graph.conv2d(y, 8, 1)
    return graph.max_pool(graph.add(*((y, x) if swapped else (x, y))), 2)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_sum_reads_rows_of_the_last_layer_and_what_lies_whole(swapped):
    graph = GraphBuilder()
    (run,) = runs_of(lowered(graph, residual(graph, swapped=swapped)))
    others = [stage.other for stage in run]
    assert [one is not None for one in others] == [False, False, False, True, False]
    assert others[3] == run[0].source


def test_a_sum_may_lie_over_what_it_was_added_to():
    """Row by row, since the layers before it have read that row and those that they still need."""
    graph = GraphBuilder()
    model = lowered(graph, residual(graph))
    (run,) = runs_of(model)
    chain = Chain(run[:4])
    assert schedule_of(chain).distances == {run[0].source: 0}
    _, overlaps = buffers_of(replace(model, chains=(chain,)), "reference")
    assert overlaps[run[0].source, run[3].output] == 0
    small = with_rows(model, "reference")
    assert "ADD" in [small.layers[index].opcode for one in small.chains for index in one.layers]


def test_a_sum_of_a_tensor_with_itself_is_in_no_chain():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 16, 16, 4)), 8, 3)
    assert lengths(lowered(graph, graph.max_pool(graph.add(x, x), 2))) == []


def test_dilation_ends_a_chain():
    graph = GraphBuilder()
    x = graph.conv2d(conv_and_pool(graph), 8, 3, dilation=2)
    assert lengths(lowered(graph, graph.conv2d(x, 8, 3))) == [2]


def test_a_tensor_with_several_readers_stays_whole():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 20, 20, 4)), 4, 3)
    y = graph.conv2d(x, 4, 1)
    assert lengths(lowered(graph, graph.add(x, y))) == [2]  # the second convolution, and the sum
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 20, 20, 4)), 4, 3)
    assert lengths(lowered(graph, graph.max_pool(x, 2), x)) == []


def test_what_the_caller_gets_and_what_is_a_part_stays_whole():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 20, 20, 4)), 4, 3)
    assert lengths(lowered(graph, x, graph.max_pool(x, 2))) == []
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 20, 20, 4)), 4, 3)
    y = graph.reshape(x, (1, 10, 40, 4))
    assert lengths(lowered(graph, graph.max_pool(y, 2))) == []


def test_rows_that_begin_between_words_are_left_alone():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 20, 19, 4)), 5, 3)
    assert lengths(lowered(graph, graph.max_pool(x, 2, "SAME"))) == []


def test_columns_of_pixels_are_no_rows():
    """A convolution over a column of pixels is one over a row of them: kernels do not see its rows."""
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 20, 1, 4)), 4, (3, 1))
    assert lengths(lowered(graph, graph.conv2d(x, 4, (3, 1)))) == []


@pytest.mark.parametrize(("rows", "held"), [(1, 2), (2, 4), (5, 10), (9, 18), (20, 18)])
def test_a_pool_reads_as_many_rows_as_its_windows(rows, held):
    (run,) = runs_of(lowered(graph := GraphBuilder(), conv_and_pool(graph)))
    assert schedule_of(Chain(run, rows)).held == (held,)


def test_windows_that_overlap_keep_rows():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 20, 20, 4)), 8, 1)
    x = graph.depthwise_conv2d(x, 5, 2)
    (run,) = runs_of(lowered(graph, graph.conv2d(x, 4, 3)))
    # The first turn makes two rows, of a window that begins in the padding and of the next.
    assert schedule_of(Chain(run)).held == (6, 3)


def test_the_output_may_lie_over_what_was_read():
    """Each turn reads two rows of 80 bytes and writes one of 160, but its first two more."""
    (run,) = runs_of(lowered(graph := GraphBuilder(), conv_and_pool(graph)))
    model = replace(lower_again(), chains=(Chain(run),))
    (distance,) = schedule_of(Chain(run)).distances.values()
    read = [2 * turn * 80 for turn in range(9)]
    written = [turn * 9 * 16 for turn in range(9)]
    assert distance == max(0, *(one - other for one, other in zip(written, read, strict=True)))
    buffers, overlaps = buffers_of(model, "reference")
    assert list(overlaps.values()) == [distance]
    assert plan(model, "reference").arena_bytes < lower_bound(buffers, {}) + 16


def lower_again():
    graph = GraphBuilder()
    return lowered(graph, conv_and_pool(graph))


def test_what_lies_between_no_longer_counts():
    model = lower_again()
    small = with_rows(model, "reference")
    assert [(chain.layers, chain.rows > 0) for chain in small.chains] == [(range(2), True)]
    arenas = [plan(one, "reference").arena_bytes for one in (model, small)]
    assert arenas[0] > 18 * 18 * 16
    assert arenas[1] < arenas[0] / 2


def test_without_a_gain_layers_stay_as_they_are():
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 20, 20, 8)), 8, 1)
    model = lowered(graph, graph.conv2d(x, 8, 1))
    assert with_rows(model, "reference") is model


def test_no_more_layers_than_needed():
    """Behind the first pool everything is small."""
    graph = GraphBuilder()
    x = conv_and_pool(graph, height=40)
    for _ in range(4):
        x = graph.conv2d(x, 4, 3)
    small = with_rows(lowered(graph, x), "reference")
    assert [chain.layers for chain in small.chains] == [range(2)]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kernel_set", ["reference", "dsp", "mve"])
def test_random_chains_never_take_more(seed, kernel_set):
    model = lower(parse_tflite(random_chain(seed)), kernel_set)
    assert plan(with_rows(model, kernel_set), kernel_set).arena_bytes <= plan(model, kernel_set).arena_bytes


def test_the_code_says_which_layers():
    graph = GraphBuilder()
    source = emit_native(parse_tflite(graph.build([conv_and_pool(graph)])), name="tiny", optimize="ram")
    (chain,) = source.chains
    assert (chain.first, chain.last) == (0, 1)
    text = source.files["tiny.c"]
    assert "/* layers 0 to 1 by turns, " in text
    assert "  {18, 9, 2, 2, 0, 288, 144},\n" in text
    assert "/* some rows of int8 [1, 18, 18, 16]" in text
    assert {"kernels/es_rows_goals.c", "kernels/es_rows_take.c", "kernels/es_rows.h"} <= source.files.keys()


def test_the_stack_holds_the_parameters_of_one_layer_at_a_time():
    """A copy in the block of its call shares memory with those of the other layers."""
    graph = GraphBuilder()
    source = emit_native(parse_tflite(graph.build([conv_and_pool(graph)])), name="tiny", optimize="ram")
    blocks = source.files["tiny.c"].split("if (es_rows_take(")
    assert [block.count("_part = ") for block in blocks] == [0, 1, 1]


def test_without_chains_nothing_of_it_is_linked():
    graph = GraphBuilder()
    source = emit_native(parse_tflite(graph.build([conv_and_pool(graph)])))
    assert source.chains == ()
    assert not any("es_rows" in name for name in source.files)
