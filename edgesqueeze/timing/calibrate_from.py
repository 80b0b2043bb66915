"""Make a profile of a device from models that were measured on it, without microbenchmarks.

``bench --target NAME --ssh HOST --json`` prints a measurement beside what was predicted for the target.
Several of them, of one device, say by what the target's costs must be multiplied (``latency.correction``).
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from edgesqueeze.base.files import MOST_DOCUMENT_BYTES, read_stream
from edgesqueeze.base.given import path_of
from edgesqueeze.base.output import write_files
from edgesqueeze.base.plain import plain
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
from edgesqueeze.timing.verdict import Verdicts

HINT = "measure with `edgesqueeze bench MODEL.tflite --target NAME --ssh HOST --json`"
SHOWN_MODELS = 8
SHOWN_ERROR = 200
"""Characters of what a document says went wrong."""
CONTRADICTION = 2.0
"""How many times as long as another a measurement of the same model may be."""


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
        UsageError: no document, one of another kind or without a prediction, they are of several devices or
            targets, or measurements of one model contradict each other.
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
    points = _measured(pairs)
    made = correction_of(points)
    latency = with_correction(target.latency, made, _basis(target, points, made))
    text = profile_text(device, latency, "models that it measured")
    place = calibrated_folder() if folder is None else path_of(folder, "a folder for the profile")
    calibrated = parse_target(text, name)
    write_files(place, {f"{name}.toml": text})
    return Calibration(calibrated, place / f"{name}.toml")


def _pairs(path: Path) -> Iterator[_Pair]:
    """The measurements of one document."""
    document = _document(path).root
    if isinstance(document, Verdicts):
        yield from _compared(path, document)
        return
    if not isinstance(document, (Measurement, Boards)):
        raise UsageError(
            f"{path} holds no measurement", expected="a measured model", got=document.method, hint=HINT
        )
    for one in document.boards if isinstance(document, Boards) else (document,):
        if one.predicted is None or one.predicted.correction is None:
            raise UsageError(
                f"{path} does not say what was predicted for {one.model}",
                expected="a measurement beside a prediction",
                got="a measurement alone",
                hint=HINT,
            )
        yield _Pair(one, one.predicted)


def _document(path: Path) -> BenchDocument:
    content = None
    try:
        content = json.loads(read_stream(path, MOST_DOCUMENT_BYTES))
        return BenchDocument.model_validate(content)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint="check the path") from error
    except (ValueError, RecursionError) as error:
        if isinstance(content, dict) and isinstance(content.get("error"), dict):
            problem = plain(str(content["error"].get("problem", "unknown")))[:SHOWN_ERROR]
            raise UsageError(f"bench failed, says {path}", got=problem, hint=HINT) from error
        raise UsageError(
            f"{path} is no document of bench, of this version",
            expected="what bench --json printed",
            hint=HINT,
        ) from error


def _compared(path: Path, document: Verdicts) -> Iterator[_Pair]:
    """Of several devices: every measurement beside the predictions with as many threads."""
    timings = [one.timing for one in document.devices]
    found = [
        _Pair(measured, predicted)
        for measured in timings
        for predicted in timings
        if isinstance(measured, Measurement)
        and isinstance(predicted, Prediction)
        and predicted.runtime != "tflm"
        and predicted.threads in [one.threads for one in measured.threads[:1]]
    ]
    if not found:
        raise UsageError(
            f"{path} holds no measurement beside a prediction",
            expected="a measured device, and a Linux or Android target with as many threads",
            got=", ".join(f"{one.device} ({one.method})" for one in document.devices) or "no device",
            hint=HINT,
        )
    yield from found


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


def _measured(pairs: Sequence[_Pair]) -> list[Measured]:
    """One point for each model and number of threads: measuring again says nothing more of other models."""
    groups: dict[tuple[str, int], list[_Pair]] = {}
    for one in pairs:
        groups.setdefault((one.prediction.sha256, one.prediction.threads), []).append(one)
    return [
        Measured(
            model=same[0].measurement.model,
            arithmetic=arithmetic_of(same[0].prediction),
            parts=parts_of(same[0].prediction),
            milliseconds=_agreed(same),
        )
        for same in groups.values()
    ]


def _agreed(same: Sequence[_Pair]) -> float:
    """The median of what was measured of one model, in milliseconds."""
    found = sorted(one.measurement.latency_ms.estimate for one in same)
    if found[-1] > CONTRADICTION * found[0]:
        raise UsageError(
            f"the measurements of {same[0].measurement.model} contradict each other",
            expected=f"latencies of one model within a factor of {CONTRADICTION:g}",
            got=f"{found[0]:.4g} and {found[-1]:.4g} ms",
            hint="leave out the wrong one, or measure again while nothing else runs on the device",
        )
    return statistics.median(found)


def _basis(target: Target, points: Sequence[Measured], made: Correction) -> str:
    models = list(dict.fromkeys(one.model for one in points))
    shown = ", ".join(models[:SHOWN_MODELS]) + (", ..." if len(models) > SHOWN_MODELS else "")
    factors = "; ".join(
        f"{arithmetic} "
        + ", ".join(f"{group} {factor:.2f}" for group, factor in made.factors[arithmetic].items())
        for arithmetic in dict.fromkeys(one.arithmetic for one in points)
    )
    error = (
        f" Each predicted from the others, they are {made.error:.0%} off in the median." if made.error else ""
    )
    latencies = f"{len(points)} latencies" if len(points) > 1 else "one latency"
    return (
        f"The costs of {target.name}, corrected by {latencies} that this device measured "
        f"({shown}): {factors}.{error} Bounds follow from what they leave open; how it scales with threads "
        "is that target's."
    )
