"""Offsets for buffers: what is kept apart, what is shared, how little is needed, and with how much work."""

import random
from itertools import combinations, permutations

import pytest

from edgesqueeze.emit.native import place
from edgesqueeze.emit.native.place import (
    EXACT,
    Buffer,
    best_offsets,
    bytes_alive,
    first_orders,
    lower_bound,
    pairs_in_use,
    peak_of,
    place_few,
    place_many,
    together_in_use,
)


def random_case(seed, count=14, layers=10):
    """Buffers, and overlaps between inputs and the output of one layer each."""
    generator = random.Random(seed)
    buffers, overlaps = {}, {}
    for index in range(count):
        first = generator.randrange(-1, layers)
        last = first + generator.choice([0, 1, 1, 2, 3, layers])
        buffers[index] = Buffer(generator.randrange(1, 400), first, last, generator.choice([4, 16]))
    for layer in range(layers):
        outs = [index for index, buffer in buffers.items() if buffer.first == layer]
        sources = [
            index for index, buffer in buffers.items() if buffer.last == layer and buffer.first < layer
        ]
        for source in sources if outs else ():
            if generator.random() < 0.7:
                same = buffers[source].size == buffers[outs[0]].size or generator.random() < 0.3
                overlaps[source, outs[0]] = EXACT if same else generator.randrange(60)
    order = list(buffers)
    generator.shuffle(order)
    return buffers, overlaps, order


def allowed(one, other, buffers, overlaps, offsets):
    """Whether two buffers may lie where they do."""
    first, second = buffers[one], buffers[other]
    if first.last < second.first or second.last < first.first:
        return True
    if offsets[one] + first.size <= offsets[other] or offsets[other] + second.size <= offsets[one]:
        return True
    for source, out in ((one, other), (other, one)):
        distance = overlaps.get((source, out))
        behind = offsets[source] - offsets[out]
        if distance is not None and (behind == 0 if distance == EXACT else behind >= distance):
            return True
    return False


def one_by_one(order, buffers, overlaps):
    """The lowest allowed offset of every buffer, found by trying all."""
    offsets = {}
    for index in order:
        offsets[index] = 0
        while not all(
            allowed(index, other, buffers, overlaps, offsets) for other in offsets if other != index
        ):
            offsets[index] += buffers[index].alignment
    return offsets


@pytest.mark.parametrize("seed", range(60))
def test_every_buffer_gets_the_lowest_place_that_is_allowed(seed):
    buffers, overlaps, order = random_case(seed)
    # Where an exact place is not a multiple of the alignment, nobody takes it.
    buffers = {index: Buffer(one.size, one.first, one.last, 4) for index, one in buffers.items()}
    expected = one_by_one(order, buffers, overlaps)
    assert place_few(order, buffers, overlaps, together_in_use(buffers)) == expected
    assert place_many(order, buffers, overlaps) == expected


@pytest.mark.parametrize("seed", range(60))
def test_both_ways_of_placing_agree(seed):
    buffers, overlaps, order = random_case(seed, count=60, layers=25)
    few = place_few(order, buffers, overlaps, together_in_use(buffers))
    assert place_many(order, buffers, overlaps) == few


def test_a_buffer_that_is_output_and_input_of_one_layer_is_kept_apart():
    buffers = {0: Buffer(16, 0, 1, 4), 1: Buffer(16, 1, 1, 4), 2: Buffer(16, 1, 2, 4), 3: Buffer(16, 1, 1, 4)}
    overlaps = {(0, 1): 0, (1, 2): 0}
    offsets = place_many(list(buffers), buffers, overlaps)
    for one, other in combinations(buffers, 2):
        assert allowed(one, other, buffers, overlaps, offsets)
    assert offsets[3] not in (offsets[0], offsets[1], offsets[2])


@pytest.mark.parametrize("seed", range(30))
def test_counts_of_what_lives_together(seed):
    buffers, _, _ = random_case(seed)
    together = together_in_use(buffers)
    for index, buffer in buffers.items():
        expected = {
            other
            for other, life in buffers.items()
            if other != index and life.first <= buffer.last and life.last >= buffer.first
        }
        assert set(together[index]) == expected
        assert len(together[index]) == len(expected)
    assert pairs_in_use(buffers) == sum(map(len, together.values()))
    alive = bytes_alive(buffers)
    for time in range(-1, max(buffer.last for buffer in buffers.values()) + 1):
        meant = sum(buffer.size for buffer in buffers.values() if buffer.first <= time <= buffer.last)
        assert alive.get(time, 0) == meant


def test_nothing_to_place():
    assert best_offsets({}, {}) == {}
    assert place_many([], {}, {}) == {}
    assert (peak_of({}, {}), pairs_in_use({}), bytes_alive({}), lower_bound({}, {})) == (0, 0, {}, 0)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [(None, 150), (EXACT, 100), (0, 100), (30, 100), (60, 110), (99, 149), (100, 150), (1000, 150)],
)
def test_no_plan_is_smaller_than_the_bound(distance, expected):
    """An output of 100 bytes over an input of 50, which must lie so far behind its start."""
    buffers = {0: Buffer(50, 0, 1, 1), 1: Buffer(100, 1, 2, 1)}
    overlaps = {} if distance is None else {(0, 1): distance}
    assert lower_bound(buffers, overlaps) == expected
    assert peak_of(buffers, best_offsets(buffers, overlaps)) == expected


def test_the_bound_counts_the_best_overlap_of_a_layer_only():
    buffers = {0: Buffer(50, 0, 1, 1), 1: Buffer(40, 0, 1, 1), 2: Buffer(100, 1, 2, 1)}
    assert lower_bound(buffers, {(1, 2): 0, (0, 2): 0}) == 140
    assert lower_bound(buffers, {(0, 2): 0, (1, 2): 0}) == 140


@pytest.mark.parametrize("seed", range(40))
def test_plans_are_allowed_and_not_below_the_bound(seed):
    buffers, overlaps, _ = random_case(seed)
    overlaps = {(source, out): distance for out, source, distance in one_source_each(overlaps)}
    offsets = best_offsets(buffers, overlaps)
    for one, other in combinations(buffers, 2):
        assert allowed(one, other, buffers, overlaps, offsets)
    assert all(offsets[index] % buffer.alignment == 0 for index, buffer in buffers.items())
    assert peak_of(buffers, offsets) >= lower_bound(buffers, overlaps)
    assert best_offsets(buffers, overlaps) == offsets


def one_source_each(overlaps):
    """The first of the inputs that an output may overlap."""
    seen = {}
    for (source, out), distance in overlaps.items():
        seen.setdefault(out, (out, source, distance))
    return seen.values()


def largest_first(buffers):
    return sorted(buffers, key=lambda index: (-buffers[index].size, buffers[index].first))


def test_the_search_finds_what_the_largest_first_does_not():
    better = 0
    for seed in range(20):
        buffers, overlaps, _ = random_case(seed)
        first = place_few(largest_first(buffers), buffers, overlaps, together_in_use(buffers))
        found = best_offsets(buffers, overlaps)
        assert peak_of(buffers, found) <= peak_of(buffers, first)
        better += peak_of(buffers, found) < peak_of(buffers, first)
    assert better >= 5


def largest_first_and_bettered(buffers, overlaps):
    """A search from one order only, which gets stuck where a chain of layers must begin at its end."""
    together, generator = together_in_use(buffers), random.Random(0)
    best = current = (largest_first(buffers), place_few(largest_first(buffers), buffers, overlaps, together))
    for attempt in range(400):
        order, offsets = current
        peak = peak_of(buffers, offsets)
        highest = [index for index in order if offsets[index] + buffers[index].size == peak]
        moved = highest[0] if attempt % 3 else generator.choice(order)
        where = generator.randrange(order.index(moved) + 1) if order.index(moved) else 0
        changed = [index for index in (order if attempt % 8 else best[0]) if index != moved]
        changed.insert(where, moved)
        current = (changed, place_few(changed, buffers, overlaps, together))
        best = min(best, current, key=lambda one: peak_of(buffers, one[1]))
    return best[1]


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_several_orders_are_never_worse_than_one(seed):
    buffers, overlaps, _ = random_case(seed, count=20, layers=12)
    found = peak_of(buffers, best_offsets(buffers, overlaps))
    assert found <= peak_of(buffers, largest_first_and_bettered(buffers, overlaps))
    together = together_in_use(buffers)
    for order in first_orders(buffers):
        assert found <= peak_of(buffers, place_few(order, buffers, overlaps, together))


@pytest.mark.parametrize("seed", range(30))
def test_of_a_few_buffers_no_plan_is_smaller(seed):
    """Placed from the lowest offset to the highest, any plan is as small as with one of these orders."""
    buffers, overlaps, _ = random_case(seed, count=6, layers=4)
    together = together_in_use(buffers)
    orders = permutations(buffers)
    least = min(peak_of(buffers, place_few(order, buffers, overlaps, together)) for order in orders)
    assert peak_of(buffers, best_offsets(buffers, overlaps)) == least


def test_a_chain_that_grows_drifts_through_little_memory():
    """Keyword spotting, pruned, on Cortex-M55: depthwise layers in place; 1x1 convolutions that have more
    outputs than inputs write below what they read."""
    pixels, channels = 125, (62, 62, 61, 61, 60, 60, 62, 62, 64)
    scratch = (2136, 1328, 1716, 1328, 1456, 1328, 1720, 1328, 1520)
    buffers = {index: Buffer(pixels * count, index, index + 1, 16) for index, count in enumerate(channels)}
    buffers |= {20 + layer: Buffer(size, layer, layer, 16) for layer, size in enumerate(scratch)}
    overlaps = {
        (index, index + 1): EXACT if index % 2 == 0 else max(0, 124 * (channels[index + 1] - count))
        for index, count in enumerate(channels[:-1])
    }
    largest = place_few(largest_first(buffers), buffers, overlaps, together_in_use(buffers))
    assert peak_of(buffers, largest) > 15_000
    assert peak_of(buffers, best_offsets(buffers, overlaps)) < 10_500


def test_the_search_goes_the_same_way_in_every_release():
    """Emitted C states the arena: another search would change the code of models that did not change."""
    cases = [random_case(seed, count=30, layers=15)[:2] for seed in range(12)]
    peaks = [peak_of(buffers, best_offsets(buffers, overlaps)) for buffers, overlaps in cases]
    assert peaks == [1627, 2993, 2561, 2438, 1397, 1747, 2642, 2058, 1574, 2314, 1906, 1797]


def test_an_output_of_the_inputs_size_takes_its_place():
    buffers = {0: Buffer(64, 0, 1, 4), 1: Buffer(64, 1, 2, 4)}
    assert lower_bound(buffers, {(0, 1): 0}) == lower_bound(buffers, {(0, 1): EXACT}) == 64
    assert lower_bound(buffers, {(0, 1): 1}) == 65


def test_the_search_takes_no_more_than_its_work(monkeypatch):
    """Comparisons: every placement looks at all pairs of buffers in use together."""
    buffers, overlaps, _ = random_case(4, count=60, layers=25)
    pairs = pairs_in_use(buffers)
    calls = []
    real = place.place_few
    monkeypatch.setattr(place, "place_few", lambda *arguments: calls.append(1) or real(*arguments))
    monkeypatch.setattr(place, "lower_bound", lambda *_: -1)
    for work, attempts in ((pairs + 1, 1), (8 * (pairs + 1), 8), (pairs * 10_000, 400)):
        calls.clear()
        monkeypatch.setattr(place, "WORK", work)
        best_offsets(buffers, overlaps)
        made = len(calls) - len(first_orders(buffers))
        assert attempts <= made <= attempts + 2 * (attempts // 4)


def test_a_crowd_is_placed_once(monkeypatch):
    buffers, overlaps, _ = random_case(4, count=60, layers=25)
    monkeypatch.setattr(place, "WORK", pairs_in_use(buffers))
    monkeypatch.setattr(place, "together_in_use", lambda _: pytest.fail("pairs were listed"))
    assert best_offsets(buffers, overlaps) == place_many(largest_first(buffers), buffers, overlaps)


def test_a_search_ends_where_no_plan_is_smaller(monkeypatch):
    buffers = {index: Buffer(16, index, index + 1, 4) for index in range(20)}
    calls = []
    real = place.place_few
    monkeypatch.setattr(place, "place_few", lambda *arguments: calls.append(1) or real(*arguments))
    assert peak_of(buffers, best_offsets(buffers, {})) == 32
    assert len(calls) == 1
