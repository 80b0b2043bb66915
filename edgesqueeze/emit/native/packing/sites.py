"""The calls whose weights can be packed, and the packed calls that take their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Literal, cast

import numpy as np

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.lower.graph import Lowered
from edgesqueeze.emit.native.pack.table import PACKING
from edgesqueeze.emit.native.packing.encoding import Encoding, Weights
from edgesqueeze.emit.native.records import Blob, Call, Struct, Value
from edgesqueeze.emit.rounding import round_up

HEADER = "es_packed.h"

Kind = Literal["conv2d", "conv2d_1x1", "depthwise", "depthwise_3x3", "fully_connected"]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "es_conv2d_s8": "conv2d",
        "es_conv2d_1x1_s8": "conv2d_1x1",
        "es_depthwise_conv2d_s8": "depthwise",
        "es_depthwise_conv2d_3x3_s8": "depthwise_3x3",
        "es_depthwise_pixels_s8": "depthwise",
        "es_fully_connected_s8": "fully_connected",
    }
)
"""Kernel -> what kind of layer it computes."""

RECORD_BYTES: Mapping[str, int] = MappingProxyType(
    {"ES_CHANNELS_NARROW": 6, "ES_CHANNELS_WIDE": 12, "ES_CHANNELS_SHARED": 4}
)
"""Form of a layer's channels -> bytes of a channel in flash; ``es_types.h`` describes them."""

PART_UNIT: Mapping[Kind, int] = MappingProxyType({"conv2d": 4, "conv2d_1x1": 4, "fully_connected": 8})
"""Kind of layer -> what its parts are multiples of, in output channels; others are unpacked as a whole."""

_SLACK = 32  # bytes that unpackers may overwrite up to a multiple of
_ALIGNMENT = 16

PARAMETER_BYTES = 40
"""By which a packed layer's description is longer than a plain one's, on a 32-bit core."""


@dataclass(frozen=True, eq=False)
class Site:
    """A call whose weights can be packed.

    Attributes:
        layer: index of the layer.
        position: of the call among the layer's calls.
        call: the call with plain weights.
        kind: kind of the layer.
        weights: int8, in the order in which they stand in memory.
        rows: the weights by output channel, int8 ``[out, taps]``; None for depthwise convolutions.
        pairs: whether memory holds words of two outputs, of which the first weight is the lower.
        outputs: output channels.
        unit: what parts are multiples of, in output channels; 0: the layer is unpacked as a whole.
        macs: multiply-accumulate operations of the layer, for one image.
        pixels: output pixels of one image.
        taps: weights of an output channel, without padding.
    """

    layer: int
    position: int
    call: Call
    kind: Kind
    weights: Weights
    rows: Weights | None
    pairs: bool
    outputs: int
    unit: int
    macs: int
    pixels: int
    taps: int

    @property
    def images(self) -> int:
        """How often the layer is computed in one inference."""
        return self.call.images

    @property
    def key(self) -> tuple[bytes, bool, str]:
        """Equal for layers whose weights are the same data in flash."""
        return self.weights.tobytes(), self.pairs, self.kind

    def encoded(self, encoding: Encoding, parts: Sequence[int], kernel_set: str) -> bytes | None:
        """The stream of all weights; None where the encoding cannot hold them."""
        weights = self.weights
        if self.pairs and encoding.joined:
            weights = _joined(weights)
        return encoding.encode(weights, parts, kernel_set == "mve")

    def weights_of(self, outputs: int) -> int:
        """Weights of the first output channels, a multiple of ``unit`` or all, with their padding."""
        if outputs >= self.outputs:
            return int(self.weights.size)
        padded = round_up(self.outputs, _padding(self.kind)) if self.pairs else self.outputs
        return int(self.weights.size) // padded * outputs

    def parts(self, part_outputs: int) -> tuple[int, ...]:
        """Weights of every part, of so many output channels each; the last one has the rest."""
        size, total = self.weights_of(part_outputs), int(self.weights.size)
        return tuple(min(size, total - start) for start in range(0, total, size))


def sites_of(lowered: Lowered, kernel_set: str) -> Iterator[Site]:
    """All calls whose weights can be packed, layer by layer."""
    by_rows = lowered.times  # these would be unpacked at every turn
    for layer in lowered.layers:
        for position, call in enumerate(() if layer.index in by_rows else layer.calls):
            kind = KINDS.get(call.function)
            if kind is not None and call.parameters is not None:
                yield _site(layer.index, position, call, call.parameters.members, kind, kernel_set)


def _site(
    layer: int, position: int, call: Call, members: Mapping[str, Value], kind: Kind, kernel_set: str
) -> Site:
    blob = cast(Blob, members["weights"])
    pairs = kernel_set == "dsp" and not kind.startswith("depthwise")
    dense = kind == "fully_connected"
    outputs = _number(members["out_features" if dense else "out_channels"])
    taps = _number(members["in_features"]) if dense else _taps(kind, members)
    pixels = 1 if dense else _number(members["out_height"]) * _number(members["out_width"])
    unit = PART_UNIT.get(kind, 0)
    if kernel_set == "mve" and not dense and outputs % 4:
        unit = 0  # a last part, of fewer channels, could need more scratch memory than the others
    return Site(
        layer=layer,
        position=position,
        call=call,
        kind=kind,
        weights=_separate(blob) if pairs else blob.array.view(np.int8),
        rows=blob.rows,
        pairs=pairs,
        outputs=outputs,
        unit=unit,
        macs=outputs * taps * pixels,
        pixels=pixels,
        taps=taps,
    )


def packed_call(site: Site, encoding: Encoding, part_outputs: int, kernel_set: str) -> Call | None:
    """The call with packed weights, unpacked so many output channels at a time.

    None: the encoding cannot hold the weights.
    """
    parts = site.parts(part_outputs)
    stream = site.encoded(encoding, parts, kernel_set)
    if stream is None:
        return None
    plain = cast(Struct, site.call.parameters)
    several = len(parts) > 1
    offsets = _offsets(site, encoding, part_outputs, kernel_set)
    dense = site.kind == "fully_connected"
    channels = cast(Struct, plain.members["channels"])
    packed = Struct(
        "es_packed",
        {
            "unpack": encoding.unpacker(site.pairs),
            "stream": Blob(np.frombuffer(stream, np.uint8), f"weights, {encoding.name}", alignment=16),
            "weights": int(site.weights.size),
            "part_weights": parts[0],
            "part_outputs": min(part_outputs, site.outputs),
            "record_bytes": RECORD_BYTES[str(channels.members["format"])],
            "table": offsets[0],
            "work": offsets[1],
        },
    )
    layer = Struct(plain.type_name, {**plain.members, "weights": None})
    members: dict[str, Value] = {"layer": layer, "packed": packed}
    return replace(
        site.call,
        function=_caller(site),
        header=HEADER,
        parameters=Struct("es_packed_fully_connected", members)
        if dense
        else Struct("es_packed_conv2d", {"kernel": site.call.function, **members}),
        scratch_bytes=offsets[2],
        overlap=MappingProxyType({}) if several else site.call.overlap,
        in_place=() if several else site.call.in_place,
        helpers=(site.call.function, encoding.unpacker(site.pairs)),
    )


def plain_functions(site: Site) -> tuple[str, ...]:
    """What the call with plain weights needs linked."""
    return (site.call.function, *site.call.helpers)


def packed_functions(site: Site, encoding: Encoding) -> tuple[str, ...]:
    """What the call with packed weights needs linked."""
    return (_caller(site), *plain_functions(site), encoding.unpacker(site.pairs))


def _caller(site: Site) -> str:
    return "es_packed_fully_connected_s8" if site.kind == "fully_connected" else "es_packed_conv2d_s8"


def shape_of(site: Site) -> ConvShape:
    """The sizes of a convolution."""
    members = cast(Struct, site.call.parameters).members
    return ConvShape(**{field.name: _number(members[field.name]) for field in fields(ConvShape)})


def scratch_bytes(site: Site, encoding: Encoding, part_outputs: int, kernel_set: str) -> int:
    """Scratch memory of the packed call, in bytes."""
    return _offsets(site, encoding, part_outputs, kernel_set)[2]


def _offsets(site: Site, encoding: Encoding, part_outputs: int, kernel_set: str) -> tuple[int, int, int]:
    """Where the table and the kernel's own scratch memory begin, and where they end, in bytes.

    The table of a layer in one part is not needed any more when the kernel runs.
    """
    table = round_up(site.weights_of(part_outputs), _SLACK)
    table_bytes = round_up(encoding.table_bytes[kernel_set], _ALIGNMENT)
    own = _kernel_scratch(site, min(part_outputs, site.outputs), kernel_set)
    if part_outputs >= site.outputs:
        return table, table, table + max(table_bytes, own)
    return table, table + table_bytes, table + table_bytes + own


def _kernel_scratch(site: Site, outputs: int, kernel_set: str) -> int:
    """Scratch memory of the plain kernel for some of its output channels, in bytes."""
    members = cast(Struct, site.call.parameters).members
    packing = PACKING[kernel_set]
    if site.kind == "fully_connected":
        return packing.fully_connected.scratch(_number(members["in_features"]))
    if site.kind.startswith("depthwise"):  # all of its channels
        return site.call.scratch_bytes or 0
    packer = packing.conv2d if site.kind == "conv2d" else packing.conv2d_1x1
    return packer.scratch(replace(shape_of(site), out_channels=outputs))


def _separate(blob: Blob) -> Weights:
    """Words of 256 * even + odd as weights in the order odd, even, odd, even."""
    words = blob.array.view("<i2").astype(np.int32)
    odd = ((words & 0xFF) ^ 0x80) - 0x80
    return np.stack([odd, (words - odd) >> 8], axis=1).reshape(-1).astype(np.int8)


def _joined(weights: Weights) -> Weights:
    """The reverse: two bytes a word."""
    both = weights.reshape(-1, 2).astype(np.int32)
    words = 256 * both[:, 1] + both[:, 0]
    return words.astype("<i2").view(np.int8)


def _padding(kind: Kind) -> int:
    """What the DSP set pads output channels to a multiple of."""
    return 4 if kind == "fully_connected" else 2


def _taps(kind: Kind, members: Mapping[str, Value]) -> int:
    window = _number(members["kernel_height"]) * _number(members["kernel_width"])
    return window if kind.startswith("depthwise") else window * _number(members["in_channels"])


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value
