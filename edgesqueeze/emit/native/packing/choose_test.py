import pytest

from edgesqueeze.emit.native.packing.choose import CALL_CODE_BYTES, Option, choose
from edgesqueeze.emit.native.packing.table import ENCODINGS

PALETTE, RUNS = ENCODINGS["palette"], ENCODINGS["runs"]


def group(plain, *packed):
    """Options: (bytes, instructions) of plain weights, then (encoding, bytes, instructions)."""
    return [Option(None, 0, *plain), *(Option(row, 8, size, cost) for row, size, cost in packed)]


def names(options):
    return [option.encoding.name if option.encoding else "plain" for option in options]


def test_the_least_flash_that_costs_little():
    groups = [
        group((10_000, 1000), (PALETTE, 5000, 1010)),
        group((10_000, 1000), (PALETTE, 5000, 1900)),
    ]
    assert names(choose(groups, 0, "balance")) == ["palette", "plain"]
    assert names(choose(groups, 0, "size")) == ["palette", "palette"]
    assert names(choose(groups, 0, "time")) == ["plain", "plain"]


def test_others_count_as_time_that_a_part_of_may_be_spent():
    groups = [group((10_000, 1000), (PALETTE, 5000, 1100))]
    assert names(choose(groups, 0, "balance")) == ["plain"]
    assert names(choose(groups, 2000, "balance")) == ["palette"]


def test_what_saves_most_for_an_instruction_comes_first():
    groups = [
        group((10_000, 1000), (PALETTE, 9000, 1050)),
        group((10_000, 1000), (PALETTE, 2000, 1060)),
    ]
    assert names(choose(groups, 0, "balance")) == ["plain", "palette"]


def test_an_encoding_must_save_more_than_its_code():
    code = PALETTE.code_bytes + CALL_CODE_BYTES
    assert names(choose([group((10_000, 10), (PALETTE, 10_000 - code, 10))], 0, "size")) == ["plain"]
    assert names(choose([group((10_000, 10), (PALETTE, 9_999 - code, 10))], 0, "size")) == ["palette"]


def test_a_second_encoding_must_save_more_than_the_code_it_adds():
    def two(second):
        return [
            group((50_000, 10), (PALETTE, 25_000, 10)),
            group((9000, 10), (PALETTE, 4500, 10), (RUNS, second, 10)),
        ]

    assert names(choose(two(4500 - RUNS.code_bytes), 0, "size")) == ["palette", "palette"]
    assert names(choose(two(4499 - RUNS.code_bytes), 0, "size")) == ["palette", "runs"]


def test_a_faster_encoding_is_taken_for_time_too():
    groups = [group((10_000, 1000), (RUNS, 2000, 800))]
    assert names(choose(groups, 0, "time")) == ["runs"]


@pytest.mark.parametrize("optimize", ["time", "size", "balance"])
def test_no_layers(optimize):
    assert choose([], 100, optimize) == []
