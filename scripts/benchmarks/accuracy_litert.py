"""Published latencies of LiteRT on Linux and Android, and what is predicted without them.

Every prediction is made without all latencies of its model's family, or without all of its device, and so are
its bounds: they follow from what the others leave open (``litert_bounds``). They are made as those of the
targets are: of a model that nothing is known of.

Left aside is what nothing is left to predict from (``litert_bounds.can_predict``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from litert_bounds import Field, Left, can_predict, fit_without, spread, width
from litert_model import board, of_a_stranger, setting_of
from litert_rows import Row, blind_rows, family, rows

from edgesqueeze.latency.residuals import Residual

NOTHING: Left = frozenset()


def residuals() -> list[Residual]:
    """Published latencies, and what is predicted without the models' family or without their device."""
    return [
        _residual(row, field) for field in ("family", "device") for row in rows() if can_predict(row, field)
    ]


def blind_residuals() -> list[Residual]:
    """Latencies that no fit has seen, and what the whole fit predicts."""
    return _of_the_whole_fit(blind_rows())


def _of_the_whole_fit(some: Sequence[Row]) -> list[Residual]:
    known = {board(row.device) for row in rows()}
    return [
        _predicted(row, "family" if board(row.device) in known else "device", NOTHING, NOTHING)
        for row in some
    ]


def _residual(row: Row, field: Field) -> Residual:
    families = frozenset({family(row.model)}) if field == "family" else NOTHING
    boards = frozenset({board(row.device)}) if field == "device" else NOTHING
    return _predicted(row, field, families, boards)


def _predicted(row: Row, field: Field, families: Left, boards: Left) -> Residual:
    fitted, setting = fit_without(families, boards), of_a_stranger(setting_of(row))
    said = fitted.milliseconds(setting, row.amounts)
    reach = math.exp(width(field, row.arithmetic, families, boards) * spread(fitted, setting))
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
