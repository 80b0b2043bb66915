"""Convolutions that skip blocks of zeros: what they take and how they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol, cast

import numpy as np

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.overlap import overlap_distance
from edgesqueeze.emit.native.pack import dsp, mve
from edgesqueeze.emit.native.packing import blocks, columns
from edgesqueeze.emit.native.packing.cost import CHANNEL
from edgesqueeze.emit.native.packing.encoding import Machine, UnpackCost, Weights
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
_ALIGNMENT = 32
_MOST_PIXELS = (1 << 15) - 1


class ConvCost(Protocol):
    """What a convolution takes."""

    @property
    def unpack(self) -> UnpackCost:
        """What unpacking takes; its unit is what ``units`` counts."""

    def units(self, stored: Sequence[Any]) -> int:
        """What the time of unpacking depends on."""

    def instructions(self, stored: Sequence[Any], site: Site, parts: int) -> float:
        """Instructions of a layer that is computed in so many parts, without unpacking."""


@dataclass(frozen=True)
class BlockCost:
    """Instructions of a convolution that skips blocks of 2 outputs x 4 inputs, three pixels at a time.

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

    def units(self, stored: Sequence[blocks.Stored]) -> int:
        """Blocks."""
        return sum(len(one.words) for one in stored)

    def instructions(self, stored: Sequence[blocks.Stored], site: Site, parts: int) -> float:
        """Instructions of a layer that is computed in so many parts, without unpacking."""
        groups = -(-site.pixels // dsp.CONV_PIXELS)
        once = groups * (self.group + dsp.CONV_PIXELS * site.taps * self.input)
        return groups * (self.units(stored) * self.block + len(stored) * self.pair) + parts * once


@dataclass(frozen=True)
class ColumnCost:
    """Instructions of a convolution that skips columns of 16 outputs, four pixels at a time.

    Attributes:
        step: instructions for 16 inputs of two outputs and four pixels, behind the first of them.
        gather: instructions for gathering 16 inputs of four pixels.
        four: instructions for four outputs and four pixels.
        group: instructions for 16 outputs and the pixels whose inputs are copied together.
        input: instructions for an input value of every output pixel, of a window of one.
        window: the same of larger windows, which share inputs.
        row: instructions for a column's pixel in a larger window.
        unpack: what unpacking takes; its unit is a weight.
    """

    step: float
    gather: float
    four: float
    group: float
    input: float
    window: float
    row: float
    unpack: UnpackCost

    def units(self, stored: Sequence[columns.Group]) -> int:
        """Weights."""
        return sum(one.weights.size for one in stored)

    def instructions(self, stored: Sequence[columns.Group], site: Site, parts: int) -> float:
        """Instructions of a layer that is computed in so many parts, without unpacking."""
        fours = -(-site.pixels // mve.CONV_PIXELS)
        batches = -(-site.pixels // mve.columns_batch(site.taps))
        inputs = self.input
        if site.kind != "conv2d_1x1":
            inputs = self.window + self.row / shape_of(site).in_channels
        found = parts * site.pixels * site.taps * inputs
        for one in stored:
            outputs, taps = one.weights.shape
            vectors = sum(-(-part.size // columns.VECTOR) for part in one.places)
            steps = -(-taps // columns.VECTOR) - 1
            multiplied = outputs / 2 * steps * self.step + outputs / 4 * self.four
            found += fours * (vectors * self.gather + multiplied) + batches * len(one.places) * self.group
        return found


@dataclass(frozen=True, eq=False)
class ConvLayout:
    """How a kernel wants the weights that it does not skip.

    Attributes:
        kernel: name of the kernel.
        unpacker: name of the C function that unpacks its weights from a palette.
        unit: what parts are multiples of, in output channels.
        stored: what is stored of weights, int8 ``[out, taps]``; None: the kernel cannot take them.
        plain: what the kernel reads.
        palette: what the unpacker reads, in parts of so many outputs, for the MVE set or for others; None:
            too many values.
        memory: bytes that the largest part of so many outputs takes when it is unpacked.
        table_bytes: scratch memory that the unpacker fills, by kernel set.
        scratch: the kernel's scratch memory in bytes, by kernel set.
        group: output pixels that the kernel computes before it writes them, by kernel set.
    """

    kernel: str
    unpacker: str
    unit: int
    stored: Callable[[Weights, ConvShape], Sequence[Any] | None]
    plain: Callable[[Sequence[Any]], bytes]
    palette: Callable[[Sequence[Any], int, bool], bytes | None]
    memory: Callable[[Sequence[Any], int], int]
    table_bytes: Mapping[str, int]
    scratch: Mapping[str, Callable[[ConvShape, Sequence[Any]], int]]
    group: Mapping[str, Callable[[ConvShape], int]]


@dataclass(frozen=True)
class SkippingConv:
    """A convolution that skips blocks, on weights in flash or unpacked from a palette.

    Attributes:
        name: what reports call it.
        layout: how its weights are stored.
        palette: whether they are stored as indices of 16 values, and unpacked.
        costs: what it takes, by machine; only these use it.
        cores: cores that use it; none: all of these machines.
    """

    name: str
    layout: ConvLayout
    palette: bool
    costs: Mapping[Machine, ConvCost]
    cores: frozenset[str] = frozenset()

    @property
    def functions(self) -> tuple[str, ...]:
        """What the call needs linked."""
        kernel = self.layout.kernel
        return ("es_packed_conv2d_s8", kernel, self.layout.unpacker) if self.palette else (kernel,)

    def stored(self, site: Site, part_outputs: int, kernel_set: str) -> int | None:
        """Bytes of the weights in flash; None: it cannot hold them."""
        stream = self._stream(site, part_outputs, kernel_set)
        return None if stream is None else len(stream)

    def _stream(self, site: Site, part_outputs: int, kernel_set: str) -> bytes | None:
        found = _stored(self.layout, site)
        if found is None:
            return None
        if not self.palette:
            return self.layout.plain(found)
        return self.layout.palette(found, part_outputs, kernel_set == "mve")

    def parameter_bytes(self) -> int:
        """By which a layer's description is longer than a plain one's."""
        return PARAMETER_BYTES if self.palette else 0

    def part_unit(self, site: Site) -> int:
        """What parts are multiples of, in output channels; 0: nothing is unpacked."""
        return self.layout.unit if self.palette and site.unit else 0

    def scratch(self, site: Site, part_outputs: int, kernel_set: str) -> int:
        """Scratch memory in bytes."""
        return self._offsets(site, part_outputs, kernel_set)[2]

    def _offsets(self, site: Site, part_outputs: int, kernel_set: str) -> tuple[int, int, int]:
        """Where the table and the kernel's own scratch memory begin, and where they end, in bytes."""
        shape = replace(shape_in_rows(site), out_channels=min(part_outputs, site.outputs))
        found = _stored(self.layout, site)
        assert found is not None
        own = self.layout.scratch[kernel_set](shape, found)
        if not self.palette:
            return 0, 0, own
        table = round_up(self.layout.memory(found, part_outputs), _ALIGNMENT)
        table_bytes = self.layout.table_bytes[kernel_set]
        if part_outputs >= site.outputs:
            return table, table, table + max(table_bytes, own)
        return table, table + table_bytes, table + table_bytes + own

    def unpacking(self, site: Site, part_outputs: int, machine: Machine) -> float:
        """Instructions that unpacking takes."""
        if not self.palette:
            return 0.0
        parts, cost = -(-site.outputs // part_outputs), self.costs[machine]
        units = cost.units(_stored(self.layout, site) or ())
        return cost.unpack.instructions(parts=parts, weights=site.macs // site.pixels, units=units)

    def instructions(self, site: Site, part_outputs: int, machine: Machine) -> float:
        """Instructions of a layer in one inference, unpacking included."""
        parts = -(-site.outputs // part_outputs) if self.palette else 1
        found = _stored(self.layout, site) or ()
        computing = self.costs[machine].instructions(found, site, parts)
        return self.unpacking(site, part_outputs, machine) + computing + site.outputs * CHANNEL

    def call(self, site: Site, part_outputs: int, kernel_set: str) -> Call:
        """The call that takes the place of one with plain weights."""
        stream = self._stream(site, part_outputs, kernel_set)
        assert stream is not None
        shape, plain = shape_in_rows(site), cast(Struct, site.call.parameters)
        sizes = {
            "in_height": shape.in_height,
            "in_width": shape.in_width,
            "out_height": shape.out_height,
            "out_width": shape.out_width,
        }
        members = {**plain.members, **sizes}
        overlap = {
            0: overlap_distance(
                shape, self.layout.group[kernel_set](shape), shape.in_channels, shape.out_channels
            ),
        }
        called = replace(
            site.call,
            header=HEADER,
            scratch_bytes=self.scratch(site, part_outputs, kernel_set),
            overlap=MappingProxyType(overlap),
        )
        if not self.palette:
            weights = Blob(np.frombuffer(stream, np.int8), f"weights, {self.name}")
            parameters = Struct(plain.type_name, {**members, "weights": weights})
            return replace(called, function=self.layout.kernel, parameters=parameters)
        layer = Struct(plain.type_name, {**members, "weights": None})
        offsets = self._offsets(site, part_outputs, kernel_set)
        return self._packed(called, layer, stream, min(part_outputs, site.outputs), offsets)

    def _packed(
        self, called: Call, layer: Struct, stream: bytes, part_outputs: int, offsets: tuple[int, int, int]
    ) -> Call:
        outputs = cast(int, layer.members["out_channels"])
        several = part_outputs < outputs
        channels = cast(Struct, layer.members["channels"])
        packed = Struct(
            "es_packed",
            {
                "unpack": self.layout.unpacker,
                "stream": Blob(np.frombuffer(stream, np.uint8), f"weights, {self.name}", alignment=16),
                "weights": outputs,
                "part_weights": part_outputs,
                "part_outputs": part_outputs,
                "record_bytes": RECORD_BYTES[str(channels.members["format"])],
                "table": offsets[0],
                "work": offsets[1],
            },
        )
        kernel = self.layout.kernel
        return replace(
            called,
            function="es_packed_conv2d_s8",
            parameters=Struct("es_packed_conv2d", {"kernel": kernel, "layer": layer, "packed": packed}),
            overlap=MappingProxyType({}) if several else called.overlap,
            in_place=() if several else called.in_place,
            helpers=(kernel, self.layout.unpacker),
        )


def shape_in_rows(site: Site) -> ConvShape:
    """The sizes of a convolution; of a pointwise one with all pixels in a row, which is faster."""
    shape = shape_of(site)
    if site.kind != "conv2d_1x1" or site.pixels > _MOST_PIXELS:
        return shape
    return replace(shape, in_height=1, in_width=site.pixels, out_height=1, out_width=site.pixels)


@lru_cache(maxsize=128)
def _stored(layout: ConvLayout, site: Site) -> Sequence[Any] | None:
    assert site.rows is not None
    return layout.stored(site.rows, shape_of(site))


def _blocks_scratch(shape: ConvShape, stored: Sequence[blocks.Stored]) -> int:
    """``es_conv2d_blocks_s8_scratch_bytes`` of the portable set."""
    del stored
    return _CHANNEL_BYTES * shape.out_channels + 2 * shape.taps


def _blocks_dsp_scratch(shape: ConvShape, stored: Sequence[blocks.Stored]) -> int:
    """That of the DSP set."""
    del stored
    return dsp.conv2d_scratch(shape)


def _columns_scratch(shape: ConvShape, stored: Sequence[columns.Group]) -> int:
    """``es_conv2d_columns_s8_scratch_bytes`` of the portable set."""
    del stored
    return _CHANNEL_BYTES * shape.out_channels + 4 * shape.taps


def _columns_mve_scratch(shape: ConvShape, stored: Sequence[columns.Group]) -> int:
    """That of the MVE set."""
    return mve.conv2d_columns_scratch(shape, max(one.weights.shape[1] for one in stored))


def _blocks_palette(stored: Sequence[blocks.Stored], part_outputs: int, vectors: bool) -> bytes | None:
    del vectors
    return blocks.palette_stream(stored, part_outputs)


_BLOCKS = ConvLayout(
    kernel="es_conv2d_blocks_s8",
    unpacker="es_unpack_blocks_s8",
    unit=4,
    stored=blocks.stored_blocks,
    plain=blocks.plain_stream,
    palette=_blocks_palette,
    memory=blocks.memory_bytes,
    table_bytes=MappingProxyType({"reference": 512, "dsp": 512}),
    scratch=MappingProxyType({"reference": _blocks_scratch, "dsp": _blocks_dsp_scratch}),
    group=MappingProxyType({"reference": lambda _: 1, "dsp": lambda _: dsp.CONV_PIXELS}),
)
_BLOCK_COSTS: Mapping[Machine, ConvCost] = MappingProxyType(
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
_COLUMNS = ConvLayout(
    kernel="es_conv2d_columns_s8",
    unpacker="es_unpack_columns_s8",
    unit=columns.OUTPUTS,
    stored=columns.stored_groups,
    plain=columns.plain_stream,
    palette=columns.palette_stream,
    memory=columns.memory_bytes,
    table_bytes=MappingProxyType({"reference": 512, "mve": 0}),
    scratch=MappingProxyType({"reference": _columns_scratch, "mve": _columns_mve_scratch}),
    group=MappingProxyType({"reference": lambda _: 1, "mve": lambda _: mve.CONV_PIXELS}),
)
_COLUMN_COSTS: Mapping[Machine, ConvCost] = MappingProxyType(
    {
        "mve": ColumnCost(
            step=14,
            gather=30,
            four=86,
            group=153,
            input=0.77,
            window=0.25,
            row=3.5,
            unpack=UnpackCost(once=0, part=200, weight=0, unit=0.35),
        )
    }
)

CONVOLUTIONS = (
    SkippingConv("blocks", _BLOCKS, palette=False, costs=_BLOCK_COSTS),
    SkippingConv("palette-blocks", _BLOCKS, palette=True, costs=_BLOCK_COSTS),
    SkippingConv("columns", _COLUMNS, palette=False, costs=_COLUMN_COSTS),
    SkippingConv("palette-columns", _COLUMNS, palette=True, costs=_COLUMN_COSTS),
)
"""With weights as they stand in flash, and with weights that are unpacked first."""
