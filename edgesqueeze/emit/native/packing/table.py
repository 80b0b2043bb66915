"""All encodings of weights in one table. Plain weights are no row: every kernel reads them as they are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.emit.native.packing.bitmap import BITMAP
from edgesqueeze.emit.native.packing.encoding import Encoding
from edgesqueeze.emit.native.packing.huffman import HUFFMAN
from edgesqueeze.emit.native.packing.pairmap import PAIRMAP
from edgesqueeze.emit.native.packing.palette import PALETTE
from edgesqueeze.emit.native.packing.runs import RUNS
from edgesqueeze.emit.native.packing.small_palette import SMALL_PALETTE

PLAIN = "plain"
"""What reports call weights that are stored as their kernel reads them."""

ENCODINGS: Mapping[str, Encoding] = MappingProxyType(
    {row.name: row for row in (PALETTE, SMALL_PALETTE, PAIRMAP, RUNS, BITMAP, HUFFMAN)}
)
"""Name -> encoding."""
