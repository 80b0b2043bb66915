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

_WHOLE = 1 << 30  # a multiple that leaves out nothing


def lower_for_kernels(model: TfliteModel, kernel_set: str) -> Lowered | Refused:
    """As ``lower``, with some constant channels kept where that makes kernels faster.

    They take no more RAM than all channels would.
    """
    lowered = lower(model, kernel_set)
    multiples = MULTIPLES.get(kernel_set, ())
    whole = lower(model, kernel_set, _WHOLE) if multiples else lowered
    if isinstance(lowered, Refused) or isinstance(whole, Refused) or _shapes(whole) == _shapes(lowered):
        return lowered
    most = max(plan(one, kernel_set).arena_bytes for one in (lowered, whole))
    for multiple in multiples:
        other = lower(model, kernel_set, multiple)
        if isinstance(other, Lowered) and plan(other, kernel_set).arena_bytes <= most:
            return other
    return lowered


def _shapes(lowered: Lowered) -> list[tuple[int, ...]]:
    return [tensor.shape for tensor in lowered.graph.tensors]
