"""A place in the arena for every tensor and all scratch memory, at generation time.

Tensors that live at different times share memory. Beyond that, an output may lie over an input that is not
needed any more, as far as the kernel reads ahead of what it writes (``Call.overlap``). The planner tries
several orders of placing the largest first, and keeps the smallest arena.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from edgesqueeze.emit.native.kernels import ALIGNMENT
from edgesqueeze.emit.native.lower import Lowered
from edgesqueeze.emit.native.records import Call
from edgesqueeze.graph import Graph

WORK = 1_000_000
"""Comparisons of two buffers that the search may take; about a second."""
MOST_ATTEMPTS = 400
SCRATCH_ALIGNMENT = 16
EXACT = -1
"""Distance that stands for: at the same address only."""


@dataclass(frozen=True)
class Buffer:
    """A piece of memory and when it is in use.

    Attributes:
        size: bytes.
        first: the layer that writes it first; -1: the caller does.
        last: the last layer that reads it; the number of layers: the caller does.
        alignment: bytes.
    """

    size: int
    first: int
    last: int
    alignment: int


@dataclass(frozen=True)
class Plan:
    """Where everything lies.

    Attributes:
        offsets: tensor index -> bytes from the start of the arena.
        scratch: layer index -> bytes from the start of the arena, for layers with scratch memory.
        arena_bytes: size of the arena, a multiple of 16.
        live_bytes: the largest sum of tensors and scratch memory in use at one time; outputs over inputs
            can make the arena smaller than that.
        in_use: layer by layer the bytes of the arena that are in use.
    """

    offsets: dict[int, int]
    scratch: dict[int, int]
    arena_bytes: int
    live_bytes: int
    in_use: tuple[int, ...]


def plan(lowered: Lowered, kernel_set: str) -> Plan:
    """Place all tensors that the layers of a model read and write."""
    graph, layers = lowered.graph, lowered.layers
    roots = _roots(lowered)
    buffers: dict[int, Buffer] = {}
    for tensor, (first, last) in _lifetimes(lowered, roots).items():
        buffers[tensor] = Buffer(graph.tensors[tensor].elements, first, last, ALIGNMENT[kernel_set])
    overlaps = _overlaps(lowered, roots, buffers)
    tensors = len(graph.tensors)
    for layer in layers:
        size = max((call.scratch_bytes or 0 for call in layer.calls), default=0)
        if size:
            buffers[tensors + layer.index] = Buffer(size, layer.index, layer.index, SCRATCH_ALIGNMENT)
    offsets = _best(buffers, overlaps)
    placed = {
        tensor: offsets[root] + offset for tensor, (root, offset) in roots.items() if root in offsets
    } | {tensor: offset for tensor, offset in offsets.items() if tensor < tensors}
    return Plan(
        offsets=placed,
        scratch={index - tensors: offset for index, offset in offsets.items() if index >= tensors},
        arena_bytes=_round_up(_peak(buffers, offsets), SCRATCH_ALIGNMENT),
        live_bytes=_largest_live(buffers, len(layers)),
        in_use=tuple(_in_use(buffers, offsets, layer.index) for layer in layers),
    )


def _roots(lowered: Lowered) -> dict[int, tuple[int, int]]:
    """Tensor -> the tensor in whose memory it lies in the end, and at which byte."""
    direct = {placement.tensor: (placement.whole, placement.offset) for placement in lowered.placements}
    roots = {}
    for tensor in direct:
        whole, offset = tensor, 0
        while whole in direct:
            whole, further = direct[whole]
            offset += further
        roots[tensor] = (whole, offset)
    return roots


def _lifetimes(lowered: Lowered, roots: dict[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Root tensor in the arena -> first and last layer that use it."""
    graph, lives = lowered.graph, dict[int, tuple[int, int]]()

    def use(tensor: int, time: int) -> None:
        root = roots.get(tensor, (tensor, 0))[0]
        first, last = lives.get(root, (time, time))
        lives[root] = (min(first, time), max(last, time))

    for layer in lowered.layers:
        for call in layer.calls:
            for tensor in _arena_inputs(call, layer.index, lowered):
                use(tensor, layer.index)
            if layer.index not in lowered.exit:
                for tensor in call.outputs:
                    use(tensor, layer.index)
    for tensor in graph.inputs:
        if graph.tensors[tensor].dtype == "int8":
            use(tensor, -1)
    # What layers that convert outputs read must stay until the caller asks for it.
    for index in lowered.exit:
        for call in lowered.layers[index].calls:
            for tensor in _arena_inputs(call, index, lowered):
                use(tensor, len(lowered.layers))
    for tensor in graph.outputs:
        if graph.tensors[tensor].dtype == "int8":
            use(tensor, len(lowered.layers))
    # Inputs that are converted one after the other must all be kept until the first real layer.
    for index in lowered.entry:
        for call in lowered.layers[index].calls:
            for tensor in call.outputs:
                use(tensor, -1)
    return lives


def _arena_inputs(call: Call, layer: int, lowered: Lowered) -> list[int]:
    if layer in lowered.entry:
        return []
    return [tensor for tensor in call.inputs if isinstance(tensor, int)]


def _overlaps(
    lowered: Lowered, roots: dict[int, tuple[int, int]], buffers: dict[int, Buffer]
) -> dict[tuple[int, int], int]:
    """(input, output) -> bytes that the input must lie behind the output's start, or ``EXACT``.

    Only between whole buffers, and only where the input is not needed after the layer.
    """
    graph = lowered.graph
    pairs: dict[tuple[int, int], int] = {}
    for layer in lowered.layers:
        if layer.index in lowered.entry or layer.index in lowered.exit or not layer.calls:
            continue
        call = layer.calls[0]
        out = _whole(call.outputs[0], roots, graph)
        if (
            out is None
            or len(call.outputs) > 1
            or any(later.outputs != call.outputs for later in layer.calls)
        ):
            continue
        for position, tensor in enumerate(call.inputs):
            source = _whole(tensor, roots, graph) if isinstance(tensor, int) else None
            allowed = position in call.overlap or position in call.in_place
            if source is None or source == out or not allowed or call.inputs.count(tensor) > 1:
                continue
            read_later = any(tensor in later.inputs for later in layer.calls[1:])
            if buffers[source].last == layer.index == buffers[out].first and not read_later:
                pairs[source, out] = call.overlap.get(position, EXACT)
    return pairs


def _whole(tensor: int, roots: dict[int, tuple[int, int]], graph: Graph) -> int | None:
    """The root of a tensor that fills all of its root."""
    root, _ = roots.get(tensor, (tensor, 0))
    return root if graph.tensors[root].elements == graph.tensors[tensor].elements else None


def _best(buffers: dict[int, Buffer], overlaps: dict[tuple[int, int], int]) -> dict[int, int]:
    """Offsets with the smallest peak that was found."""
    order = sorted(buffers, key=lambda index: (-buffers[index].size, buffers[index].first))
    goal = _lower_bound(buffers, overlaps)
    together = _together(buffers)
    best = _place(order, buffers, overlaps, together)
    generator = random.Random(0)
    current = order
    pairs = sum(map(len, together.values())) + 1
    for attempt in range(min(MOST_ATTEMPTS, WORK // pairs)):
        if _peak(buffers, best) <= goal:
            break
        offsets = _place(current, buffers, overlaps, together)
        peak = _peak(buffers, offsets)
        if peak < _peak(buffers, best):
            best, order = offsets, current
        # Place earlier what reaches the peak; from time to time, something at random.
        highest = [index for index in current if offsets[index] + buffers[index].size == peak]
        moved = highest[0] if attempt % 3 else generator.choice(current)
        where = generator.randrange(current.index(moved) + 1) if current.index(moved) else 0
        base = current if attempt % 8 else order
        current = [index for index in base if index != moved]
        current.insert(where, moved)
    return best


def _together(buffers: dict[int, Buffer]) -> dict[int, list[int]]:
    """Buffer -> those that are in use at the same time."""
    return {
        index: [
            other
            for other, life in buffers.items()
            if other != index and life.first <= buffer.last and buffer.first <= life.last
        ]
        for index, buffer in buffers.items()
    }


def _place(
    order: Sequence[int],
    buffers: dict[int, Buffer],
    overlaps: dict[tuple[int, int], int],
    together: dict[int, list[int]],
) -> dict[int, int]:
    """Every buffer, in this order, at the lowest place that is free for all of its life."""
    offsets: dict[int, int] = {}
    for index in order:
        buffer = buffers[index]
        taken = [
            _forbidden(index, other, offsets[other], buffers, overlaps)
            for other in together[index]
            if other in offsets
        ]
        exact = [pin for _, _, pin in taken if pin >= 0]
        above = (_round_up(zone[1], buffer.alignment) for zone in taken)
        below = (zone[0] // buffer.alignment * buffer.alignment for zone in taken if zone[0] > 0)
        candidates = sorted({0, *above, *below, *exact})
        offsets[index] = next(
            place
            for place in candidates
            if all(place <= low or place >= high or place == pin for low, high, pin in taken)
        )
    return offsets


def _forbidden(
    index: int, other: int, place: int, buffers: dict[int, Buffer], overlaps: dict[tuple[int, int], int]
) -> tuple[int, int, int]:
    """Offsets between which ``index`` must not start, because of ``other`` at ``place``; and an exception."""
    size, other_size = buffers[index].size, buffers[other].size
    low, high, pin = place - size, place + other_size, -1
    as_input, as_output = overlaps.get((index, other)), overlaps.get((other, index))
    if EXACT in (as_input, as_output):
        pin = place
    elif as_input is not None:
        high = min(high, place + as_input)
    elif as_output is not None:
        low = max(low, place - as_output)
    return low, high, pin


def _lower_bound(buffers: dict[int, Buffer], overlaps: dict[tuple[int, int], int]) -> int:
    """No plan can be smaller: what lives at each layer, its input under its output as far as allowed."""
    bound = 0
    for time in {buffer.first for buffer in buffers.values()}:
        alive = [index for index, buffer in buffers.items() if buffer.first <= time <= buffer.last]
        total = sum(buffers[index].size for index in alive)
        saved = max(
            (
                _saved(buffers[source].size, buffers[out].size, distance)
                for (source, out), distance in overlaps.items()
                if source in alive and out in alive
            ),
            default=0,
        )
        bound = max(bound, total - saved)
    return bound


def _saved(source: int, out: int, distance: int) -> int:
    """Bytes that an input under an output spares."""
    return source + out - max(out, source + max(distance, 0))


def _peak(buffers: dict[int, Buffer], offsets: dict[int, int]) -> int:
    return max((offsets[index] + buffers[index].size for index in offsets), default=0)


def _in_use(buffers: dict[int, Buffer], offsets: dict[int, int], time: int) -> int:
    """Bytes that buffers of one time cover; where they overlap, once."""
    covered, end = 0, 0
    alive = [index for index, buffer in buffers.items() if buffer.first <= time <= buffer.last]
    for index in sorted(alive, key=offsets.__getitem__):
        start, stop = offsets[index], offsets[index] + buffers[index].size
        covered += max(0, stop - max(start, end))
        end = max(end, stop)
    return covered


def _largest_live(buffers: dict[int, Buffer], layers: int) -> int:
    return max(
        sum(buffer.size for buffer in buffers.values() if buffer.first <= time <= buffer.last)
        for time in range(-1, layers + 1)
    )


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
