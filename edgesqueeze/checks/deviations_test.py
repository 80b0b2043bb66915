import numpy as np
import pytest

from edgesqueeze.checks.deviations import BINS, MOST_FAR, deviations_of

BEFORE = np.array([[1.0], [2.0], [3.0], [4.0]])
AFTER = np.array([[1.5], [2.0], [2.0], [4.0]])
LABELS = np.array([1.0, 2.5, 3.0, 4.0])


def counted(found, side):
    return {round(one.low, 3): getattr(one, side) for one in found.bins if getattr(one, side)}


def test_both_models_are_held_against_labels():
    (found,) = deviations_of(["values"], [BEFORE], [AFTER], [LABELS])
    assert (found.truth, found.values, len(found.bins)) == ("labels", 4, BINS)
    assert sum(one.original for one in found.bins) == sum(one.compressed for one in found.bins) == 4
    # Deviations before: 0, -0.5, 0, 0; after: 0.5, -0.5, -1, 0.
    assert sorted(counted(found, "original").values()) == [1, 3]
    assert sorted(counted(found, "compressed").values()) == [1, 1, 1, 1]
    assert found.bins[0].low == pytest.approx(-found.bins[-1].high) and found.bins[0].compressed == 1


def test_without_labels_the_original_is_right():
    (found,) = deviations_of(["values"], [BEFORE], [AFTER], None)
    assert found.truth == "original" and {one.original for one in found.bins} == {None}
    assert sum(one.compressed for one in found.bins) == 4
    assert found.bins[BINS // 2].compressed == 2


def test_the_samples_furthest_apart_come_first():
    (found,) = deviations_of(["values"], [BEFORE], [AFTER], [LABELS])
    assert [(one.sample, one.place, one.label) for one in found.far] == [(2, 0, 3.0), (0, 0, 1.0)]
    assert (found.far[0].original, found.far[0].compressed) == (3.0, 2.0)
    many = np.arange(40.0).reshape(20, 2)
    (found,) = deviations_of(["values"], [many], [many * 1.1], None)
    assert [one.sample for one in found.far] == list(range(19, 19 - MOST_FAR, -1))
    assert {one.place for one in found.far} == {1}


def test_a_few_far_values_do_not_hide_the_others():
    after = np.zeros((5000, 1))
    after[:5, 0] = 1e6
    after[5:2500, 0] = 0.01
    (found,) = deviations_of(["values"], [np.zeros((5000, 1))], [after], None)
    assert found.bins[-1].high == pytest.approx(0.01) and found.bins[-1].compressed == 2500


@pytest.mark.parametrize("after", [BEFORE, np.full((4, 1), np.nan)])
def test_equal_values_and_no_numbers(after):
    (found,) = deviations_of(["values"], [BEFORE], [after], None)
    assert sum(one.compressed for one in found.bins) == np.isfinite(after).sum()


def test_only_values_are_counted():
    assert deviations_of(["classes", "ids"], [BEFORE, BEFORE], [AFTER, AFTER], None) == ()
    assert deviations_of(["values"], [np.zeros((0, 1))], [np.zeros((0, 1))], None) == ()
