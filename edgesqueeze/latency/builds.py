"""How code for a microcontroller is compiled, as far as it changes how long the code takes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from edgesqueeze.target.records import Cpu

Build = Literal["O3", "O2", "Os", "arduino", "nofpu"]
Level = Literal["O3", "O2", "Os"]


class BuildRule(NamedTuple):
    """A row of the table of builds.

    Attributes:
        level: optimization level of GCC.
        fpu: whether floating point numbers are computed in hardware, where the core has it.
        words: what is said of the build.
    """

    level: Level
    fpu: bool
    words: str


BUILDS: Mapping[Build, BuildRule] = MappingProxyType(
    {
        "O3": BuildRule("O3", True, "built for speed (-O3)"),
        "O2": BuildRule("O2", True, "built for speed (-O2)"),
        "Os": BuildRule("Os", True, "built for size (-Os)"),
        # variants/ARDUINO_NANO33BLE/cxxflags.txt of ArduinoCore-mbed.
        "arduino": BuildRule("Os", True, "built as Arduino builds, for size (-Os)"),
        "nofpu": BuildRule("O3", False, "built for speed (-O3) without an FPU"),
    }
)

ARDUINO_KERNELS = frozenset(
    {
        *("ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MUL"),
        *("SOFTMAX", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
    }
)
"""Operators that Arduino's library of TensorFlow Lite Micro computes with kernels of CMSIS-NN: the folder
``kernels/cmsis_nn`` of tensorflow/tflite-micro-arduino-examples. All others have reference kernels there."""


def as_built(cpu: Cpu, build: Build) -> Cpu:
    """A processor as the code of a build sees it: without its FPU where the build leaves it alone."""
    if BUILDS[build].fpu:
        return cpu
    mve = "none" if cpu.mve == "none" else "integer"
    return cpu.model_copy(update={"fpu": "none", "mve": mve})
