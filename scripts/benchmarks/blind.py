"""Which published latencies are kept out of every fit, as a standing blind test.

The rule was written before any of them was found: of the latencies that are added from now on, those stay out
whose name's hash is a multiple of three. The name is device, model, arithmetic and number of threads, so that
all versions of one measurement are on the same side, and nobody chooses the side by looking at the error.
Latencies that were there before the rule (``published/seen.txt`` has their names) have shaped the fits, and
are never blind.

Blind rows may be printed and counted. They may not choose a parameter, a prior or the width of a bound; one
that did is no longer blind, and the rule has no way to say so: it would have to go.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

SEEN = Path(__file__).parent / "published" / "seen.txt"
SEEN_SHA256 = "afb67d4670a78bdf5e0e2d5975f1c264ebb3dbf1a4a713727f4b5c0a233d4459"
"""Of ``seen.txt``: nothing is added to it."""
ONE_OF = 3


def name_of(device: str, model: str, arithmetic: str, threads: int) -> str:
    """The name of a measurement, whatever version of what runtime made it."""
    return f"{device}, {model}, {arithmetic}, {threads}"


def is_blind(name: str) -> bool:
    """Whether a measurement is kept out of every fit."""
    return name not in seen() and int(hashlib.sha256(name.encode()).hexdigest(), 16) % ONE_OF == 0


@functools.cache
def seen() -> frozenset[str]:
    """The names of the measurements that were there before the rule.

    Raises:
        ValueError: the list was changed.
    """
    content = SEEN.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SEEN_SHA256:
        raise ValueError(f"expected {SEEN.name} as it was when the rule was made, got SHA-256 {digest}")
    return frozenset(content.decode().splitlines())
