"""Fully connected layers that skip blocks of 4 outputs x 1 input: what they take and how they are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol, cast

import numpy as np

from edgesqueeze.emit.native.pack import mve
from edgesqueeze.emit.native.packing import dense_blocks, factored_dense
from edgesqueeze.emit.native.packing.cost import FACTORED_CORES
from edgesqueeze.emit.native.packing.encoding import Machine, Weights
from edgesqueeze.emit.native.packing.factored_dense import FactoredDenseCost
from edgesqueeze.emit.native.packing.sites import HEADER, Site
from edgesqueeze.emit.native.records import Blob, Call, Struct

_CHANNEL_BYTES = 16  # sizeof(es_channel)


@dataclass(frozen=True)
class DenseCost:
    """Instructions of a fully connected layer that skips blocks.

    Attributes:
        unit: instructions for what ``units`` counts: pairs of stored blocks, or vectors of inputs.
        segment: instructions for the inputs that one byte tells apart, of four outputs.
        output: instructions for an output.
        channel: instructions for an output whose multiplier is not that of all others.
        layer: instructions for a layer.
        units: what is stored of weights, int8 ``[out, in]``.
        inputs: inputs that one byte tells apart.
    """

    unit: float
    segment: float
    output: float
    channel: float
    layer: float
    units: Callable[[Weights], int]
    inputs: int

    def instructions(self, rows: Weights, shared: bool) -> float:
        """Instructions of a layer of weights, int8 ``[out, in]``; shared: all outputs have one multiplier."""
        segments = -(-len(rows) // dense_blocks.OUTPUTS) * -(-rows.shape[1] // self.inputs)
        return (
            self.layer
            + self.units(rows) * self.unit
            + segments * self.segment
            + len(rows) * (self.output + (0 if shared else self.channel))
        )


class LayerCost(Protocol):
    """What a fully connected layer takes."""

    def instructions(self, rows: Weights, shared: bool) -> float:
        """Instructions of a layer of weights, int8 ``[out, in]``; shared: all outputs have one multiplier."""


@dataclass(frozen=True, eq=False)
class SkippingDense:
    """A fully connected layer that skips blocks, on weights in flash.

    Attributes:
        name: what reports call it.
        function: name of the kernel.
        stream: what it reads of weights, int8 ``[out, in]``; None: it cannot hold them.
        scratch_bytes: its scratch memory in bytes for so many outputs, by kernel set.
        costs: what it takes, by machine; only these use it.
        cores: cores that use it; none: all of these machines.
    """

    name: str
    function: str
    stream: Callable[[Weights], bytes | None]
    scratch_bytes: Mapping[str, Callable[[int], int]]
    costs: Mapping[Machine, LayerCost]
    cores: frozenset[str] = frozenset()

    @property
    def functions(self) -> tuple[str, ...]:
        """What the call needs linked."""
        return (self.function,)

    def stored(self, site: Site, part_outputs: int, kernel_set: str) -> int | None:
        """Bytes of the weights in flash; None: it cannot hold them."""
        del part_outputs, kernel_set
        found = _stream(self.stream, site)
        return None if found is None else len(found)

    def parameter_bytes(self) -> int:
        """By which a layer's description is longer than a plain one's."""
        return 0

    def part_unit(self, site: Site) -> int:
        """Nothing is unpacked."""
        del site
        return 0

    def scratch(self, site: Site, part_outputs: int, kernel_set: str) -> int:
        """Scratch memory in bytes."""
        del part_outputs
        return self.scratch_bytes[kernel_set](site.outputs)

    def unpacking(self, site: Site, part_outputs: int, machine: Machine) -> float:
        """Nothing is unpacked."""
        del site, part_outputs, machine
        return 0.0

    def instructions(self, site: Site, part_outputs: int, machine: Machine) -> float:
        """Instructions of a layer in one inference."""
        del part_outputs
        assert site.rows is not None
        channels = cast(Struct, cast(Struct, site.call.parameters).members["channels"])
        return self.costs[machine].instructions(site.rows, channels.members["format"] == "ES_CHANNELS_SHARED")

    def call(self, site: Site, part_outputs: int, kernel_set: str) -> Call:
        """The call that takes the place of one with plain weights."""
        found, plain = _stream(self.stream, site), cast(Struct, site.call.parameters)
        assert found is not None
        weights = Blob(np.frombuffer(found, np.int8), f"weights, {self.name}")
        return replace(
            site.call,
            function=self.function,
            header=HEADER,
            parameters=Struct(plain.type_name, {**plain.members, "weights": weights}),
            scratch_bytes=self.scratch(site, part_outputs, kernel_set),
            overlap=MappingProxyType({}),
            in_place=(),
        )


@lru_cache(maxsize=64)
def _stream(stream: Callable[[Weights], bytes | None], site: Site) -> bytes | None:
    assert site.rows is not None
    return stream(site.rows)


def _nothing(outputs: int) -> int:
    """No scratch memory."""
    del outputs
    return 0


def _channels(outputs: int) -> int:
    """``es_factored_fully_connected_s8_scratch_bytes``: eight unpacked channels."""
    del outputs
    return 8 * _CHANNEL_BYTES


FULLY_CONNECTED = (
    SkippingDense(
        name="dense-blocks",
        function="es_fully_connected_blocks_s8",
        stream=dense_blocks.stream,
        scratch_bytes=MappingProxyType({"reference": _nothing, "dsp": _nothing}),
        costs=MappingProxyType(
            {
                "dsp": DenseCost(
                    unit=12.4,
                    segment=13,
                    output=18,
                    channel=38,
                    layer=60,
                    units=dense_blocks.pairs_of_blocks,
                    inputs=dense_blocks.SEGMENT,
                )
            }
        ),
    ),
    SkippingDense(
        name="dense-columns",
        function="es_fully_connected_columns_s8",
        stream=dense_blocks.column_stream,
        scratch_bytes=MappingProxyType({"reference": _nothing, "mve": mve.dense_columns_scratch}),
        costs=MappingProxyType(
            {
                "mve": DenseCost(
                    unit=11,
                    segment=13,
                    output=8,
                    channel=30,
                    layer=130,
                    units=dense_blocks.vectors_of_columns,
                    inputs=dense_blocks.COLUMN_SEGMENT,
                )
            }
        ),
    ),
    SkippingDense(
        name="factored",
        function="es_factored_fully_connected_s8",
        stream=factored_dense.stream,
        scratch_bytes=MappingProxyType({"reference": _channels}),
        costs=MappingProxyType(
            {
                "small": FactoredDenseCost(input=3, value=10, segment=12, output=91, layer=56),
                "portable": FactoredDenseCost(input=3, value=10, segment=12, output=50, layer=50),
            }
        ),
        cores=FACTORED_CORES,
    ),
)
"""For the DSP extension, which multiplies pairs of outputs, for vectors, and for cores without either."""
