"""Which layers a pass works on, and why the others are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.suggest import nearest
from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.sections import FirstAndLast
from edgesqueeze.squeeze.layers.kernels import KernelKey
from edgesqueeze.squeeze.layers.weights import kernel_layers, kernels_of

SMALL_SHARE = 0.05
"""A first or last layer with less than this share of the kernel weights is left alone by default.

The first layer sees raw input and the last one decides: both are the most sensitive, and when they are
small, as the first convolution nearly always is, there is next to nothing to win. The TFMOT guides for
pruning and clustering advise the same. A large last layer (a third of MobileNet) is worth it.
"""


class Names(Protocol):
    """Which layers, by name.

    Attributes:
        include: patterns (``*``, ``?``) of layer names or class names.
        exclude: the same, for what is left out though included.
    """

    @property
    def include(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def exclude(self) -> Sequence[str]: ...  # noqa: D102


class Patterns(Names, Protocol):
    """The part of a recipe's section that chooses layers.

    Attributes:
        include: patterns (``*``, ``?``) of layer names or class names.
        exclude: the same, for what is left out though included.
        first_and_last: ``include``, ``exclude``, or ``auto``: left out when small (``SMALL_SHARE``).
    """

    @property
    def first_and_last(self) -> FirstAndLast: ...  # noqa: D102


@dataclass(frozen=True)
class Selection:
    """The kernels that a pass works on, and what was left out for which reason."""

    keys: frozenset[KernelKey]
    skipped: tuple[Finding, ...]


def select(
    model: Any,
    task: str,
    patterns: Patterns,
) -> Selection:
    """Choose kernels of a flat tf_keras model by name or class pattern of their layers.

    Args:
        model: a folded, flat tf_keras model.
        task: ``prune`` or ``cluster``; names the findings.
        patterns: which layers.

    Raises:
        RecipeError: a pattern that matches no layer.
    """
    _check_patterns(model, (*patterns.include, *patterns.exclude))
    layers = list(kernel_layers(model))
    sizes = {layer.name: sum(kernel.value.size for kernel in kernels_of(layer)) for layer in layers}
    total = sum(sizes.values())
    ends = {layer.name for layer in (layers[0], layers[-1])} if layers else set()
    keys: set[KernelKey] = set()
    skipped = []
    for layer in layers:
        share = sizes[layer.name] / total
        reason = _named_out(layer, patterns)
        if not reason and layer.name in ends and len(layers) > 1:
            reason = _end_reason(patterns.first_and_last, share, "first" if layer is layers[0] else "last")
        if reason:
            skipped.append(_skip(task, layer, reason))
        else:
            keys.update(kernel.key for kernel in kernels_of(layer))
    skipped += [
        _skip(task, layer, f"{type(layer).__name__} kernels are not supported by this pass")
        for layer in model.layers
        if not kernels_of(layer) and any(weight.shape.rank >= 2 for weight in layer.trainable_weights)
    ]
    return Selection(frozenset(keys), tuple(skipped))


def left_out(model: Any, patterns: Names) -> dict[str, str]:
    """Layers with a kernel that the patterns leave out, by name, and which pattern does.

    Raises:
        RecipeError: a pattern that matches no layer.
    """
    _check_patterns(model, (*patterns.include, *patterns.exclude))
    reasons = {layer.name: _named_out(layer, patterns) for layer in kernel_layers(model)}
    return {name: reason for name, reason in reasons.items() if reason}


def _named_out(layer: Any, patterns: Names) -> str:
    """Why the patterns leave a layer out; empty if they do not."""
    if not _matches(layer, patterns.include):
        return "no include pattern matches it"
    return "an exclude pattern matches it" if _matches(layer, patterns.exclude) else ""


def _end_reason(first_and_last: FirstAndLast, share: float, end: str) -> str:
    if first_and_last == "exclude":
        return f"it is the {end} layer, and first_and_last is 'exclude'"
    if first_and_last == "auto" and share < SMALL_SHARE:
        return (
            f"it is the {end} layer and holds {share:.1%} of the weights: sensitive, and little to win "
            "(first_and_last = 'include' takes it in)"
        )
    return ""


def _skip(task: str, layer: Any, reason: str) -> Finding:
    return Finding(code=f"{task}-skipped", subject=layer.name, message=reason)


def _matches(layer: Any, patterns: Sequence[str]) -> bool:
    names = (layer.name, type(layer).__name__)
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _check_patterns(model: Any, patterns: Sequence[str]) -> None:
    known = sorted({name for layer in model.layers for name in (layer.name, type(layer).__name__)})
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise RecipeError(
                f"no layer of the model matches {pattern!r}{nearest(pattern, known)}",
                expected="a layer name or class of the model, with * and ?",
                hint="layers after folding: " + ", ".join(layer.name for layer in model.layers[:20]),
            )
