"""What measurements on a device say about the prediction for it.

The prediction of the model that was measured is multiplied with a factor. For other models, a profile's costs
are multiplied by factors: one for all, one for each arithmetic, and one for each group of operators (products
with weights, depthwise convolutions, everything else). As logarithms they are normal distributed around 0
before anything was measured, as wide as ``OVERALL``, ``ARITHMETIC`` and ``GROUP`` say, and a measured latency
is normal distributed around the corrected sum: with one model little more than the common factor moves, with
several the groups move apart (Bayesian linear regression, by Gauss-Newton steps since the sum of groups is
not linear in logarithms).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from edgesqueeze.base.records import Range
from edgesqueeze.latency.kinds import KINDS
from edgesqueeze.latency.prediction import MeasuredFactor, Prediction
from edgesqueeze.target.latency import ArithmeticLatency, Interval, OperatorLatency

Floats = npt.NDArray[np.float64]
Group = Literal["products", "depthwise", "rest"]
Arithmetic = Literal["float32", "int8"]
GROUPS: tuple[Group, ...] = ("products", "depthwise", "rest")
ARITHMETICS: tuple[Arithmetic, ...] = ("float32", "int8")
PRODUCTS = frozenset({"conv", "fully_connected", "transpose_conv", "recurrent"})
PRODUCT_COSTS = frozenset({"conv", "conv_1x1", "gemv", "transpose_conv", "recurrent"})
"""Costs of a profile that are of products."""
COST_FIELDS = ("mac_ps", "patch_ps", "row_ps", "output_ps", "weight_ps", "call_ns")

OVERALL, ARITHMETIC, GROUP = 1.5, 0.3, 0.3
"""Standard deviations of the logarithms of factors, before anything was measured: assumptions. The first
measurement decides on the common factor; another device may be many times as fast."""
NOISE, NOISE_VOTES = 0.15, 3.0
"""Standard deviation of the logarithm of what factors leave open of one model, before anything was measured,
and how many measurements that is worth. Of families of models that are left out on devices that are in the
fit, nine of ten are less than 24 % off: 1.645 such deviations."""
STEPS = 12
REACH = 1.645
"""Standard deviations that contain nine of ten."""


class Measured(NamedTuple):
    """A model that was measured, beside its prediction.

    Attributes:
        model: name of the model.
        arithmetic: what most of its predicted time is in.
        parts: predicted milliseconds, by group.
        milliseconds: what was measured.
    """

    model: str
    arithmetic: Arithmetic
    parts: Mapping[Group, float]
    milliseconds: float


class Correction(NamedTuple):
    """Factors on the costs of a profile, and what they leave open.

    Attributes:
        factors: by arithmetic and group.
        intervals: bounds on corrected latencies, by arithmetic.
        error: median of the absolute errors of models, each predicted from the others; None of less than
            three.
    """

    factors: Mapping[Arithmetic, Mapping[Group, float]]
    intervals: Mapping[Arithmetic, Interval]
    error: float | None


def group_of(opcode: str) -> Group:
    """The group that an operator is corrected with."""
    kind = KINDS.get(opcode, "other")
    return "products" if kind in PRODUCTS else "depthwise" if kind == "depthwise" else "rest"


def corrected(prediction: Prediction, measured: Range, device: str) -> Prediction:
    """A prediction, corrected by what a device measured of the same model.

    Args:
        prediction: of a model, for the device's target.
        measured: time of one inference of the model on the device, in milliseconds.
        device: the device, as it was typed.
    """
    factor = measured.estimate / prediction.latency_ms.estimate
    layers = tuple(
        layer.model_copy(update={"latency_ms": _times(layer.latency_ms, factor)})
        for layer in prediction.layers
    )
    said = (
        f"corrected by {factor:.3g}, measured over predicted latency on {device}: the latency is the "
        "measured one, and layers are multiplied with that"
    )
    return prediction.model_copy(
        update={
            "latency_ms": measured,
            "layers": layers,
            "correction": MeasuredFactor(
                device=device, factor=_rounded(factor), predicted_ms=prediction.latency_ms
            ),
            "basis": (*prediction.basis, said),
        }
    )


def _times(span: Range, factor: float) -> Range:
    return Range(
        estimate=_rounded(span.estimate * factor),
        low=_rounded(span.low * factor),
        high=_rounded(span.high * factor),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def arithmetic_of(prediction: Prediction) -> Arithmetic:
    """What most of the predicted time is in; integers of other widths count as int8."""
    spent = dict.fromkeys(ARITHMETICS, 0.0)
    for layer in prediction.layers:
        is_float = layer.arithmetic in ("float32", "hybrid")
        spent["float32" if is_float else "int8"] += layer.latency_ms.estimate
    return max(ARITHMETICS, key=lambda one: spent[one])


def parts_of(prediction: Prediction) -> dict[Group, float]:
    """Milliseconds that were predicted before any correction, by group; what no layer accounts for is in the
    rest."""
    parts: dict[Group, float] = dict.fromkeys(GROUPS, 0.0)
    made = prediction.correction
    factor, whole = (made.factor, made.predicted_ms) if made else (1.0, prediction.latency_ms)
    for layer in prediction.layers:
        parts[group_of(layer.opcode)] += layer.latency_ms.estimate / factor
    parts["rest"] += max(0.0, whole.estimate - sum(parts.values()))
    return parts


def with_correction(latency: OperatorLatency, correction: Correction, basis: str) -> OperatorLatency:
    """The section ``[latency]`` with its costs multiplied.

    Weights that no cache keeps have the factor of products, in the mean of both arithmetics; activations that
    of all groups in the mean.
    """
    arithmetics = {
        name: _corrected_costs(section, correction, name)
        for name in ARITHMETICS
        if (section := getattr(latency, name)) is not None
    }
    weights = _mean([correction.factors[name]["products"] for name in arithmetics])
    rest = _mean([correction.factors[name]["rest"] for name in arithmetics])
    widest = max((correction.intervals[name] for name in arithmetics), key=lambda one: one.high)
    memory = tuple(
        step.model_copy(update={"byte_ps": _rounded(step.byte_ps * weights)}) for step in latency.memory
    )
    return latency.model_copy(
        update={
            "memory": memory,
            "invoke_us": _rounded(latency.invoke_us * rest),
            "interval": widest,
            "basis": basis,
            **{str(name): section for name, section in arithmetics.items()},
        }
    )


def _corrected_costs(
    section: ArithmeticLatency, correction: Correction, name: Arithmetic
) -> ArithmeticLatency:
    factors = correction.factors[name]
    operators = {
        key: cost.model_copy(
            update={
                field: _rounded(getattr(cost, field) * factors[_cost_group(key)])
                for field in COST_FIELDS
                if getattr(cost, field)
            }
        )
        for key, cost in section.operators.items()
    }
    activation = _rounded(section.activation_ps * _mean(list(factors.values())))
    return section.model_copy(
        update={"operators": operators, "activation_ps": activation, "interval": correction.intervals[name]}
    )


def _cost_group(key: str) -> Group:
    """The group of a cost, which is named by kind or by operator."""
    if key.isupper():
        return group_of(key)
    return "products" if key in PRODUCT_COSTS else "depthwise" if key == "depthwise" else "rest"


def _mean(factors: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, factors)) / len(factors))


def correction_of(points: Sequence[Measured]) -> Correction:
    """The factors that measurements support.

    Args:
        points: at least one, all of them predicted with the same profile.
    """
    errors = [_left_out_error(points, place) for place in range(len(points))] if len(points) > 2 else []
    noise = math.sqrt(
        (NOISE_VOTES * NOISE**2 + sum(error**2 for error in errors)) / (NOISE_VOTES + len(errors))
    )
    solution, covariance = _posterior(points, noise)
    factors = {
        arithmetic: MappingProxyType(
            {group: math.exp(float(_row(arithmetic, group) @ solution)) for group in GROUPS}
        )
        for arithmetic in ARITHMETICS
    }
    return Correction(
        MappingProxyType(factors),
        MappingProxyType({one: _interval(points, one, covariance, noise) for one in ARITHMETICS}),
        float(np.median([abs(math.expm1(error)) for error in errors])) if errors else None,
    )


def _left_out_error(points: Sequence[Measured], place: int) -> float:
    """Logarithm of measured over predicted, without one of the measurements."""
    rest = [*points[:place], *points[place + 1 :]]
    one, (solution, _) = points[place], _posterior(rest, NOISE)
    return math.log(one.milliseconds / _said(one, solution))


def _said(one: Measured, solution: Floats) -> float:
    return sum(
        math.exp(float(_row(one.arithmetic, group) @ solution)) * ms for group, ms in one.parts.items()
    )


def _posterior(points: Sequence[Measured], noise: float) -> tuple[Floats, Floats]:
    """Mean and covariance of the logarithms: common, of each arithmetic, of each group."""
    spread = np.array([OVERALL, *[ARITHMETIC] * len(ARITHMETICS), *[GROUP] * len(GROUPS)])
    solution: Floats = np.zeros(len(spread))
    prior = np.diag(1 / spread**2)
    for _ in range(STEPS):
        slopes = np.array([_slope(one, solution) for one in points])
        residuals = np.array([math.log(one.milliseconds / _said(one, solution)) for one in points])
        precision = slopes.T @ slopes / noise**2 + prior
        wanted = slopes.T @ (residuals + slopes @ solution) / noise**2
        solution = np.linalg.solve(precision, wanted)
    return solution, np.linalg.inv(precision)


def _slope(one: Measured, solution: Floats) -> Floats:
    """How the logarithm of a model's latency moves with each logarithm."""
    whole = _said(one, solution)
    rows = [
        math.exp(float(_row(one.arithmetic, group) @ solution)) * ms / whole * _row(one.arithmetic, group)
        for group, ms in one.parts.items()
    ]
    slope: Floats = np.sum(rows, axis=0)
    return slope


def _row(arithmetic: Arithmetic, group: Group) -> Floats:
    """Which logarithms a factor is the sum of."""
    chosen = [
        1.0,
        *(float(one == arithmetic) for one in ARITHMETICS),
        *(float(one == group) for one in GROUPS),
    ]
    return np.array(chosen)


def _interval(
    points: Sequence[Measured], arithmetic: Arithmetic, covariance: Floats, noise: float
) -> Interval:
    """Bounds on a model of an arithmetic whose time is in the groups as that of the measured ones."""
    total = sum(sum(one.parts.values()) for one in points) or 1.0
    shares = {group: sum(one.parts[group] for one in points) / total for group in GROUPS}
    row = sum((share * _row(arithmetic, group) for group, share in shares.items()), np.zeros(len(covariance)))
    reach = REACH * math.hypot(noise, math.sqrt(float(row @ covariance @ row)))
    return Interval(low=math.exp(-reach), high=math.exp(reach))
