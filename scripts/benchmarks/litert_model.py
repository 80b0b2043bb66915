"""Costs of XNNPACK and TensorFlow Lite on Arm cores, fitted to published latencies.

All devices share the shape of the costs (``Costs``); cores differ by their clock and by how many multiply-
accumulates they can do in one; a device, a build, a version of the runtime, and the number of threads each
multiply what remains by a factor of their own. Threads speed up computing most, memory less, and calls not at
all. Designs that are no MobileNet have a factor of their own on each cost. There are few latencies for each,
so every logarithm of a factor is drawn to zero by a normal prior (ridge regression: Hoerl and Kennard, 1970;
as the most probable parameters of a hierarchical model: Gelman and Hill, 2007, chapter 12). Errors are
relative: those of the logarithm of a latency. Solved by Newton's steps.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from litert_priors import COMPUTING, CORES, MOVING, NOISE, PRIOR, SCALING, SPREADS, XNNPACK
from litert_rows import Arithmetic, Costs, Row, design, rows

Name = tuple[str, ...]
SHARED = (*COMPUTING, *MOVING)
"""Costs that several threads share."""
MOBILENET = "mobilenet"
"""How the designs begin that others are compared with: most latencies are theirs."""
Array = npt.NDArray[np.float64]


class Setting(NamedTuple):
    """What runs a model.

    Attributes:
        device: name of the device.
        core: name of the device's core.
        clock_mhz: clock of the core, in megahertz.
        build: 32-bit or 64-bit.
        runtime: name of the runtime.
        version: version of the runtime.
        kernels: what they are, for versions that have nearly the same.
        arithmetic: arithmetic of the model.
        design: what the model is (``litert_rows.design``); empty if it is none of those that were measured.
        threads: number of threads; where cores differ, how many of the fastest would compute as much.
    """

    device: str
    core: str
    clock_mhz: float
    build: str
    runtime: str
    version: str
    kernels: str
    arithmetic: Arithmetic
    design: str
    threads: float


class Fit:
    """Fitted factors; what was never measured has the factor one.

    Attributes:
        names: their places by name.
        theta: their logarithms.
        covariance: of these.
        evidence: logarithm of how probable the latencies are under the priors, up to a constant.

    Args:
        models: to leave out, with all their latencies.
        boards: to leave out, with all devices of this make.
        start: logarithms to start from.
    """

    def __init__(
        self,
        models: Collection[str] = (),
        boards: Collection[str] = (),
        start: Array | None = None,
    ) -> None:
        data = _data()
        names, precisions = data.names, _precisions(data.names)
        kept = np.array([row.model not in models and board(row.device) not in boards for row in rows()])
        chosen = (data.design[kept], data.offsets[kept], data.amounts[kept], data.logs[kept])
        begin = np.zeros(len(names)) if start is None else start
        self.names = names
        self.theta, self.covariance = _solved(*chosen, precisions, begin)
        self.evidence = _evidence(*chosen, precisions, self.theta, self.covariance)

    def factor(self, *name: str) -> float:
        """Logarithm of a factor, by its name."""
        return float(self.theta[self.names[name]]) if name in self.names else 0.0

    def costs(self, setting: Setting) -> Costs:
        """Costs with the setting's threads."""
        logs = _matrix(setting, self.names) @ self.theta + _offsets(setting)
        return Costs(*np.exp(logs).tolist())

    def milliseconds(self, setting: Setting, amounts: Costs) -> float:
        """The predicted latency of a model with some amounts of work."""
        return sum(cost * amount for cost, amount in zip(self.costs(setting), amounts, strict=True))

    def spread(self, setting: Setting, amounts: Costs) -> float:
        """Standard deviation of the logarithm of a latency around its prediction."""
        return float(self.spreads(setting, [amounts])[0])

    def spreads(self, setting: Setting, amounts: Sequence[Costs]) -> Array:
        """Standard deviations of the logarithms of some models' latencies around their predictions.

        They are those of the posterior predictive distribution, linearized (MacKay, Bayesian interpolation,
        1992): factors that the latencies left open keep the spread that they had before.
        """
        parts = np.array(self.costs(setting)) * np.array(amounts)
        shares = parts / parts.sum(axis=1, keepdims=True)
        slopes = shares @ _matrix(setting, self.names)
        variances = NOISE**2 + ((slopes @ self.covariance) * slopes).sum(axis=1)
        found = dict.fromkeys(name for term in _terms(setting) for name in term)
        unknown = {name: index for index, name in enumerate(found.keys() - self.names.keys())}
        own = shares @ _matrix(setting, unknown)
        spreads: Array = np.sqrt(variances + (own**2) @ (1 / _precisions(unknown)))
        return spreads

    def speedup(self, setting: Setting, strengths: Sequence[float]) -> tuple[Costs, ...]:
        """How many times faster 1, 2, 3, ... threads are than one, by what they do.

        Args:
            setting: what runs; its threads do not matter.
            strengths: speeds of its cores as shares of the fastest one, in descending order.
        """
        one = self.costs(setting._replace(threads=1))
        totals = (sum(strengths[:count]) for count in range(1, len(strengths) + 1))
        each = (self.costs(setting._replace(threads=total)) for total in totals)
        return tuple(Costs(*(a / b for a, b in zip(one, many, strict=True))) for many in each)


@functools.cache
def fit(models: frozenset[str] = frozenset(), boards: frozenset[str] = frozenset()) -> Fit:
    """The fit without some models or boards."""
    return Fit(models, boards, fit().theta if models or boards else None)


def setting_of(row: Row) -> Setting:
    """What ran a row."""
    return Setting(
        row.device,
        row.core,
        row.clock_mhz,
        row.build,
        row.runtime,
        row.version,
        row.kernels,
        row.arithmetic,
        design(row.model),
        row.threads,
    )


def of_a_stranger(setting: Setting) -> Setting:
    """The same with a model that nothing is known of, as those of users are."""
    return setting._replace(design="")


def _kind(device: str) -> str:
    return "phone" if "Pixel" in device or "phone" in device else "board"


def board(device: str) -> str:
    """A device without what tells it from others of its make; they scale with threads alike."""
    return device.partition(" (")[0]


class _Data(NamedTuple):
    """All latencies as arrays: rows by costs by factors, and so on."""

    names: dict[Name, int]
    design: Array
    offsets: Array
    amounts: Array
    logs: Array


@functools.cache
def _data() -> _Data:
    settings = [setting_of(row) for row in rows()]
    found = dict.fromkeys(name for one in settings for term in _terms(one) for name in term)
    names = {name: index for index, name in enumerate(found)}
    return _Data(
        names,
        np.stack([_matrix(one, names) for one in settings]),
        np.array([_offsets(one) for one in settings]),
        np.array([row.amounts for row in rows()]),
        np.log([row.milliseconds for row in rows()]),
    )


def _precisions(names: Mapping[Name, int]) -> Array:
    """One over the squares of the factors' spreads."""
    return np.array([SPREADS[name[0]] ** -2 for name in names])


def _solved(
    design: Array, offsets: Array, amounts: Array, logs: Array, precisions: Array, theta: Array
) -> tuple[Array, Array]:
    """The most probable logarithms of all factors, and their covariance.

    Newton's steps, halved until they lead down; where the surface bends the wrong way, Gauss-Newton's.
    """
    flat = design.reshape(-1, design.shape[-1])

    def missed(at: Array) -> tuple[Array, Array]:
        parts = np.exp(design @ at + offsets) * amounts
        totals = parts.sum(axis=1)
        return parts / totals[:, None], logs - np.log(totals)

    def height(at: Array) -> float:
        missing = missed(at)[1]
        return float(missing @ missing / NOISE**2 + at @ (precisions * at))

    for _ in range(100):
        shares, missing = missed(theta)
        slopes = np.einsum("rk,rkp->rp", shares, design)
        gauss = slopes.T @ slopes / NOISE**2 + np.diag(precisions)
        bent = slopes.T @ (missing[:, None] * slopes) - flat.T @ (
            (missing[:, None] * shares).reshape(-1, 1) * flat
        )
        hessian = gauss + bent / NOISE**2
        if not _is_positive(hessian):
            hessian = gauss
        step = np.linalg.solve(hessian, slopes.T @ missing / NOISE**2 - precisions * theta)
        step /= max(1.0, float(np.abs(step).max()))
        start = height(theta)
        while height(theta + step) > start and np.abs(step).max() > 1e-9:
            step /= 2
        theta = theta + step
        if np.abs(step).max() < 1e-7:
            break
    return theta, np.linalg.inv(gauss)


def _is_positive(matrix: Array) -> bool:
    """Whether a symmetric matrix is positive definite, and its surface bends upwards all round."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def _evidence(
    design: Array,
    offsets: Array,
    amounts: Array,
    logs: Array,
    precisions: Array,
    theta: Array,
    covariance: Array,
) -> float:
    """Logarithm of how probable the latencies are under ``SPREADS`` and ``NOISE``, up to a constant.

    All factors are integrated out, by a normal distribution around the most probable ones (MacKay, Bayesian
    interpolation, 1992).
    """
    missing = logs - np.log((np.exp(design @ theta + offsets) * amounts).sum(axis=1))
    fit = missing @ missing / NOISE**2 + len(missing) * math.log(NOISE**2)
    prior = theta @ (precisions * theta) - np.log(precisions).sum()
    return float(np.linalg.slogdet(covariance)[1] - fit - prior) / 2


def _matrix(setting: Setting, names: Mapping[Name, int]) -> Array:
    """The exponent of each factor in each cost; factors without a name are one."""
    terms = _terms(setting)
    matrix = np.zeros((len(terms), len(names)))
    for index, term in enumerate(terms):
        for name, exponent in term.items():
            if name in names:
                matrix[index, names[name]] = exponent
    return matrix


def _terms(setting: Setting) -> list[dict[Name, float]]:
    """For each cost, the factors that it is the product of, with their exponents."""
    device, build, arithmetic, kernels = (
        *(setting.device, setting.build),
        *(setting.arithmetic, setting.kernels),
    )
    common: dict[Name, float] = {
        ("kind", _kind(device)): 1,
        ("device", device): 1,
        ("arithmetic", device, arithmetic): 1,
        ("build", device, build, arithmetic): 1,
        ("version", device, build, setting.runtime, setting.version, arithmetic): 1,
        ("family" if kernels == XNNPACK else "family's kernels", setting.design, arithmetic, kernels): 1,
    }
    if kernels != XNNPACK:
        common["kernels", kernels, arithmetic] = 1
    slower = -math.log(setting.threads)
    terms = []
    for cost in Costs._fields:
        own: dict[Name, float] = {("cost", arithmetic, cost): 1}
        if cost in ("activation", "weight"):
            own["memory", device, arithmetic] = 1
        if kernels == XNNPACK and not setting.design.startswith(MOBILENET):
            own["design", setting.design, cost] = 1
        if slower and cost in SHARED:
            own["threads", board(device)] = slower
            own["memory scaling" if cost in MOVING else "scaling", _kind(device)] = slower
        if kernels != XNNPACK and cost != "mac":
            # XNNPACK in a slow build, or with slow memory, is nearer to itself than what came before it.
            own["slow cost" if kernels.startswith(XNNPACK) else "kernels' cost", kernels, cost] = 1
        terms.append(common | own)
    return terms


def _offsets(setting: Setting) -> list[float]:
    """Logarithms of the costs that are expected before any measurement."""
    core, standard = CORES[setting.core], CORES["cortex-a72"]
    prior = PRIOR[setting.arithmetic]
    logs = []
    for cost, clocks in zip(Costs._fields, prior, strict=True):
        kind = setting.arithmetic
        if cost == "mac" and kind == "int8":
            strength = core.dot / standard.dot
        else:
            strength = getattr(core, kind) / getattr(standard, kind)
        if cost not in COMPUTING:
            strength **= 0.5  # memory and calls gain from a better core, but less
        unit = 1e3 if cost == "call" else 1e6
        logs.append(
            math.log(clocks * unit / setting.clock_mhz / strength) - SCALING[cost] * math.log(setting.threads)
        )
    return logs
