"""The document of a model on several devices, each in every way that its time and its outputs can be told."""

from __future__ import annotations

from typing import Literal

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.records import Range, Record
from edgesqueeze.checks.agreement import Fidelity
from edgesqueeze.checks.records import RuntimeParity
from edgesqueeze.devices.records import Failure, Measurement
from edgesqueeze.latency.prediction import Prediction
from edgesqueeze.timing.emulation import Emulation

Method = Literal["emulated", "predicted", "measured"]


class DeviceVerdict(Record):
    """A model on one device, in one way.

    Attributes:
        device: name of the target profile, or the board as it was typed; ``local`` for this computer.
        method: how the time was found: ``emulated``, ``predicted`` or ``measured``.
        runtime: name of the runtime that runs the model there.
        latency_ms: time of one inference, in milliseconds.
        ok: false only if the outputs are wrong, or the device failed in part.
        computed_by: what computed the outputs; the device itself where it could.
        parity: how the outputs compare with the reference's; null where they could not be compared.
        reason: why the outputs could not be compared, in one sentence; else empty.
        fidelity: how the outputs match the labels; null without labels.
        timing: the document that ``bench`` prints of this device alone.
    """

    device: str
    method: Method
    runtime: str
    latency_ms: Range
    ok: bool
    computed_by: str
    parity: RuntimeParity | None = None
    reason: str = ""
    fidelity: Fidelity | None = None
    timing: Emulation | Prediction | Measurement


class Verdicts(Record):
    """A model on several devices: time and outputs of each, on the same inputs.

    Attributes:
        schema_version: version of the form of this document; it rises when a field changes its meaning.
        method: ``compared``: each device says by itself how its time was found.
        model: name of the .tflite file.
        sha256: SHA-256 of the .tflite file, in hexadecimal digits.
        data: whether the inputs were ``given``, or ``random``.
        samples: number of samples that every device computed.
        reference: name of the runtime that all outputs are compared with, on this computer.
        devices: what was found of each device, in the order in which they were named.
        failures: devices, or ways, of which nothing was found, and why.
        findings: what a reader of the figures should know of the inputs.
    """

    schema_version: Literal[1] = 1
    method: Literal["compared"] = "compared"
    model: str
    sha256: str
    data: Literal["given", "random"]
    samples: int
    reference: str
    devices: tuple[DeviceVerdict, ...]
    failures: tuple[Failure, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 if a device failed or was wrong, 2 if one could not be asked and nothing worse happened."""
        codes = [failure.exit_code for failure in self.failures]
        if 1 in codes or not all(one.ok for one in self.devices):
            return 1
        return max(codes, default=0)
