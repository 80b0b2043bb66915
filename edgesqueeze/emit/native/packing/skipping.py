"""Kernels that want weights in a form of their own, and take less time for it: all in one table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from edgesqueeze.emit.native.packing.encoding import Machine
from edgesqueeze.emit.native.packing.factored_conv import FACTORED
from edgesqueeze.emit.native.packing.sites import Kind, Site
from edgesqueeze.emit.native.packing.skip_conv import CONVOLUTIONS
from edgesqueeze.emit.native.packing.skip_dense import FULLY_CONNECTED
from edgesqueeze.emit.native.records import Call


class Skipping(Protocol):
    """A kernel that skips blocks of zeros, or adds up the inputs of a value."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def costs(self) -> Mapping[Machine, object]:
        """What it takes, by machine; only these use it."""

    @property
    def cores(self) -> frozenset[str]:
        """Cores that use it; none: all of these machines."""

    @property
    def functions(self) -> tuple[str, ...]:
        """What the call needs linked."""

    def stored(self, site: Site, part_outputs: int, kernel_set: str) -> int | None:
        """Bytes of the weights in flash; None: it cannot hold them."""

    def parameter_bytes(self) -> int:
        """By which a layer's description is longer than a plain one's."""

    def scratch(self, site: Site, part_outputs: int, kernel_set: str) -> int:
        """Scratch memory in bytes."""

    def part_unit(self, site: Site) -> int:
        """What parts are multiples of, in output channels; 0: nothing is unpacked."""

    def instructions(self, site: Site, part_outputs: int, machine: Machine) -> float:
        """Instructions of a layer in one inference, unpacking included."""

    def unpacking(self, site: Site, part_outputs: int, machine: Machine) -> float:
        """Those of them that unpacking takes."""

    def call(self, site: Site, part_outputs: int, kernel_set: str) -> Call:
        """The call that takes the place of one with plain weights."""


SKIPPING: Mapping[Kind, tuple[Skipping, ...]] = MappingProxyType(
    {
        "conv2d": (*CONVOLUTIONS, *FACTORED),
        "conv2d_1x1": (*CONVOLUTIONS, *FACTORED),
        "fully_connected": FULLY_CONNECTED,
    }
)
"""Kind of layer -> its kernels."""
