"""How wide the bounds on latencies of LiteRT must be to contain nine of ten.

The fit says how much its figures leave open (``litert_model.Fit.spread``), if its priors are right. How many
of its spreads off measurements have been is therefore counted: of each family of models without all latencies
of the family, on devices that others were measured on, and of each device without all latencies of its make.
What is expected to contain nine of ten of them is the width.

Whoever leaves out a family or a device to check bounds leaves it out of this count too, so that the width is
chosen by the others alone. A measurement counts by its cell: the rows of one device, model, arithmetic and
number of threads have one vote together, however many versions of a table repeat them.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from typing import Literal, NamedTuple

from litert_model import Fit, Setting, board, fit, of_a_stranger, setting_of
from litert_priors import SPREADS
from litert_rows import Arithmetic, Row, amounts, family, rows

from edgesqueeze.latency.records import CONFIDENCE
from edgesqueeze.latency.residuals import cell_weights, student_t

Field = Literal["family", "device"]
Left = frozenset[str]
NOTHING: Left = frozenset()
REACH = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
FEW = 4
"""Groups, below which those of the other arithmetic count too."""

TRUST = 8
"""As how many groups that are off by the fit's own spreads the fit itself counts: without a family two
designs are left at most, without a device a handful, which say little by themselves. Chosen so that nine of
ten cells that are left out are inside."""


class Vote(NamedTuple):
    """How far off a prediction was, and its share of a cell.

    Attributes:
        group: make of the device, and family of the model.
        arithmetic: arithmetic of the model.
        square: of the logarithmic error in spreads of the fit.
        weight: one over the number of rows of the cell.
    """

    group: tuple[str, str]
    arithmetic: Arithmetic
    square: float
    weight: float


def fit_without(families: Left = NOTHING, boards: Left = NOTHING) -> Fit:
    """The fit without some families of models and some makes of devices."""
    return fit(frozenset(row.model for row in rows() if family(row.model) in families), boards)


def can_predict(row: Row, field: Field, families: Left = NOTHING, boards: Left = NOTHING) -> bool:
    """Whether anything is left to predict a row from without its family, or without its device.

    Without a family, its device and its kernels must have been measured with another one; without a device,
    its kernels on another one. The ARM1176 is the one core without vectors.
    """
    kept = [one for one in rows() if family(one.model) not in families and board(one.device) not in boards]
    if field == "device":
        others = [one for one in kept if board(one.device) != board(row.device)]
        return row.core != "arm1176" and any(one.kernels == row.kernels for one in others)
    others = [one for one in kept if family(one.model) != family(row.model)]
    own = [one for one in others if one.device == row.device and one.arithmetic == row.arithmetic]
    return bool(own) and any(one.kernels == row.kernels for one in others)


@functools.cache
def spread(fitted: Fit, setting: Setting) -> float:
    """What a fit leaves open of a setting's latencies: in the middle of the table's models."""
    graphs = dict.fromkeys(row.graph for row in rows())
    each = fitted.spreads(setting, [amounts(graph, setting.arithmetic) for graph in graphs])
    # A later version of the runtime has a factor of its own.
    return math.hypot(statistics.median(each.tolist()), SPREADS["version"])


@functools.cache
def width(field: Field, arithmetic: Arithmetic, families: Left = NOTHING, boards: Left = NOTHING) -> float:
    """The number of spreads that is expected to contain nine of ten latencies.

    Student's t times the root of the mean square of the votes, those of a family on a make of device averaged
    first, since they err alike, together with what the fit itself expects of them (``TRUST``; a scaled
    inverse chi-squared prior: Gelman and others, Bayesian Data Analysis, 2013, section 3.2).

    Args:
        field: what is left out of the prediction of each cell.
        arithmetic: arithmetic of the cells; all count where there are few of it.
        families: of models that are left out of all of it.
        boards: makes of devices that are left out of all of it.
    """
    found = votes(field, families, boards)
    own = tuple(vote for vote in found if vote.arithmetic == arithmetic)
    if len({vote.group for vote in own}) < FEW:
        own = found
    squares = [
        _mean([vote for vote in own if vote.group == group])
        for group in dict.fromkeys(vote.group for vote in own)
    ]
    count = len(squares) + TRUST
    square = (sum(squares) + TRUST) / count
    return student_t((1 + CONFIDENCE) / 2, count - 1) * math.sqrt(square * (1 + 1 / count))


@functools.cache
def votes(field: Field, families: Left = NOTHING, boards: Left = NOTHING) -> tuple[Vote, ...]:
    """How far off each row is, predicted without its family or its device, and without all the others."""
    chosen = [
        row
        for row in rows()
        if family(row.model) not in families
        and board(row.device) not in boards
        and can_predict(row, field, families, boards)
    ]
    weights = cell_weights([(row.device, row.model, row.arithmetic, row.threads) for row in chosen])
    found = []
    for row, weight in zip(chosen, weights, strict=True):
        without = (
            (families | {family(row.model)}, boards)
            if field == "family"
            else (families, boards | {board(row.device)})
        )
        fitted, setting = fit_without(*without), of_a_stranger(setting_of(row))
        error = math.log(row.milliseconds / fitted.milliseconds(setting, row.amounts))
        square = (error / spread(fitted, setting)) ** 2
        found.append(Vote((board(row.device), family(row.model)), row.arithmetic, square, weight))
    return tuple(found)


def _mean(chosen: Sequence[Vote]) -> float:
    """The mean square of some votes, by weight."""
    return sum(vote.weight * vote.square for vote in chosen) / sum(vote.weight for vote in chosen)
