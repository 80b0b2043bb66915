"""Blocks of weights that the convolutions of a kernel set skip where all of them are zero."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SKIPPED_BLOCKS: Mapping[str, tuple[int, int]] = MappingProxyType({"dsp": (2, 4), "mve": (16, 1)})
"""Kernel set -> outputs and inputs of a block; other sets skip none. See ``target/device_blocks.py``."""
