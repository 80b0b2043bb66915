"""What encodings are chosen for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgesqueeze.emit.native.packing.choose import Optimize
from edgesqueeze.emit.native.packing.code import alone_of, code_of
from edgesqueeze.emit.native.packing.cost import machine_of
from edgesqueeze.emit.native.packing.encoding import Machine
from edgesqueeze.emit.native.packing.table import PLAIN


@dataclass(frozen=True)
class Terms:
    """What the choice is made for.

    Attributes:
        kernel_set: ``reference``, ``dsp`` or ``mve``.
        core: the core that runs it; None: this computer.
        optimize: ``time``, ``size`` or ``balance``.
        ram_bytes: size that the arena must not exceed because of packing; None: no limit but ``EXTRA_RAM``.
        sorted_weights: whether kernels that only some cores use may be chosen, those for sorted weights: they
            take more memory than any other.
        wait_states: of the flash that weights are read from; 0: it keeps up, or there is a cache.
        linked: files of C, without their suffix, that are linked for other layers.
        alone: whether code counts as if every encoding stood alone, and plain weights needed none: fewer
            encodings are used then, which can need less memory side by side.
    """

    kernel_set: str
    core: str | None = None
    optimize: Optimize = "balance"
    ram_bytes: int | None = None
    sorted_weights: bool = True
    wait_states: int = 0
    linked: frozenset[str] = frozenset()
    alone: bool = False

    @property
    def machine(self) -> Machine:
        """What runs the C."""
        return machine_of(self.kernel_set, self.core)

    def code(self, functions: Sequence[str], name: str = PLAIN) -> Mapping[str, int]:
        """What the code of an encoding counts, by file or by name, in bytes."""
        if self.alone:
            return alone_of(name, functions)
        return code_of(functions, self.kernel_set, self.machine, self.linked)
