import numpy as np
import pytest

from edgesqueeze.checks.distance import INT16_FACTOR, TOLERANCE_LSB, difference_of, distance_of, lsb_limit
from edgesqueeze.graph import Tensor, parse_tflite
from runtime_tests.support.tflite_builder import tiny_dense, tiny_two_heads


def _tensor(dtype):
    return Tensor(0, "y", (1, 4), (1, 4), dtype, None, 0, None)


def test_differences_of_integers_count_steps():
    steps, is_lsb = difference_of(_tensor("int8"), np.int8([-128, 5]), np.int8([127, 5]))
    assert is_lsb
    np.testing.assert_array_equal(steps, [255, 0])


def test_differences_of_floats_are_relative_and_know_nan():
    want = np.float32([2.0, np.nan, np.nan, np.inf])
    have = np.float32([1.0, np.nan, 1.0, np.inf])
    relative, is_lsb = difference_of(_tensor("float32"), want, have)
    assert not is_lsb
    np.testing.assert_array_equal(relative, [0.5, 0, np.inf, 0])


def _outputs(graph, samples=1, fill=0):
    return [[np.full(one.shape, fill, one.dtype) for one in graph.output_tensors] for _ in range(samples)]


def test_equal_outputs_have_no_distance():
    graph = parse_tflite(tiny_two_heads()).main
    found = distance_of(graph, _outputs(graph, 2), _outputs(graph, 2))
    assert found.is_one_rounding
    assert not found.per_sample.any()
    assert found.figures.size == (0, 0, 0)
    assert found.figures.differing_share == 0


def test_steps_are_counted_per_sample_and_on_average():
    graph = parse_tflite(tiny_dense()).main
    expected, actual = _outputs(graph, 2), _outputs(graph, 2)
    values = expected[0][0].size
    actual[1][0].reshape(-1)[0] = -7
    found = distance_of(graph, expected, actual)
    assert found.figures.max_lsb == 7
    assert found.figures.mean_lsb == pytest.approx(7 / (2 * values))
    assert found.figures.max_relative is None
    assert found.figures.differing_share == pytest.approx(1 / (2 * values))
    np.testing.assert_array_equal(found.per_sample, [0, 7])


@pytest.mark.parametrize(("off", "is_one_rounding"), [(TOLERANCE_LSB, True), (TOLERANCE_LSB + 1, False)])
def test_one_operator_may_be_off_by_the_tolerance(off, is_one_rounding):
    graph = parse_tflite(tiny_dense()).main
    found = distance_of(graph, _outputs(graph), _outputs(graph, fill=int(off)))
    assert found.is_one_rounding is is_one_rounding


@pytest.mark.parametrize(("off", "is_one_rounding"), [(0.9e-3, True), (1.1e-3, False)])
def test_float_outputs_may_be_off_by_a_thousandth_of_the_largest(off, is_one_rounding):
    graph = parse_tflite(tiny_dense(dtype="float32")).main
    found = distance_of(graph, _outputs(graph, fill=4), _outputs(graph, fill=4 * (1 + off)))
    assert found.is_one_rounding is is_one_rounding
    assert found.figures.max_relative == pytest.approx(off, rel=1e-3)
    assert found.figures.max_lsb is found.figures.mean_lsb is None


def test_one_output_of_several_can_be_too_far():
    graph = parse_tflite(tiny_two_heads()).main
    for number in range(2):
        actual = _outputs(graph)
        actual[0][number] += np.asarray(9, actual[0][number].dtype)
        assert not distance_of(graph, _outputs(graph), actual).is_one_rounding


def test_steps_of_sixteen_bits_are_finer():
    assert lsb_limit(_tensor("int8")) == TOLERANCE_LSB
    assert lsb_limit(_tensor("int16"), 3.0) == 3.0 * INT16_FACTOR
    # Measured on real networks; a change of these is a change of what is called a fault.
    assert (TOLERANCE_LSB, lsb_limit(_tensor("int16"))) == (2.0, 32.0)


def test_differences_from_nothing_are_taken_as_they_are():
    relative, _ = difference_of(_tensor("float32"), np.float32([0, 0]), np.float32([0.5, -0.25]))
    np.testing.assert_array_equal(relative, [0.5, 0.25])


def test_a_single_step_is_a_difference():
    graph = parse_tflite(tiny_dense()).main
    found = distance_of(graph, _outputs(graph), _outputs(graph, fill=1))
    assert found.figures.differing_share == 1.0
    assert found.figures.size == (1.0, 0.0, 1.0)
