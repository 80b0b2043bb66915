"""The stage between lowering and planning: layers whose weights are packed in flash, and why others are not.

What is unpacked needs memory: what the plan has free at that layer, and up to ``EXTRA_RAM`` bytes more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import cast

from edgesqueeze.emit.native.lower.graph import Lowered
from edgesqueeze.emit.native.packing.choose import BALANCE_SHARE, Option, choose, flash_bytes, total
from edgesqueeze.emit.native.packing.code import linked_by
from edgesqueeze.emit.native.packing.copied import COPY
from edgesqueeze.emit.native.packing.cost import (
    FACTORED_CORES,
    layer_instructions,
    other_instructions,
)
from edgesqueeze.emit.native.packing.document import LayerPacking
from edgesqueeze.emit.native.packing.encoding import Encoding
from edgesqueeze.emit.native.packing.excess import excess_of
from edgesqueeze.emit.native.packing.sites import (
    PARAMETER_BYTES,
    Site,
    packed_call,
    packed_functions,
    plain_functions,
    scratch_bytes,
    sites_of,
)
from edgesqueeze.emit.native.packing.skipping import SKIPPING, Skipping
from edgesqueeze.emit.native.packing.sparse import SPARSE, Sparse
from edgesqueeze.emit.native.packing.table import ENCODINGS, PLAIN
from edgesqueeze.emit.native.packing.terms import Terms
from edgesqueeze.emit.native.packing.waiting import passes_of, waiting
from edgesqueeze.emit.native.plan import Plan, plan
from edgesqueeze.emit.native.records import Call

EXTRA_RAM = 4096
"""Bytes by which the arena may grow for what is unpacked."""

_GROWTHS = (0, EXTRA_RAM // 4, EXTRA_RAM)  # that are tried
_RAM_PRICE = 0.25  # bytes of flash that a byte of the arena's growth must save

SPARSE_PARAMETER_BYTES = 4
"""By which the description of a layer that skips zeros is longer than a plain one's, on a 32-bit core."""

_MOST_PLANS = 16  # plans that are tried until what is unpacked fits


@dataclass(frozen=True, eq=False)
class Packed:
    """Layers and plan after the choice.

    Attributes:
        lowered: the layers, some of their calls with packed weights.
        plan: places of tensors and scratch memory.
        layers: layer index -> how its weights are stored; for layers whose weights could be packed.
    """

    lowered: Lowered
    plan: Plan
    layers: Mapping[int, LayerPacking]


def pack(lowered: Lowered, terms: Terms) -> Packed:
    """Choose how the weights of every layer are stored, and plan the memory.

    The arena grows only where that saves flash, at least a byte for every four.
    """
    plain = plan(lowered, terms.kernel_set)
    sites = list(sites_of(lowered, terms.kernel_set))
    if not sites:
        return Packed(lowered, plain, _reports({site: _plain(site, terms) for site in sites}, {}, terms))
    terms = replace(terms, linked=_linked(lowered, sites, terms.kernel_set))
    most = plain.arena_bytes + EXTRA_RAM if terms.ram_bytes is None else terms.ram_bytes
    limits = {max(plain.arena_bytes, min(plain.arena_bytes + growth, most)) for growth in _GROWTHS}
    ways = [terms, replace(terms, sorted_weights=False)] if terms.core in FACTORED_CORES else [terms]
    ways += [replace(way, alone=True) for way in ways]
    tried = [_within(lowered, plain, sites, bytes_, way) for bytes_ in sorted(limits) for way in ways]
    fastest = min(one.instructions for one in tried)
    share = {"time": 0.0, "size": float("inf"), "balance": BALANCE_SHARE}[terms.optimize]
    limit = fastest + share * _plain_instructions(lowered, sites, terms)
    return min((one for one in tried if one.instructions <= limit), key=lambda one: one.memory).packed


def _linked(lowered: Lowered, sites: Sequence[Site], kernel_set: str) -> frozenset[str]:
    """Files of C that layers need whose weights cannot be packed."""
    places = {(site.layer, site.position) for site in sites}
    functions = {
        name
        for layer in lowered.layers
        for position, call in enumerate(layer.calls)
        if (layer.index, position) not in places
        for name in (call.function, *call.helpers)
    }
    return frozenset(linked_by(tuple(sorted(functions)), kernel_set))


@dataclass(frozen=True, eq=False)
class _Result:
    """A choice: bytes that its flash and RAM are worth, and instructions of layers with weights."""

    memory: float
    instructions: float
    packed: Packed


def _plain_instructions(lowered: Lowered, sites: Sequence[Site], terms: Terms) -> float:
    """Instructions of the whole model with plain weights, without waiting for flash."""
    machine = terms.machine
    places = {(site.layer, site.position) for site in sites}
    others = other_instructions(lowered, places, machine)
    return others + sum(site.images * layer_instructions(site, machine) for site in sites)


def _within(lowered: Lowered, plain: Plan, sites: Sequence[Site], limit: int, terms: Terms) -> _Result:
    """The choice for an arena of at most so many bytes."""
    rooms = {site.layer: limit for site in sites}
    found = None
    for _ in range(_MOST_PLANS):
        found, excess = _attempt(lowered, sites, rooms, limit, terms)
        if not excess:
            break
        rooms.update(excess)
    else:
        found = None
    if found is None:
        nothing = {site: _plain(site, terms) for site in sites}
        found = nothing, Packed(lowered, plain, _reports(nothing, rooms, terms))
    chosen, packed = _with_larger_parts(found, lowered, sites, rooms, limit, terms)
    memory = _flash(chosen, terms) + _RAM_PRICE * packed.plan.arena_bytes
    return _Result(memory, total(chosen.values()), packed)


def _attempt(
    lowered: Lowered, sites: Sequence[Site], rooms: Mapping[int, int], limit: int, terms: Terms
) -> tuple[tuple[dict[Site, Option], Packed], dict[int, int]]:
    """A choice and its plan, and what to give up where it takes more than the limit."""
    chosen = _choose(lowered, sites, rooms, terms)
    changed = _changed(lowered, chosen, terms.kernel_set)
    planned = plan(changed, terms.kernel_set)
    excess = excess_of(changed, planned, chosen, limit)
    return (chosen, Packed(changed, planned, _reports(chosen, rooms, terms))), excess


def _with_larger_parts(
    found: tuple[dict[Site, Option], Packed],
    lowered: Lowered,
    sites: Sequence[Site],
    rooms: dict[int, int],
    limit: int,
    terms: Terms,
) -> tuple[dict[Site, Option], Packed]:
    """The same with layers as a whole that had to give way to one that gave way itself later."""
    sizes = {site.layer: site.weights.size for site in sites}
    reduced = sorted((one for one, room in rooms.items() if room < limit), key=lambda one: -sizes[one])
    for layer in reduced[:_MOST_PLANS]:
        attempt, excess = _attempt(lowered, sites, {**rooms, layer: limit}, limit, terms)
        if not excess:
            rooms[layer], found = limit, attempt
    return found


def _flash(chosen: Mapping[Site, Option], terms: Terms) -> int:
    """Bytes of flash, of weights that layers share once, with the code that is linked."""
    linked = replace(terms, alone=False)
    options = {
        site.key: replace(option, code=linked.code(_functions(site, option)))
        for site, option in chosen.items()
    }
    return flash_bytes(options.values())


def _functions(site: Site, option: Option) -> tuple[str, ...]:
    """What the call of a layer needs linked."""
    if option.encoding is None or option.encoding is COPY:
        return plain_functions(site)
    if isinstance(option.encoding, Encoding):
        return packed_functions(site, option.encoding)
    return cast(Skipping | Sparse, option.encoding).functions


def _choose(
    lowered: Lowered, sites: Sequence[Site], rooms: Mapping[int, int], terms: Terms
) -> dict[Site, Option]:
    """An option for every site; sites of the same weights get the same one, so that these are stored once."""
    groups: dict[tuple[bytes, bool, str], list[Site]] = {}
    for site in sites:
        groups.setdefault(site.key, []).append(site)
    options = [_options(group, rooms, terms) for group in groups.values()]
    places = {(site.layer, site.position) for site in sites}
    others = other_instructions(lowered, places, terms.machine)
    found = choose(options, others, terms.optimize, _plain_instructions(lowered, sites, terms))
    return {site: one for group, one in zip(groups.values(), found, strict=True) for site in group}


def _options(group: Sequence[Site], rooms: Mapping[int, int], terms: Terms) -> list[Option]:
    plain = [_plain(site, terms) for site in group]
    instructions = sum(one.instructions for one in plain)
    options = [Option(None, 0, plain[0].bytes, instructions, terms.code(plain_functions(group[0])))]
    for encoding in (*ENCODINGS.values(), *((COPY,) if terms.wait_states else ())):
        sizes = [_part_outputs(site, encoding, rooms[site.layer], terms.kernel_set) for site in group]
        if min(sizes) > 0:
            option = _packed(group, encoding, min(sizes), terms)
            options += [option] if option else []
    sparse = (_sparse(group, row, rooms, terms) for row in SPARSE.get(group[0].kind, ()))
    options += [option for option in sparse if option][:1]  # the first is the smallest
    skipping = (_skipping(group, row, rooms, terms) for row in SKIPPING.get(group[0].kind, ()))
    return [*options, *(option for option in skipping if option)]


def _skipping(group: Sequence[Site], row: Skipping, rooms: Mapping[int, int], terms: Terms) -> Option | None:
    """A kernel of ``SKIPPING``, where the core uses it and there is room for its scratch memory."""
    kernel_set, site = terms.kernel_set, group[0]
    machine = terms.machine
    if machine not in row.costs:
        return None
    if row.cores and not (terms.sorted_weights and terms.core in row.cores):
        return None
    if site.rows is None or row.stored(site, site.outputs, kernel_set) is None:
        return None
    room = min(rooms[one.layer] for one in group)
    unit = row.part_unit(site)
    smaller = range((site.outputs - 1) // unit * unit, 0, -unit) if unit else ()
    fitting = (
        size
        for size in (site.outputs, *smaller)
        if max(row.scratch(one, size, kernel_set) for one in group) <= room
    )
    part_outputs = next(fitting, 0)
    if part_outputs == 0:
        return None
    stored = cast(int, row.stored(site, part_outputs, kernel_set)) + row.parameter_bytes() * len(group)
    instructions = sum(one.images * row.instructions(one, part_outputs, machine) for one in group)
    passes = site.images if unit else passes_of(site, kernel_set)
    instructions += _waiting(group, stored, passes, terms)
    return Option(row, part_outputs, stored, instructions, terms.code(row.functions, row.name))


def _sparse(group: Sequence[Site], sparse: Sparse, rooms: Mapping[int, int], terms: Terms) -> Option | None:
    """A kernel that skips zeros, where the set has it and there is room for its scratch memory."""
    kernel_set, site = terms.kernel_set, group[0]
    if terms.machine not in sparse.costs:
        return None
    if kernel_set == "reference" and sparse.cores and terms.core not in sparse.cores:
        return None
    if any(sparse.scratch[kernel_set](one) > rooms[one.layer] for one in group):
        return None
    stream = sparse.stream(site, kernel_set)
    if stream is None:
        return None
    instructions = sum(one.images * sparse.instructions(one, terms.machine) for one in group)
    instructions += _waiting(group, len(stream), passes_of(site, kernel_set), terms)
    size = len(stream) + SPARSE_PARAMETER_BYTES * len(group)
    return Option(sparse, site.outputs, size, instructions, terms.code(sparse.functions, sparse.name))


def _plain(site: Site, terms: Terms) -> Option:
    machine = terms.machine
    instructions = site.images * layer_instructions(site, machine)
    size = int(site.weights.size)
    return Option(
        None, 0, size, instructions + _waiting([site], size, passes_of(site, terms.kernel_set), terms)
    )


def _waiting(group: Sequence[Site], size: int, passes: int, terms: Terms) -> float:
    """What waiting for flash takes in layers that share so many bytes of weights, in instructions."""
    return len(group) * waiting(size, passes, terms.wait_states)


def _packed(group: Sequence[Site], encoding: Encoding, part_outputs: int, terms: Terms) -> Option | None:
    site = group[0]
    parts = site.parts(part_outputs)
    stream = site.encoded(encoding, parts, terms.kernel_set)
    if stream is None:
        return None
    machine = terms.machine
    unpacking = encoding.cost(machine, site.pairs).instructions(
        parts=len(parts), weights=site.weights.size, units=encoding.units(site.weights)
    )
    instructions = sum(
        one.images * (layer_instructions(one, machine, len(parts)) + unpacking) for one in group
    )
    instructions += _waiting(group, len(stream), site.images, terms)
    if encoding is COPY:  # what it adds does not count
        return Option(encoding, part_outputs, len(stream), instructions, terms.code(plain_functions(site)))
    size = len(stream) + PARAMETER_BYTES * len(group)
    code = terms.code(packed_functions(site, encoding), encoding.name)
    return Option(encoding, part_outputs, size, instructions, code)


def _part_outputs(site: Site, encoding: Encoding, room: int, kernel_set: str) -> int:
    """Output channels that can be unpacked at a time in so many bytes; 0: not even the smallest part."""
    if scratch_bytes(site, encoding, site.outputs, kernel_set) <= room:
        return site.outputs
    if not site.unit:
        return 0
    largest = (site.outputs - 1) // site.unit * site.unit
    fitting = (
        size
        for size in range(largest, 0, -site.unit)
        if scratch_bytes(site, encoding, size, kernel_set) <= room
    )
    return next(fitting, 0)


def _changed(lowered: Lowered, chosen: Mapping[Site, Option], kernel_set: str) -> Lowered:
    """The layers with packed calls in the place of plain ones."""
    calls: dict[tuple[int, int], Call] = {}
    for site, option in chosen.items():
        if isinstance(option.encoding, Encoding):
            call = packed_call(site, option.encoding, option.part_outputs, kernel_set)
            calls[site.layer, site.position] = cast(Call, call)
        elif isinstance(option.encoding, Sparse):
            calls[site.layer, site.position] = cast(Call, option.encoding.call(site, kernel_set))
        elif option.encoding:
            skipping = cast(Skipping, option.encoding)
            calls[site.layer, site.position] = skipping.call(site, option.part_outputs, kernel_set)
    layers = tuple(
        replace(
            layer,
            calls=tuple(
                calls.get((layer.index, position), call) for position, call in enumerate(layer.calls)
            ),
        )
        for layer in lowered.layers
    )
    return replace(lowered, layers=layers)


def _reports(
    chosen: Mapping[Site, Option], rooms: Mapping[int, int], terms: Terms
) -> Mapping[int, LayerPacking]:
    return MappingProxyType(
        {site.layer: _report(site, option, rooms.get(site.layer), terms) for site, option in chosen.items()}
    )


def _report(site: Site, option: Option, room: int | None, terms: Terms) -> LayerPacking:
    plain = int(site.weights.size)
    if option.encoding is None:
        short = room is not None and not any(
            _part_outputs(site, one, room, terms.kernel_set) for one in ENCODINGS.values()
        )
        left = max(0, room or 0)
        note = f"{left:,} bytes of RAM are left to unpack into, which is too little" if short else ""
        return LayerPacking(encoding=PLAIN, bytes=plain, plain_bytes=plain, note=note)
    if isinstance(option.encoding, Sparse):
        used = option.bytes - SPARSE_PARAMETER_BYTES
        return LayerPacking(encoding=option.encoding.name, bytes=used, plain_bytes=plain)
    if not isinstance(option.encoding, Encoding):
        return _skipping_report(site, cast(Skipping, option.encoding), option.part_outputs, terms)
    parts = site.parts(option.part_outputs)
    stream = site.encoded(option.encoding, parts, terms.kernel_set)
    assert stream is not None
    cost = option.encoding.cost(terms.machine, site.pairs)
    spent = cost.instructions(parts=len(parts), weights=plain, units=option.encoding.units(site.weights))
    return LayerPacking(
        encoding=option.encoding.name,
        bytes=len(stream),
        plain_bytes=plain,
        parts=len(parts),
        unpack_instructions=round(site.images * spent / plain, 2),
    )


def _skipping_report(site: Site, row: Skipping, part_outputs: int, terms: Terms) -> LayerPacking:
    plain = int(site.weights.size)
    spent = row.unpacking(site, part_outputs, terms.machine)
    return LayerPacking(
        encoding=row.name,
        bytes=cast(int, row.stored(site, part_outputs, terms.kernel_set)),
        plain_bytes=plain,
        parts=-(-site.outputs // part_outputs) if spent else 0,
        unpack_instructions=round(site.images * spent / plain, 2),
    )
