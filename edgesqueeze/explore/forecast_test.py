import pytest

from edgesqueeze.explore.forecast import BEND, FIRST_GUESS, MOST, correction, expected_drop
from edgesqueeze.recipe.read import parse_recipe
from edgesqueeze.report.front import FinalistRecord, Takes, TrialRecord, judged_by

RECIPE = parse_recipe({})


def _trial(number, drop, hoped):
    takes = Takes(accuracy_drop=drop, latency_ms=3.0)
    return TrialRecord(
        number=number, state="trained", recipe=RECIPE, steps=9, takes=takes, expected_drop=hoped, seconds=1.0
    )


def _finalist(number, drop):
    takes = Takes(accuracy_drop=drop)
    return FinalistRecord(number=number, folder="", recipe=RECIPE, takes=takes, score=1.0, seconds=1.0)


def test_a_longer_training_is_expected_to_lose_less():
    assert expected_drop(0.08, 100, 800) == pytest.approx(0.08 * (100 + BEND) / (800 + BEND))
    assert expected_drop(0.08, 300, 800) > expected_drop(0.08, 100, 800)


@pytest.mark.parametrize(
    ("drop", "steps", "most"),
    [(None, 9, 90), (-0.01, 9, 90), (0.0, 9, 90), (0.3, 0, 90), (0.3, 90, 90), (0.3, 0, 0)],
)
def test_what_a_longer_training_does_not_change(drop, steps, most):
    assert expected_drop(drop, steps, most) == drop


def test_what_a_model_takes_stays_but_for_the_accuracy():
    assert judged_by(_trial(0, 0.3, 0.02)) == Takes(accuracy_drop=0.02, latency_ms=3.0)


def test_finalists_correct_what_is_expected():
    trials = [_trial(0, 0.3, 0.02), _trial(1, 0.2, 0.01), _trial(2, 0.0, 0.0)]
    guess = pytest.approx(FIRST_GUESS)
    assert correction(trials, [], 0.01) == guess
    assert correction(trials, [_finalist(0, 0.01)], 0.01) == pytest.approx(0.5)
    assert correction(trials, [_finalist(0, 0.01), _finalist(1, 0.02)], 0.01) == pytest.approx(1)
    # Of nothing that is lost no ratio is taken, and none is believed without bounds.
    assert correction(trials, [_finalist(2, 0.0005)], 0.01) == guess
    assert correction(trials, [_finalist(1, 9.9)], 0.01) == MOST
