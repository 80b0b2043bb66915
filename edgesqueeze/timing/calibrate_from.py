"""Make a profile of a device from models that were measured on it, without microbenchmarks.

``bench --target NAME --ssh HOST --json`` prints a measurement beside what was predicted for the target.
Several of them, of one device, say by what the target's costs must be multiplied (``latency.correction``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from edgesqueeze.base.given import path_of
from edgesqueeze.base.output import write_files
from edgesqueeze.devices.records import Boards, Measurement
from edgesqueeze.errors import UsageError
from edgesqueeze.latency.correction import (
    Correction,
    Measured,
    arithmetic_of,
    correction_of,
    parts_of,
    with_correction,
)
from edgesqueeze.latency.prediction import Prediction
from edgesqueeze.target.latency import OperatorLatency
from edgesqueeze.target.load import calibrated_folder, load_target, parse_target
from edgesqueeze.target.records import Target
from edgesqueeze.timing.calibrate import Calibration, check_name, default_name, profile_text
from edgesqueeze.timing.document import BenchDocument

HINT = "measure with `edgesqueeze bench MODEL.tflite --target NAME --ssh HOST --json`"
SHOWN_MODELS = 8


class _Pair(NamedTuple):
    """A measurement, and what was predicted of it."""

    measurement: Measurement
    prediction: Prediction


def calibrate_from(
    documents: Sequence[str | Path], *, name: str = "", folder: str | Path | None = None
) -> Calibration:
    """Write the profile of a device on which models were measured; a file of that name is replaced.

    Args:
        documents: what ``bench --json`` printed: measurements on one device, beside predictions for one
            target.
        name: name of the target; by default what the board calls itself.
        folder: where the file goes; by default the user's folder, where targets are looked for by name.

    Raises:
        UsageError: no document, one of another kind or without a prediction, or they are of several devices
        or
            targets.
        TargetError: the target that was predicted for is gone, or has no costs of operators.
        OutputError: the file cannot be written.
    """
    pairs = [pair for path in documents for pair in _pairs(path_of(path, "a document of bench"))]
    target = load_target(_only([one.prediction.target for one in pairs], "targets"))
    _only([one.measurement.host for one in pairs], "devices")
    if not isinstance(target.latency, OperatorLatency):
        raise UsageError(
            f"{target.name} has no costs of operators to correct",
            expected="a Linux or Android target with a section [latency]",
            got=target.name,
            hint=HINT,
        )
    device = pairs[-1].measurement.device
    name = name or default_name(device)
    check_name(name)
    made = correction_of([_measured(one) for one in pairs])
    latency = with_correction(target.latency, made, _basis(target, pairs, made))
    text = profile_text(device, latency, f"{len(pairs)} models that it measured")
    place = calibrated_folder() if folder is None else path_of(folder, "a folder for the profile")
    calibrated = parse_target(text, name)
    write_files(place, {f"{name}.toml": text})
    return Calibration(calibrated, place / f"{name}.toml")


def _pairs(path: Path) -> Iterator[_Pair]:
    """The measurements of one document."""
    for one in _measurements(path):
        if one.predicted is None or one.predicted.correction is None:
            raise UsageError(
                f"{path} does not say what was predicted for {one.model}",
                expected="a measurement beside a prediction",
                got="a measurement alone",
                hint=HINT,
            )
        yield _Pair(one, one.predicted)


def _measurements(path: Path) -> tuple[Measurement, ...]:
    try:
        document = BenchDocument.model_validate(json.loads(path.read_bytes())).root
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check the path") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is no document of bench, of this version",
            expected="what bench --json printed",
            hint=HINT,
        ) from error
    if isinstance(document, Measurement):
        return (document,)
    if isinstance(document, Boards):
        return document.boards
    raise UsageError(
        f"{path} holds no measurement", expected="a measured model", got=document.method, hint=HINT
    )


def _only(names: Sequence[str], what: str) -> str:
    """The one name of all."""
    different = list(dict.fromkeys(names))
    if len(different) != 1:
        raise UsageError(
            f"the measurements are of {len(different)} {what}" if names else "no measurement was given",
            expected="measurements on one device, beside predictions for one target",
            got=", ".join(different) or "none",
            hint=HINT,
        )
    return different[0]


def _measured(pair: _Pair) -> Measured:
    return Measured(
        model=pair.measurement.model,
        arithmetic=arithmetic_of(pair.prediction),
        parts=parts_of(pair.prediction),
        milliseconds=pair.measurement.latency_ms.estimate,
    )


def _basis(target: Target, pairs: Sequence[_Pair], made: Correction) -> str:
    models = list(dict.fromkeys(one.measurement.model for one in pairs))
    shown = ", ".join(models[:SHOWN_MODELS]) + (", ..." if len(models) > SHOWN_MODELS else "")
    factors = "; ".join(
        f"{arithmetic} "
        + ", ".join(f"{group} {factor:.2f}" for group, factor in made.factors[arithmetic].items())
        for arithmetic in dict.fromkeys(_measured(one).arithmetic for one in pairs)
    )
    error = (
        f" Each predicted from the others, they are {made.error:.0%} off in the median." if made.error else ""
    )
    return (
        f"The costs of {target.name}, corrected by {len(pairs)} latencies that this device measured "
        f"({shown}): {factors}.{error} Bounds follow from what they leave open; how it scales with threads "
        "is that target's."
    )
