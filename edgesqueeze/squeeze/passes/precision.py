"""How conversion will store each kernel: what a pass must know to choose values that survive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from edgesqueeze.recipe.sections import QuantizeMode
from edgesqueeze.squeeze.layers.grid import Grid
from edgesqueeze.squeeze.layers.weights import Kernel

Storage = Literal["int8", "float16", "float32"]

DYNAMIC_MINIMUM = 1024
"""Constants with fewer elements stay float in dynamic-range quantization (TFLite converter)."""


class Stored(NamedTuple):
    """How a .tflite holds a kernel.

    Attributes:
        type: the element type; ``int8`` has a scale for each part of the grid.
        grid: which weights share a scale.
    """

    type: Storage
    grid: Grid

    def with_one_scale(self) -> Stored:
        """The same with one scale for the whole kernel."""
        return self._replace(grid=self.grid._replace(scales=(1,) * len(self.grid.shape)))


@dataclass(frozen=True)
class Precision:
    """The storage of every kernel of a model.

    Attributes:
        mode: the quantization of the whole model.
    """

    mode: QuantizeMode

    def stored(self, kernel: Kernel) -> Stored:
        """How the .tflite will hold a kernel of a model."""
        return Stored(self._type(kernel), kernel.grid(operator=self.mode != "int16x8"))

    def _type(self, kernel: Kernel) -> Storage:
        if self.mode == "float16":
            return "float16"
        small = self.mode == "dynamic" and kernel.smallest < DYNAMIC_MINIMUM
        return "float32" if self.mode == "none" or small else "int8"
