"""Memory plans: nothing that is still needed is overwritten, and little is wasted."""

from itertools import combinations

import pytest

from edgesqueeze.emit.native.kernels import ALIGNMENT
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.place import EXACT, Buffer, best_offsets, together_in_use
from edgesqueeze.emit.native.plan import Plan, plan
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
