"""How the weights of a layer are stored in flash, for reports."""

from __future__ import annotations

from edgesqueeze.base.records import Record


class LayerPacking(Record):
    """How the weights of a layer are stored in flash.

    Attributes:
        encoding: name of the encoding; ``plain``: as their kernel reads them.
        bytes: flash that the weights take, in bytes, without the parameters of channels.
        plain_bytes: flash that the weights take as their kernel reads them, in bytes.
        parts: number of groups of output channels that are unpacked and computed one after the other; 0:
            nothing is unpacked.
        unpack_instructions: instructions that unpacking takes for each weight, by a formula that is checked
            against counts.
        note: why the weights are plain, where memory to unpack into is missing; else empty.
    """

    encoding: str
    bytes: int
    plain_bytes: int
    parts: int = 0
    unpack_instructions: float = 0.0
    note: str = ""
