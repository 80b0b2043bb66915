import pytest

from edgesqueeze.cli.repeats import LONGEST, blocks_of


@pytest.mark.parametrize(
    ("rows", "blocks"),
    [
        ("", []),
        ("abc", [(0, 1, 1), (1, 1, 1), (2, 1, 1)]),
        ("aa", [(0, 1, 1), (1, 1, 1)]),
        ("aaa", [(0, 1, 3)]),
        ("xaaaay", [(0, 1, 1), (1, 1, 4), (5, 1, 1)]),
        ("xabcabcabcy", [(0, 1, 1), (1, 3, 3), (10, 1, 1)]),
        ("abababa", [(0, 2, 3), (6, 1, 1)]),
        ("aabaabaab", [(0, 3, 3)]),  # three times aab is more than twice a
    ],
)
def test_blocks(rows, blocks):
    assert blocks_of(rows) == blocks


@pytest.mark.parametrize(("length", "times"), [(1, 1000), (7, 30), (LONGEST, 3)])
def test_every_row_is_in_one_block(length, times):
    rows = ["first", *range(length * times), "last"]
    rows[1:-1] = [number % length for number in rows[1:-1]]
    found = blocks_of(rows)
    assert sum(block.length * block.times for block in found) == len(rows)
    assert (1, length, times) in found
