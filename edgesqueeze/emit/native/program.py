"""Everything that the text of a generated folder is made from."""

from __future__ import annotations

from dataclasses import dataclass

from edgesqueeze.emit.native.constants import Constants
from edgesqueeze.emit.native.lower.graph import Lowered
from edgesqueeze.emit.native.plan import Plan
from edgesqueeze.emit.native.records import Io
from edgesqueeze.graph import TfliteModel


@dataclass(frozen=True)
class Build:
    """How the generated folder is compiled.

    Attributes:
        target: what it is for, in words.
        kernel_set: the set whose kernels it links.
        cross: prefix of the compiler's programs; empty: this machine's own.
        cpu_flags: options that select the core.
    """

    target: str
    kernel_set: str
    cross: str
    cpu_flags: str


@dataclass(frozen=True)
class Program:
    """A model that is lowered and planned, before it is written as text.

    Attributes:
        model: the .tflite that it is made from.
        name: the model's name in C.
        build: how it is compiled.
        lowered: the model's layers.
        plan: places of tensors and scratch memory in the arena.
        constants: the layers' constant data, with names.
        inputs: the model's inputs.
        outputs: the model's outputs.
    """

    model: TfliteModel
    name: str
    build: Build
    lowered: Lowered
    plan: Plan
    constants: Constants
    inputs: tuple[Io, ...]
    outputs: tuple[Io, ...]
