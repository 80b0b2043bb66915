import pytest

from edgesqueeze.emit.native.packing.choose import Option, choose
from edgesqueeze.emit.native.packing.table import ENCODINGS

PALETTE, RUNS = ENCODINGS["palette"], ENCODINGS["runs"]

KERNEL = {"es_conv2d_s8": 2000}
CODE = {
    "palette": {"es_packed_conv2d_s8": 200, "es_palette": 400},
    "runs": {"es_packed_conv2d_s8": 200, "es_runs": 300},
}


def group(plain, *packed):
    """Options: (bytes, instructions) of plain weights, then (encoding, bytes, instructions)."""
    packed_options = (Option(row, 8, size, cost, {**KERNEL, **CODE[row.name]}) for row, size, cost in packed)
    return [Option(None, 0, *plain, KERNEL), *packed_options]


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
    assert names(choose([group((10_000, 10), (PALETTE, 9_400, 10))], 0, "size")) == ["plain"]
    assert names(choose([group((10_000, 10), (PALETTE, 9_399, 10))], 0, "size")) == ["palette"]


def test_a_second_encoding_must_save_more_than_the_code_it_adds():
    def two(second):
        return [
            group((50_000, 10), (PALETTE, 25_000, 10)),
            group((9000, 10), (PALETTE, 4500, 10), (RUNS, second, 10)),
        ]

    assert names(choose(two(4200), 0, "size")) == ["palette", "palette"]
    assert names(choose(two(4199), 0, "size")) == ["palette", "runs"]


@pytest.mark.parametrize("optimize", ["size", "balance"])
def test_a_kernel_that_no_layer_needs_any_more_counts(optimize):
    def layers(count):
        """Plain weights need a kernel of 2,500 bytes, the others one of 3,000."""
        plain = Option(None, 0, 1000, 100, {"es_conv2d_s8": 2500})
        return [[plain, Option(RUNS, 0, 980, 100, {"es_sparse_conv2d_s8": 3000})] for _ in range(count)]

    assert names(choose(layers(3), 0, optimize)) == ["plain"] * 3
    assert names(choose(layers(30), 0, optimize)) == ["runs"] * 30
    assert names(choose([*layers(30), *[row[:1] for row in layers(1)]], 0, optimize)) == ["plain"] * 31


def test_what_is_larger_and_no_faster_is_left_out_for_all_its_smaller_kernel():
    plain = Option(None, 0, 1000, 100, {"es_conv2d_s8": 3000})
    larger = Option(RUNS, 0, 1020, 100, {"es_sparse_conv2d_s8": 500})
    assert names(choose([[plain, larger]], 0, "size")) == ["plain"]


def test_a_faster_encoding_is_taken_for_time_too():
    groups = [group((10_000, 1000), (RUNS, 2000, 800))]
    assert names(choose(groups, 0, "time")) == ["runs"]


@pytest.mark.parametrize("optimize", ["time", "size", "balance"])
def test_no_layers(optimize):
    assert choose([], 100, optimize) == []
