"""Fully connected layers that skip blocks of 4 outputs x 1 input: what they take and how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import cast

import numpy as np

from edgesqueeze.emit.native.packing import dense_blocks
from edgesqueeze.emit.native.packing.sites import HEADER, Site
from edgesqueeze.emit.native.records import Blob, Call, Struct


@dataclass(frozen=True)
class DenseCost:
    """Instructions of a fully connected layer that skips blocks.

    Attributes:
        pair: instructions for two stored blocks.
        segment: instructions for up to 256 inputs of four outputs.
        output: instructions for an output.
        channel: instructions for an output whose multiplier is not that of all others.
        layer: instructions for a layer.
    """

    pair: float
    segment: float
    output: float
    channel: float
    layer: float


@dataclass(frozen=True)
class DenseBlocks:
    """``es_fully_connected_blocks_s8``, on weights in flash.

    Attributes:
        name: what reports call it.
        code_bytes: flash that its code takes, in bytes.
        costs: what it takes, by kernel set; only these sets use it.
    """

    name: str
    code_bytes: int
    costs: Mapping[str, DenseCost]

    def stored(self, site: Site, part_outputs: int) -> int | None:
        """Bytes of the weights in flash; None: it cannot hold them."""
        del part_outputs
        assert site.rows is not None
        found = _dense_stream(site)
        return None if found is None else len(found)

    def parameter_bytes(self) -> int:
        """By which a layer's description is longer than a plain one's."""
        return 0

    def part_unit(self, site: Site) -> int:
        """Nothing is unpacked."""
        del site
        return 0

    def scratch(self, site: Site, part_outputs: int, kernel_set: str) -> int:
        """``es_fully_connected_blocks_s8_scratch_bytes``."""
        del site, part_outputs, kernel_set
        return 0

    def unpacking(self, site: Site, part_outputs: int, kernel_set: str) -> float:
        """Nothing is unpacked."""
        del site, part_outputs, kernel_set
        return 0.0

    def instructions(self, site: Site, part_outputs: int, kernel_set: str) -> float:
        """Instructions of a layer in one inference."""
        del part_outputs
        cost = self.costs[kernel_set]
        assert site.rows is not None
        channels = cast(Struct, cast(Struct, site.call.parameters).members["channels"])
        shared = channels.members["format"] == "ES_CHANNELS_SHARED"
        segments = -(-site.outputs // dense_blocks.OUTPUTS) * -(-site.taps // dense_blocks.SEGMENT)
        return (
            cost.layer
            + dense_blocks.pairs_of_blocks(site.rows) * cost.pair
            + segments * cost.segment
            + site.outputs * (cost.output + (0 if shared else cost.channel))
        )

    def call(self, site: Site, part_outputs: int, kernel_set: str) -> Call:
        """The call that takes the place of one with plain weights."""
        del part_outputs, kernel_set
        found, plain = _dense_stream(site), cast(Struct, site.call.parameters)
        assert found is not None
        weights = Blob(np.frombuffer(found, np.int8), f"weights, {self.name}")
        return replace(
            site.call,
            function="es_fully_connected_blocks_s8",
            header=HEADER,
            parameters=Struct(plain.type_name, {**plain.members, "weights": weights}),
            scratch_bytes=0,
            overlap=MappingProxyType({}),
            in_place=(),
        )


@lru_cache(maxsize=64)
def _dense_stream(site: Site) -> bytes | None:
    assert site.rows is not None
    return dense_blocks.stream(site.rows)


FULLY_CONNECTED = (
    DenseBlocks(
        "columns",
        code_bytes=700,
        costs=MappingProxyType({"dsp": DenseCost(pair=12.4, segment=13, output=18, channel=38, layer=60)}),
    ),
)
