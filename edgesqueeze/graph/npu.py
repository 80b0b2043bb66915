"""Models that were compiled for a neural processor: one custom operator that holds a program for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph.records import TfliteModel

NPUS: Mapping[str, str] = MappingProxyType(
    {
        "ethos-u": "an Arm Ethos-U",
        "edgetpu-custom-op": "a Google Edge TPU",
        "vsi-npu": "a VeriSilicon NPU",
        "NeutronGraph": "an NXP Neutron",
    }
)
"""Name of the custom operator -> the processor that its program is for."""


def npu_of(model: TfliteModel) -> str:
    """The neural processor that a model was compiled for, with its article; empty if it was not."""
    found = (NPUS[op.kind] for op in model.operators if op.opcode == "CUSTOM" and op.kind in NPUS)
    return next(found, "")


def refuse_npu(model: TfliteModel, what: str) -> None:
    """Raise ``UnsupportedModelError`` for a model that was compiled for a neural processor.

    Args:
        model: any model.
        what: what cannot be done with it, as the start of a sentence.
    """
    npu = npu_of(model)
    if npu:
        raise UnsupportedModelError(
            f"{what}: {model.name} was compiled for {npu}",
            expected="operators of TensorFlow Lite; a compiled program does not tell its work",
            got=", ".join(
                sorted({op.kind for op in model.operators if op.opcode == "CUSTOM" and op.kind in NPUS})
            ),
            hint="take the .tflite that the compiler was given, or measure on the device itself",
        )
