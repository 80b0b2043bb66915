"""Which layers give memory up where what is unpacked does not fit."""

from __future__ import annotations

from collections.abc import Mapping

from edgesqueeze.emit.native.lower.graph import Lowered
from edgesqueeze.emit.native.packing.choose import Option
from edgesqueeze.emit.native.packing.sites import Site
from edgesqueeze.emit.native.plan import Plan

_SMALLEST_STEP = 256  # bytes that are given up at least from plan to plan


def excess_of(lowered: Lowered, planned: Plan, chosen: Mapping[Site, Option], limit: int) -> dict[int, int]:
    """Layers that are to blame for an arena above the limit -> the scratch memory that they may try next."""
    if planned.arena_bytes <= limit:
        return {}
    scratch = {
        site.layer: max(call.scratch_bytes or 0 for call in lowered.layers[site.layer].calls)
        for site, option in chosen.items()
        if option.encoding
    }
    too_much = {
        layer: _less(size, planned.in_use[layer] - limit)
        for layer, size in scratch.items()
        if planned.in_use[layer] > limit
    }
    if too_much:
        return too_much
    # It would fit, but not with what lives before and after: the largest one above the limit, or beside a
    # tensor that had to go there, makes room.
    ends = {
        tensor: offset + lowered.graph.tensors[tensor].nbytes for tensor, offset in planned.offsets.items()
    }
    above = {
        layer: max(
            planned.scratch.get(layer, 0) + size, *(ends.get(one, 0) for one in _tensors(lowered, layer))
        )
        for layer, size in scratch.items()
    }
    high = [layer for layer in scratch if above[layer] > limit] or list(scratch)
    largest = max(high, key=scratch.__getitem__)
    return {largest: _less(scratch[largest], max(above[largest] - limit, _SMALLEST_STEP))}


def _less(size: int, by: int) -> int:
    """What a layer may try with next; below nothing where it had none, so that it gives its kernel up."""
    return max(0, size - by) if size > 0 else -1


def _tensors(lowered: Lowered, layer: int) -> list[int]:
    calls = lowered.layers[layer].calls
    return [item for call in calls for item in (*call.inputs, *call.outputs) if isinstance(item, int)]
