"""How far off the predicted latencies of LiteRT are, against published ones that the fit leaves out.

Every prediction is made without all latencies of its model, or without all of its device, and so are its
bounds: they follow from what the others leave open (``litert_model.Fit.spread``).

Left aside is what nothing is left to predict from: without a model, kernels that were measured with no other;
without a device, kernels that were measured on no other, and the ARM1176, the one core without vectors.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence
from typing import Literal

from common import out, start, table, verdict
from litert_model import Fit, board, fit, setting_of
from litert_rows import Row, rows

from edgesqueeze.latency.records import CONFIDENCE
from edgesqueeze.latency.residuals import Residual, summary

MEDIAN_LIMIT = 0.2
WITHIN = 0.4
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


def main() -> int:
    """Print all residuals and their sums; 0 if the errors without a model are as small as they shall be."""
    start("LiteRT on Linux and Android", __doc__ or "")
    found = residuals()
    for field in ("model", "device"):
        chosen = [one for one in found if one.left_out == field]
        out.print(f"[bold]each {field} predicted without all of its latencies")
        _print_latencies(chosen)
        _print_sums(chosen)
    without_model = [one for one in found if one.left_out == "model"]
    goals = [("all", without_model), ("one thread", [one for one in without_model if one.threads == 1])]
    reached, words = True, []
    for name, chosen in goals:
        total = summary(chosen)
        reached &= total.median <= MEDIAN_LIMIT and total.within[WITHIN] >= 0.9
        words.append(f"{name}: median {total.median:.1%}, {total.within[WITHIN]:.0%} within {WITHIN:.0%}")
    limits = f"at most {MEDIAN_LIMIT:.0%}, at least 90 %"
    return verdict(reached, f"new models on measured devices: {'; '.join(words)} ({limits})")


def _print_latencies(chosen: Sequence[Residual]) -> None:
    table(
        (
            "device",
            "runtime",
            "model",
            "type",
            "threads",
            "measured ms",
            "predicted ms",
            "error",
            "bounds ms",
            "held",
        ),
        [
            (
                one.device,
                one.runtime,
                one.model,
                one.arithmetic,
                str(one.threads),
                f"{one.measured_ms:.4g}",
                f"{one.predicted_ms:.4g}",
                f"{one.error:+.1%}",
                f"{one.low_ms:.4g} to {one.high_ms:.4g}",
                "yes" if one.is_covered else "no",
            )
            for one in sorted(chosen, key=lambda one: (one.device, one.runtime, one.arithmetic, one.threads))
        ],
        left=4,
    )


def _print_sums(chosen: Sequence[Residual]) -> None:
    names = sorted({(one.device, one.group, one.threads) for one in chosen})
    sums = [
        (
            f"{device}, {group}, {threads} threads".replace("1 threads", "1 thread"),
            _of(chosen, device, group, threads),
        )
        for device, group, threads in names
    ]
    sums.append(("one thread", [one for one in chosen if one.threads == 1]))
    sums.append(("all", list(chosen)))
    table(
        (
            "absolute errors",
            "latencies",
            "median",
            "90th percentile",
            "within 20 %",
            "within 40 %",
            "in the bounds",
        ),
        [
            (
                name,
                str(total.count),
                f"{total.median:.1%}",
                f"{total.percentile_90:.1%}",
                f"{total.within[0.2]:.0%}",
                f"{total.within[0.4]:.0%}",
                f"{total.coverage:.0%}",
            )
            for name, total in ((name, summary(found)) for name, found in sums)
        ],
    )


def _of(chosen: Sequence[Residual], device: str, group: str, threads: int) -> list[Residual]:
    return [one for one in chosen if (one.device, one.group, one.threads) == (device, group, threads)]


if __name__ == "__main__":
    sys.exit(main())
