import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.latency.residuals import Expected, Residual, interval_of, student_t, summary


def residual(predicted, low=0.5, high=2.0, measured=1.0, model=None):
    return Residual(
        "group",
        "board",
        "cortex-m4",
        "tflm",
        model or f"model that is predicted to take {predicted}",
        "int8",
        1,
        "id",
        measured,
        predicted,
        predicted * low,
        predicted * high,
        "family",
    )


def test_errors_are_shares_of_what_was_measured():
    found = summary([residual(1.1), residual(0.85), residual(1.3), residual(1.0), residual(0.4)])
    assert found.count == 5
    assert found.median == pytest.approx(0.15)
    assert found.percentile_90 == pytest.approx(0.6)
    assert found.within == pytest.approx({0.12: 0.4, 0.2: 0.6, 0.25: 0.6, 0.4: 0.8})
    assert found.coverage == pytest.approx(0.8)
    assert found.too_low == pytest.approx(0.4)
    assert found.ratio == pytest.approx(4)


def test_a_cell_has_one_vote_however_many_rows_it_has():
    many = [residual(0.2 + step / 1000, model="repeated") for step in range(9)]
    found = summary([*many, residual(1.01), residual(1.02)])
    assert (found.count, found.rows) == (3, 11)
    assert found.coverage == pytest.approx(2 / 3)
    assert found.too_low == pytest.approx(1 / 3)
    assert found.median == pytest.approx(0.02)
    half = summary([residual(0.2, model="one"), residual(1.1, model="one")])
    assert (half.count, half.coverage) == (1, 0.5)


def test_nine_of_ten_are_below_the_90th_percentile():
    found = summary([residual(1 + step / 100) for step in range(1, 11)])
    assert found.percentile_90 == pytest.approx(0.09)


def test_nothing_cannot_be_summed_up():
    with pytest.raises(ValueError, match="at least one residual"):
        summary([])


# Tables of Student's t distribution, to the digits that they print.
@pytest.mark.parametrize(
    ("probability", "degrees", "value"),
    [
        (0.95, 1, 6.3138),
        (0.95, 2, 2.9200),
        (0.95, 3, 2.3534),
        (0.95, 9, 1.8331),
        (0.95, 30, 1.6973),
        (0.975, 3, 3.1824),
        (0.975, 10, 2.2281),
        (0.75, 4, 0.7407),
        (0.5, 5, 0.0),
    ],
)
def test_quantiles_are_those_of_the_tables(probability, degrees, value):
    assert student_t(probability, degrees) == pytest.approx(value, rel=2e-3, abs=1e-9)


@pytest.mark.parametrize(("probability", "degrees"), [(0.4, 3), (0.99, 3), (0.9, 0)])
def test_quantiles_out_of_range(probability, degrees):
    with pytest.raises(ValueError, match="expected a probability"):
        student_t(probability, degrees)


def test_an_interval_by_hand():
    low, high = interval_of([math.log(0.9), math.log(1.0), math.log(1.1)], 0.9)
    logs = [math.log(0.9), 0.0, math.log(1.1)]
    reach = 2.92 * statistics.stdev(logs) * math.sqrt(4 / 3)
    assert math.log(high) == pytest.approx(statistics.mean(logs) + reach, rel=1e-4)
    assert math.log(low) == pytest.approx(statistics.mean(logs) - reach, rel=1e-4)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30))
@settings(derandomize=True, deadline=None)
def test_an_interval_contains_the_estimate_and_grows_with_the_confidence(errors):
    narrow, wide = interval_of(errors, 0.5), interval_of(errors, 0.9)
    assert wide.low <= narrow.low <= 1 <= narrow.high <= wide.high


def test_what_is_expected_counts_as_errors():
    """By hand: squares of 0.02 with two degrees of freedom, and 8 of 0.01; Student's t of ten is 1.8125."""
    found = interval_of([-0.1, 0.0, 0.1], 0.9, Expected(0.1, 8))
    reach = 1.8125 * math.sqrt(0.1 / 10) * math.sqrt(4 / 3)
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((-reach, reach), rel=2e-3)
    # It narrows what few errors leave open, and gives way to many.
    assert found.high < interval_of([-0.1, 0.0, 0.1], 0.9).high
    many = [-0.3, 0.3] * 500
    assert interval_of(many, 0.9, Expected(0.1, 8)).high == pytest.approx(
        interval_of(many, 0.9).high, rel=0.01
    )


def test_nine_of_ten_lie_in_the_interval():
    """The next of ten normal errors: what the method promises."""
    normal = statistics.NormalDist(0.1, 0.2)
    samples = [math.log(math.exp(error)) for error in normal.samples(11 * 4000, seed=1)]
    hits = 0
    for start in range(0, len(samples), 11):
        low, high = interval_of(samples[start : start + 10], 0.9)
        hits += math.log(low) <= samples[start + 10] <= math.log(high)
    assert hits / 4000 == pytest.approx(0.9, abs=0.015)


@pytest.mark.parametrize(("errors", "confidence"), [([0.1], 0.9), ([0.1, 0.2], 0.0), ([0.1, 0.2], 1.0)])
def test_an_interval_needs_errors_and_a_confidence(errors, confidence):
    with pytest.raises(ValueError, match="two or more errors"):
        interval_of(errors, confidence)
