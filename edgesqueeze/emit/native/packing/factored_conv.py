"""Convolutions that add up the inputs of a value, then multiply: what they take and how they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.packing import factored
from edgesqueeze.emit.native.packing.cost import FACTORED_CORES
from edgesqueeze.emit.native.packing.encoding import PALETTE_VALUES, Machine, UnpackCost, Weights
from edgesqueeze.emit.native.packing.factored import Factored
from edgesqueeze.emit.native.packing.sites import Site
from edgesqueeze.emit.native.packing.skip_conv import ConvCost, ConvLayout, SkippingConv, shape_in_rows

_CHANNEL_BYTES = 16  # sizeof(es_channel)
_CHANNEL_UNITS = 50  # weights that are sorted in the time that the lists of a channel take


@dataclass(frozen=True)
class FactoredCost:
    """Instructions of a convolution that adds up inputs first, eight pixels of a row at a time.

    Attributes:
        input: instructions for a weight that is not zero.
        value: instructions for a value of an output channel.
        channel: instructions for an output channel.
        output: instructions for an output.
        word: instructions for a word of inputs.
        row: instructions for a column of a kernel row, whatever its channels.
        unpack: what unpacking takes; its unit is a nonzero weight.
    """

    input: float
    value: float
    channel: float
    output: float
    word: float
    row: float
    unpack: UnpackCost

    def units(self, stored: Sequence[Factored]) -> int:
        """Nonzero weights, and what an output channel takes beside them."""
        inputs = sum(len(inputs) for found in stored for one in found.channels for inputs in one.inputs)
        return inputs + _CHANNEL_UNITS * sum(len(found.channels) for found in stored)

    def instructions(self, stored: Sequence[Factored], site: Site, parts: int) -> float:
        """Instructions of a layer that is computed in so many parts, without unpacking."""
        (found,) = stored
        shape = shape_in_rows(site)
        groups = shape.out_height * -(-shape.out_width // factored.PIXELS)
        passage = found.passage
        inputs = sum(len(inputs) for one in found.channels for inputs in one.inputs)
        values = sum(len(one.values) for one in found.channels)
        columns = shape.kernel_height * passage.units * factored.WORDS / passage.read
        return (
            groups * (inputs * self.input + values * self.value + len(found.channels) * self.channel)
            + groups * parts * (passage.words * self.word + columns * self.row)
            + site.pixels * len(found.channels) * self.output
        )


def _stored(rows: Weights, shape: ConvShape) -> list[Factored] | None:
    found = factored.sorted_channels(rows, shape)
    return None if found is None else [found]


def _scratch(shape: ConvShape, stored: Sequence[Factored]) -> int:
    """``es_factored_conv2d_s8_scratch_bytes``."""
    (found,) = stored
    return _CHANNEL_BYTES * shape.out_channels + 4 * (factored.WORDS * found.values + found.passage.words)


def _unpacked_scratch(shape: ConvShape, stored: Sequence[Factored]) -> int:
    """The same for unpacked weights, which may have as many values as a palette."""
    (found,) = stored
    return _CHANNEL_BYTES * shape.out_channels + 4 * (factored.WORDS * PALETTE_VALUES + found.passage.words)


def _group(shape: ConvShape) -> int:
    """Output pixels that are computed before they are written: 1 where a row has a rest."""
    return factored.PIXELS if shape.out_height == 1 or shape.out_width % factored.PIXELS == 0 else 1


def _layout(scratch: Callable[[ConvShape, Sequence[Any]], int]) -> ConvLayout:
    return ConvLayout(
        kernel="es_factored_conv2d_s8",
        unpacker="es_unpack_factored_s8",
        unit=4,
        stored=_stored,
        plain=factored.plain_stream,
        palette=factored.palette_stream,
        memory=factored.memory_bytes,
        table_bytes=MappingProxyType({"reference": 0}),
        scratch=MappingProxyType({"reference": scratch}),
        group=MappingProxyType({"reference": _group}),
    )


_COSTS: Mapping[Machine, ConvCost] = MappingProxyType(
    {
        "small": FactoredCost(
            input=8.5,
            value=53,
            channel=153,
            output=19,
            word=8.7,
            row=150,
            unpack=UnpackCost(once=0, part=100, weight=29, unit=18.6),
        ),
        "portable": FactoredCost(
            input=7.3,
            value=31,
            channel=91,
            output=5.2,
            word=7.3,
            row=106,
            unpack=UnpackCost(once=0, part=100, weight=24, unit=13),
        ),
    }
)

FACTORED = (
    SkippingConv("factored", _layout(_scratch), palette=False, costs=_COSTS, cores=FACTORED_CORES),
    SkippingConv(
        "palette-factored",
        _layout(_unpacked_scratch),
        palette=True,
        costs=_COSTS,
        cores=FACTORED_CORES,
    ),
)
"""With weights as they stand in flash, and with weights that are unpacked first."""
