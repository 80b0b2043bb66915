"""Memory plans: nothing that is still needed is overwritten, and little is wasted."""

from itertools import combinations
from types import SimpleNamespace

import pytest

from edgesqueeze.emit.native.kernels import ALIGNMENT
from edgesqueeze.emit.native.lower.graph import Lowered, lower
from edgesqueeze.emit.native.place import EXACT, Buffer, best_offsets, together_in_use
from edgesqueeze.emit.native.plan import Plan, plan
from edgesqueeze.emit.native.records import Call, Layer, Placement
from edgesqueeze.emit.places import SCRATCH
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.random_layers import random_convolutions
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual, tiny_two_heads


def inception():
    """Branches that are joined, and split again."""
    graph = GraphBuilder(7, name="inception")
    x = graph.conv2d(graph.input((1, 10, 10, 3)), 8, activation="RELU")
    left, right = graph.conv2d(x, 8, kernel=1), graph.conv2d(x, 8)
    x = graph.concatenate([left, right])
    y = graph.reshape(graph.conv2d(x, 4, stride=2), (1, 100))
    z = graph.reshape(graph.max_pool(x, 5), (1, 64))
    joined = graph.concatenate([graph.fully_connected(y, 5), graph.fully_connected(z, 7)])
    return graph.build([graph.softmax(joined), y])


MODELS = {
    "cnn": tiny_cnn(),
    "cnn, float border": tiny_cnn(io="float32"),
    "dense": tiny_dense(),
    "residual": tiny_residual(),
    "two heads": tiny_two_heads(),
    "inception": inception(),
    "many": random_convolutions(3, 12),
}


@pytest.mark.parametrize("kernel_set", ALIGNMENT)
@pytest.mark.parametrize("name", MODELS)
def test_arena_is_within_5_percent_of_what_lives_at_once(name, kernel_set):
    result = plan(lower(parse_tflite(MODELS[name], name), kernel_set), kernel_set)
    # Besides: each tensor may lose a few bytes to alignment, which only weighs in models as small as these.
    assert result.arena_bytes <= 1.05 * result.live_bytes + 64
    assert result.arena_bytes % 16 == 0
    assert all(offset % ALIGNMENT[kernel_set] == 0 for offset in result.offsets.values())
    assert all(offset % 16 == 0 for offset in result.scratch.values())
    assert 0 < max(result.in_use) <= result.arena_bytes


def test_plans_are_the_same_every_time():
    lowered = lower(parse_tflite(inception()), "dsp")
    assert plan(lowered, "dsp") == plan(lowered, "dsp") != Plan({}, {}, 0, 0, ())


def test_a_chain_of_pointwise_layers_stays_in_one_place():
    graph = GraphBuilder()
    x = graph.input((1, 8, 8, 16))
    for _ in range(5):
        x = graph.depthwise_conv2d(graph.conv2d(x, 16, kernel=1))
    result = plan(lower(parse_tflite(graph.build([x])), "reference"), "reference")
    assert len(set(result.offsets.values())) == 1


def test_parts_of_a_concatenation_lie_in_the_whole():
    graph = GraphBuilder()
    x = graph.input((1, 32))
    parts = [graph.fully_connected(x, 8), graph.fully_connected(x, 12)]
    whole = graph.concatenate(parts)
    result = plan(lower(parse_tflite(graph.build([graph.softmax(whole)])), "dsp"), "dsp")
    assert result.offsets[parts[0]] == result.offsets[whole]
    assert result.offsets[parts[1]] == result.offsets[whole] + 8


def call(inputs, outputs, **more):
    return Call("es_some_s8", "es_some.h", None, tuple(inputs), tuple(outputs), **more)


def planned(sizes, layers, inputs, outputs, *, floats=(), placements=(), entry=(), leaving=()):
    """The plan of a graph made up for a test: tensors of so many bytes, and the calls of each layer."""
    tensors = [
        SimpleNamespace(
            elements=size, nbytes=size, label=str(index), dtype="float32" if index in floats else "int8"
        )
        for index, size in enumerate(sizes)
    ]
    graph = SimpleNamespace(tensors=tensors, inputs=tuple(inputs), outputs=tuple(outputs), readers={})
    made = tuple(Layer(index, "SOME", "", "", 0, tuple(calls)) for index, calls in enumerate(layers))
    parts = tuple(Placement(*part) for part in placements)
    return plan(Lowered(graph, made, parts, frozenset(entry), frozenset(leaving)), "reference")


def test_scratch_memory_is_the_most_that_a_call_of_the_layer_takes():
    first = [call([0], [1], scratch_bytes=40), call([1], [1], scratch_bytes=100), call([1], [1])]
    result = planned([64, 64, 64], [first, [call([1], [2])]], [0], [2])
    assert set(result.scratch) == {0}
    assert result.in_use == (64 + 64 + 100, 64 + 64)
    assert result.live_bytes == 64 + 64 + 100
    assert result.arena_bytes == 240
    lives = {place.name: (place.size, place.first, place.last) for place in result.places}
    assert lives == {"0": (64, -1, 0), "1": (64, 0, 1), "2": (64, 1, 2), SCRATCH: (100, 0, 0)}


def test_an_input_that_no_layer_reads_is_there_before_the_first_and_not_after():
    result = planned([256, 64, 256], [[call([1], [2])]], [0, 1], [2])
    assert result.live_bytes == 256 + 64
    assert result.arena_bytes == 256 + 64
    assert result.offsets[2] == result.offsets[0]
    assert result.in_use == (256 + 64,)


def test_an_unread_input_that_is_larger_than_all_else_is_in_use_at_no_layer():
    result = planned([512, 64, 64], [[call([1], [2])]], [0, 1], [2])
    assert result.live_bytes == 512 + 64
    assert result.in_use == (128,)


def test_a_graph_of_nothing_takes_nothing():
    assert planned([], [], [], []) == Plan({}, {}, 0, 0, ())


def test_inputs_lie_beside_each_other_however_late_they_are_read():
    result = planned([64, 64, 64, 64], [[call([0], [2])], [call([1, 2], [3])]], [0, 1], [3])
    assert result.arena_bytes == 192
    assert len({result.offsets[index] for index in (0, 1, 2)}) == 3


def test_outputs_stay_until_the_caller_reads_them():
    result = planned([64, 64, 64, 64], [[call([0], [1])], [call([0], [2])], [call([2], [3])]], [0], [1, 3])
    assert result.offsets[1] not in (result.offsets[2], result.offsets[3])
    assert result.live_bytes == 192


def test_memory_of_the_callers_own_takes_no_room():
    """Float values at the border are the caller's; what is made of inputs waits for the first real layer."""
    layers = [[call([0], [1])], [call([2], [3])], [call([1, 3], [4])], [call([4], [5])]]
    result = planned([8, 64, 8, 64, 64, 8], layers, [0, 2], [5], floats={0, 2, 5}, entry={0, 1}, leaving={3})
    assert set(result.offsets) == {1, 3, 4}
    assert result.live_bytes == 192
    assert result.in_use == (128, 128, 192, 64)


def in_place(**more):
    return planned([64, 64, 8], [[call([0], [1], **more)], [call([1], [2])]], [0], [2])


def test_an_output_lies_over_an_input_as_far_as_the_kernel_allows():
    assert in_place().arena_bytes == 128
    result = in_place(overlap={0: 0})
    assert (result.offsets[0], result.offsets[1]) == (0, 0)
    assert result.arena_bytes == 80
    # What lies over each other is counted once, where one buffer is within the other too.
    assert result.in_use == (64, 72)
    assert in_place(in_place=(0,)).arena_bytes == 80
    behind = in_place(overlap={0: 16})
    assert behind.offsets[0] - behind.offsets[1] == 16
    assert behind.in_use[0] == behind.arena_bytes == 80


def test_a_small_output_within_a_large_input_is_counted_once():
    result = planned([64, 8], [[call([0], [1], overlap={0: 0})]], [0], [1])
    assert result.in_use == (64,)


@pytest.mark.parametrize(
    "calls",
    [
        # The other operand is the same tensor, or a part of it.
        [call([0, 0], [2], overlap={0: 0})],
        [call([0, 1], [2], overlap={0: 0})],
        # A later call reads it again, or writes something else.
        [call([0], [2], overlap={0: 0}), call([0, 2], [2])],
        [call([0], [2], overlap={0: 0}), call([2], [3])],
        [call([0], [2, 3], overlap={0: 0})],
    ],
)
def test_an_input_that_is_read_in_other_ways_too_is_not_overwritten(calls):
    result = planned([64, 32, 64, 8], [calls], [0], [2, 3], placements=[(1, 0, 32)])
    assert abs(result.offsets[2] - result.offsets[0]) >= 64
    assert result.offsets[1] == result.offsets[0] + 32


def test_another_operand_does_not_keep_an_input_from_being_overwritten():
    result = planned([64, 64, 64], [[call([0, 1], [2], overlap={0: 0})]], [0, 1], [2])
    assert result.offsets[2] == result.offsets[0] != result.offsets[1]


def test_an_input_that_is_needed_later_is_not_overwritten():
    layers = [[call([0], [1], overlap={0: 0})], [call([0, 1], [2])]]
    result = planned([64, 64, 64], layers, [0], [2])
    assert result.offsets[0] != result.offsets[1]


def test_parts_of_parts_add_up():
    result = planned([64, 32, 8], [[call([2], [0])]], [2], [0], placements=[(1, 0, 16), (2, 1, 8)])
    assert result.offsets[1] == result.offsets[0] + 16
    assert result.offsets[2] == result.offsets[0] + 24


def overlapping(buffers, overlaps, offsets):
    """Pairs that share memory while both are in use, in a way that is not allowed."""
    wrong = []
    for one, other in combinations(buffers, 2):
        if other not in together_in_use(buffers)[one]:
            continue
        apart = (
            offsets[one] + buffers[one].size <= offsets[other]
            or offsets[other] + buffers[other].size <= offsets[one]
        )
        allowed = False
        for source, out in ((one, other), (other, one)):
            distance = overlaps.get((source, out))
            behind = offsets[source] - offsets[out]
            if distance is not None:
                allowed |= behind == 0 if distance == EXACT else behind >= distance
        if not apart and not allowed:
            wrong.append((one, other))
    return wrong


@pytest.mark.parametrize("seed", range(30))
def test_random_buffers_keep_apart(seed):
    import random

    generator = random.Random(seed)
    buffers, overlaps = {}, {}
    for index in range(14):
        first = generator.randrange(-1, 10)
        last = first + generator.randrange(4)
        buffers[index] = Buffer(generator.randrange(1, 400), first, last, generator.choice([4, 16]))
    for source, out in combinations(buffers, 2):
        if buffers[source].last == buffers[out].first and generator.random() < 0.7:
            same = buffers[source].size == buffers[out].size
            overlaps[source, out] = EXACT if same else generator.randrange(60)
    offsets = best_offsets(buffers, overlaps)
    assert overlapping(buffers, overlaps, offsets) == []
    assert all(offsets[index] % buffer.alignment == 0 for index, buffer in buffers.items())
