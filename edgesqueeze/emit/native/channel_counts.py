"""How many channels stay where constant ones are left out: as many as the kernels of a set like."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.emit.native.lower.graph import Lowered, lower
from edgesqueeze.emit.native.plan import plan
from edgesqueeze.emit.native.records import Refused
from edgesqueeze.graph import TfliteModel

MULTIPLES: Mapping[str, tuple[int, ...]] = MappingProxyType({"mve": (4, 2)})
"""Kernel set -> multiples of channels for which it has faster kernels, the best first."""

_MOST_RAM = 1.05  # of the arena without them


def lower_for_kernels(model: TfliteModel, kernel_set: str) -> Lowered | Refused:
    """As ``lower``, with some constant channels kept where that makes kernels faster and takes no RAM."""
    lowered = lower(model, kernel_set)
    if isinstance(lowered, Refused):
        return lowered
    for multiple in MULTIPLES.get(kernel_set, ()):
        other = lower(model, kernel_set, multiple)
        if isinstance(other, Refused) or _shapes(other) == _shapes(lowered):
            continue
        most = _MOST_RAM * plan(lowered, kernel_set).arena_bytes
        if plan(other, kernel_set).arena_bytes <= most:
            return other
    return lowered


def _shapes(lowered: Lowered) -> list[tuple[int, ...]]:
    return [tensor.shape for tensor in lowered.graph.tensors]
