"""What an emulator counted: records that stand without the emulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FlashCaches:
    """Caches beside the flash, which the plugin imitates.

    Attributes:
        code_bytes: size of the cache for instructions, in bytes; a multiple of 64.
        data_bytes: size of the cache for constant data, in bytes; a multiple of 64, or 0 if constants share
            the cache for instructions.
    """

    code_bytes: int = 1024
    data_bytes: int = 256


@dataclass(frozen=True)
class Block:
    """Instructions that ran one after the other, in one layer of the first inference.

    Attributes:
        layer: index of the layer; -1 for what comes before the first.
        first: address of the block's first instruction.
        last: address of the block's last instruction.
        successor: address of what ran behind the block; 0 where the count ends.
        count: how often the block ran, followed by that successor.
    """

    layer: int
    first: int
    last: int
    successor: int
    count: int


@dataclass(frozen=True, eq=False)
class Counts:
    """What was executed in one inference.

    Attributes:
        blocks: all blocks of instructions that ran.
        code_lines: layer -> how many lines of 16 bytes of instructions were not in the cache.
        data_lines: layer -> how many lines of 16 bytes of constant data were not in the cache.
    """

    blocks: tuple[Block, ...]
    code_lines: Mapping[int, int]
    data_lines: Mapping[int, int]
