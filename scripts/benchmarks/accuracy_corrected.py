"""Published latencies of devices that the fit leaves out, predicted after some models were measured there.

As ``calibrate --from`` does it: the prediction without the device is corrected by its latencies of one or two
models, of other families than the one that is predicted. Of several versions of a table the latest is taken.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from litert_bounds import can_predict, fit_without
from litert_model import board, setting_of
from litert_rows import Row, family, rows, section, works

from edgesqueeze.latency.correction import (
    GROUPS,
    Correction,
    Group,
    Measured,
    correction_of,
    group_of,
)
from edgesqueeze.latency.cost import operator_times
from edgesqueeze.latency.residuals import Residual

COUNTS = (0, 1, 2)
"""How many models were measured."""
Boards = dict[tuple[str, str, str, int], list[Row]]
"""Latencies of one device, kernels, build and number of threads."""


def residuals(count: int) -> list[Residual]:
    """What is predicted of every model after so many others were measured, for every choice of these."""
    return [one for known in _boards().values() for one in _residuals(known, count)]


def _boards() -> Boards:
    found: Boards = {}
    for row in sorted(rows(), key=lambda row: row.version):
        if can_predict(row, "device"):
            group = found.setdefault((row.device, row.kernels, row.build, row.threads), [])
            group[:] = [one for one in group if (one.model, one.arithmetic) != (row.model, row.arithmetic)]
            group.append(row)
    return found


def _residuals(known: Sequence[Row], count: int) -> Iterator[Residual]:
    for row in known:
        others = [one for one in known if family(one.model) != family(row.model)]
        # The same cells for every count.
        if len(others) >= max(COUNTS):
            for chosen in itertools.combinations(others, count):
                yield _residual(row, chosen)


def _residual(row: Row, chosen: Sequence[Row]) -> Residual:
    made = correction_of([_measured(one) for one in chosen]) if chosen else None
    said = _said(_measured(row), made)
    # Bounds follow from what was measured.
    low, high = (
        (made.intervals[row.arithmetic].low, made.intervals[row.arithmetic].high) if made else (1.0, 1.0)
    )
    return Residual(
        group="corrected",
        device=row.device,
        core=row.core,
        runtime=f"{row.runtime} {row.version}",
        model=row.model,
        arithmetic=row.arithmetic,
        threads=row.threads,
        source=row.id,
        measured_ms=row.milliseconds,
        predicted_ms=said,
        low_ms=said * low,
        high_ms=said * high,
        left_out="device",
    )


def _said(one: Measured, made: Correction | None) -> float:
    factors = made.factors[one.arithmetic] if made else dict.fromkeys(GROUPS, 1.0)
    return sum(factors[group] * ms for group, ms in one.parts.items())


def _measured(row: Row) -> Measured:
    """A published latency beside its prediction without the device, by group of operators."""
    fitted, setting = fit_without(boards=frozenset({board(row.device)})), setting_of(row)
    operators = works(row.graph, row.arithmetic)
    times = operator_times(operators, section({row.arithmetic: fitted.costs(setting)}))
    alone: dict[Group, float] = dict.fromkeys(GROUPS, 0.0)
    for work, time in zip(operators, times, strict=True):
        alone[group_of(work.opcode)] += time.ms
    # Threads divide all groups alike here.
    scale = fitted.milliseconds(setting, row.amounts) / sum(alone.values())
    return Measured(
        row.model, row.arithmetic, {group: scale * ms for group, ms in alone.items()}, row.milliseconds
    )
