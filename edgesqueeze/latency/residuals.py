"""Measured against predicted latencies: how far off a predictor has been, and what bounds that supports."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

TOLERANCES = (0.12, 0.2, 0.25, 0.4)


@dataclass(frozen=True)
class Residual:
    """A measured latency, and what was predicted without it.

    Attributes:
        group: class of devices, runtime and arithmetic, as a table names it.
        device: name of the device that measured it.
        core: name of the device's core.
        runtime: name of the runtime that ran the model.
        model: name of the model.
        arithmetic: arithmetic of the model: ``int8`` or ``float32``.
        threads: number of threads.
        source: id of the row of published latencies.
        measured_ms: measured latency, in milliseconds.
        predicted_ms: predicted latency, in milliseconds.
        low_ms: lower 90 % bound, in milliseconds.
        high_ms: upper 90 % bound, in milliseconds.
        left_out: what the prediction was fitted without: all measurements of models of this family, or of
            this device.
    """

    group: str
    device: str
    core: str
    runtime: str
    model: str
    arithmetic: str
    threads: int
    source: str
    measured_ms: float
    predicted_ms: float
    low_ms: float
    high_ms: float
    left_out: Literal["family", "device"]

    @property
    def error(self) -> float:
        """As a share of the measured latency; positive if the prediction is too high."""
        return self.predicted_ms / self.measured_ms - 1

    @property
    def cell(self) -> tuple[str, str, str, int]:
        """What one vote is for: device, model, arithmetic and threads, whatever versions ran them."""
        return (self.device, self.model, self.arithmetic, self.threads)

    @property
    def is_covered(self) -> bool:
        """Whether the bounds contain the measured latency."""
        return self.low_ms <= self.measured_ms <= self.high_ms


@dataclass(frozen=True)
class Summary:
    """How far off predictions have been, one vote for each cell: its rows share it.

    Attributes:
        count: number of cells.
        rows: number of predictions.
        median: median of the absolute errors, as a share of the measured latency.
        percentile_90: error that nine of ten absolute errors do not exceed, as a share of the measured
            latency.
        within: share of errors of at most each of ``TOLERANCES``, by tolerance.
        coverage: share of measured latencies between the bounds.
        too_low: share of predictions that are below what was measured.
        ratio: median of upper over lower bounds.
    """

    count: int
    rows: int
    median: float
    percentile_90: float
    within: dict[float, float]
    coverage: float
    too_low: float
    ratio: float


class Factors(NamedTuple):
    """Factors on an estimate, between which a latency is expected.

    Attributes:
        low: at most 1.
        high: at least 1.
    """

    low: float
    high: float


def summary(residuals: Sequence[Residual]) -> Summary:
    """Sum up some predictions.

    Raises:
        ValueError: there are none.
    """
    if not residuals:
        raise ValueError("expected at least one residual to sum up, got none")
    weights = cell_weights([one.cell for one in residuals])
    errors = [abs(one.error) for one in residuals]

    def share(those: Sequence[bool]) -> float:
        return sum(weight for weight, is_one in zip(weights, those, strict=True) if is_one) / sum(weights)

    return Summary(
        round(sum(weights)),
        len(residuals),
        quantile(errors, weights, 0.5),
        quantile(errors, weights, 0.9),
        {limit: share([error <= limit for error in errors]) for limit in TOLERANCES},
        share([one.is_covered for one in residuals]),
        share([one.error < 0 for one in residuals]),
        quantile([one.high_ms / one.low_ms for one in residuals], weights, 0.5),
    )


def cell_weights(cells: Sequence[Hashable]) -> list[float]:
    """For each measurement, one over the number of those that share its cell."""
    counts = Counter(cells)
    return [1 / counts[cell] for cell in cells]


def quantile(values: Sequence[float], weights: Sequence[float], share: float) -> float:
    """The least value that a share of the weight does not exceed."""
    needed, below = share * sum(weights), 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        below += weight
        if below >= needed - 1e-9:
            return value
    raise ValueError("expected a share of at most 1 and at least one value")


class Expected(NamedTuple):
    """How far errors are expected to spread before any was seen.

    Attributes:
        deviation: their standard deviation.
        weight: as how many errors this counts.
    """

    deviation: float
    weight: int


UNEXPECTED = Expected(0.0, 0)


def interval_of(log_errors: Sequence[float], confidence: float, expected: Expected = UNEXPECTED) -> Factors:
    """Bounds for the next latency, from the errors of some.

    The prediction interval of a normal distribution of which mean and deviation are estimated: Student's t
    with one degree of freedom less than there are errors (Hahn and Meeker, Statistical Intervals, 1991,
    section 4.7). It is wide for few errors, and it assumes that they are independent. What is expected of
    their deviation counts as further errors around their mean, and as so many degrees of freedom (a scaled
    inverse chi-squared prior: Gelman and others, Bayesian Data Analysis, 2013, section 3.2).

    Args:
        log_errors: natural logarithms of measured over predicted latency, each predicted without it.
        confidence: share of latencies that shall be between the bounds, above 0 and below 1.
        expected: what is expected of their deviation; nothing by default.

    Raises:
        ValueError: fewer than two errors, or a confidence out of range.
    """
    count = len(log_errors)
    if count < 2 or not 0 < confidence < 1:
        raise ValueError(
            f"expected two or more errors and a confidence between 0 and 1, got {count} and {confidence}"
        )
    mean, degrees = statistics.mean(log_errors), count - 1 + expected.weight
    squares = statistics.variance(log_errors) * (count - 1) + expected.deviation**2 * expected.weight
    deviation = math.sqrt(squares / degrees)
    reach = student_t((1 + confidence) / 2, degrees) * deviation * math.sqrt(1 + 1 / count)
    return Factors(min(1.0, math.exp(mean - reach)), max(1.0, math.exp(mean + reach)))


def student_t(probability: float, degrees: int) -> float:
    """The quantile of Student's t distribution.

    Exact for one and two degrees of freedom. For more, the expansion around the normal quantile (Abramowitz
    and Stegun, Handbook of Mathematical Functions, 26.7.5), which is off by less than 0.2 % up to the
    probability 0.975.

    Args:
        probability: from 0.5 to 0.975.
        degrees: degrees of freedom, 1 or more.

    Raises:
        ValueError: an argument out of range.
    """
    if degrees < 1 or not 0.5 <= probability <= 0.975:
        raise ValueError(
            f"expected a probability from 0.5 to 0.975 and one or more degrees of freedom, "
            f"got {probability} and {degrees}"
        )
    if degrees == 1:
        return math.tan(math.pi * (probability - 0.5))
    if degrees == 2:
        centred = 2 * probability - 1
        return centred * math.sqrt(2 / (1 - centred**2))
    z = statistics.NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(degrees) ** (power + 1) for power, term in enumerate(terms))
