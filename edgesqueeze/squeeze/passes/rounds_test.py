import pytest

from edgesqueeze.squeeze.passes.rounds import (
    FIRST_STEPS,
    GROWTH,
    LEAST_STEPS,
    LOOKS,
    MOST_MACS,
    MOST_STEPS,
    NOTHING_LEFT,
    WORTH_IT,
    goes_on,
    next_steps,
    open_steps,
    round_of,
)


def test_the_rate_rises_to_its_highest_and_falls_to_nothing():
    rates = [round_of(200).rate(step) for step in range(1, 201)]
    top = rates.index(max(rates))
    assert max(rates) == 1.0
    assert rates[0] == pytest.approx(0.1)
    assert top == 10
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[-1] < 1e-3


@pytest.mark.parametrize("steps", [1, 2, 3, 20])
def test_every_step_of_a_short_round_learns_something(steps):
    assert all(0 < round_of(steps).rate(step) <= 1 for step in range(1, steps + 1))


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 300])
def test_the_last_step_is_looked_at_and_nothing_before_the_middle(steps):
    looks = round_of(steps).looks
    assert looks[-1] == steps
    assert looks[0] >= steps // 2
    assert list(looks) == sorted(set(looks))
    assert len(looks) <= 2 * LOOKS


@pytest.mark.parametrize("whole_from", [0, 60, 95, 100])
def test_no_look_comes_before_the_model_is_what_was_asked_for(whole_from):
    looks = round_of(100, whole_from).looks
    assert looks[0] >= whole_from
    assert looks[-1] == 100


@pytest.mark.parametrize(
    ("rounds", "left", "steps"),
    [
        ([100], 1000, 100 * GROWTH),
        ([100], 200, 200),
        ([100], 150, 150),
        ([100], 99, 0),
        ([100, 200], 0, 0),
        ([100, 200], 900, 400),
    ],
)
def test_a_round_is_longer_than_the_one_before_or_takes_what_is_left(rounds, left, steps):
    assert next_steps(rounds, left) == steps


@pytest.mark.parametrize(
    ("before", "after", "on"),
    [
        (float("inf"), 1.0, True),
        (1.0, 1.0 - 2 * WORTH_IT, True),
        (1.0, 1.0 - WORTH_IT / 2, False),
        (1.0, 1.0, False),
        (float("inf"), float("inf"), False),
        (10 * NOTHING_LEFT, NOTHING_LEFT / 2, False),
    ],
)
def test_training_goes_on_while_a_round_brings_enough(before, after, on):
    assert goes_on(before, after) == on


@pytest.mark.parametrize(
    ("batch_macs", "steps"),
    [
        (0, (FIRST_STEPS, MOST_STEPS)),
        (10**6, (FIRST_STEPS, MOST_STEPS)),
        (MOST_MACS // 2000, (FIRST_STEPS, 2000)),
        (MOST_MACS // 300, (300, 300)),
        (MOST_MACS, (LEAST_STEPS, LEAST_STEPS)),
    ],
)
def test_a_large_model_has_fewer_steps(batch_macs, steps):
    assert open_steps(batch_macs) == steps
