import statistics

import pytest

from edgesqueeze.latency.flash import flash_of
from edgesqueeze.latency.timings import TIMINGS
from edgesqueeze.latency.validation import basis, checks, factors, ratios
from edgesqueeze.target.load import load_target


@pytest.mark.parametrize("check", [one for one in checks() if one.in_view], ids=lambda one: one.model)
def test_latencies_that_the_timings_were_chosen_by_come_out(check):
    assert abs(check.error) < 0.03
    assert check.is_covered


def test_the_others_are_mostly_longer_than_the_model_says():
    """What is claimed of the model, in README too; a better model changes it."""
    others = [one for one in checks() if not one.in_view]
    assert {one.model for one in others} == {"CNN_1", "CNN_2", "CNN_4", "CNN_5", "CNN_7", "FC_9", "FC_10"}
    assert sum(one.error < 0 for one in others) == 6
    assert 0.11 < statistics.median(abs(one.error) for one in others) < 0.14
    assert -0.3 < min(one.error for one in others) < -0.27
    assert {one.model for one in others if not one.is_covered} == {"CNN_1", "FC_9", "FC_10"}


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m7"])
def test_factors_are_those_of_published_pairs(core):
    found = factors(core)
    assert len(found) == len(ratios(core)) >= 9
    factor = TIMINGS[core].factor
    assert factor.estimate == pytest.approx(statistics.median(found), rel=0.01)
    # To the two digits that the report shows of both.
    low, *_, high = statistics.quantiles(found, n=20, method="inclusive")
    assert (factor.low, factor.high) == (round(low, 2), round(high, 2))
    assert f"{factor.low:g} to {factor.high:g}" in TIMINGS[core].basis


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m7", "cortex-m55", "cortex-m85"])
def test_a_basis_names_its_factor(core):
    timings = TIMINGS[core]
    assert f"Cortex-M4 times {timings.factor.low:g} to {timings.factor.high:g}" in timings.basis


def test_it_is_said_what_was_checked():
    flash = flash_of(load_target("nucleo-l4r5zi").cpu)
    assert basis("cortex-m4", flash)[-1].startswith("checked: 7 published latencies")
    assert "published pairs of boards" in basis("cortex-m33", flash)[-1]
    assert basis("cortex-m0plus", flash)[-1].startswith("not checked on a cortex-m0plus")
    assert basis("cortex-m4", flash)[1] == flash.basis


@pytest.mark.parametrize("core", TIMINGS)
def test_what_weakens_the_check_is_said_for_every_core(core):
    checked = basis(core, flash_of(load_target("nucleo-l4r5zi").cpu))[-1]
    assert "chosen, within the manual's ranges, with these in view" in checked
    assert "stand-in kernels" in checked
    assert "+48 %" in checked
