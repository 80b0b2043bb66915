import statistics

import pytest

from edgesqueeze.latency.flash import flash_of
from edgesqueeze.latency.timings import TIMINGS
from edgesqueeze.latency.validation import basis, checks, ratios
from edgesqueeze.target import load_target


@pytest.mark.parametrize("check", checks(), ids=lambda one: one.model)
def test_published_latencies_come_out(check):
    assert abs(check.error) < 0.03
    assert check.modelled.low < check.published < check.modelled.high


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m7"])
def test_factors_are_those_of_published_pairs(core):
    found = ratios(core)
    assert len(found) >= 9
    factor = TIMINGS[core].factor
    assert factor.estimate == pytest.approx(statistics.median(found), rel=0.03)
    # The range holds nine of ten pairs; the rest are engines with code of its own for one of the cores.
    inside = [one for one in found if factor.low <= one <= factor.high]
    assert len(inside) >= 0.85 * len(found)


def test_it_is_said_what_was_checked():
    flash = flash_of(load_target("nucleo-l4r5zi").cpu)
    assert basis("cortex-m4", flash)[-1].startswith("checked: 3 published latencies")
    assert "published pairs of boards" in basis("cortex-m33", flash)[-1]
    assert basis("cortex-m0plus", flash)[-1].startswith("not checked on a cortex-m0plus")
    assert basis("cortex-m4", flash)[1] == flash.basis
