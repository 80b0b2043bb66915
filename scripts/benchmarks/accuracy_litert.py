"""Published latencies of LiteRT on Linux and Android, and what is predicted without them.

Every prediction is made without all latencies of its model, or without all of its device, and so are its
bounds: they follow from what the others leave open (``litert_model.Fit.spread``).

Left aside is what nothing is left to predict from: without a model, kernels that were measured with no other;
without a device, kernels that were measured on no other, and the ARM1176, the one core without vectors.
"""

from __future__ import annotations

import math
import statistics
from typing import Literal

from litert_model import Fit, board, fit, setting_of
from litert_rows import Row, rows

from edgesqueeze.latency.records import CONFIDENCE
from edgesqueeze.latency.residuals import Residual

REACH = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
Field = Literal["model", "device"]


def residuals() -> list[Residual]:
    """Published latencies, and what is predicted without their model or without their device."""
    return [
        _residual(row, field, _fit_without(row, field))
        for field in ("model", "device")
        for row in rows()
        if _is_predictable(row, field)
    ]


def _fit_without(row: Row, field: Field) -> Fit:
    if field == "model":
        return fit(frozenset({row.model}))
    return fit(frozenset(), frozenset({board(row.device)}))


def _is_predictable(row: Row, field: Field) -> bool:
    if field == "device" and row.core == "arm1176":
        return False
    return any(
        other.kernels == row.kernels and getattr(other, field) != getattr(row, field) for other in rows()
    )


def _residual(row: Row, field: Field, fitted: Fit) -> Residual:
    said = fitted.milliseconds(setting_of(row), row.amounts)
    reach = math.exp(REACH * fitted.spread(setting_of(row), row.amounts))
    return Residual(
        group=f"{row.kernels}, {row.arithmetic}",
        device=row.device,
        core=row.core,
        runtime=f"{row.runtime} {row.version}",
        model=row.model,
        arithmetic=row.arithmetic,
        threads=row.threads,
        source=row.id,
        measured_ms=row.milliseconds,
        predicted_ms=said,
        low_ms=said / reach,
        high_ms=said * reach,
        left_out=field,
    )
