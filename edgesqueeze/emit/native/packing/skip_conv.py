"""Convolutions that skip blocks of 2 outputs x 4 inputs: what they take and how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import cast

import numpy as np

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.overlap import overlap_distance
from edgesqueeze.emit.native.pack import dsp
from edgesqueeze.emit.native.packing import blocks
from edgesqueeze.emit.native.packing.cost import CHANNEL
from edgesqueeze.emit.native.packing.encoding import UnpackCost
from edgesqueeze.emit.native.packing.sites import (
    HEADER,
    PARAMETER_BYTES,
    RECORD_BYTES,
    Site,
    shape_of,
)
from edgesqueeze.emit.native.records import Blob, Call, Struct
from edgesqueeze.emit.rounding import round_up

_CHANNEL_BYTES = 16  # sizeof(es_channel)
_TABLE_BYTES = 512
_ALIGNMENT = 32
_MOST_PIXELS = (1 << 15) - 1


@dataclass(frozen=True)
class BlockCost:
    """Instructions of a convolution that skips blocks.

    Attributes:
        block: instructions for a stored block and a group of output pixels.
        pair: instructions for two output channels and a group of output pixels.
        input: instructions for an input value of every output pixel.
        group: instructions for a group of output pixels.
        unpack: what unpacking takes; its unit is a block.
    """

    block: float
    pair: float
    input: float
    group: float
    unpack: UnpackCost


GROUPS: Mapping[str, int] = MappingProxyType({"reference": 1, "dsp": dsp.CONV_PIXELS})
"""Kernel set -> output pixels that the kernel computes before it writes them."""


@dataclass(frozen=True)
class ConvBlocks:
    """``es_conv2d_blocks_s8``, on weights in flash or unpacked from a palette.

    Attributes:
        name: what reports call it.
        palette: whether blocks are stored as indices of 16 values, and unpacked.
        code_bytes: flash that its code takes, in bytes.
        costs: what it takes, by kernel set; only these sets use it.
    """

    name: str
    palette: bool
    code_bytes: int
    costs: Mapping[str, BlockCost]

    def stored(self, site: Site, part_outputs: int) -> int | None:
        """Bytes of the weights in flash; None: it cannot hold them."""
        found = _stored(site)
        if found is None:
            return None
        if not self.palette:
            return len(blocks.plain_stream(found))
        stream = blocks.palette_stream(found, part_outputs)
        return None if stream is None else len(stream)

    def parameter_bytes(self) -> int:
        """By which a layer's description is longer than a plain one's."""
        return PARAMETER_BYTES if self.palette else 0

    def part_unit(self, site: Site) -> int:
        """What parts are multiples of, in output channels; 0: nothing is unpacked."""
        return site.unit if self.palette else 0

    def scratch(self, site: Site, part_outputs: int, kernel_set: str) -> int:
        """Scratch memory in bytes."""
        return self._offsets(site, part_outputs, kernel_set)[2]

    def _offsets(self, site: Site, part_outputs: int, kernel_set: str) -> tuple[int, int, int]:
        """Where the table and the kernel's own scratch memory begin, and where they end, in bytes."""
        own = _own_scratch(replace(_shape(site), out_channels=min(part_outputs, site.outputs)), kernel_set)
        if not self.palette:
            return 0, 0, own
        found = _stored(site)
        assert found is not None
        table = round_up(blocks.memory_bytes(found, part_outputs), _ALIGNMENT)
        if part_outputs >= site.outputs:
            return table, table, table + max(_TABLE_BYTES, own)
        return table, table + _TABLE_BYTES, table + _TABLE_BYTES + own

    def unpacking(self, site: Site, part_outputs: int, kernel_set: str) -> float:
        """Instructions that unpacking takes."""
        if not self.palette:
            return 0.0
        parts = -(-site.outputs // part_outputs)
        cost = self.costs[kernel_set].unpack
        return cost.instructions(parts=parts, weights=0, units=_count(site))

    def instructions(self, site: Site, part_outputs: int, kernel_set: str) -> float:
        """Instructions of a layer in one inference, unpacking included."""
        cost = self.costs[kernel_set]
        groups, pairs = -(-site.pixels // GROUPS[kernel_set]), -(-site.outputs // blocks.OUTPUTS)
        parts = -(-site.outputs // part_outputs) if self.palette else 1
        once = groups * (cost.group + GROUPS[kernel_set] * site.taps * cost.input)
        return (
            self.unpacking(site, part_outputs, kernel_set)
            + groups * (_count(site) * cost.block + pairs * cost.pair)
            + parts * once
            + site.outputs * CHANNEL
        )

    def call(self, site: Site, part_outputs: int, kernel_set: str) -> Call:
        """The call that takes the place of one with plain weights."""
        found = _stored(site)
        assert found is not None
        shape, plain = _shape(site), cast(Struct, site.call.parameters)
        sizes = {
            "in_height": shape.in_height,
            "in_width": shape.in_width,
            "out_height": shape.out_height,
            "out_width": shape.out_width,
        }
        members = {**plain.members, **sizes}
        overlap = {
            0: overlap_distance(shape, GROUPS[kernel_set], shape.in_channels, shape.out_channels),
        }
        called = replace(
            site.call,
            header=HEADER,
            scratch_bytes=self.scratch(site, part_outputs, kernel_set),
            overlap=MappingProxyType(overlap),
        )
        if not self.palette:
            stream = np.frombuffer(blocks.plain_stream(found), np.int8)
            weights = Blob(stream, f"weights, {self.name}")
            parameters = Struct(plain.type_name, {**members, "weights": weights})
            return replace(called, function="es_conv2d_blocks_s8", parameters=parameters)
        layer = Struct(plain.type_name, {**members, "weights": None})
        return self._packed(called, site, layer, part_outputs, kernel_set)

    def _packed(self, called: Call, site: Site, layer: Struct, part_outputs: int, kernel_set: str) -> Call:
        found = _stored(site)
        assert found is not None
        stream = blocks.palette_stream(found, part_outputs)
        assert stream is not None
        several = part_outputs < site.outputs
        table, work, _ = self._offsets(site, part_outputs, kernel_set)
        channels = cast(Struct, layer.members["channels"])
        packed = Struct(
            "es_packed",
            {
                "unpack": "es_unpack_blocks_s8",
                "stream": Blob(np.frombuffer(stream, np.uint8), f"weights, {self.name}", alignment=16),
                "weights": site.outputs,
                "part_weights": min(part_outputs, site.outputs),
                "part_outputs": min(part_outputs, site.outputs),
                "record_bytes": RECORD_BYTES[str(channels.members["format"])],
                "table": table,
                "work": work,
            },
        )
        kernel = "es_conv2d_blocks_s8"
        return replace(
            called,
            function="es_packed_conv2d_s8",
            parameters=Struct("es_packed_conv2d", {"kernel": kernel, "layer": layer, "packed": packed}),
            overlap=MappingProxyType({}) if several else called.overlap,
            in_place=() if several else called.in_place,
            helpers=(kernel, "es_unpack_blocks_s8"),
        )


def _shape(site: Site) -> ConvShape:
    """The sizes of a convolution; of a pointwise one with all pixels in a row, which is faster."""
    shape = shape_of(site)
    if site.kind != "conv2d_1x1" or site.pixels > _MOST_PIXELS:
        return shape
    return replace(shape, in_height=1, in_width=site.pixels, out_height=1, out_width=site.pixels)


@lru_cache(maxsize=64)
def _stored(site: Site) -> list[blocks.Stored] | None:
    assert site.rows is not None
    return blocks.stored_blocks(site.rows, shape_of(site))


def _count(site: Site) -> int:
    """Blocks that are stored."""
    return sum(len(one.words) for one in _stored(site) or ())


def _own_scratch(shape: ConvShape, kernel_set: str) -> int:
    """``es_conv2d_blocks_s8_scratch_bytes``."""
    if kernel_set == "dsp":
        return dsp.conv2d_scratch(shape)
    return _CHANNEL_BYTES * shape.out_channels + 2 * shape.taps


_COSTS = MappingProxyType(
    {
        "dsp": BlockCost(
            block=19.4,
            pair=62,
            input=1.9,
            group=60,
            unpack=UnpackCost(once=870, part=150, weight=0, unit=14),
        )
    }
)

CONVOLUTIONS = (
    ConvBlocks("blocks", palette=False, code_bytes=2200, costs=_COSTS),
    ConvBlocks("palette-blocks", palette=True, code_bytes=2700, costs=_COSTS),
)
"""With weights as they stand in flash, and with weights that are unpacked first."""
