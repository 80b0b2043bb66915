"""Constants with elements smaller than a byte, as the TFLite schema packs them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PACKED_BITS = {"int4": 4, "uint4": 4, "int2": 2}
"""Element type -> bits that an element takes."""


def small_integers(raw: npt.NDArray[np.uint8], dtype: str) -> npt.NDArray[np.int8]:
    """All elements that a constant's bytes hold, those that only fill up the last byte included.

    Args:
        raw: bytes ``[n]``, the first element in the lowest bits.
        dtype: a key of ``PACKED_BITS``.

    Returns:
        int8 ``[n * 8 / bits]``.
    """
    bits = PACKED_BITS[dtype]
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    values: npt.NDArray[np.int8] = ((raw[:, None] >> shifts) & (2**bits - 1)).reshape(-1).astype(np.int8)
    if not dtype.startswith("u"):
        values[values >= 2 ** (bits - 1)] -= 2**bits
    return values
