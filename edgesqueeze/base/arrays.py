"""The type of a NumPy array whose elements are checked where they are used."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
"""Any NumPy array."""
