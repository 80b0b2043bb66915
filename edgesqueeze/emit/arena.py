"""The record of a TensorFlow Lite Micro arena."""

from __future__ import annotations

from edgesqueeze.base.records import Record


class Arena(Record):
    """An arena size and what it is made of, in bytes.

    Attributes:
        bytes: bytes to reserve; a multiple of 16, and the sum of the next three.
        measured_bytes: bytes of the smallest arena in which an inference succeeded on the host; for a model
            that only runs on a neural processor, bytes that its compiler planned for tensors.
        scratch_bytes: bytes that CMSIS-NN's kernels add on the core.
        margin_bytes: bytes that are added for safety; where nothing was measured, for the interpreter's own
            records too.
        measured_on: the interpreter and the host of the measurement; empty if nothing was measured.
        method: how the figure came about, for a person.
        core: name of the core that the size was found for, as in target profiles; None: enough for any
            Cortex-M.
    """

    bytes: int
    measured_bytes: int
    scratch_bytes: int
    margin_bytes: int
    measured_on: str
    method: str
    core: str | None = None
