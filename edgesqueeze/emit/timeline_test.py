"""Memory in use over time, against lists of all of it."""

import random
from itertools import pairwise

import pytest

from edgesqueeze.emit.timeline import Pieces, Timeline, lowest_gap


def covered(pieces):
    return {byte for start, stop in pieces for byte in range(start, stop)}


@pytest.mark.parametrize("seed", range(20))
def test_pieces_are_in_order_and_never_touch(seed):
    generator, pieces, expected = random.Random(seed), Pieces(), []
    for _ in range(30):
        start = generator.randrange(60)
        expected.append((start, start + generator.randrange(1, 6)))
        pieces.add(*expected[-1])
        found = list(pieces)
        assert covered(found) == covered(expected)
        assert all(one[1] < other[0] for one, other in pairwise(found))


def test_pieces_that_touch_are_one():
    pieces = Pieces()
    for start in (0, 32, 16):
        pieces.add(start, start + 16)
    assert list(pieces) == [(0, 48)]
    pieces.add(49, 50)
    assert list(pieces) == [(0, 48), (49, 50)]
    pieces.add(0, 60)
    assert list(pieces) == [(0, 60)]


@pytest.mark.parametrize("times", [1, 2, 3, 7, 8, 13])
def test_what_is_in_use_in_a_life(times):
    generator, timeline, uses = random.Random(times), Timeline(times), []
    for _ in range(40):
        first = generator.randrange(times)
        start = generator.randrange(80)
        use = (first, generator.randrange(first, times), start, start + generator.randrange(1, 9))
        uses.append(use)
        timeline.use(*use)
        for begin in range(times):
            for end in range(begin, times):
                meant = [(start, stop) for one, last, start, stop in uses if one <= end and last >= begin]
                found = timeline.in_use(begin, end)
                assert covered(found) == covered(meant)
                assert found == sorted(found)


def test_nothing_is_in_use_at_first():
    assert Timeline(0).in_use(0, 0) == []
    assert Timeline(5).in_use(0, 4) == []


@pytest.mark.parametrize("seed", range(200))
def test_the_lowest_gap(seed):
    generator = random.Random(seed)
    pieces = []
    for _ in range(generator.randrange(6)):
        start = generator.randrange(40)
        pieces.append((start, start + generator.randrange(1, 8)))
    size, alignment, start = generator.randrange(1, 9), generator.choice([1, 4]), generator.randrange(20)
    used = covered(pieces)
    expected = next(
        place
        for place in range(0, 100, alignment)
        if place >= start and not used.intersection(range(place, place + size))
    )
    assert lowest_gap(sorted(pieces), size, alignment, start) == expected


def test_a_gap_that_fits_exactly_is_taken():
    assert lowest_gap([(16, 32)], 16) == 0
    assert lowest_gap([(16, 32)], 17) == 32
    assert lowest_gap([(0, 4), (8, 12)], 4) == 4
    assert lowest_gap([(0, 5), (8, 12)], 4, alignment=4) == 12
    assert lowest_gap([(0, 5)], 4) == 5


def test_few_pieces_are_looked_at_however_many_buffers_live():
    """A thousand buffers that all live to the end, one above the other."""
    count, looked_at = 1000, 0
    timeline = Timeline(count)
    for index in range(count):
        found = timeline.in_use(index, count - 1)
        looked_at += len(found)
        place = lowest_gap(found, 16)
        assert place == 16 * index
        timeline.use(index, count - 1, place, place + 16)
    assert looked_at <= 20 * count
