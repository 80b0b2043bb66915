"""How long a core waits for weights in flash, in instructions that it could have executed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.emit.native.packing.sites import Site

_LINE_BYTES = 16
_LINE_READS = 2  # of 64 bits, each of which waits
_CACHE_BYTES = 192  # that a cache of 256 keeps while other constants pass
_INSTRUCTIONS_A_CYCLE = 0.7
_PIXELS: Mapping[str, int] = MappingProxyType({"reference": 2, "dsp": 3, "mve": 4})


def waiting(bytes_: int, passes: int, wait_states: int) -> float:
    """Instructions for the time of reading so many bytes of constants several times.

    Args:
        bytes_: constants, one behind the other.
        passes: how often they are read; few of them once, because a cache in front of the flash holds them.
        wait_states: of the flash; 0: it keeps up, or the core has a cache.
    """
    times = passes if bytes_ > _CACHE_BYTES else 1
    lines = -(-bytes_ // _LINE_BYTES)
    return times * lines * _LINE_READS * wait_states * _INSTRUCTIONS_A_CYCLE


def passes_of(site: Site, kernel_set: str) -> int:
    """How often a layer's kernel reads its weights, where they are not unpacked first."""
    pixels = -(-site.pixels // _PIXELS[kernel_set]) if site.kind.startswith("conv2d") else 1
    return site.images * pixels
