"""Which kernels take four bits, where a budget says how much: those that cost the outputs least for a byte.

What four bits cost is measured for each kernel alone: one run over samples with only that kernel rounded. The
errors of several kernels add up, so kernels are taken in the order of their error for each byte saved (Dong
et al., 2020, arXiv:1911.03852, order them by an estimate of the same), and the result is measured again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgesqueeze.base.findings import Finding
from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.sections import Bits
from edgesqueeze.squeeze.layers.grid import FloatArray
from edgesqueeze.squeeze.layers.kernels import KernelKey
from edgesqueeze.squeeze.layers.rewrite import rewrite
from edgesqueeze.squeeze.layers.weights import Kernel, model_kernels
from edgesqueeze.squeeze.passes.clips import outputs_of
from edgesqueeze.squeeze.passes.looks import batches
from edgesqueeze.squeeze.passes.state import Setting

SAMPLES = 256
"""Training samples that errors are measured on, at most."""
SMALLEST = 1e-12

Rounded = Callable[[Kernel], FloatArray]
"""Gives a kernel as four bits hold it."""


@dataclass(frozen=True)
class Candidate:
    """A kernel that could take four bits.

    Attributes:
        key: which it is.
        saved: bytes that four bits save.
        error: squared error of the outputs if it alone has four bits, as a share of their variance.
    """

    key: KernelKey
    saved: int
    error: float


@dataclass(frozen=True)
class Mixture:
    """Kernels of four bits, and those that keep eight.

    Attributes:
        keys: kernels of four bits.
        findings: what was chosen, and why the others keep eight bits.
    """

    keys: frozenset[KernelKey]
    findings: tuple[Finding, ...]


def is_automatic(options: Bits) -> bool:
    """Whether a recipe leaves it open which kernels take four bits."""
    return options.budget_kib is not None or options.max_error is not None


def mixture(
    model: Any, options: Bits, setting: Setting, keys: frozenset[KernelKey], rounded: Rounded
) -> Mixture:
    """Choose kernels for four bits.

    Args:
        model: a flat tf_keras model of plain layers; it is not changed.
        options: with a budget.
        setting: what a pass may use.
        keys: kernels that may take four bits.
        rounded: gives a kernel as four bits hold it.

    Raises:
        RecipeError: the budget cannot be met.
    """
    check_budget(model, options, keys)
    measure = _Measure(model, setting, rounded)
    candidates = sorted(
        (
            Candidate(one.key, _saved(one), measure({one.key}))
            for one in model_kernels(model)
            if one.key in keys
        ),
        key=lambda one: (one.error / max(1, one.saved), one.key),
    )
    chosen = _chosen(candidates, _bytes(model), options)
    error = measure({one.key for one in chosen})
    while options.max_error is not None and error > options.max_error and chosen:
        chosen = chosen[:-1]
        error = measure({one.key for one in chosen})
    taken = frozenset(one.key for one in chosen)
    left = [one for one in candidates if one.key not in taken]
    size = _bytes(model) - sum(one.saved for one in chosen)
    message = (
        f"{len(chosen)} of {len(candidates)} kernels take four bits: {size / 1024:,.1f} KiB of weights, "
        f"and an error of {error:.2%} of the outputs' variance before any training or rounding"
    )
    noted = Finding(code="bits-chosen", subject="bits", message=message)
    return Mixture(taken, (noted, *map(_kept, left)))


def _kept(one: Candidate) -> Finding:
    message = (
        f"{'/'.join(one.key)} keeps eight bits: four would save {one.saved:,} bytes, for an error of "
        f"{one.error:.2%} of the outputs' variance"
    )
    return Finding(code="bits-skipped", subject=one.key.layer, message=message)


def check_budget(model: Any, options: Bits, keys: frozenset[KernelKey]) -> None:
    """Refuse a budget that four bits for all kernels do not meet.

    Raises:
        RecipeError: with the least that is possible.
    """
    if options.budget_kib is None:
        return
    least = _bytes(model) - sum(_saved(one) for one in model_kernels(model) if one.key in keys)
    if least > options.budget_kib * 1024:
        raise RecipeError(
            f"the weights cannot be brought to {options.budget_kib:g} KiB with four bits",
            expected=f"at least {np.ceil(least / 102.4) / 10:g} KiB, with four bits wherever possible",
            got=f"budget_kib = {options.budget_kib:g}",
            hint="ask for that, or remove channels first: [channels]",
        )


def _chosen(candidates: Sequence[Candidate], size: int, options: Bits) -> list[Candidate]:
    """The first candidates, as many as the budget takes or allows."""
    chosen: list[Candidate] = []
    error = 0.0
    for one in candidates:
        if options.budget_kib is not None and size <= options.budget_kib * 1024:
            break
        error += one.error
        if options.max_error is not None and error > options.max_error:
            break
        chosen.append(one)
        size -= one.saved
    return chosen


def _bytes(model: Any) -> int:
    """Bytes of all kernels, a byte a weight."""
    return sum(one.value.size for one in model_kernels(model))


def _saved(kernel: Kernel) -> int:
    """Bytes that four bits save: two weights share one."""
    return kernel.value.size // 2


class _Measure:
    """The squared error of a model's outputs with some kernels in four bits, as a share of their variance."""

    def __init__(self, model: Any, setting: Setting, rounded: Rounded) -> None:
        self._model = rewrite(model)
        self._inputs = list(batches(model, setting.samples, SAMPLES, setting.seed))
        self._values: Mapping[KernelKey, tuple[FloatArray, FloatArray]] = {
            one.key: (one.value, rounded(one)) for one in model_kernels(self._model)
        }
        self._right = outputs_of(self._model, iter(self._inputs))

    def __call__(self, keys: set[KernelKey]) -> float:
        """The mean over the outputs, with these kernels in four bits and the others as they are."""
        for one in model_kernels(self._model):
            getattr(one.owner, one.attribute).assign(self._values[one.key][one.key in keys])
        found = outputs_of(self._model, iter(self._inputs))
        errors = [
            np.mean(np.square(got - wanted, dtype=np.float64)) / max(float(np.var(wanted)), SMALLEST)
            for got, wanted in zip(found, self._right, strict=True)
        ]
        return float(np.mean(errors))
