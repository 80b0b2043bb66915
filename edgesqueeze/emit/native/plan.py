"""A place in the arena for every tensor and all scratch memory, at generation time.

Tensors that live at different times share memory. Beyond that, an output may lie over an input that is not
needed any more, as far as the kernel reads ahead of what it writes (``Call.overlap``). The planner tries
several orders of placing, and keeps the smallest arena. Layers of a chain that run by turns count as one
layer: of the tensors between them only some rows are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgesqueeze.emit.coverage import Coverage
from edgesqueeze.emit.native.borders import HELD, is_held
from edgesqueeze.emit.native.kernels import ALIGNMENT
from edgesqueeze.emit.native.lower.graph import Lowered, roots_of
from edgesqueeze.emit.native.place import EXACT, Buffer, best_offsets, bytes_alive, peak_of
from edgesqueeze.emit.native.records import Call
from edgesqueeze.emit.native.rows.schedule import schedule_of
from edgesqueeze.emit.native.rows.stages import Chain
from edgesqueeze.emit.places import SCRATCH, Place
from edgesqueeze.emit.rounding import round_up
from edgesqueeze.graph import Graph

SCRATCH_ALIGNMENT = 16


@dataclass(frozen=True)
class Plan:
    """Where everything lies.

    Attributes:
        offsets: tensor index -> bytes from the start of the arena.
        scratch: layer index -> bytes from the start of the arena, for layers with scratch memory.
        arena_bytes: size of the arena in bytes, a multiple of 16.
        live_bytes: the largest sum of tensors and scratch memory in use at one time, in bytes; outputs over
            inputs can make the arena smaller than that.
        in_use: layer by layer the bytes of the arena that are in use.
        state_bytes: bytes of the tensors that outlive an inference.
        places: the same by what lies there and when, for a person.
    """

    offsets: dict[int, int]
    scratch: dict[int, int]
    arena_bytes: int
    live_bytes: int
    in_use: tuple[int, ...]
    state_bytes: int = 0
    places: tuple[Place, ...] = ()


def plan(lowered: Lowered, kernel_set: str) -> Plan:
    """Place all tensors that the layers of a model read and write."""
    graph, layers = lowered.graph, lowered.layers
    roots = roots_of(lowered.placements)
    buffers, overlaps = buffers_of(lowered, kernel_set)
    tensors = len(graph.tensors)
    offsets = best_offsets(buffers, overlaps)
    times = lowered.times
    scratch = {index - tensors: offset for index, offset in offsets.items() if index >= tensors}
    at = [times.get(layer.index, layer.index) for layer in layers]
    in_use = _in_use(buffers, offsets, len(layers))
    placed = {
        tensor: offsets[root] + offset for tensor, (root, offset) in roots.items() if root in offsets
    } | {tensor: offset for tensor, offset in offsets.items() if tensor < tensors}
    return Plan(
        offsets=placed,
        scratch={index: scratch[time] for index, time in enumerate(at) if time in scratch},
        arena_bytes=round_up(peak_of(buffers, offsets), SCRATCH_ALIGNMENT),
        live_bytes=max(bytes_alive(buffers).values(), default=0),
        in_use=tuple(in_use[time] for time in at),
        state_bytes=sum(state.first.bytes for state in lowered.states),
        places=tuple(_places(graph, buffers, offsets)),
    )


def buffers_of(lowered: Lowered, kernel_set: str) -> tuple[dict[int, Buffer], dict[tuple[int, int], int]]:
    """What needs a place, and which of it may lie over what.

    Returns:
        Tensor, or the number of tensors plus a layer for its scratch memory -> size and life; and what
        `place.Overlaps` is. A chain's tensors live at the time of its first layer.
    """
    graph, times = lowered.graph, lowered.times
    roots = roots_of(lowered.placements)
    schedules = [schedule_of(chain) for chain in lowered.chains]
    sizes = {
        stage.output: held * stage.out_row
        for chain, schedule in zip(lowered.chains, schedules, strict=True)
        for stage, held in zip(chain.stages, schedule.held, strict=False)
    }
    buffers: dict[int, Buffer] = {}
    for tensor, (first, last) in _lifetimes(lowered, roots).items():
        size = sizes.get(tensor, graph.tensors[tensor].nbytes)
        buffers[tensor] = Buffer(size, first, last, ALIGNMENT[kernel_set])
    overlaps = _overlaps(lowered, roots, buffers)
    for chain, schedule in zip(lowered.chains, schedules, strict=True):
        overlaps |= _chain_overlaps(lowered, chain, schedule.distances, roots, buffers)
    scratch: dict[int, int] = {}
    for layer in lowered.layers:
        size = max((call.scratch_bytes or 0 for call in layer.calls), default=0)
        time = times.get(layer.index, layer.index)
        scratch[time] = max(scratch.get(time, 0), size)
    for time, size in scratch.items():
        if size:
            buffers[len(graph.tensors) + time] = Buffer(size, time, time, SCRATCH_ALIGNMENT)
    return buffers, overlaps


def _chain_overlaps(
    lowered: Lowered,
    chain: Chain,
    distances: Mapping[int, int],
    roots: dict[int, tuple[int, int]],
    buffers: dict[int, Buffer],
) -> dict[tuple[int, int], int]:
    """How a chain's output may lie over what it reads whole, where nothing else needs that."""
    out = _whole(chain.stages[-1].output, roots, lowered.graph)
    if out is None or buffers[out].first != chain.first:
        return {}
    found: dict[tuple[int, int], int] = {}
    for tensor, distance in distances.items():
        source = _whole(tensor, roots, lowered.graph)
        alone = sum(roots.get(one, (one, 0))[0] == source for one in distances) == 1
        if source is not None and source != out and alone and buffers[source].last == chain.first:
            found[source, out] = distance
    return found


def _places(graph: Graph, buffers: dict[int, Buffer], offsets: dict[int, int]) -> Iterator[Place]:
    for index, offset in offsets.items():
        name = graph.tensors[index].label if index < len(graph.tensors) else SCRATCH
        yield Place(name, offset, buffers[index].size, buffers[index].first, buffers[index].last)


def _lifetimes(lowered: Lowered, roots: dict[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """Root tensor in the arena -> first and last layer that use it."""
    graph, lives = lowered.graph, dict[int, tuple[int, int]]()
    times = lowered.times

    def use(tensor: int, time: int) -> None:
        root = roots.get(tensor, (tensor, 0))[0]
        first, last = lives.get(root, (time, time))
        lives[root] = (min(first, time), max(last, time))

    for layer in lowered.layers:
        time = times.get(layer.index, layer.index)
        for call in layer.calls:
            for tensor in _arena_inputs(call, layer.index, lowered):
                use(tensor, time)
            if layer.index not in lowered.exit:
                for tensor in call.outputs:
                    use(tensor, time)
    for tensor in graph.inputs:
        if is_held(graph, tensor):
            use(tensor, -1)
    # What layers that convert outputs read must stay until the caller asks for it.
    for index in lowered.exit:
        for call in lowered.layers[index].calls:
            for tensor in _arena_inputs(call, index, lowered):
                use(tensor, len(lowered.layers))
    converted = {
        item for index in lowered.exit for call in lowered.layers[index].calls for item in call.outputs
    }
    for tensor in graph.outputs:
        if graph.tensors[tensor].dtype in HELD and tensor not in converted:
            use(tensor, len(lowered.layers))
    for state in lowered.states:
        use(state.tensor, -1)
        use(state.tensor, len(lowered.layers))
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
    apart = lowered.entry | lowered.exit | lowered.times.keys()
    for layer in lowered.layers:
        if layer.index in apart or not layer.calls:
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
            distance = None if source is None else _distance(call, position, source, out, graph)
            if source is None or source == out or distance is None:
                continue
            # Another operand may be the same memory, or a part of it, and read it in another order.
            others = (*call.inputs[:position], *call.inputs[position + 1 :])
            others += tuple(item for later in layer.calls[1:] for item in later.inputs)
            if any(isinstance(item, int) and roots.get(item, (item, 0))[0] == source for item in others):
                continue
            if buffers[source].last == layer.index == buffers[out].first:
                pairs[source, out] = distance
    return pairs


def _distance(call: Call, position: int, source: int, output: int, graph: Graph) -> int | None:
    """Bytes that a call's input must lie behind its output's start, or ``EXACT``; None: apart.

    Where an image of the output is larger than one of the input, the last ones are closest.
    """
    grown = (graph.tensors[output].nbytes - graph.tensors[source].nbytes) // call.images
    if position in call.overlap:
        return call.overlap[position] + (call.images - 1) * max(0, grown)
    return EXACT if position in call.in_place and (call.images == 1 or grown == 0) else None


def _whole(tensor: int, roots: dict[int, tuple[int, int]], graph: Graph) -> int | None:
    """The root of a tensor that fills all of its root."""
    root, _ = roots.get(tensor, (tensor, 0))
    return root if graph.tensors[root].elements == graph.tensors[tensor].elements else None


def _in_use(buffers: dict[int, Buffer], offsets: dict[int, int], layers: int) -> tuple[int, ...]:
    """Layer by layer the bytes that buffers cover; where they overlap, once."""
    pieces = {index: (offsets[index], offsets[index] + buffer.size) for index, buffer in buffers.items()}
    begins: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for index, buffer in buffers.items():
        # What only the caller uses, before the first layer, is in use at none.
        if buffer.last >= 0:
            begins.setdefault(max(buffer.first, 0), []).append(index)
        ends.setdefault(buffer.last, []).append(index)
    coverage = Coverage(edge for piece in pieces.values() for edge in piece)
    found = []
    for layer in range(layers):
        for index in begins.get(layer, ()):
            coverage.add(*pieces[index])
        found.append(coverage.bytes)
        for index in ends.get(layer, ()):
            coverage.remove(*pieces[index])
    return tuple(found)
