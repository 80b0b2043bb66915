import numpy as np
import pytest

from edgesqueeze.graph.weight_blocks import block_numbers


def test_rows_are_not_grouped_with_each_other_and_ends_are_smaller():
    numbers = block_numbers((3, 2, 3, 2), (2, 4))
    first = [[[0, 0], [0, 0], [1, 1]], [[2, 2], [2, 2], [3, 3]]]
    np.testing.assert_array_equal(numbers[0], first)
    np.testing.assert_array_equal(numbers[1], first)
    np.testing.assert_array_equal(numbers[2], np.array(first) + 4)


def test_single_inputs_that_rows_leave_go_together():
    numbers = block_numbers((2, 5, 1, 5), (2, 4))[0].reshape(5, 5)
    np.testing.assert_array_equal(numbers[:, :4], np.arange(5)[:, None] * np.ones((1, 4)))
    np.testing.assert_array_equal(numbers[:, 4], [5, 5, 5, 5, 6])


def test_columns_of_a_dense_kernel():
    numbers = block_numbers((6, 3), (4, 1))
    np.testing.assert_array_equal(numbers, [[0, 1, 2]] * 4 + [[3, 4, 5]] * 2)


@pytest.mark.parametrize("block", [(2, 4), (16, 1), (4, 1), (1, 1)])
@pytest.mark.parametrize("shape", [(7, 3, 3, 3), (32, 1, 1, 17), (5, 2, 1, 1), (9, 30), (1, 1)])
def test_every_number_is_used_by_at_most_a_blocks_weights(shape, block):
    numbers = block_numbers(shape, block)
    assert numbers.shape == shape
    counts = np.bincount(numbers.reshape(-1))
    assert counts.min() >= 1
    assert counts.max() <= block[0] * block[1]
