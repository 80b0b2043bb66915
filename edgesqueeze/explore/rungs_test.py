from edgesqueeze.explore.rungs import HOPELESS, Shown, goes_on, steps_of_rounds


def _shown(score, excess=0.0):
    return Shown(excess, (score,), score)


def test_rounds_grow_threefold_up_to_what_a_full_training_has():
    assert steps_of_rounds(6000) == (100, 300, 900)
    assert steps_of_rounds(300) == (33, 100, 300)
    assert steps_of_rounds(30) == (30,)
    assert steps_of_rounds(0) == (0,)


def test_a_third_goes_on():
    others = [_shown(score) for score in (1, 2, 3, 4, 5)]
    assert goes_on(_shown(0.5), others)
    assert goes_on(_shown(1.5), others)
    assert not goes_on(_shown(2.5), others)
    assert goes_on(_shown(9), [])


def test_what_lost_far_too_much_does_not_go_on_however_small_it_is():
    assert not goes_on(_shown(0.01, HOPELESS + 1), [_shown(1)])
    assert goes_on(_shown(0.01, 1), [_shown(1)])


def test_what_nothing_dominates_goes_before_a_better_score():
    fast, small, both = Shown(0, (1, 9), 10), Shown(0, (9, 1), 10), Shown(0, (8, 9), 9.5)
    assert goes_on(small, [fast, both, both])
    assert not goes_on(both, [fast, small, Shown(0, (5, 5), 10)])
