"""How conversion will store each kernel: what a pass must know to choose values that survive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgesqueeze.recipe import QuantizeMode
from edgesqueeze.squeeze.layers.kernels import KernelKey

Storage = Literal["int8", "float16", "float32"]

DYNAMIC_MINIMUM = 1024
"""Kernels with fewer elements stay float in dynamic-range quantization (TFLite converter)."""


@dataclass(frozen=True)
class Precision:
    """The storage of every kernel of a model.

    Attributes:
        mode: the quantization of the whole model.
    """

    mode: QuantizeMode

    def storage(self, key: KernelKey, elements: int) -> Storage:
        """The element type of a kernel in the .tflite; ``int8`` has one scale for each output channel.

        Args:
            key: the kernel.
            elements: how many weights it has.
        """
        if self.mode == "float16":
            return "float16"
        if self.mode in ("int8", "int16x8") or (self.mode == "dynamic" and elements >= DYNAMIC_MINIMUM):
            return "int8"
        return "float32"
