import numpy as np
import pytest

from edgesqueeze.checks.choices import MOST_CHANGED, choices_of

BEFORE = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 0.4, 0.6], [0.5, 0.3, 0.2]])
AFTER = np.array([[0.8, 0.2, 0], [0.6, 0.4, 0], [0, 0.3, 0.7], [0.1, 0.2, 0.7]])


def test_what_is_right_and_chosen_is_counted():
    (found,) = choices_of(["classes"], [BEFORE], [AFTER], [np.array([0, 0, 2, 0])], ["a", "b", "c"])
    rows = {(one.label, one.original, one.compressed): one.samples for one in found.counts}
    assert rows == {(0, 0, 0): 1, (0, 1, 0): 1, (2, 2, 2): 1, (0, 0, 2): 1}
    assert (found.classes, found.names) == (3, ("a", "b", "c"))


def test_samples_that_became_wrong_come_first():
    (found,) = choices_of(["classes"], [BEFORE], [AFTER], [np.array([0, 0, 2, 0])], ["a", "b"])
    assert [one.sample for one in found.changed] == [3, 1]
    first = found.changed[0]
    assert (first.label, first.original, first.compressed) == (0, 0, 2)
    assert (first.original_score, first.compressed_score) == (pytest.approx(0.5), pytest.approx(0.7))
    assert found.names == ()


def test_without_labels_both_models_are_compared():
    (found,) = choices_of(["classes"], [BEFORE], [AFTER], None)
    assert {one.label for one in found.counts} == {None}
    assert [one.sample for one in found.changed] == [1, 3]


def test_one_score_is_a_choice_of_two():
    before, after = np.array([[0.9], [0.2], [0.7]]), np.array([[0.6], [0.8], [0.7]])
    (found,) = choices_of(["binary"], [before], [after], [np.array([1, 0, 1])])
    rows = {(one.label, one.original, one.compressed): one.samples for one in found.counts}
    assert rows == {(1, 1, 1): 2, (0, 0, 1): 1}
    assert found.changed[0].compressed_score == pytest.approx(0.8)


def test_values_have_no_classes():
    assert choices_of(["values", "labels"], [BEFORE, BEFORE], [AFTER, AFTER], None) == ()


def test_only_some_samples_are_listed():
    before = np.tile([[1.0, 0.0]], (100, 1))
    (found,) = choices_of(["classes"], [before], [before[:, ::-1]], None)
    assert len(found.changed) == MOST_CHANGED
    assert found.counts[0].samples == 100
