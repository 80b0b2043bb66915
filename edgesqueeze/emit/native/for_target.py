"""Native C for a target: its kernels, its compiler options, its memory."""

from __future__ import annotations

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.records import NativeSource
from edgesqueeze.errors import FitError
from edgesqueeze.graph import TfliteModel
from edgesqueeze.target.processor import processor_of
from edgesqueeze.target.records import Target

NATIVE_METHOD = "planned when the C was generated"
"""How the arena of native C was found."""


def emit_for(model: TfliteModel, target: Target, *, name: str | None = None) -> NativeSource:
    """Generate C for a target; portable C where it is not a microcontroller.

    Args:
        model: any int8 .tflite.
        target: the device.
        name: the model's name in C; made from ``model.name`` when it is None.

    Raises:
        UsageError: ``name`` is not valid in C.
        UnsupportedModelError: with everything that native C does not support, all at once.
    """
    if not target.is_mcu:
        return emit_native(model, name=name, target=target.title)
    processor = processor_of(target.cpu)
    return emit_native(
        model,
        core=processor.kernel_core,
        name=name,
        target=target.title,
        cpu_flags=" ".join(processor.flags),
    )


def check_fit(target: Target, source: NativeSource, *, other_flash: int = 0, other_ram: int = 0) -> None:
    """Compare with the target's memory, as far as it is known before compiling.

    Args:
        target: the device.
        source: the generated model.
        other_flash: code and parameters in bytes, once it is compiled.
        other_ram: variables in bytes, once it is compiled.

    Raises:
        FitError: it does not fit.
    """
    limits = (
        ("flash", source.weights_bytes + other_flash, target.memory.usable_flash_bytes),
        ("RAM", source.arena_bytes + other_ram, target.memory.usable_ram_bytes),
    )
    over = [
        f"{what}: {needed:,} bytes of {usable:,} usable"
        for what, needed, usable in limits
        if usable is not None and needed > usable
    ]
    if over:
        raise FitError(
            f"{source.name} does not fit {target.name}",
            expected="weights and code within the flash, activations within the RAM",
            got="; ".join(over),
            hint="shrink the model, or choose a larger target",
        )
