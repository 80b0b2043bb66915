import pytest

from edgesqueeze.errors import RecipeError
from edgesqueeze.squeeze.passes.budget import HALVINGS, kept, share_within


def model(asked):
    """A model that takes 100 ms, of which a share goes, and 50 KiB, of which half as much goes."""

    def figures(share):
        asked.append(share)
        return {"latency_ms": 100 * (1 - share), "flash_kib": 50 * (1 - share / 2)}

    return figures


@pytest.mark.parametrize(("budgets", "share"), [({"latency_ms": 60}, 0.4), ({"flash_kib": 45}, 0.2)])
def test_the_least_share_that_keeps_to_it(budgets, share):
    asked = []
    found = share_within(budgets, model(asked), 0.8)
    assert share <= found.share <= share + 0.8 / 2**HALVINGS
    assert kept(budgets, found.figures)
    assert len(asked) == HALVINGS + 2


def test_the_tightest_of_several_decides():
    budgets = {"latency_ms": 60, "flash_kib": 35}
    assert share_within(budgets, model([]), 0.8).share == pytest.approx(0.6, abs=0.02)


def test_a_model_that_keeps_to_it_loses_nothing():
    asked = []
    assert share_within({"latency_ms": 100}, model(asked), 0.8).share == 0
    assert asked == [0]


def test_what_cannot_be_met_is_refused_with_the_nearest_that_can():
    with pytest.raises(RecipeError, match="latency_ms cannot be kept to") as caught:
        share_within({"latency_ms": 10, "flash_kib": 45}, model([]), 0.77)
    assert "latency_ms = 23" in caught.value.expected
    assert "flash" not in caught.value.expected
    assert "latency_ms = 100" in caught.value.hint
