"""Layers that read their weights as they stand in flash, and skip those that are zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import cast

import numpy as np
import numpy.typing as npt

from edgesqueeze.emit.native.channels import SHARED
from edgesqueeze.emit.native.overlap import overlap_distance
from edgesqueeze.emit.native.packing.cost import FACTORED_CORES
from edgesqueeze.emit.native.packing.encoding import (
    PALETTE_VALUES,
    Machine,
    Weights,
    indices_of,
    padded,
    palette_of,
)
from edgesqueeze.emit.native.packing.runs import run_bytes
from edgesqueeze.emit.native.packing.sites import HEADER, Kind, Site, shape_of
from edgesqueeze.emit.native.records import Blob, Call, Struct, Value
from edgesqueeze.emit.rounding import round_up

GROUPS: Mapping[str, int] = MappingProxyType({"reference": 1, "dsp": 8})
"""Kernel set -> output pixels that the kernel computes before it writes them."""

_CHANNEL_BYTES = 16  # sizeof(es_channel)
_COUNT_BYTES = 2  # of the weights of an output channel
_LONGEST_GAP = 255
_TABLE_BYTES = 1024
_MOST_COUNT = (1 << 16) - 1  # of an output channel
_MOST_SUM = (1 << 15) - 1  # times 128: below 2^22, as es_sparse_conv2d_s8.c needs it

Rows = Weights
"""Weights, int8 ``[out, taps]``."""


def encode_rows(rows: Rows) -> bytes | None:
    """The palette, then of every output channel the number of its bytes and its runs.

    None: more than 16 values, zero included, or too many bytes for a channel.
    """
    return _encoded(rows.tobytes(), rows.shape[1])


@lru_cache(maxsize=256)
def _encoded(content: bytes, taps: int) -> bytes | None:
    rows = np.frombuffer(content, np.int8).reshape(-1, taps)
    palette = palette_of(rows.reshape(-1))
    if palette is None or palette[0] != 0:
        return None
    stream = palette.tobytes()
    for row in rows:
        tokens = run_bytes(indices_of(row, palette))
        if tokens.size > _MOST_COUNT:
            return None
        stream += np.array(tokens.size, "<u2").tobytes() + tokens.tobytes()
    return padded(stream)


def encode_any_rows(rows: Rows) -> bytes | None:
    """Of every output channel the number of its weights, and of each the zeros in front of it and its value.

    None: too many weights for a channel, or so many that nothing becomes smaller.
    """
    return _any_encoded(rows.tobytes(), rows.shape[1])


@lru_cache(maxsize=256)
def _any_encoded(content: bytes, taps: int) -> bytes | None:
    rows = np.frombuffer(content, np.int8).reshape(-1, taps)
    if 2 * np.count_nonzero(rows) >= rows.size:
        return None
    stream = b""
    for row in rows:
        pairs = gap_pairs(row)
        if len(pairs) > _MOST_COUNT:
            return None
        stream += np.array(len(pairs), "<u2").tobytes() + pairs.tobytes()
    return padded(stream)


def gap_pairs(row: Weights) -> npt.NDArray[np.uint8]:
    """Zeros in front of a weight, and the weight, uint8 ``[weights, 2]``; it is zero behind 255 zeros."""
    places = np.flatnonzero(row)
    longer, gaps = np.divmod(np.diff(places, prepend=-1) - 1, _LONGEST_GAP + 1)
    pairs = np.tile(np.array([_LONGEST_GAP, 0], np.uint8), (int(longer.sum()) + places.size, 1))
    pairs[np.cumsum(longer + 1) - 1] = np.stack([gaps, row[places].view(np.uint8)], axis=1)
    return pairs


def decode_any_rows(stream: bytes, outputs: int, taps: int) -> Rows:
    """The same as ``decode_rows`` of what ``encode_any_rows`` makes."""
    rows, at = np.zeros((outputs, taps), np.int8), 0
    for row in rows:
        count = int(np.frombuffer(stream, "<u2", 1, at)[0])
        pairs = np.frombuffer(stream, np.uint8, 2 * count, at + 2).reshape(-1, 2)
        row[np.cumsum(pairs[:, 0].astype(np.int64) + 1) - 1] = pairs[:, 1].view(np.int8)
        at += 2 + 2 * count
    assert len(stream) == at + -at % 4
    return rows


def decode_rows(stream: bytes, outputs: int, taps: int) -> Rows:
    """The weights of a stream, int8 ``[outputs, taps]``, by the same rules as the C function."""
    palette = np.frombuffer(stream, np.int8, PALETTE_VALUES)
    rows, at = np.zeros((outputs, taps), np.int8), PALETTE_VALUES
    for row in rows:
        size = int(np.frombuffer(stream, "<u2", 1, at)[0])
        tokens = np.frombuffer(stream, np.uint8, size, at + 2)
        row[np.cumsum((tokens >> 4).astype(np.int64) + 1) - 1] = palette[tokens & 15]
        at += 2 + size
    assert len(stream) == at + -at % 4
    return rows


@dataclass(frozen=True)
class SparseCost:
    """Instructions of a layer that skips weights of zero.

    Attributes:
        weight: instructions for a weight of the stream and a group of output pixels.
        channel: instructions for an output channel and a group of output pixels.
        layer: instructions for a layer: its table.
        input: instructions for an input value of every output pixel.
        row: instructions for a kernel row of every output pixel.
        once: instructions for an output channel, whatever the number of pixels.
        own: instructions for an output channel that shares no scale with the others, beyond ``channel``.
    """

    weight: float
    channel: float
    layer: float
    input: float = 0.0
    row: float = 0.0
    once: float = 0.0
    own: float = 0.0


@dataclass(frozen=True)
class Sparse:
    """A kernel that runs on a stream as it stands in flash.

    Attributes:
        function: name of the kernel, without the end of its name.
        parameters: type of its parameters in C.
        encode: its stream, from the weights by output channel.
        head: bytes in front of the stream's output channels.
        unit: bytes of a weight in the stream.
        scratch: its scratch memory in bytes, by kernel set.
        costs: what it takes, by machine; only these use it.
        most: what the magnitudes of an output channel's weights may add up to, by kernel set; others: any.
        cores: cores that use the portable one.
        name: what reports call the encoding.
    """

    function: str
    parameters: str
    encode: Callable[[Rows], bytes | None]
    head: int
    unit: int
    scratch: Mapping[str, Callable[[Site], int]]
    costs: Mapping[Machine, SparseCost]
    most: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    cores: frozenset[str] = FACTORED_CORES
    name: str = "sparse"

    @property
    def functions(self) -> tuple[str, ...]:
        """What the call needs linked."""
        return (f"{self.function}_s8",)

    def instructions(self, site: Site, machine: Machine) -> float:
        """Instructions of a layer in one inference."""
        cost = self.costs[machine]
        stream = None if site.rows is None else self.encode(site.rows)
        assert stream is not None
        weights = (len(stream) - self.head - _COUNT_BYTES * site.outputs) // self.unit
        pixels = GROUPS.get(machine, 1)
        groups = -(-site.pixels // pixels)
        channel = cost.channel + (0.0 if _shares_scale(site) else cost.own)
        rows = 0 if site.kind == "fully_connected" else shape_of(site).kernel_height
        return (
            cost.layer
            + site.outputs * cost.once
            + groups * (weights * cost.weight + site.outputs * channel)
            + groups * pixels * (site.taps * cost.input + rows * cost.row)
        )

    def stream(self, site: Site, kernel_set: str) -> bytes | None:
        """What the kernel reads; None: it cannot hold the weights, or their sums."""
        if site.rows is None:
            return None
        most = self.most.get(kernel_set)
        if most is not None and np.abs(site.rows.astype(np.int64)).sum(axis=1).max() > most:
            return None
        return self.encode(site.rows)

    def call(self, site: Site, kernel_set: str) -> Call | None:
        """The call that takes the place of one with plain weights; None: there is no stream for them."""
        stream = self.stream(site, kernel_set)
        if stream is None:
            return None
        plain = cast(Struct, site.call.parameters)
        members: dict[str, Value] = {
            "layer": Struct(plain.type_name, {**plain.members, "weights": None}),
            "stream": Blob(np.frombuffer(stream, np.uint8), f"weights, {self.name}"),
        }
        return replace(
            site.call,
            function=f"{self.function}_s8",
            header=HEADER,
            parameters=Struct(self.parameters, members),
            scratch_bytes=self.scratch[kernel_set](site),
            overlap=_overlap(site, kernel_set),
        )


def _shares_scale(site: Site) -> bool:
    """Whether only the biases of the output channels differ."""
    channels = cast(Struct, cast(Struct, site.call.parameters).members["channels"])
    return channels.members["format"] == SHARED


def _overlap(site: Site, kernel_set: str) -> Mapping[int, int]:
    if site.kind == "fully_connected":
        return MappingProxyType({})
    shape = shape_of(site)
    distance = overlap_distance(shape, GROUPS[kernel_set], shape.in_channels, shape.out_channels)
    return MappingProxyType({0: distance})


def _reference_scratch(site: Site) -> int:
    """Unpacked channels and the inputs of one output pixel as int16."""
    return _CHANNEL_BYTES * site.outputs + 2 * site.taps


def _dsp_scratch(site: Site) -> int:
    """Unpacked channels, the inputs of eight output pixels two to a word, four kernel rows, and the table."""
    return _any_dsp_scratch(site) + _TABLE_BYTES


def _any_dsp_scratch(site: Site) -> int:
    """The same without a table."""
    shape = shape_of(site)
    words = 2 * GROUPS["dsp"] * site.taps
    copies = 4 * round_up(shape.kernel_width * shape.in_channels, 4)
    return _CHANNEL_BYTES * site.outputs + words + copies


def _dense_reference_scratch(site: Site) -> int:
    """Eight unpacked channels."""
    del site
    return 8 * _CHANNEL_BYTES


def _dense_dsp_scratch(site: Site) -> int:
    """Sixteen unpacked channels and the table."""
    del site
    return 16 * _CHANNEL_BYTES + _TABLE_BYTES


_CONVOLUTION = Sparse(
    function="es_sparse_conv2d",
    parameters="es_sparse_conv2d",
    encode=encode_rows,
    head=PALETTE_VALUES,
    unit=1,
    scratch=MappingProxyType({"reference": _reference_scratch, "dsp": _dsp_scratch}),
    costs=MappingProxyType(
        {"dsp": SparseCost(weight=10.84, channel=92, layer=600, input=1.57, row=85, once=62)}
    ),
    most=MappingProxyType({"dsp": _MOST_SUM}),
)
_ANY_CONVOLUTION = Sparse(
    function="es_sparse_any_conv2d",
    parameters="es_sparse_conv2d",
    encode=encode_any_rows,
    head=0,
    unit=2,
    scratch=MappingProxyType({"reference": _reference_scratch, "dsp": _any_dsp_scratch}),
    costs=MappingProxyType(
        {"dsp": SparseCost(weight=9.81, channel=92, layer=40, input=1.62, row=85, once=62)}
    ),
    most=MappingProxyType({"dsp": _MOST_SUM}),
    name="sparse-any",
)
_FULLY_CONNECTED = Sparse(
    function="es_sparse_fully_connected",
    parameters="es_sparse_fully_connected",
    encode=encode_rows,
    head=PALETTE_VALUES,
    unit=1,
    scratch=MappingProxyType({"reference": _dense_reference_scratch, "dsp": _dense_dsp_scratch}),
    costs=MappingProxyType(
        {
            "small": SparseCost(weight=13, channel=95, layer=39, own=137),
            "portable": SparseCost(weight=8, channel=43.4, layer=24, own=21.7),
            "dsp": SparseCost(weight=5.13, channel=29, layer=650, own=36),
        }
    ),
)

_CONVOLUTIONS = (_CONVOLUTION, _ANY_CONVOLUTION)

SPARSE: Mapping[Kind, tuple[Sparse, ...]] = MappingProxyType(
    {"conv2d": _CONVOLUTIONS, "conv2d_1x1": _CONVOLUTIONS, "fully_connected": (_FULLY_CONNECTED,)}
)
"""Kind of layer -> its kernels that skip zeros, of which the first is used that can hold the weights.

Convolutions are faster than plain ones from about 50 % zeros on, fully connected layers from about 80 %, and
from about 60 % on cores that multiply slowly.
"""
