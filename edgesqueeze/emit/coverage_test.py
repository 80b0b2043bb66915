"""Bytes that pieces cover together, against counting them."""

import random

import pytest

from edgesqueeze.emit.coverage import Coverage


@pytest.mark.parametrize("seed", range(30))
def test_pieces_come_and_go(seed):
    generator = random.Random(seed)
    pieces = []
    for _ in range(generator.randrange(1, 12)):
        start = generator.randrange(30)
        pieces.append((start, start + generator.randrange(0, 9)))
    coverage, there = Coverage(edge for piece in pieces for edge in piece), []
    for _ in range(60):
        if there and generator.random() < 0.5:
            piece = there.pop(generator.randrange(len(there)))
            coverage.remove(*piece)
        else:
            piece = generator.choice(pieces)
            there.append(piece)
            coverage.add(*piece)
        assert coverage.bytes == len({byte for start, stop in there for byte in range(start, stop)})


def test_without_pieces():
    assert Coverage([]).bytes == 0
    assert Coverage([5]).bytes == 0


def test_the_same_piece_twice_goes_only_with_the_second():
    coverage = Coverage([0, 8])
    coverage.add(0, 8)
    coverage.add(0, 8)
    coverage.remove(0, 8)
    assert coverage.bytes == 8
    coverage.remove(0, 8)
    assert coverage.bytes == 0
